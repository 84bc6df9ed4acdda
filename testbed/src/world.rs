//! An in-memory registry: lines that publish releases, images built on them, and a log of requests.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use basewatch::{
    http::ResponseBody,
    image::{ChildManifest, Digest, ImageIndex, ImageManifest, ManifestDocument, Platform, Reference, Repository},
    registry::{Error, FetchedManifest, MissingContent, Registry, Result, TagList, TagTarget},
};
use chrono::{DateTime, Duration, Utc};
use futures::{FutureExt, future::BoxFuture};

pub const JAVA: &str = "public.ecr.aws/lambda/java";

/// Parses an RFC 3339 instant.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect(text)
}

pub fn arm() -> Platform {
    "linux/arm64".parse().expect("valid")
}

#[derive(Default)]
pub struct World {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    manifests: HashMap<Digest, ManifestDocument>,
    configs: HashMap<Digest, Vec<u8>>,
    tags: BTreeMap<String, BTreeMap<String, Digest>>,
    log: Vec<String>,
    broken: Option<Error>,
    lists: Lists,
    cache: Option<Cache>,
    /// The only repositories that have these digests.
    only_in: HashMap<Digest, String>,
    /// Digests that HEAD finds and GET does not.
    announced: Vec<Digest>,
    /// Errors of a `GET` by these tags; `None` never responds.
    refused: BTreeMap<String, Option<Error>>,
    /// Tags whose `GET` waits for another request.
    held: BTreeMap<String, String>,
}

/// The response to tag lists.
#[derive(Clone, Debug, Default)]
pub enum Lists {
    /// With all tags.
    #[default]
    Whole,
    /// With this error.
    Failing(Error),
    /// A page of this many tags and a link to the next.
    Cut(usize),
    /// No tags, and no further page.
    Empty,
}

/// A pull-through cache in front.
#[derive(Clone, Debug)]
struct Cache {
    prefix: String,
    /// The cached tags with their targets at the last upstream check.
    tags: BTreeMap<String, Digest>,
}

impl Cache {
    fn named(&self, repository: &Repository) -> Repository {
        format!("{}/{}", self.prefix, repository.name).parse().expect("valid")
    }
}

/// A published release: its index and the manifest of each architecture.
#[derive(Clone, Debug)]
pub struct Release {
    pub index: Digest,
    pub arm64: Digest,
}

impl World {
    /// Publishes a release of `family` in `repository` for both architectures, its dated tags, and moves
    /// the family's tag to it. Equal `content` means equal layers.
    pub fn release(&self, repository: &str, family: &str, built_at: &str, content: &str) -> Release {
        let built_at = at(built_at);
        let created = Some(built_at + Duration::minutes(13));
        let date = built_at.format("%Y.%m.%d.%H");
        let layers =
            |arch: &str| vec![Digest::sha256(format!("os {arch}").as_bytes()), Digest::sha256(content.as_bytes())];
        let arm64 = self.image(&format!("{family}.{date} arm64"), "arm64", created, &layers("arm64"));
        let amd64 = self.image(&format!("{family}.{date} amd64"), "amd64", created, &layers("amd64"));
        let index = self.index(&format!("{family}.{date}"), &[("arm64", &arm64), ("amd64", &amd64)]);
        for (suffix, digest) in [("", &index), ("-arm64", &arm64), ("-x86_64", &amd64)] {
            self.tag(repository, &format!("{family}.{date}{suffix}"), digest);
            self.tag(repository, &format!("{family}{suffix}"), digest);
        }
        Release { index, arm64 }
    }

    pub fn image(&self, name: &str, arch: &str, created: Option<DateTime<Utc>>, layers: &[Digest]) -> Digest {
        self.configured(
            name,
            &serde_json::json!({
                "architecture": arch, "os": "linux", "created": created,
                "rootfs": { "type": "layers", "diff_ids": layers },
            }),
        )
    }

    /// An image of named layers, whose manifest lists them as `compression` makes them.
    pub fn layered(&self, name: &str, arch: &str, layers: &[&str], compression: &str) -> Digest {
        self.layered_at(name, arch, None, layers, compression)
    }

