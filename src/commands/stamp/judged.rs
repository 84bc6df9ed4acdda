//! Resolution and judgement of the bases in Dockerfiles.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    app::{AppClients, RunInstants},
    config::Settings,
    dockerfile::ImagePin,
    identify::Base,
    image::{
        BuildHistory, Digest, ImageFacts, ImageProfile, LambdaFingerprint, LambdaTag, Platform, Reference, Repository,
    },
    judge::{JudgeInput, Judgement, PolicySubject, Verdict, judge},
    report::{ErrorEntry, dockerfiles::PinnedBase},
    resolve::{BaseQuery, BaseResolver, CurrentImage, ImageAge, Resolution},
};

/// The platforms of Lambda and ECS.
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// The result for one base.
pub(super) struct JudgedBase {
    /// The fields of the report.
    pub(super) fields: PinnedBase,
    /// The worst judgement of its platforms.
    pub(super) judgement: Judgement,
    /// The pin; `None` if the base is current or cannot be resolved.
    pub(super) pin: Option<ImagePin>,
}

/// Resolves and judges bases, with a cache.
pub(super) struct BaseJudge<'a> {
    settings: &'a Settings,
    resolver: BaseResolver,
    instants: RunInstants,
    known: HashMap<(Reference, Option<Platform>), Arc<JudgedBase>>,
    resolutions: Vec<(Repository, Resolution)>,
}

impl<'a> BaseJudge<'a> {
    pub(super) fn new(settings: &'a Settings, clients: &AppClients, instants: RunInstants) -> Self {
        let images = Arc::clone(&clients.images);
        let resolver = BaseResolver::new(images, settings.resolve.clone(), instants.now, instants.clock);
        Self { settings, resolver, instants, known: HashMap::new(), resolutions: Vec::new() }
    }

    /// Whether the repository of `reference` is a configured base repository.
    pub(super) fn is_tracked(&self, reference: &Reference) -> bool {
        self.settings.identify.is_base(&Base::from_reference(reference, &self.settings.identify).repository)
    }

    /// The errors of resolving bases.
    pub(super) fn errors(&self) -> Vec<ErrorEntry> {
        ErrorEntry::from_resolutions(self.resolutions.iter().map(|(repository, resolution)| (repository, resolution)))
    }

    /// Resolves and judges `reference` for one platform or for all relevant ones.
    pub(super) async fn judged(&mut self, reference: &Reference, platform: Option<&Platform>) -> Arc<JudgedBase> {
        let key = (reference.clone(), platform.cloned());
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(known);
        }
        let mut base = Base::from_reference(reference, &self.settings.identify);
        if reference.tag.is_some() {
            // In a Dockerfile, the tag is authoritative, not a hint.
            base.configured_tag = None;
            base.default_tag = base.default_tag.filter(|_| reference.digest.is_some());
        }
        let platforms = match platform {
            Some(platform) => vec![platform.clone()],
            None => self.platforms(&base).await,
        };
        let mut judged: Vec<(Judgement, Resolution)> = Vec::new();
        for platform in platforms {
            let query = BaseQuery { base: base.clone(), platform: platform.clone(), built_at: None };
            let resolution = self.resolver.resolve(&query, ImageAge::default()).await;
            judged.push((self.judge(platform, &resolution), resolution));
        }
        let pin = judged.iter().find_map(|(judgement, resolution)| pin(reference, judgement, resolution));
        let worst = judged.iter().max_by_key(|(judgement, _)| judgement.verdict.rank());
        let (judgement, resolution) = worst.expect("at least one platform").clone();
        let fields = PinnedBase::new(&resolution, &judgement, self.instants.now);
        let resolutions = judged.into_iter().map(|(_, resolution)| (base.repository.clone(), resolution));
        self.resolutions.extend(resolutions);
        let base = Arc::new(JudgedBase { fields, judgement, pin });
        self.known.insert(key, Arc::clone(&base));
        base
    }

    /// The relevant platforms of `base`; a default if they cannot be read.
    async fn platforms(&self, base: &Base) -> Vec<Platform> {
        let usual = || PLATFORMS.iter().filter_map(|platform| platform.parse::<Platform>().ok());
        let reference = base.reference();
        let Ok((digest, content)) = self.resolver.look_up(&reference).await else {
            return usual().take(1).collect();
        };
        let all = self.resolver.platforms(&reference.repository, &digest, &content).await.unwrap_or_default();
        let is_usual = |platform: &Platform| {
            usual().any(|usual| usual.os() == platform.os() && usual.has_architecture_of(platform))
        };
        let (matching, others): (Vec<_>, Vec<_>) =
            all.into_iter().map(|(platform, _)| platform).partition(|platform| is_usual(platform));
        match (matching.is_empty(), others.into_iter().next()) {
            (false, _) => matching,
            (true, Some(other)) => vec![other],
            (true, None) => usual().take(1).collect(),
        }
    }

    /// Judges an image built on the base.
    fn judge(&self, platform: Platform, resolution: &Resolution) -> Judgement {
        let image = ImageFacts {
            platform,
            config: Digest::sha256(b"{}"),
            created_at: None,
            history_created_at: None,
            labels: BTreeMap::default(),
            annotations: BTreeMap::default(),
            diff_ids: Vec::new(),
            layers: Vec::new(),
            fingerprint: LambdaFingerprint::default(),
            build: BuildHistory::default(),
            profile: ImageProfile::default(),
        };
        let line = resolution.line.as_ref().map(|(line, _)| line.to_string());
        let subject =
            PolicySubject { deployment: "", repository: "", account: None, owner: None, base: line.as_deref() };
        let input = JudgeInput::Identified { image: &image, identification: None, resolution };
        judge(input, subject, &self.settings.policy, self.instants.now)
    }
}

