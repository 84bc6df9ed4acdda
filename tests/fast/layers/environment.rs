//! A publisher of bases, and images built on them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use basewatch::{
    identify::{self, BaseRule, BaseRules, Identification, LayerEvidence, SearchLimits, identify},
    image::{Digest, ImageFacts, ImageManifest, Repository},
    inventory::DeployedImage,
    resolve::{BaseResolver, ComparedImage, LayerSearcher, ResolveSettings},
    store::{Catalog, ImageReader},
};
use chrono::{DateTime, Utc};

use testbed::world::{World, at, compressed, diff_id};

pub(crate) const PYTHON: &str = "public.ecr.aws/lambda/python";
pub(crate) const NODEJS: &str = "public.ecr.aws/lambda/nodejs";
pub(crate) const JAVA: &str = "public.ecr.aws/lambda/java";
pub(crate) const COMPANY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/base/python";
pub(crate) const PROVIDED: &str = "public.ecr.aws/lambda/provided";

/// The lines, with what their releases have above the four layers that all have.
const LINES: [(&str, &str, &[&str]); 5] = [
    (PYTHON, "3.12", &["python3.12", "client3.12"]),
    (PYTHON, "3.13", &["python3.13", "client3.13"]),
    (NODEJS, "22", &["node22", "client22"]),
    (JAVA, "21", &["jdk21", "client21"]),
    (PROVIDED, "al2023", &[]),
];

/// How many lines there are.
pub(crate) const LINE_COUNT: usize = LINES.len();

/// The registry and the catalog.
pub(crate) struct SearchEnvironment {
    pub(crate) registry: Arc<World>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) limits: SearchLimits,
    pub(crate) now: DateTime<Utc>,
    /// The tags of the company's base that are followed.
    pub(crate) followed: Vec<String>,
    /// Whether releases of the company's base have dated tags.
    pub(crate) has_dated_company: bool,
}

/// The layers of the release of `family` on `day` of August 2026.
pub(crate) fn layers(family: &str, day: u32) -> Vec<String> {
    let (_, _, own) = LINES.into_iter().find(|(_, line, _)| *line == family).expect("a line");
    ["os", "certificates", "entrypoint", "emulator"].iter().chain(own).map(|layer| format!("{layer} {day}")).collect()
}

pub(crate) fn day(day: u32) -> DateTime<Utc> {
    at(&format!("2026-08-{day:02}T15:00:00Z"))
}

impl SearchEnvironment {
    /// Releases of all lines on each of the first `days` days of August 2026.
    pub(crate) fn new(days: u32) -> Self {
        let env = Self {
            registry: Arc::default(),
            catalog: Arc::new(Catalog::in_memory()),
            limits: SearchLimits::default(),
            now: at("2026-09-01T06:00:00Z"),
            followed: Vec::new(),
            has_dated_company: false,
        };
        (1..=days).for_each(|day| env.publish(day));
        env
    }

    /// The same, with at most so many requests a run.
    pub(crate) fn within(mut self, request_count: usize) -> Self {
        self.limits.request_count = request_count;
        self
    }

    pub(crate) fn publish(&self, day: u32) {
        self.publish_on_system(day, &day.to_string());
    }

    /// The same with the operating system `system`.
    pub(crate) fn publish_on_system(&self, day: u32, system: &str) {
        for (repository, family, _) in LINES {
            let mut layers = layers(family, day);
            layers[0] = format!("os {system}");
            let layers: Vec<_> = layers.iter().map(String::as_str).collect();
            self.registry.publish(repository, family, &format!("2026-08-{day:02}T13:00:00Z"), &layers);
        }
    }

    /// A separate run over the same catalog: the layer evidence of `images`.
    pub(crate) async fn compare(&self, images: &[Image]) -> Vec<Arc<LayerEvidence>> {
        let registry = ImageReader::new(Arc::clone(&self.registry) as _, Arc::clone(&self.catalog));
        let resolver = BaseResolver::new(
            Arc::new(registry),
            ResolveSettings { bases: self.bases(), ..ResolveSettings::default() },
            self.now,
            self.now,
        );
        let searcher = LayerSearcher::new(&resolver, self.limits);
        let images: Vec<_> = images.iter().map(Image::compared).collect();
        searcher.compare(&images).await
    }

