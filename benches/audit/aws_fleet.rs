//! An AWS inventory: functions in several accounts and regions, with images in private ECR on six lines.

use basewatch::image::{Annotations, Digest};
use chrono::{DateTime, TimeDelta, Utc};
use testbed::{
    aws::{Cloud, CloudFunction, CloudImage, CloudVersion},
    program::Program,
    registry::{ImageSpec, Stock},
};

use crate::{
    fleet::{self, Line, NOW},
    pace,
};

/// Functions that are packaged as images.
pub const FUNCTIONS: usize = 10_000;
/// The account basewatch runs in, which is not audited.
pub const OWN: &str = "100000000000";

const ACCOUNTS: [&str; 4] = ["111111111111", "222222222222", "333333333333", "444444444444"];
const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
/// Of each account, over its regions.
const REPOSITORIES: usize = 40;
const IMAGES: usize = 300;
/// One function in so many has an alias of a published version.
const ALIASED: usize = 20;
/// Zip functions in each region: listed, but not requested.
const ARCHIVES: usize = 50;
/// Versions on a page of Lambda's (its API model).
const PAGE: usize = 50;
const LINES: [(&str, &str); 6] = [
    ("lambda/python", "3.12"),
    ("lambda/python", "3.13"),
    ("lambda/nodejs", "22"),
    ("lambda/java", "21"),
    ("lambda/dotnet", "8"),
    ("lambda/provided", "al2023"),
];
/// Releases of each line, and those that are in use, counted back from the newest.
const RELEASES: i64 = 60;
const IN_USE: [i64; 6] = [0, 5, 20, 30, 45, 59];

/// The emulated AWS and registries, and the expected numbers.
pub struct AwsFleet {
    /// The state of AWS.
    pub cloud: Cloud,
    /// The registries with bases and images.
    pub stock: Stock,
    /// The expected findings.
    pub deployments: usize,
    /// By account and region.
    pub regions: Vec<FleetRegion>,
}

/// One region of one account.
pub struct FleetRegion {
    account: &'static str,
    name: &'static str,
    images: Vec<(String, Digest)>,
    functions: usize,
}

impl FleetRegion {
    /// The number of `GetFunction` calls of a cold audit.
    pub fn gets(&self) -> usize {
        self.functions + self.aliased()
    }

    /// The number of other Lambda calls of a cold audit.
    pub fn lists(&self) -> usize {
        let listed = self.functions + self.aliased() + ARCHIVES;
        listed.div_ceil(PAGE) + self.aliased()
    }

    fn aliased(&self) -> usize {
        self.functions.div_ceil(ALIASED)
    }

    fn host(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com", self.account, self.name)
    }

    /// Deploys functions with the images of this region.
    fn deploy(&self, cloud: &Cloud) {
        let version = |number: usize| {
            let (name, digest) = &self.images[number % self.images.len()];
            CloudVersion::image(&format!("{}/{name}", self.host()), digest)
        };
        for number in 0..self.functions {
            let name = format!("team-{}-function-{number}", number % 7);
            let handler = format!("app.handler{number}");
            let mut function = CloudFunction::new(&name, version(number).running(&[&handler]));
            if number.is_multiple_of(ALIASED) {
                function = function.publishing(version(number + 1)).alias("live", 1);
            }
            if !number.is_multiple_of(10) {
                function = function.tag("team", &format!("team-{}", number % 7)).tag("stage", "production");
            }
            cloud.function(self.account, self.name, function);
        }
        for number in 0..ARCHIVES {
            let function = CloudFunction::new(&format!("archive-{number}"), CloudVersion::zip("python3.13"));
            cloud.function(self.account, self.name, function);
        }
    }
}