    /// The same, created then.
    pub fn layered_at(
        &self,
        name: &str,
        arch: &str,
        created: Option<DateTime<Utc>>,
        layers: &[&str],
        compression: &str,
    ) -> Digest {
        let digest = self.image(name, arch, created, &layers.iter().map(|layer| diff_id(layer)).collect::<Vec<_>>());
        let layers = layers.iter().map(|layer| compressed(layer, compression)).collect();
        let mut state = self.state.lock().expect("unpoisoned");
        let Some(ManifestDocument::Manifest(manifest)) = state.manifests.get_mut(&digest) else {
            unreachable!("an image")
        };
        manifest.layers = layers;
        digest
    }

    /// Publishes a release of named layers for arm64: an index, and its dated tags. The digests of both.
    pub fn publish(&self, repository: &str, family: &str, built_at: &str, layers: &[&str]) -> (Digest, Digest) {
        let tag = format!("{family}.{}", at(built_at).format("%Y.%m.%d.%H"));
        let image = self.layered(&format!("{repository}:{tag}"), "arm64", layers, "gzip");
        let index = self.index(&format!("{repository}:{tag} index"), &[("arm64", &image)]);
        for (tag, digest) in [(&*tag, &index), (&*format!("{tag}-arm64"), &image), (family, &index)] {
            self.tag(repository, tag, digest);
        }
        (index, image)
    }

    /// Fails a `GET` by `tag` with `error`, or never responds.
    pub fn refuse(&self, tag: &str, error: Option<Error>) {
        self.state.lock().expect("unpoisoned").refused.insert(tag.to_owned(), error);
    }

    /// Responds to a `GET` by `tag` only after the request `awaited`, in the form of [`requests`](Self::requests).
    pub fn answer_after(&self, tag: &str, awaited: &str) {
        self.state.lock().expect("unpoisoned").held.insert(tag.to_owned(), awaited.to_owned());
    }

    /// Waits for the request that `tag` is delayed for.
    async fn hold(&self, tag: &str) {
        let is_held = || {
            let state = self.state.lock().expect("unpoisoned");
            state.held.get(tag).is_some_and(|awaited| !state.log.contains(awaited))
        };
        let begun = std::time::Instant::now();
        while is_held() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{tag} is not waited for");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// Removes these errors.
    pub fn refuse_nothing(&self) {
        self.state.lock().expect("unpoisoned").refused.clear();
    }

    /// An image with this configuration.
    pub fn configured(&self, name: &str, config: &serde_json::Value) -> Digest {
        let config = config.to_string().into_bytes();
        let manifest = ImageManifest::new(Digest::sha256(&config), Some(config.len() as u64));
        let digest = Digest::sha256(name.as_bytes());
        let mut state = self.state.lock().expect("unpoisoned");
        state.configs.insert(manifest.config.clone(), config);
        state.manifests.insert(digest.clone(), ManifestDocument::Manifest(manifest));
        digest
    }

    pub fn index(&self, name: &str, children: &[(&str, &Digest)]) -> Digest {
        self.index_created(name, children, None)
    }

    /// An index whose descriptors say that their images were created then.
    pub fn index_created(&self, name: &str, children: &[(&str, &Digest)], created: Option<&str>) -> Digest {
        let created = created.map(|at| ("org.opencontainers.image.created".to_owned(), at.to_owned()));
        let annotations: BTreeMap<_, _> = created.into_iter().collect();
        let child = |(arch, digest): &(&str, &Digest)| ChildManifest {
            annotations: annotations.clone(),
            ..ChildManifest::new((*digest).clone(), Some(Platform::new("linux", arch, None)))
        };
        let index = ImageIndex { children: children.iter().map(child).collect(), annotations: BTreeMap::new() };
        let digest = Digest::sha256(name.as_bytes());
        self.state.lock().expect("unpoisoned").manifests.insert(digest.clone(), ManifestDocument::Index(index));
        digest
    }

    /// An index with these entries.
    pub fn index_of(&self, name: &str, children: Vec<ChildManifest>) -> Digest {
        let digest = Digest::sha256(name.as_bytes());
        let index = ImageIndex { children, annotations: BTreeMap::new() };
        self.state.lock().expect("unpoisoned").manifests.insert(digest.clone(), ManifestDocument::Index(index));
        digest
    }

    /// The digest of the configuration of the image `manifest`.
    pub fn config_of(&self, manifest: &Digest) -> Digest {
        let configuration = match &self.state.lock().expect("unpoisoned").manifests[manifest] {
            ManifestDocument::Manifest(manifest) => Some(manifest.config.clone()),
            ManifestDocument::Index(_) => None,
        };
        configuration.expect("a manifest")
    }

    /// A blob that is not an image configuration.
    pub fn blob(&self, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        self.state.lock().expect("unpoisoned").configs.insert(digest.clone(), content.to_vec());
        digest
    }

    /// Answers requests for `digest` in `repository` only; other digests are found in every repository.
    pub fn keep_in(&self, repository: &str, digest: &Digest) {
        self.state.lock().expect("unpoisoned").only_in.insert(digest.clone(), repository.to_owned());
    }

    /// Removes a manifest or index.
    pub fn remove(&self, digest: &Digest) {
        self.state.lock().expect("unpoisoned").manifests.remove(digest);
    }

    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let mut state = self.state.lock().expect("unpoisoned");
        state.tags.entry(repository.to_owned()).or_default().insert(tag.to_owned(), digest.clone());
    }

