//! The registry of `public.ecr.aws/lambda/java` as it was, day by day, with its real tags and digests.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use basewatch::{
    http::ResponseBody,
    image::{ChildManifest, Digest, ImageIndex, ImageManifest, ManifestDocument, Reference, Repository},
    registry::{Error, FetchedManifest, MissingContent, Registry, Result, TagList, TagTarget},
};
use chrono::{DateTime, NaiveDate, Utc};
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::json;

/// The repository.
pub const JAVA: &str = "public.ecr.aws/lambda/java";

/// A digest of one platform, behind a moving tag from an instant on.
#[derive(Clone, Debug)]
pub struct Seen {
    pub tag: String,
    pub architecture: String,
    pub at: DateTime<Utc>,
    pub digest: Digest,
}

/// The registry.
pub struct History {
    /// The targets of the moving tags, oldest first.
    pub moving: Vec<Seen>,
    /// The dated tags with the time of their publication.
    dated: Vec<(String, DateTime<Utc>, Digest)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: DateTime<Utc>,
    documents: HashMap<Digest, ManifestDocument>,
    configs: HashMap<Digest, Vec<u8>>,
    /// The images of teams: `apps.example.com/orders:live`.
    apps: BTreeMap<String, Digest>,
}

impl History {
    /// The real history, at its beginning.
    pub fn new() -> Self {
        let mut history = Self { moving: Vec::new(), dated: Vec::new(), state: Mutex::default() };
        for line in include_str!("../../tests/data/lambda_java_daily.tsv").lines().filter(|line| !line.starts_with('#'))
        {
            let fields: Vec<&str> = line.split('\t').collect();
            let [kind, tag, architecture, seen, digest]: [&str; 5] = fields.try_into().unwrap();
            let digest: Digest = digest.parse().unwrap();
            history.platform(&digest, architecture);
            if kind == "moving" {
                let at = DateTime::parse_from_str(&format!("{seen} +0000"), "%Y-%m-%dT%H:%MZ %z").unwrap().to_utc();
                let seen = Seen { tag: tag.to_owned(), architecture: architecture.to_owned(), at, digest };
                history.moving.push(seen);
            } else {
                let day: NaiveDate = seen.parse().unwrap();
                history.dated.push((tag.to_owned(), day.and_time(chrono::NaiveTime::MIN).and_utc(), digest));
            }
        }
        history
    }

    /// Sets the clock.
    pub fn set(&self, now: DateTime<Utc>) {
        self.state.lock().unwrap().now = now;
    }

    /// The digest that the moving `tag` pointed at on `architecture` at `at`.
    pub fn at(&self, tag: &str, architecture: &str, at: DateTime<Utc>) -> Option<&Seen> {
        let of = |seen: &&Seen| seen.tag == tag && seen.architecture == architecture && seen.at <= at;
        self.moving.iter().rfind(of)
    }

    /// Deploys `app`, built at `at` on `base`, whose digest it carries in its label.
    pub fn deploy(&self, app: &str, base: &Seen, at: DateTime<Utc>) {
        let name = format!("{app} {at}");
        let config = json!({
            "architecture": base.architecture, "os": "linux", "created": at,
            "config": { "Labels": { "sdkBaseVersion": format!("{JAVA}:{}@{}", base.tag, base.digest) } },
            "rootfs": { "type": "layers", "diff_ids": [layer(&base.digest), Digest::sha256(name.as_bytes())] },
        });
        let digest = Digest::sha256(name.as_bytes());
        self.image(&digest, &config.to_string());
        self.state.lock().unwrap().apps.insert(format!("apps.example.com/{app}:live"), digest);
    }

    fn platform(&self, digest: &Digest, architecture: &str) {
        let config = json!({
            "architecture": architecture, "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [layer(digest)] },
        });
        self.image(digest, &config.to_string());
    }

    fn image(&self, digest: &Digest, config: &str) {
        let manifest = ImageManifest::new(Digest::sha256(config.as_bytes()), Some(config.len() as u64));
        let mut state = self.state.lock().unwrap();
        state.configs.insert(manifest.config.clone(), config.as_bytes().to_vec());
        state.documents.insert(digest.clone(), ManifestDocument::Manifest(manifest));
    }

    /// The target of `tag` now: an index over its images for each architecture.
    fn moving(&self, tag: &str) -> Option<Digest> {
        let now = self.state.lock().unwrap().now;
        let children: Vec<_> = ["amd64", "arm64"]
            .into_iter()
            .filter_map(|architecture| self.at(tag, architecture, now))
            .map(|seen| {
                let platform = format!("linux/{}", seen.architecture).parse().unwrap();
                ChildManifest::new(seen.digest.clone(), Some(platform))
            })
            .collect();
        if children.is_empty() {
            return None;
        }
        let name: String = children.iter().map(|child| child.digest.to_string()).collect();
        let digest = Digest::sha256(name.as_bytes());
        let index = ImageIndex { children, annotations: BTreeMap::new() };
        self.state.lock().unwrap().documents.insert(digest.clone(), ManifestDocument::Index(index));
        Some(digest)
    }

    fn find(&self, reference: &Reference) -> Result<(Digest, ManifestDocument)> {
        let missing = || Error::not_found(reference);
        let digest = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => Some(digest.clone()),
            (None, Some(tag)) if reference.repository.to_string() == JAVA => {
                let now = self.state.lock().unwrap().now;
                let dated = self.dated.iter().find(|(dated, at, _)| dated == tag && *at <= now);
                dated.map(|(_, _, digest)| digest.clone()).or_else(|| self.moving(tag))
            }
            _ => self.state.lock().unwrap().apps.get(&reference.to_string()).cloned(),
        };
        let digest = digest.ok_or_else(missing)?;
        let document = self.state.lock().unwrap().documents.get(&digest).cloned().ok_or_else(missing)?;
        Ok((digest, document))
    }
}

/// Every release differs in content.
fn layer(base: &Digest) -> Digest {
    Digest::sha256(base.as_str().as_bytes())
}

impl Registry for History {
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<TagTarget>> {
        let found = self.find(reference);
        ready(found.map(|(digest, _)| TagTarget { digest, kind: None })).boxed()
    }

    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<FetchedManifest>> {
        ready(self.find(reference).map(|(digest, document)| FetchedManifest { digest, document })).boxed()
    }

    fn config<'a>(
        &'a self,
        repository: &'a Repository,
        manifest: &'a ImageManifest,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        let config = self.state.lock().unwrap().configs.get(&manifest.config).cloned();
        let missing = || MissingContent::Configuration(manifest.config.clone());
        let missing = || Error::NotFound { repository: repository.clone(), missing: missing(), cache: None };
        ready(config.map(ResponseBody::from).ok_or_else(missing)).boxed()
    }

    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>> {
        let now = self.state.lock().unwrap().now;
        let dated = self.dated.iter().filter(|(_, at, _)| *at <= now && repository.to_string() == JAVA);
        ready(Ok(TagList { tags: dated.map(|(tag, _, _)| tag.clone()).collect(), is_complete: true })).boxed()
    }
}
