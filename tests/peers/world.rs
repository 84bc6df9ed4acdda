//! A small AWS: moto for the ECR API, a registry with ECR's login for its data plane, and an open one in
//! place of public.ecr.aws; seeded together with the same bytes.

use aws_sdk_ecr::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};

use crate::{
    peers::{self, Access, Peer, Registry},
    program::Program,
    seed::{Image, Recipe, Target},
};

/// The account moto lives in.
pub const ACCOUNT: &str = "123456789012";
/// What moto's `GetAuthorizationToken` hands out for it.
pub const ECR_PASSWORD: &str = "123456789012-auth-token";
/// The private registry as references name it.
pub const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
/// The instant all audits here take for now.
pub const NOW: &str = "2026-11-20T06:00:00Z";

/// The releases of `public.ecr.aws/lambda/java:21` in a [`World`], by their dates.
pub const RELEASES: [&str; 5] = ["2026.08.22.00", "2026.08.23.12", "2026.10.20.13", "2026.11.01.04", "2026.11.19.13"];

/// The peers and what to fill them with.
pub struct World {
    /// The AWS APIs.
    pub moto: Peer,
    /// The data plane of private ECR.
    pub ecr: Peer,
    /// Stands in for public.ecr.aws.
    pub public: Peer,
    api: Client,
}

/// One release of the line: the index of both architectures.
pub struct Release {
    /// Its index.
    pub index: Image,
    /// `2026-08-22T00:00:00Z`.
    pub published_at: String,
}

impl Release {
    /// The layers of its amd64 image, for images built on it.
    pub fn layers(&self) -> Vec<String> {
        layers(&self.published_at, "amd64")
    }
}

fn layers(published_at: &str, architecture: &str) -> Vec<String> {
    vec![format!("al2023 {architecture}"), format!("java 21 of {published_at} for {architecture}")]
}

impl World {
    /// Starts the peers.
    pub fn start() -> Self {
        let moto = peers::moto();
        let api = aws_sdk_ecr::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(moto.http())
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "tests"))
            .build();
        Self {
            moto,
            ecr: Registry { access: Access::Basic("AWS", ECR_PASSWORD), ..Registry::default() }.start(),
            public: Registry::default().start(),
            api: Client::from_conf(api),
        }
    }

    /// Where pushes of private images go.
    pub fn ecr_target(&self) -> Target {
        Target::with_login(self.ecr.http(), "AWS", ECR_PASSWORD)
    }

    /// Publishes all [`RELEASES`] of `lambda/java:21` as AWS does: dated tags for the index and for each
    /// architecture, and the moving tag on the newest.
    pub async fn publish(&self) -> Vec<Release> {
        let target = Target::open(self.public.http());
        let mut releases = Vec::new();
        for dated in RELEASES {
            let [year, month, day, hour]: [&str; 4] =
                dated.split('.').collect::<Vec<_>>().try_into().expect("a date of four parts");
            let published_at = format!("{year}-{month}-{day}T{hour}:00:00Z");
            let recipe = |architecture| {
                let layers = layers(&published_at, architecture);
                Recipe::new(&published_at, &layers.iter().map(String::as_str).collect::<Vec<_>>()).docker()
            };
            let (amd64, arm64) = (recipe("amd64").build(), recipe("arm64").arm64().build());
            amd64.push(&target, "lambda/java", Some(&format!("21.{dated}-x86_64"))).await;
            arm64.push(&target, "lambda/java", Some(&format!("21.{dated}-arm64"))).await;
            let index = Image::index(&[amd64, arm64]);
            index.push(&target, "lambda/java", Some(&format!("21.{dated}"))).await;
            releases.push(Release { index, published_at });
        }
        let newest = releases.last().expect("there are releases");
        newest.index.push(&target, "lambda/java", Some("21")).await;
        releases
    }

    /// Makes a repository in private ECR.
    pub async fn create(&self, repository: &str) {
        self.api.create_repository().repository_name(repository).send().await.expect("a repository made");
    }

    /// Registers a pushed image with the ECR API.
    ///
    /// The digest is always passed: moto counts one of its own otherwise, over the layers.
    pub async fn register(&self, repository: &str, tag: Option<&str>, image: &Image) {
        for child in &image.children {
            Box::pin(self.register(repository, None, child)).await;
        }
        self.api
            .put_image()
            .repository_name(repository)
            .set_image_tag(tag.map(str::to_owned))
            .image_manifest(String::from_utf8(image.manifest.clone()).expect("a manifest in UTF-8"))
            .image_manifest_media_type(image.media_type)
            .image_digest(&image.digest)
            .send()
            .await
            .expect("an image registered");
    }

    /// Makes a repository, pushes `image` into it and registers it.
    pub async fn deploy(&self, repository: &str, tag: &str, image: &Image) {
        self.create(repository).await;
        image.push(&self.ecr_target(), repository, Some(tag)).await;
        self.register(repository, Some(tag), image).await;
    }

    /// A machine that audits all of private ECR, with `more` in its configuration.
    pub fn program(&self, more: &str) -> Program {
        let config = format!(
            r#"
            [[identify.line]]
            repository = "public.ecr.aws/lambda/java"
            default_tag = "21"

            [[inventory.ecr]]
            regions = ["us-east-1"]

            [registry."public.ecr.aws"]
            endpoint = "{}"
            auth = "anonymous"
            rate = 1000

            [registry."{ECR}"]
            endpoint = "{}"
            {more}"#,
            self.public.http(),
            self.ecr.http(),
        );
        Program::with_config(&config).aws(self.moto.http())
    }
}
