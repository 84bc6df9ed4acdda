//! A synthetic history of Lambda bases, and a registry with its own clock that serves it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use basewatch::{
    http::ResponseBody,
    image::{
        Digest, DigestKind, ImageManifest, LambdaArch, LambdaTag, ManifestDocument, Platform, PlatformRelease,
        Reference, Repository,
    },
    registry::{Error, FetchedManifest, MissingContent, Registry, Result, TagList, TagTarget},
    release_catalog::ReleaseCatalog,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use serde_json::json;

/// When the clocks of the registry begin.
pub const NOW: &str = "2026-11-20T06:00:00Z";
/// The lines of the history.
const LINES: [(&str, &str); 10] = [
    ("java", "8.al2"),
    ("java", "11"),
    ("java", "21"),
    ("python", "3.12"),
    ("python", "3.13"),
    ("nodejs", "22"),
    ("nodejs", "24"),
    ("ruby", "3.4"),
    ("dotnet", "10"),
    ("provided", "al2023"),
];

/// The number of layers of each release: enough to distinguish a prefix from a part of one.
pub const LAYERS: usize = 3;

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn repository(name: &str) -> Repository {
    format!("public.ecr.aws/lambda/{name}").parse().unwrap()
}

/// The dated tags of `count` releases, newest last, on the lines in turn; each on two platforms.
pub fn dated_tags(count: usize) -> Vec<(Repository, LambdaTag)> {
    let first = at("2020-12-01T12:00:00Z");
    let tag = |number: usize| {
        let (name, family) = LINES[number % LINES.len()];
        let built_at = first + TimeDelta::hours(i64::try_from(number / LINES.len() * 24).unwrap());
        (repository(name), LambdaTag { family: family.to_owned(), built_at: Some(built_at), arch: None })
    };
    (0..count).map(tag).collect()
}

fn digest(parts: &[&str]) -> Digest {
    Digest::sha256(parts.join("|").as_bytes())
}

/// The catalog of `count` releases, two platforms each, as if all had been read.
pub fn catalog(count: usize) -> ReleaseCatalog {
    let mut catalog = ReleaseCatalog::new(at(NOW));
    for (repository, tag) in dated_tags(count) {
        for arch in [LambdaArch::Arm64, LambdaArch::X86_64] {
            let name = tag.on(arch).to_string();
            let release = PlatformRelease {
                tags: BTreeSet::from([tag.to_string()]),
                platform: Platform::new("linux", arch.oci(), None),
                manifest: digest(&["manifest", &repository.name, &name]),
                index: Some(digest(&["index", &repository.name, &tag.to_string()])),
                layer_count: 6,
                diff_ids: Some(digest(&["diff_ids", &repository.name, &name])),
                layers: Some(digest(&["layers", &repository.name, &name])),
                first_layer: Some(digest(&["os", arch.oci(), &tag.built_at.unwrap().to_string()])),
                first_seen: at(NOW) - TimeDelta::seconds(77),
            };
            catalog.insert(&repository, release);
        }
    }
    catalog
}

/// A registry that has such a history. Each request takes a tenth of a second of its clock.
pub struct HistoricRegistry {
    tags: BTreeMap<Repository, Vec<String>>,
    /// By `repository:tag`.
    manifests: HashMap<String, (Digest, ImageManifest)>,
    configs: HashMap<Digest, Vec<u8>>,
    requests: AtomicUsize,
    /// After so many requests it no longer answers.
    fails_after: Mutex<Option<usize>>,
    now: Mutex<DateTime<Utc>>,
}

impl HistoricRegistry {
    /// With `count` releases on two platforms each; every `equal`-th has the layers of the one before it on its line.
    pub fn new(count: usize, equal: usize) -> Self {
        let mut registry = Self {
            tags: BTreeMap::new(),
            manifests: HashMap::new(),
            configs: HashMap::new(),
            requests: AtomicUsize::new(0),
            fails_after: Mutex::default(),
            now: Mutex::new(at(NOW)),
        };
        for (number, (repository, tag)) in dated_tags(count).into_iter().enumerate() {
            let turn = number / LINES.len();
            let content = if turn % equal == equal - 1 { turn - 1 } else { turn };
            registry.publish(&repository, &tag, content);
        }
        registry
    }