/// Creates the fleet.
pub fn fill() -> AwsFleet {
    let now: DateTime<Utc> = NOW.parse().expect("an instant");
    let (cloud, stock) = (Cloud::new(OWN), Stock::new());
    let mut lines = fleet::lines(40);
    lines.retain(|line| LINES.contains(&(line.repository, line.version)));
    assert_eq!(lines.len(), LINES.len(), "all lines are there");
    let bases: Vec<_> = lines.iter().map(|line| (line, publish(&stock, line, now))).collect();
    let pairs = ACCOUNTS.into_iter().flat_map(|account| REGIONS.map(|region| (account, region)));
    let count = ACCOUNTS.len() * REGIONS.len();
    let mut regions = Vec::new();
    for (number, (account, name)) in pairs.enumerate() {
        let functions = FUNCTIONS / count + usize::from(number < FUNCTIONS % count);
        let mut region = FleetRegion { account, name, images: Vec::new(), functions };
        push(&mut region, &cloud, &stock, &bases);
        region.deploy(&cloud);
        regions.push(region);
    }
    let deployments = regions.iter().map(FleetRegion::gets).sum();
    AwsFleet { cloud, stock, deployments, regions }
}

/// Releases, and when they were published.
type Releases = Vec<(Digest, DateTime<Utc>)>;

/// Publishes the releases of `line`, and returns those in use.
fn publish(stock: &Stock, line: &Line, now: DateTime<Utc>) -> Releases {
    let published = (0..RELEASES).rev().map(|age| {
        let at = pace::published_at(age, now);
        (age, pace::publish(stock, line, at), at)
    });
    let mut in_use: Vec<_> = published.filter(|(age, ..)| IN_USE.contains(age)).collect();
    in_use.reverse();
    in_use.into_iter().map(|(_, index, at)| (index, at)).collect()
}

/// Pushes the images of `region`: of an account's forty repositories those that are in this region.
fn push(region: &mut FleetRegion, cloud: &Cloud, stock: &Stock, bases: &[(&Line, Releases)]) {
    let is_here = |image: &usize| REGIONS[image % REPOSITORIES % REGIONS.len()] == region.name;
    for image in (0..IMAGES).filter(is_here) {
        let repository = format!("team-{}/app-{}", region.account, image % REPOSITORIES);
        let tag = (image / REPOSITORIES + 1).to_string();
        let (line, releases) = &bases[image % bases.len()];
        let (base, published_at) = &releases[image / bases.len() % releases.len()];
        let built_at = *published_at + TimeDelta::hours(2);
        let label = format!("public.ecr.aws/{}@{base}", line.repository);
        let mut layers = pace::layers(line, *published_at, "amd64");
        layers.push(format!("{repository}:{tag}").into_bytes());
        let spec = ImageSpec {
            created: Some(built_at.to_rfc3339()),
            labels: Annotations::from([("sdkBaseVersion".to_owned(), label)]),
            layers,
            ..ImageSpec::default()
        };
        let digest = stock.push_image(&repository, &spec);
        let stored = CloudImage::from_stock(stock, &repository, digest.as_str()).expect("it was just pushed");
        let stored = stored.tagged(&tag).pushed(built_at + TimeDelta::minutes(5));
        cloud.push(region.account, region.name, &repository, stored);
        region.images.push((format!("{repository}:{tag}"), digest));
    }
}

impl AwsFleet {
    /// A machine with an empty catalog that audits everything, with AWS at `aws` and all registries at `registry`.
    pub fn program(&self, aws: String, registry: &str) -> Program {
        let hosts =
            self.regions.iter().map(|region| format!("[registry.\"{}\"]\nendpoint = \"{registry}\"\n", region.host()));
        let config = format!(
            r#"
            [[inventory.lambda]]
            regions = {REGIONS:?}

            [accounts]
            role = "arn:aws:iam::{{account}}:role/basewatch-audit"
            ids = {ACCOUNTS:?}

            [owners]
            tags = ["team"]
            rules = [{{ match = "*", owner = "platform" }}]

            [registry."public.ecr.aws"]
            endpoint = "{registry}"
            full_mirror = true
            auth = "anonymous"
            rate = 10000

            {}
            "#,
            hosts.collect::<String>()
        );
        Program::with_config(&config).aws(aws)
    }
}