    pub fn break_with(&self, error: Option<Error>) {
        self.state.lock().expect("unpoisoned").broken = error;
    }

    pub fn answer_lists(&self, lists: Lists) {
        self.state.lock().expect("unpoisoned").lists = lists;
    }

    /// Responds to a `HEAD` with `digest`, although there is no such manifest.
    pub fn announce(&self, digest: &Digest) {
        self.state.lock().expect("unpoisoned").announced.push(digest.clone());
    }

    /// Removes the tag.
    pub fn untag(&self, repository: &str, tag: &str) {
        let mut state = self.state.lock().expect("unpoisoned");
        assert!(state.tags.get_mut(repository).and_then(|tags| tags.remove(tag)).is_some(), "{tag} was there");
    }

    /// Removes the manifest or index only.
    pub fn lose(&self, digest: &Digest) {
        assert!(self.state.lock().expect("unpoisoned").manifests.remove(digest).is_some(), "it existed");
    }

    /// Removes the configuration of the image.
    pub fn lose_config(&self, digest: &Digest) {
        let mut state = self.state.lock().expect("unpoisoned");
        let Some(ManifestDocument::Manifest(manifest)) = state.manifests.get(digest).cloned() else {
            unreachable!("an image")
        };
        assert!(state.configs.remove(&manifest.config).is_some(), "it existed");
    }

    /// Responds as the pull-through cache at `prefix` with `tags` cached as they are now.
    pub fn answer_as_cache(&self, prefix: &str, repository: &str, tags: &[&str]) {
        let mut state = self.state.lock().expect("unpoisoned");
        let held = &state.tags[repository];
        let tags = tags.iter().map(|tag| ((*tag).to_owned(), held[*tag].clone())).collect();
        state.cache = Some(Cache { prefix: prefix.to_owned(), tags });
    }

    /// Responds as the registry itself.
    pub fn answer_as_itself(&self) {
        self.state.lock().expect("unpoisoned").cache = None;
    }