    /// The bases that are configured: those of AWS that are published here, and the company's.
    fn bases(&self) -> BaseRules {
        let rule = |repository: &str| BaseRule::new(repository.parse().expect("a pattern"));
        let has_dated_tags = self.has_dated_company.then_some(true);
        BaseRules::new(vec![
            BaseRule { has_dated_tags: Some(false), ..rule("public.ecr.aws/lambda/{dotnet,go,ruby}") },
            BaseRule { is_company: Some(true), tags: self.followed.clone(), has_dated_tags, ..rule(COMPANY) },
        ])
    }

    /// The same for one image.
    pub(crate) async fn compare_one(&self, image: &Image) -> Arc<LayerEvidence> {
        self.compare(std::slice::from_ref(image)).await.remove(0)
    }

    /// The requests since the last call, without lists of tags.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.registry.requests().into_iter().filter(|request| !request.starts_with("TAGS")).collect()
    }
}

/// A deployed image.
#[derive(Clone)]
pub(crate) struct Image {
    repository: Repository,
    deployed: DeployedImage,
    identification: Identification,
    existed_at: Option<DateTime<Utc>>,
}

/// How an image is made.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) repository: &'static str,
    pub(crate) layers: Vec<String>,
    pub(crate) compression: &'static str,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) existed_at: Option<DateTime<Utc>>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// An unlabelled image with two layers of its own on the release of `family` on the day `base`, built and pushed on the
/// day `built`.
pub(crate) fn build(family: &str, base: u32, built: u32) -> Build {
    let own = ["dependencies", "application"].map(|layer| format!("{layer} {family} {base} {built}"));
    Build {
        repository: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders",
        layers: layers(family, base).into_iter().chain(own).collect(),
        compression: "gzip",
        created_at: Some(day(built)),
        existed_at: Some(day(built) + chrono::Duration::minutes(5)),
        labels: BTreeMap::from([("com.amazonaws.lambda.platform.kernel".to_owned(), "k510ga".to_owned())]),
    }
}

impl Build {
    /// Without signs of a Lambda base.
    pub(crate) fn without_sign(mut self) -> Self {
        self.labels.retain(|label, _| !label.starts_with("com.amazonaws."));
        self
    }

    /// The base is recorded in a label.
    pub(crate) fn labelled(mut self, base: impl Into<String>) -> Self {
        self.labels.insert("sdkBaseVersion".to_owned(), base.into());
        self
    }

    pub(crate) fn image(&self) -> Image {
        let config = serde_json::json!({
            "os": "linux", "architecture": "arm64", "created": self.created_at, "config": { "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": self.layers.iter().map(|it| diff_id(it)).collect::<Vec<_>>() },
        });
        let layers = self.layers.iter().map(|layer| compressed(layer, self.compression)).collect();
        let manifest =
            ImageManifest { layers, ..ImageManifest::new(Digest::sha256(config.to_string().as_bytes()), None) };
        let facts = ImageFacts::read(manifest, config.to_string().as_bytes()).expect("a configuration");
        let repository: Repository = self.repository.parse().expect("a repository");
        let image = DeployedImage {
            digest: Digest::sha256(format!("{config} {}", self.compression).as_bytes()),
            facts: Arc::new(facts),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        };
        let identification = identify(&image, Some(&repository), &identify::IdentifySettings::default());
        Image { repository, deployed: image, identification, existed_at: self.existed_at }
    }
}

impl Image {
    fn compared(&self) -> ComparedImage<'_> {
        ComparedImage {
            is_listed: true,
            image: &self.deployed,
            repository: Some(&self.repository),
            tag: None,
            identification: &self.identification,
            existed_at: self.existed_at,
        }
    }
}

/// The known prefixes, longest first: how many layers, and the dated tags.
pub(crate) fn prefixes(evidence: &LayerEvidence) -> Vec<(usize, String)> {
    let names = |prefix: &basewatch::image::MatchedPrefix| {
        let name = |known: &Arc<basewatch::image::RepositoryRelease>| {
            let tags = known.release.tags.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            format!("{}:{tags}", known.repository.name.rsplit('/').next().unwrap_or_default())
        };
        prefix.releases.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    evidence.prefixes.iter().map(|prefix| (prefix.layer_count, names(prefix))).collect()
}

/// That the release of `family` on `day` is the only prefix but for `provided`.
pub(crate) fn assert_base(evidence: impl AsRef<LayerEvidence>, name: &str) {
    let evidence = evidence.as_ref();
    let prefixes = prefixes(evidence);
    assert_eq!(prefixes.first().map(|(_, name)| name.as_str()), Some(name), "{prefixes:?} {:?}", evidence.search);
}

pub(crate) fn limits(request_count: usize, duration: Duration) -> SearchLimits {
    SearchLimits { request_count, duration }
}
