//! A small AWS: moto for the ECR API, a registry with ECR's login for its data plane, and an open one in
//! place of public.ecr.aws; seeded together with the same bytes.

use crate::account::{Account, REGION, owner};
use testbed::{
    peers::{self, Peer, Registry},
    program::Program,
    seed::{Image, Recipe, Target},
};

/// The account moto lives in.
pub const ACCOUNT: &str = "123456789012";
/// The private registry as references name it.
pub const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
/// The repository of the base.
pub const BASE: &str = "public.ecr.aws/lambda/java";
const BASE_NAME: &str = "lambda/java";
/// The instant that counts as now in all audits.
pub const NOW: &str = "2026-11-20T06:00:00Z";

/// The releases of `public.ecr.aws/lambda/java:21` in a [`World`], by their dates.
pub const RELEASES: [&str; 5] = ["2026.08.22.00", "2026.08.23.12", "2026.10.20.13", "2026.11.01.04", "2026.11.19.13"];

/// The peers and what to fill them with.
pub struct AwsEnvironment {
    /// The AWS APIs.
    pub moto: Peer,
    /// Stands in for public.ecr.aws.
    pub public: Peer,
    /// The account of the environment's credentials.
    pub own: Account,
}

/// One release of the line: the index of both architectures.
pub struct Release {
    /// Its index.
    pub index: Image,
    /// `2026-08-22T00:00:00Z`.
    pub published_at: String,
}

fn layers(published_at: &str, architecture: &str) -> Vec<String> {
    vec![format!("al2023 {architecture}"), format!("java 21 of {published_at} for {architecture}")]
}

impl AwsEnvironment {
    /// Starts the peers.
    pub fn start() -> Self {
        let moto = peers::moto();
        let own = Account::of(&moto, ACCOUNT, REGION, owner());
        Self { moto, public: Registry::default().start(), own }
    }

    /// Starts the peers and publishes all releases.
    pub async fn published() -> (Self, Vec<Release>) {
        let environment = Self::start();
        let releases = environment.publish().await;
        (environment, releases)
    }

    /// Publishes all [`RELEASES`] of `lambda/java:21` as AWS does: dated tags for the index and for each
    /// architecture, and the moving tag on the newest.
    pub async fn publish(&self) -> Vec<Release> {
        let target = Target::open(self.public.http());
        let releases = futures::future::join_all(RELEASES.map(|dated| release(&target, dated))).await;
        let newest = releases.last().expect("there are releases");
        newest.index.push_manifest(&target, BASE_NAME, "21").await;
        releases
    }

    /// A machine that audits all of private ECR, with `more` in its configuration.
    pub fn program(&self, more: &str) -> Program {
        self.audits(&format!("[[inventory.ecr]]\nregions = [\"us-east-1\"]\n{more}"), &[])
    }

    /// A machine that audits `inventories` in its own account and `others`.
    pub fn audits(&self, inventories: &str, others: &[&Account]) -> Program {
        let tables: Vec<_> = [&self.own].into_iter().chain(others.iter().copied()).map(Account::table).collect();
        let config = format!(
            r#"
            [[identify.base]]
            repository = "public.ecr.aws/lambda/java"
            default_tag = "21"

            [registry."public.ecr.aws"]
            endpoint = "{}"
            full_mirror = true
            auth = "anonymous"
            rate = 1000

            {}
            {inventories}"#,
            self.public.http(),
            tables.join("\n"),
        );
        Program::with_config(&config).aws(self.moto.http())
    }
}

async fn release(target: &Target, dated: &str) -> Release {
    let [year, month, day, hour]: [&str; 4] =
        dated.split('.').collect::<Vec<_>>().try_into().expect("a date of four parts");
    let published_at = format!("{year}-{month}-{day}T{hour}:00:00Z");
    let recipe = |architecture| {
        let layers = layers(&published_at, architecture);
        Recipe::new(&published_at, &layers.iter().map(String::as_str).collect::<Vec<_>>()).docker()
    };
    let (amd64, arm64) = (recipe("amd64").build(), recipe("arm64").arm64().build());
    amd64.push(target, BASE_NAME, Some(&format!("21.{dated}-x86_64"))).await;
    arm64.push(target, BASE_NAME, Some(&format!("21.{dated}-arm64"))).await;
    let index = Image::index(&[amd64, arm64]);
    index.push_manifest(target, BASE_NAME, &format!("21.{dated}")).await;
    Release { index, published_at }
}

/// An amd64 image on the release, with a layer of its own and the label that the build stamps.
pub fn built_on(release: &Release, application: &str) -> Recipe {
    built_for("amd64", release, application)
}

/// The same for arm64.
pub fn built_on_arm64(release: &Release, application: &str) -> Recipe {
    built_for("arm64", release, application).arm64()
}

fn built_for(architecture: &str, release: &Release, application: &str) -> Recipe {
    let mut layers = layers(&release.published_at, architecture);
    layers.push(format!("application {application}"));
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    Recipe::new("2026-11-19T20:00:00Z", &layers).label("sdkBaseVersion", &format!("{BASE}@{}", release.index.digest))
}
