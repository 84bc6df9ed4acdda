//! Requests for lines at a registry that behaves like public.ecr.aws, through the real client: tokens for everything,
//! no digest on `GET`, unordered pages.

use std::sync::Arc;

use basewatch::{
    http::RequestCounter,
    identify::Base,
    image::{Annotations, Digest, LambdaArch, LambdaTag, Platform},
    registry::{AuthSettings, DistributionClient, HostSettings, NetworkSettings},
    resolve::{BaseQuery, BaseResolver, ImageAge, LineSource, Resolution, ResolveSettings},
    store::{Catalog, ImageReader},
};
use chrono::{DateTime, Duration, Utc};
use futures::future::join_all;
use testbed::registry::{Behaviour, ImageSpec, LoggedRequest, Loopback, Stock};

const HOST: &str = "public.ecr.aws";
const REPOSITORY: &str = "lambda/python";
/// Families that are all built in the same hours.
const FAMILIES: [&str; 6] = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"];
const RELEASES: i64 = 120;
/// The release in use, counted back from the newest.
const IN_USE: i64 = 75;

fn now() -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse().expect("valid")
}

fn built_at(age: i64) -> DateTime<Utc> {
    now() - Duration::days(age) - Duration::hours(age * 7 % 24 + 1)
}

/// Publishes the release of `family` that is `age` days old, with all its tags.
fn publish(stock: &Stock, family: &str, age: i64) -> Digest {
    let hour = built_at(age).format("%Y-%m-%dT%H:00:00Z").to_string().parse().expect("valid");
    let tag = LambdaTag { family: family.to_owned(), built_at: Some(hour), arch: None };
    let children = [("amd64", LambdaArch::X86_64), ("arm64", LambdaArch::Arm64)].map(|(name, arch)| {
        let platform = Platform::new("linux", name, None);
        let spec = ImageSpec {
            platform: platform.clone(),
            created: Some((hour + Duration::minutes(25)).to_rfc3339()),
            layers: vec![format!("os {name}").into_bytes(), format!("{tag} {name}").into_bytes()],
            docker_media_types: true,
            ..ImageSpec::default()
        };
        let digest = stock.push_image(REPOSITORY, &spec);
        stock.tag(REPOSITORY, &tag.on(arch).to_string(), &digest);
        (digest, platform)
    });
    let index = stock.push_index(REPOSITORY, &children, &Annotations::new(), true);
    stock.tag(REPOSITORY, &tag.to_string(), &index);
    stock.tag(REPOSITORY, family, &index);
    index
}

struct World {
    registry: Loopback,
    catalog: Arc<Catalog>,
    in_use: Vec<(String, Digest)>,
    read: usize,
}

impl World {
    fn new() -> Self {
        let stock = Stock::new();
        let mut in_use = Vec::new();
        for family in FAMILIES {
            for age in (0..RELEASES).rev() {
                let index = publish(&stock, family, age);
                if age == IN_USE {
                    in_use.push((family.to_owned(), index));
                }
            }
        }
        // Behaves like ECR Public except for its rate limit, which does not affect counts.
        let manners = Behaviour { rate: None, ..Behaviour::ecr_public() };
        let registry = Loopback::start_as(stock, manners).expect("a loopback port");
        Self { registry, catalog: Arc::new(Catalog::in_memory()), in_use, read: 0 }
    }

    /// One run over every line with a base in use. `recorded`: labels name the family.
    async fn run(&mut self, recorded: bool, built_at: Option<DateTime<Utc>>) -> Vec<Resolution> {
        let host = HostSettings {
            endpoint: Some(self.registry.endpoint()),
            full_mirror: true,
            auth: AuthSettings::Anonymous,
            rate: Some(10_000.0),
            ..HostSettings::default()
        };
        let settings = NetworkSettings { hosts: [(HOST.to_owned(), host)].into(), ..NetworkSettings::default() };
        let client = DistributionClient::new(settings, None, Arc::new(RequestCounter::default())).expect("valid");
        let images = Arc::new(ImageReader::new(Arc::new(client), Arc::clone(&self.catalog)));
        let resolver = BaseResolver::new(images, ResolveSettings::default(), now(), now());
        let queries: Vec<_> = self
            .in_use
            .iter()
            .map(|(family, digest)| BaseQuery {
                base: Base {
                    repository: format!("{HOST}/{REPOSITORY}").parse().expect("valid"),
                    mirror: None,
                    tag: recorded.then(|| family.clone()),
                    digest: Some(digest.clone()),
                    further_digests: Vec::new(),
                    further_tag: None,
                    configured_tag: None,
                    default_tag: Some("latest".to_owned()),
                },
                platform: Platform::new("linux", "arm64", None),
                built_at,
            })
            .collect();
        join_all(queries.iter().map(|query| resolver.resolve(query, ImageAge::default()))).await
    }

    /// The requests since the last call: for lines, tag pages, and tokens.
    fn requests(&mut self) -> (Vec<LoggedRequest>, usize, usize) {
        let mut all = self.registry.requests().split_off(self.read);
        self.read += all.len();
        let handshake = all.iter().filter(|request| !request.is_authorized).count();
        all.retain(|request| request.is_authorized);
        let pages = all.iter().filter(|request| request.path.contains("/tags/list")).count();
        all.retain(|request| !request.path.contains("/tags/list"));
        (all, pages, handshake)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_line_costs_at_most_eight_requests_and_a_known_one_a_single_request() {
    for (recorded, built_at) in [
        (true, Some(built_at(IN_USE) + Duration::hours(2))), // built on what was new then
        (true, Some(built_at(IN_USE) + Duration::days(40))), // built on an older, pinned base
        (false, Some(built_at(IN_USE) + Duration::days(40))), // and the label holds a digest only
        (false, None),
    ] {
        let mut registry = World::new();
        let cold = registry.run(recorded, built_at).await;
        let (requests, pages, handshake) = registry.requests();
        for (resolution, (family, _)) in cold.iter().zip(&registry.in_use) {
            let (line, source) = resolution.line.as_ref().expect("a line");
            assert_eq!((&line.tag, *source == LineSource::DatedTag), (family, !recorded));
            assert_eq!((resolution.later_releases.count, resolution.later_releases.is_exact), (Some(75), true));
            assert_eq!(resolution.problems, []);
        }
        let lines = FAMILIES.len();
        assert!(requests.len() <= lines * 8, "{recorded} {built_at:?}: {} {requests:#?}", requests.len());
        assert_eq!(pages, (FAMILIES.len() * 120 * 3 + FAMILIES.len()).div_ceil(1000), "each page once");
        assert_eq!(handshake, 2, "one refusal and one token for all");

        let warm = registry.run(recorded, built_at).await;
        let (requests, pages, handshake) = registry.requests();
        assert!(requests.iter().all(|request| request.method == "HEAD"), "{requests:#?}");
        assert_eq!((requests.len(), pages, handshake), (lines, 0, 2), "{requests:#?}");
        assert_eq!(
            cold.iter().map(|it| &it.later_releases).collect::<Vec<_>>(),
            warm.iter().map(|it| &it.later_releases).collect::<Vec<_>>()
        );
    }
}