impl JudgedBase {
    /// The verdict; `None` for a moving tag without problems.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let is_named = self.fields.digest.is_some();
        let is_open = self.judgement.verdict == Verdict::Unknown && !is_named && self.fields.current.is_some();
        (!is_open).then_some(self.judgement.verdict)
    }
}

/// The pin of `reference`: the current release of its line, with an appropriate tag.
fn pin(reference: &Reference, judgement: &Judgement, resolution: &Resolution) -> Option<ImagePin> {
    let (line, _) = resolution.line.as_ref()?;
    let current = resolution.current.as_ref()?;
    if reference.digest.is_some() && judgement.line_position.is_newest() {
        return None;
    }
    let dated = reference.tag.as_deref().and_then(LambdaTag::parse).filter(|tag| tag.built_at.is_some());
    match (&reference.tag, dated) {
        (Some(_), Some(dated)) if reference.digest.is_none() && judgement.line_position.is_newest() => {
            let digest = resolution.base.digest.clone()?;
            Some(ImagePin { tag: Some(dated.to_string()), digest })
        }
        (Some(_), Some(dated)) => dated_pin(&dated, &line.tag, current),
        (tag, _) => {
            let tag = tag.as_ref().filter(|tag| **tag != line.tag).map(|_| line.tag.clone());
            Some(ImagePin { tag, digest: current.digest.clone() })
        }
    }
}

/// The pin of a dated tag, which must change with the digest. A tag with an architecture refers to a manifest.
fn dated_pin(written: &LambdaTag, line: &str, current: &CurrentImage) -> Option<ImagePin> {
    let digest = match written.arch {
        Some(_) => current.platform_digest.clone()?,
        None => current.digest.clone(),
    };
    let tag = match &current.release {
        Some(release) => LambdaTag { arch: written.arch, ..release.clone() },
        None => LambdaTag { built_at: None, arch: written.arch, ..LambdaTag::parse(line)? },
    };
    Some(ImagePin { tag: Some(tag.to_string()), digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_tag_is_updated_with_the_digest_and_keeps_its_architecture() {
        let parse = |tag: &str| LambdaTag::parse(tag).expect(tag);
        let current = CurrentImage {
            digest: Digest::sha256(b"index"),
            kind: crate::image::DigestKind::Index,
            platform_digest: Some(Digest::sha256(b"manifest")),
            config: None,
            release: Some(parse("21.2026.11.19.13")),
            published: None,
            diff_ids: None,
            releases: Arc::default(),
            hold: None,
        };
        let pinned = |tag: &str, current: &CurrentImage| {
            let pin = dated_pin(&parse(tag), "21", current).expect("a pin");
            (pin.tag.expect("a tag"), pin.digest)
        };
        let (index, manifest) = (Digest::sha256(b"index"), Digest::sha256(b"manifest"));
        assert_eq!(pinned("21.2026.08.22.00-x86_64", &current), ("21.2026.11.19.13-x86_64".into(), manifest.clone()));
        assert_eq!(pinned("21.2026.08.22.00", &current), ("21.2026.11.19.13".into(), index));
        let unnamed = CurrentImage { release: None, ..current };
        assert_eq!(pinned("21.2026.08.22.00-x86_64", &unnamed), ("21-x86_64".into(), manifest));
    }
}
