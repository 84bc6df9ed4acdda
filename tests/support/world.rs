//! A registry of the imagination: lines that publish releases, images built on them, every request noted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use basewatch::{
    image::{Child, Digest, Document, Index, Manifest, Platform, Reference, Repository},
    registry::{Body, Error, Fetched, Pointer, Registry, Result, TagList},
};
use chrono::{DateTime, Duration, Utc};
use futures::{FutureExt, future::BoxFuture};

pub(crate) const JAVA: &str = "public.ecr.aws/lambda/java";

/// Parses an RFC 3339 instant.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect(text)
}

pub(crate) fn arm() -> Platform {
    "linux/arm64".parse().expect("valid")
}

#[derive(Default)]
pub(crate) struct World {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    manifests: HashMap<Digest, Document>,
    configs: HashMap<Digest, Vec<u8>>,
    tags: BTreeMap<String, BTreeMap<String, Digest>>,
    log: Vec<String>,
    broken: Option<Error>,
    lists_are_denied: bool,
}

/// A published release: its index and the manifest of each architecture.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) index: Digest,
    pub(crate) arm64: Digest,
}

impl World {
    /// Publishes a release of `family` in `repository` for both architectures, its dated tags, and moves
    /// the family's tag to it. Equal `content` means equal layers.
    pub(crate) fn release(&self, repository: &str, family: &str, built_at: &str, content: &str) -> Release {
        let built_at = at(built_at);
        let created = Some(built_at + Duration::minutes(13));
        let date = built_at.format("%Y.%m.%d.%H");
        let layers = |arch: &str| vec![Digest::of(format!("os {arch}").as_bytes()), Digest::of(content.as_bytes())];
        let arm64 = self.image(&format!("{family}.{date} arm64"), "arm64", created, &layers("arm64"));
        let amd64 = self.image(&format!("{family}.{date} amd64"), "amd64", created, &layers("amd64"));
        let index = self.index(&format!("{family}.{date}"), &[("arm64", &arm64), ("amd64", &amd64)]);
        for (suffix, digest) in [("", &index), ("-arm64", &arm64), ("-x86_64", &amd64)] {
            self.tag(repository, &format!("{family}.{date}{suffix}"), digest);
            self.tag(repository, &format!("{family}{suffix}"), digest);
        }
        Release { index, arm64 }
    }

    pub(crate) fn image(&self, name: &str, arch: &str, created: Option<DateTime<Utc>>, layers: &[Digest]) -> Digest {
        let config = serde_json::json!({
            "architecture": arch, "os": "linux", "created": created,
            "rootfs": { "type": "layers", "diff_ids": layers },
        })
        .to_string()
        .into_bytes();
        let manifest =
            Manifest { config: Digest::of(&config), config_bytes: config.len() as u64, annotations: BTreeMap::new() };
        let digest = Digest::of(name.as_bytes());
        let mut state = self.state.lock().expect("unpoisoned");
        state.configs.insert(manifest.config.clone(), config);
        state.manifests.insert(digest.clone(), Document::Manifest(manifest));
        digest
    }

    pub(crate) fn index(&self, name: &str, children: &[(&str, &Digest)]) -> Digest {
        let child =
            |(arch, digest): &(&str, &Digest)| Child::new((*digest).clone(), Some(Platform::new("linux", arch, None)));
        let index = Index { children: children.iter().map(child).collect(), annotations: BTreeMap::new() };
        let digest = Digest::of(name.as_bytes());
        self.state.lock().expect("unpoisoned").manifests.insert(digest.clone(), Document::Index(index));
        digest
    }

    pub(crate) fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let mut state = self.state.lock().expect("unpoisoned");
        state.tags.entry(repository.to_owned()).or_default().insert(tag.to_owned(), digest.clone());
    }

    pub(crate) fn break_with(&self, error: Option<Error>) {
        self.state.lock().expect("unpoisoned").broken = error;
    }

    pub(crate) fn deny_lists(&self) {
        self.state.lock().expect("unpoisoned").lists_are_denied = true;
    }

    /// The requests since the last call, `HEAD lambda/java:21`.
    pub(crate) fn requests(&self) -> Vec<String> {
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

    fn find(state: &State, reference: &Reference) -> Result<(Digest, Document)> {
        let missing = || Error::NotFound { what: reference.to_string() };
        let by_tag = || state.tags.get(&reference.repository.to_string())?.get(reference.tag.as_ref()?).cloned();
        let digest = reference.digest.clone().or_else(by_tag).ok_or_else(missing)?;
        let document = state.manifests.get(&digest).cloned().ok_or_else(missing)?;
        Ok((digest, document))
    }
}

fn short(reference: &Reference) -> String {
    let name = &reference.repository.name;
    match (&reference.digest, &reference.tag) {
        (Some(_), _) => format!("{name}@"),
        (None, tag) => format!("{name}:{}", tag.as_deref().unwrap_or_default()),
    }
}

impl Registry for World {
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Pointer>> {
        async move {
            let state = self.note(format!("HEAD {}", short(reference)))?;
            let (digest, document) = Self::find(&state, reference)?;
            Ok(Pointer { digest, kind: Some(document.kind()) })
        }
        .boxed()
    }

    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Fetched>> {
        async move {
            let state = self.note(format!("GET {}", short(reference)))?;
            let (digest, document) = Self::find(&state, reference)?;
            Ok(Fetched { digest, document })
        }
        .boxed()
    }

    fn config<'a>(&'a self, repository: &'a Repository, manifest: &'a Manifest) -> BoxFuture<'a, Result<Body>> {
        async move {
            let state = self.note(format!("BLOB {}", repository.name))?;
            Ok(state.configs[&manifest.config].clone().into())
        }
        .boxed()
    }

    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>> {
        async move {
            let state = self.note(format!("TAGS {}", repository.name))?;
            if state.lists_are_denied {
                let registry = repository.registry.to_string();
                return Err(Error::Denied { registry, what: "tags".into(), message: "no".into() });
            }
            let tags = state.tags.get(&repository.to_string()).into_iter().flatten();
            // Registries list in any order.
            Ok(TagList { tags: tags.map(|(tag, _)| tag.clone()).rev().collect(), is_complete: true })
        }
        .boxed()
    }
}