    /// Publishes a release with its own tags for each architecture, of which `content` says which layers it has.
    pub fn publish(&mut self, repository: &Repository, tag: &LambdaTag, content: usize) {
        let tags = self.tags.entry(repository.clone()).or_default();
        tags.push(tag.to_string());
        for arch in [LambdaArch::Arm64, LambdaArch::X86_64] {
            let name = tag.on(arch).to_string();
            let layers: Vec<_> = (0..LAYERS)
                .map(|layer| match layer {
                    0 => digest(&["os", arch.oci()]),
                    _ => digest(&[&repository.name, &tag.family, arch.oci(), &content.to_string(), &layer.to_string()]),
                })
                .collect();
            let diff_ids: Vec<_> = layers.iter().map(|layer| digest(&["tar", layer.as_str()])).collect();
            let config = json!({
                "os": "linux", "architecture": arch.oci(), "created": tag.built_at,
                "rootfs": { "type": "layers", "diff_ids": diff_ids },
            });
            let config = config.to_string().into_bytes();
            let manifest =
                ImageManifest { layers, ..ImageManifest::new(Digest::sha256(&config), Some(config.len() as u64)) };
            self.configs.insert(manifest.config.clone(), config);
            let found = (digest(&["manifest", &repository.name, &name]), manifest);
            self.manifests.insert(format!("{repository}:{name}"), found);
            tags.push(name);
        }
    }

    /// The layer digests and the `diff_ids` of an image.
    pub fn layers(&self, image: &str) -> (Vec<Digest>, Vec<Digest>) {
        let layers = self.manifests[image].1.layers.clone();
        let diff_ids = layers.iter().map(|layer| digest(&["tar", layer.as_str()])).collect();
        (layers, diff_ids)
    }

    /// Lists a tag that does not exist.
    pub fn list_only(&mut self, repository: &Repository, tag: &str) {
        self.tags.entry(repository.clone()).or_default().push(tag.to_owned());
    }

    /// Lets it answer only so many requests more.
    pub fn fail_after(&self, requests: Option<usize>) {
        *self.fails_after.lock().unwrap() = requests.map(|more| self.requests() + more);
    }

    /// How many requests it was sent.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The time of its clock.
    pub fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    fn ask(&self) -> Result<()> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        *self.now.lock().unwrap() += TimeDelta::milliseconds(100);
        match *self.fails_after.lock().unwrap() {
            Some(last) if number >= last => {
                Err(Error::Unreachable { registry: "public.ecr.aws".to_owned(), why: "it was unplugged".to_owned() })
            }
            _ => Ok(()),
        }
    }
}

impl Registry for HistoricRegistry {
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<TagTarget>> {
        Box::pin(async move {
            self.ask()?;
            let tag = reference.tag.as_deref().unwrap();
            let digest = digest(&["index", &reference.repository.name, tag]);
            Ok(TagTarget { digest, kind: Some(DigestKind::Index) })
        })
    }

    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<FetchedManifest>> {
        Box::pin(async move {
            self.ask()?;
            let found = self.manifests.get(&reference.to_string());
            let (digest, manifest) = found.cloned().ok_or_else(|| Error::not_found(reference))?;
            Ok(FetchedManifest { digest, document: ManifestDocument::Manifest(manifest) })
        })
    }

    fn config<'a>(
        &'a self,
        repository: &'a Repository,
        manifest: &'a ImageManifest,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        Box::pin(async move {
            self.ask()?;
            let missing = MissingContent::Configuration(manifest.config.clone());
            let missing = Error::NotFound { repository: repository.clone(), missing, cache: None };
            self.configs.get(&manifest.config).cloned().map(ResponseBody::from).ok_or(missing)
        })
    }

    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>> {
        Box::pin(async move {
            self.ask()?;
            let tags = self.tags.get(repository).cloned();
            let missing =
                || Error::NotFound { repository: repository.clone(), missing: MissingContent::TagList, cache: None };
            Ok(TagList { tags: tags.ok_or_else(missing)?, is_complete: true })
        })
    }
}