    /// The requests since the last call, `HEAD lambda/java:21`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("unpoisoned").log)
    }

    fn note(&self, request: String) -> Result<std::sync::MutexGuard<'_, State>> {
        let mut state = self.state.lock().expect("unpoisoned");
        state.log.push(request);
        match state.broken.clone() {
            Some(error) => Err(error),
            None => Ok(state),
        }
    }

    fn find(state: &State, reference: &Reference) -> Result<(Digest, ManifestDocument)> {
        let missing = || match (Error::not_found(reference), &state.cache) {
            (Error::NotFound { repository, missing, .. }, Some(cache)) => {
                let cache = Some(cache.named(&repository));
                Error::NotFound { repository, missing, cache }
            }
            (error, _) => error,
        };
        let by_tag = || match &state.cache {
            Some(cache) => cache.tags.get(reference.tag.as_ref()?).cloned(),
            None => state.tags.get(&reference.repository.to_string())?.get(reference.tag.as_ref()?).cloned(),
        };
        let digest = reference.digest.clone().or_else(by_tag).ok_or_else(missing)?;
        let is_elsewhere = state.only_in.get(&digest).is_some_and(|only| *only != reference.repository.to_string());
        let document = state.manifests.get(&digest).filter(|_| !is_elsewhere).cloned().ok_or_else(missing)?;
        Ok((digest, document))
    }
}

/// The `diff_id` of a named layer.
pub fn diff_id(layer: &str) -> Digest {
    Digest::sha256(layer.as_bytes())
}

/// The digest of a named layer as `compression` makes it.
pub fn compressed(layer: &str, compression: &str) -> Digest {
    Digest::sha256(format!("{layer}.{compression}").as_bytes())
}

fn short(reference: &Reference) -> String {
    let name = &reference.repository.name;
    match (&reference.digest, &reference.tag) {
        (Some(_), _) => format!("{name}@"),
        (None, tag) => format!("{name}:{}", tag.as_deref().unwrap_or_default()),
    }
}

impl Registry for World {
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<TagTarget>> {
        async move {
            let state = self.note(format!("HEAD {}", short(reference)))?;
            let tagged = || state.tags.get(&reference.repository.to_string())?.get(reference.tag.as_ref()?).cloned();
            if let Some(digest) = tagged().filter(|digest| state.announced.contains(digest)) {
                return Ok(TagTarget { digest, kind: None });
            }
            let (digest, document) = Self::find(&state, reference)?;
            Ok(TagTarget { digest, kind: Some(document.kind()) })
        }
        .boxed()
    }

    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<FetchedManifest>> {
        async move {
            if let Some(tag) = &reference.tag {
                self.hold(tag).await;
            }
            let response = {
                let state = self.note(format!("GET {}", short(reference)))?;
                let refused = reference.tag.as_ref().and_then(|tag| state.refused.get(tag));
                match refused {
                    Some(Some(error)) => return Err(error.clone()),
                    Some(None) => None,
                    None => Some(Self::find(&state, reference)?),
                }
            };
            match response {
                Some((digest, document)) => Ok(FetchedManifest { digest, document }),
                None => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn config<'a>(
        &'a self,
        repository: &'a Repository,
        manifest: &'a ImageManifest,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        async move {
            let state = self.note(format!("BLOB {}", repository.name))?;
            let missing = MissingContent::Configuration(manifest.config.clone());
            let missing = Error::NotFound { repository: repository.clone(), missing, cache: None };
            state.configs.get(&manifest.config).cloned().map(ResponseBody::from).ok_or(missing)
        }
        .boxed()
    }

    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>> {
        async move {
            let state = self.note(format!("TAGS {}", repository.name))?;
            let tags = state.cache.as_ref().map(|cache| &cache.tags);
            let tags = tags.or_else(|| state.tags.get(&repository.to_string())).into_iter().flatten();
            // Registries list in any order.
            let tags: Vec<_> = tags.map(|(tag, _)| tag.clone()).rev().collect();
            match &state.lists {
                Lists::Whole => Ok(TagList { tags, is_complete: true }),
                Lists::Failing(error) => Err(error.clone()),
                Lists::Cut(count) => Ok(TagList { tags: tags[..*count].to_vec(), is_complete: false }),
                Lists::Empty => Ok(TagList { tags: Vec::new(), is_complete: true }),
            }
        }
        .boxed()
    }

    fn cache_of(&self, repository: &Repository) -> Option<Repository> {
        self.state.lock().expect("unpoisoned").cache.as_ref().map(|cache| cache.named(repository))
    }
}
