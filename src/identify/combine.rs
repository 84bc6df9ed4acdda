//! Combines the evidence of one image: its records, and what its layers prove.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Base, BaseRecord, Confidence, EvidenceKind, Identification, IdentifiedBase, IdentifySettings, LayerEvidence,
    PrefixCheck, SearchCompletion, label, line,
};
use crate::{
    image::{LambdaTag, MatchedPrefix, PlatformRelease, Reference, Repository, RepositoryRelease},
    inventory::DeployedImage,
};

/// The most releases of equal content that are named.
const EQUAL_RELEASES: usize = 100;

/// Identifies the bases of `image` from its `readings` and its `layers`. `repository` is that of the image, to which
/// rules of the configuration may be limited.
///
/// Proof by layers wins. A record that they disprove is rejected; one that they neither prove nor disprove counts only
/// if they prove nothing else.
#[must_use]
pub fn combine(
    readings: Vec<BaseRecord>,
    layers: Arc<LayerEvidence>,
    image: &DeployedImage,
    repository: Option<&Repository>,
    settings: &IdentifySettings,
) -> Identification {
    let length = image.facts.diff_ids.len().max(image.facts.layers.len());
    let own_name = repository.map(|repository| &*repository.name);
    let base_repository = repository.and_then(|repository| settings.base_repository(repository));
    let own_base = base_repository.as_ref();
    let evidence = ImageEvidence { readings: &readings, layers: &layers, image, own_name, own_base, length, settings };
    let chain = evidence.chain();
    let contradicted = evidence.contradicted(&chain);
    Identification { records: readings, layers, chain, base_repository, contradicted, provenance: None }
}

/// All evidence of one image.
struct ImageEvidence<'a> {
    readings: &'a [BaseRecord],
    layers: &'a LayerEvidence,
    image: &'a DeployedImage,
    own_name: Option<&'a str>,
    /// The base repository that the image is in.
    own_base: Option<&'a Repository>,
    /// The number of layers of the image.
    length: usize,
    settings: &'a IdentifySettings,
}

/// A base that the layers prove.
#[derive(Clone, Copy)]
struct ProvenBase<'a> {
    layer_count: usize,
    /// The reading that names it.
    position: Option<usize>,
    /// The known releases with this number of layers.
    releases: &'a [Arc<RepositoryRelease>],
}

impl<'a> ImageEvidence<'a> {
    fn chain(&self) -> Vec<IdentifiedBase> {
        let mut chain = Vec::from_iter(self.outermost());
        // Each base has fewer layers than the one before.
        while let Some(inner) = chain.last().and_then(|outer| self.below(outer)) {
            chain.push(inner);
        }
        chain
    }

    fn outermost(&self) -> Option<IdentifiedBase> {
        if let Some(release) = self.own_release() {
            return Some(self.itself(release));
        }
        let undecided = self.undecided();
        match self.proof_below(usize::MAX) {
            Some(proof) if proof.position.is_some() => self.proven(proof),
            Some(proof) => match undecided {
                Some(position) if self.may_be_above(position, proof) => Some(self.recorded(position)),
                _ if self.is_final(proof) => self.proven(proof),
                undecided => undecided.map(|position| self.recorded(position)),
            },
            None => undecided.map(|position| self.recorded(position)),
        }
    }

    /// The release that the image itself is, if any; a company base only if its own base is unknown.
    fn own_release(&self) -> Option<&'a RepositoryRelease> {
        let releases = self.layers.prefixes.iter().flat_map(|prefix| &prefix.releases);
        let own = releases.filter(|known| self.is_own(known) && self.settings.is_base(&known.repository));
        // Registries may publish the same image; the one that it was found in comes first.
        let own = own.min_by_key(|known| self.own_base != Some(&known.repository))?;
        let is_other = |base: &Base| base.repository != own.repository;
        let has_base =
            self.proof_below(usize::MAX).is_some() || self.readings.iter().any(|r| r.base.as_ref().is_ok_and(is_other));
        (!has_base || !self.settings.is_company_base(&own.repository)).then_some(own)
    }

    fn is_own(&self, known: &RepositoryRelease) -> bool {
        known.release.manifest == self.image.digest
    }

    /// The known releases of configured bases that are a prefix of the image, longest first, without the image itself.
    fn prefixes(&self) -> impl Iterator<Item = &'a MatchedPrefix> {
        self.layers.prefixes.iter().filter(|prefix| {
            let mut releases = prefix.releases.iter();
            let is_base = prefix.releases.iter().any(|known| self.settings.is_base(&known.repository));
            is_base && !releases.any(|known| self.is_own(known))
        })
    }

    /// The longest proven base of fewer than `limit` layers. A reading that names it takes precedence over known
    /// releases of the same length, because it distinguishes equal ones.
    fn proof_below(&self, limit: usize) -> Option<ProvenBase<'a>> {
        let matched = self.prefixes().find(|prefix| prefix.layer_count < limit);
        let read = self.proven_readings().filter(|(_, layer_count)| *layer_count < limit);
        // Of equally long ones the first: readings are sorted, best first.
        let read = read.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let releases_of = |layer_count| {
            let prefix = self.prefixes().find(|prefix| prefix.layer_count == layer_count);
            prefix.map(|prefix| &*prefix.releases).unwrap_or_default()
        };
        match (read, matched) {
            (Some((position, layer_count)), matched)
                if matched.is_none_or(|matched| matched.layer_count <= layer_count) =>
            {
                Some(ProvenBase { layer_count, position: Some(position), releases: releases_of(layer_count) })
            }
            (_, Some(matched)) => {
                Some(ProvenBase { layer_count: matched.layer_count, position: None, releases: &matched.releases })
            }
            (_, None) => None,
        }
    }

    /// The readings whose base is proven to be a prefix, with its length: by comparison, or because they name a release
    /// that is a prefix.
    fn proven_readings(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.bases()
            .filter(|(_, reading, base)| !reading.kind.is_candidate() || self.settings.is_base(&base.repository))
            .filter_map(|(position, _, base)| match self.layers.checks.get(&position) {
                Some(PrefixCheck::Prefix { layer_count }) => Some((position, *layer_count)),
                Some(PrefixCheck::Different | PrefixCheck::Fewer) => None,
                Some(PrefixCheck::Unread) | None => {
                    let is_named = |prefix: &&MatchedPrefix| prefix.releases.iter().any(|known| is_named(known, base));
                    self.prefixes().find(is_named).map(|prefix| (position, prefix.layer_count))
                }
            })
    }

    /// The readings that name a base.
    fn bases(&self) -> impl Iterator<Item = (usize, &'a BaseRecord, &'a Base)> + '_ {
        let readings = self.readings.iter().enumerate();
        readings.filter_map(|(position, reading)| Some((position, reading, reading.base.as_ref().ok()?)))
    }

    /// The first record that the layers neither prove nor disprove. An image with fewer layers than the base counts as
    /// flattened only if no base is a prefix.
    fn undecided(&self) -> Option<usize> {
        let has_prefix = self.prefixes().next().is_some();
        let is_undecided = |(position, reading, _): &(usize, &BaseRecord, &Base)| {
            let is_open = match self.layers.checks.get(position) {
                Some(PrefixCheck::Unread) | None => true,
                Some(PrefixCheck::Fewer) => !has_prefix,
                Some(PrefixCheck::Prefix { .. } | PrefixCheck::Different) => false,
            };
            is_open && !reading.kind.is_candidate()
        };
        self.bases().find(is_undecided).map(|(position, ..)| position)
    }

    /// Whether the base that the reading names may be built on the proven one, so that both are correct: as a company
    /// base is, or a language image on `provided`. Releases of one repository are not built on each other.
    fn may_be_above(&self, position: usize, proof: ProvenBase<'_>) -> bool {
        let Some(Ok(base)) = self.readings.get(position).map(|reading| &reading.base) else { return false };
        let is_same = proof.releases.iter().any(|known| known.repository == base.repository);
        let is_built_on_others =
            !self.settings.is_base(&base.repository) || self.settings.is_company_base(&base.repository);
        !is_same && (is_built_on_others || may_be_part(proof.releases))
    }

    /// Whether no longer prefix is possible: all releases were compared, or the image has no more layers.
    fn is_final(&self, proof: ProvenBase<'_>) -> bool {
        let is_searched = matches!(self.layers.search, SearchCompletion::Idle | SearchCompletion::Complete { .. });
        is_searched || proof.layer_count == self.length
    }

    /// The base that `outer` is built on. AWS bases have none.
    fn below(&self, outer: &IdentifiedBase) -> Option<IdentifiedBase> {
        let repository = &outer.base.repository;
        if self.settings.is_base(repository) && !self.settings.is_company_base(repository) {
            return None;
        }
        let proof = self.proof_below(outer.layer_count.unwrap_or(usize::MAX))?;
        // A search ends with the outer base, so the language release below it may be unknown.
        let is_searched = matches!(self.layers.search, SearchCompletion::Complete { .. });
        let is_part = proof.position.is_none() && may_be_part(proof.releases) && !is_searched;
        let is_same = proof.releases.iter().any(|known| known.repository == *repository);
        let inner = (!is_part && !is_same).then(|| self.proven(proof))??;
        (inner.base.repository != *repository).then_some(inner)
    }

    /// The positions of records that the layers disprove.
    fn contradicted(&self, chain: &[IdentifiedBase]) -> BTreeSet<usize> {
        if chain.first().is_some_and(|base| base.evidence.kind == EvidenceKind::Itself) {
            return BTreeSet::new();
        }
        let has_prefix = self.prefixes().next().is_some();
        let disproven = self.bases().filter(|(position, reading, _)| {
            let is_disproven = match self.layers.checks.get(position) {
                Some(PrefixCheck::Different) => true,
                Some(PrefixCheck::Fewer) => has_prefix,
                Some(PrefixCheck::Prefix { .. } | PrefixCheck::Unread) | None => false,
            };
            is_disproven && !reading.kind.is_candidate()
        });
        disproven.map(|(position, ..)| position).collect()
    }

    /// The recorded base, unconfirmed.
    fn recorded(&self, position: usize) -> IdentifiedBase {
        let evidence = self.readings[position].clone();
        let is_whole = label::unquoted(&evidence.value).contains('/');
        IdentifiedBase {
            base: self.completed(position),
            evidence,
            position: Some(position),
            confidence: if is_whole { Confidence::Unconfirmed } else { Confidence::Assumed },
            layer_count: None,
            equal_releases: Vec::new(),
        }
    }

    /// The proven base.
    fn proven(&self, proof: ProvenBase<'_>) -> Option<IdentifiedBase> {
        let ProvenBase { layer_count, position, releases } = proof;
        let recorded = position.map(|position| (position, self.completed(position)));
        let release = pick(releases, recorded.as_ref().map(|(_, base)| base), self.settings);
        let (base, evidence) = match recorded {
            Some((position, mut base)) => {
                if let Some(known) = release {
                    complete(&mut base, &known.release);
                }
                (base, self.readings[position].clone())
            }
            None => self.released(release?, EvidenceKind::Layers, format!("{layer_count} of {}", self.length)),
        };
        Some(IdentifiedBase {
            base,
            evidence,
            position,
            confidence: Confidence::Confirmed,
            layer_count: Some(layer_count),
            equal_releases: equal_to(release, releases),
        })
    }

    /// The image as its own base.
    fn itself(&self, own: &RepositoryRelease) -> IdentifiedBase {
        let (mut base, mut evidence) = self.released(own, EvidenceKind::Itself, self.image.digest.to_string());
        if base.tag.is_none() && self.settings.bases.has_dated_tags(&own.repository) {
            base.tag = moving_tag(&own.release);
            evidence.base = Ok(base.clone());
        }
        let prefixes = self.layers.prefixes.iter();
        let mut equal = prefixes.filter(|prefix| prefix.releases.iter().any(|known| self.is_own(known)));
        IdentifiedBase {
            base,
            evidence,
            position: None,
            confidence: Confidence::Confirmed,
            layer_count: Some(self.length),
            equal_releases: equal.next().map(|prefix| equal_to(Some(own), &prefix.releases)).unwrap_or_default(),
        }
    }

    /// A known release as a base, with its evidence.
    fn released(&self, known: &RepositoryRelease, kind: EvidenceKind, key: String) -> (Base, BaseRecord) {
        let RepositoryRelease { repository, release } = known;
        let tag = dated_tag(release).map(|tag| tag.to_string());
        // A dated tag identifies its index; of several indexes with the same manifest, the catalog may have any.
        let digest = || release.index.clone().unwrap_or_else(|| release.manifest.clone());
        let digest = tag.is_none().then(digest);
        let base = line::base(self.settings, self.own_name, repository.clone(), tag, digest);
        let value = name_of(known).to_string();
        (base.clone(), BaseRecord { kind, key, value, base: Ok(base) })
    }

    /// The base that a reading names, completed by later readings of the same release.
    fn completed(&self, position: usize) -> Base {
        let named = |(_, _, base): (usize, &BaseRecord, &Base)| base.clone();
        let mut base =
            self.bases().find(|(at, ..)| *at == position).map(named).expect("only readings of bases are chosen");
        let is_disproven = |at: &usize| matches!(self.layers.checks.get(at), Some(PrefixCheck::Different));
        let later = self.bases().filter(|(at, ..)| *at > position && !is_disproven(at));
        later.for_each(|(_, _, other)| base.complete(other));
        base
    }
}

/// Whether releases of languages may begin with these: `provided` has no language.
fn may_be_part(releases: &[Arc<RepositoryRelease>]) -> bool {
    releases.iter().all(|known| known.repository.name.rsplit('/').next() == Some("provided"))
}

/// Whether `base` names the release `known`.
fn is_named(known: &RepositoryRelease, base: &Base) -> bool {
    let RepositoryRelease { repository, release } = known;
    let is_digest =
        |digest: &crate::image::Digest| *digest == release.manifest || release.index.as_ref() == Some(digest);
    let dated = base.tag.as_deref().and_then(LambdaTag::parse).filter(|tag| tag.built_at.is_some());
    *repository == base.repository
        && match &base.digest {
            Some(digest) => is_digest(digest),
            None => dated.is_some_and(|tag| release.tags.contains(&tag.release().to_string())),
        }
}

/// The earliest dated tag of a release.
fn dated_tag(release: &PlatformRelease) -> Option<LambdaTag> {
    let dated = release.tags.iter().filter_map(|tag| LambdaTag::parse(tag)).filter(|tag| tag.built_at.is_some());
    dated.min_by_key(|tag| (tag.built_at, tag.to_string())).map(|tag| tag.release())
}

/// The most specific moving tag that pointed at a release, without the architecture that some end in.
fn moving_tag(release: &PlatformRelease) -> Option<String> {
    let moving = release.tags.iter().filter_map(|tag| LambdaTag::parse(tag)).filter(|tag| tag.built_at.is_none());
    moving.map(|tag| tag.family).max_by_key(|family| (family != "latest", family.len()))
}

/// Of releases of equal content a recorded one, else the earliest, independent of the order of discovery.
fn pick<'a>(
    releases: &'a [Arc<RepositoryRelease>],
    recorded: Option<&Base>,
    settings: &IdentifySettings,
) -> Option<&'a RepositoryRelease> {
    let is_base = |known: &&Arc<RepositoryRelease>| settings.is_base(&known.repository);
    let is_recorded = |known: &&Arc<RepositoryRelease>| recorded.is_none_or(|base| base.repository == known.repository);
    let order = |known: &&Arc<RepositoryRelease>| {
        let is_other = recorded.is_some_and(|base| !is_named(known, base));
        (is_other, age_order(known))
    };
    releases.iter().filter(is_base).filter(is_recorded).min_by_key(order).map(Arc::as_ref)
}

/// Earlier releases first; those without a dated tag last, by first observation.
fn age_order(known: &RepositoryRelease) -> impl Ord + use<> {
    let built_at = dated_tag(&known.release).and_then(|tag| tag.built_at);
    (built_at.is_none(), built_at, known.release.first_seen, known.repository.clone(), known.release.manifest.clone())
}

/// The others of `releases`, earliest first.
fn equal_to(chosen: Option<&RepositoryRelease>, releases: &[Arc<RepositoryRelease>]) -> Vec<Reference> {
    let mut others: Vec<_> = releases.iter().filter(|known| chosen != Some(known.as_ref())).collect();
    others.sort_by_key(|known| age_order(known));
    others.into_iter().take(EQUAL_RELEASES).map(|known| name_of(known)).collect()
}

/// A release as a reference: by its dated tag, else by its digest.
fn name_of(known: &RepositoryRelease) -> Reference {
    let RepositoryRelease { repository, release } = known;
    if let Some(tag) = dated_tag(release) {
        return Reference::tagged(repository.clone(), tag.to_string());
    }
    let digest = release.index.as_ref().unwrap_or(&release.manifest);
    Reference::pinned(repository.clone(), digest.clone())
}

/// Sets the release of a `base` that records only a moving tag.
fn complete(base: &mut Base, release: &PlatformRelease) {
    let is_dated = base.tag.as_deref().and_then(LambdaTag::parse).is_some_and(|tag| tag.built_at.is_some());
    if base.digest.is_some() || is_dated {
        return;
    }
    match (&release.index, dated_tag(release)) {
        (None, Some(dated)) => {
            let moving = base.tag.replace(dated.to_string());
            base.further_tag = base.further_tag.take().or(moving);
        }
        (index, _) => base.digest = Some(index.as_ref().unwrap_or(&release.manifest).clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identify::{BaseRule, BaseRules, identify},
        image::{Annotations, BuildHistory, Digest, ImageFacts, ImageProfile, LambdaFingerprint, Platform},
    };

    use EvidenceKind::{Annotation, BuilderComment, Label, Provenance};

    const COMPANY: &str = "registry.example.com/acme/base";

    /// The input of a table row: the readings, each with the result of its comparison; the releases that are a prefix,
    /// as `repository:tag` or `repository@name of its manifest`, by their number of layers; the number of layers of the
    /// image, and the search.
    struct Row<'a> {
        readings: &'a [(EvidenceKind, &'a str, Option<PrefixCheck>)],
        prefixes: &'a [(usize, &'a [&'a str])],
        length: usize,
        search: SearchCompletion,
    }

    /// The first so many layers of the image are the base's.
    const FIRST_4: Option<PrefixCheck> = Some(PrefixCheck::Prefix { layer_count: 4 });
    const FIRST_6: Option<PrefixCheck> = Some(PrefixCheck::Prefix { layer_count: 6 });
    const FIRST_8: Option<PrefixCheck> = Some(PrefixCheck::Prefix { layer_count: 8 });
    const DIFFERENT: Option<PrefixCheck> = Some(PrefixCheck::Different);
    const FEWER: Option<PrefixCheck> = Some(PrefixCheck::Fewer);
    const UNREAD: Option<PrefixCheck> = Some(PrefixCheck::Unread);

    const IDLE: SearchCompletion = SearchCompletion::Idle;
    const SEARCHED: SearchCompletion = SearchCompletion::Complete { lines: Vec::new() };
    const UNFINISHED: SearchCompletion = SearchCompletion::Unfinished { compared_count: 290, left_count: 700 };
    const FAILED: SearchCompletion = SearchCompletion::Failed { why: String::new() };

    fn settings() -> IdentifySettings {
        let rule = |repository: &str| BaseRule::new(repository.parse().unwrap());
        let java = "public.ecr.aws/lambda/java";
        let bases = BaseRules::new(vec![
            BaseRule { is_company: Some(true), ..rule(COMPANY) },
            BaseRule { bare: Some(java.parse().unwrap()), ..rule(java) },
        ]);
        IdentifySettings { bases, ..IdentifySettings::default() }
    }

    fn full(name: &str) -> String {
        let name = name.replace("BASE", COMPANY);
        if name.contains('.') && name.contains('/') { name } else { format!("public.ecr.aws/lambda/{name}") }
    }

    /// A release; its digest is derived from the name after the `@`, else from the tag.
    fn release(name: &str) -> Arc<RepositoryRelease> {
        let name = full(name);
        let (named, manifest) = name.split_once('@').unwrap_or((&name, &name));
        let colon = named.rfind(':').filter(|at| !named[*at..].contains('/'));
        let (repository, tag) = colon.map_or((named, None), |at| (&named[..at], Some(&named[at + 1..])));
        let release = PlatformRelease {
            tags: tag.map(str::to_owned).into_iter().collect(),
            platform: Platform::new("linux", "arm64", None),
            manifest: Digest::sha256(manifest.as_bytes()),
            index: None,
            layer_count: 1,
            diff_ids: None,
            layers: None,
            first_layer: None,
            first_seen: chrono::DateTime::UNIX_EPOCH,
        };
        Arc::new(RepositoryRelease { repository: repository.parse().unwrap(), release: Arc::new(release) })
    }

    fn image(length: usize, digest: &str) -> DeployedImage {
        let facts = ImageFacts {
            platform: Platform::new("linux", "arm64", None),
            config: Digest::sha256(b"config"),
            created_at: None,
            history_created_at: None,
            labels: Annotations::new(),
            annotations: Annotations::new(),
            diff_ids: (0..length).map(|layer| Digest::sha256(&[u8::try_from(layer).unwrap()])).collect(),
            layers: Vec::new(),
            fingerprint: LambdaFingerprint::default(),
            build: BuildHistory::default(),
            profile: ImageProfile::default(),
        };
        DeployedImage {
            digest: Digest::sha256(digest.as_bytes()),
            facts: Arc::new(facts),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        }
    }

    fn reading(kind: EvidenceKind, value: &str) -> BaseRecord {
        let value = if value.starts_with("21.") { value.to_owned() } else { full(value) };
        let value = match value.split_once('@') {
            Some((name, digest)) => format!("{name}@{}", Digest::sha256(digest.as_bytes())),
            None => value,
        };
        // As the label would be read.
        let labels = Annotations::from([("sdkBaseVersion".to_owned(), value.clone())]);
        let facts = ImageFacts { labels, ..ImageFacts::clone(&image(0, "").facts) };
        let labelled = DeployedImage { facts: Arc::new(facts), ..image(0, "") };
        let read = identify(&labelled, None, &settings()).records.remove(0);
        BaseRecord { kind, key: "key".to_owned(), ..read }
    }

    fn identified(row: &Row<'_>) -> Identification {
        let readings: Vec<_> = row.readings.iter().map(|(kind, value, _)| reading(*kind, value)).collect();
        let checks = row.readings.iter().enumerate();
        let prefixes = row.prefixes.iter().map(|(layer_count, names)| MatchedPrefix {
            layer_count: *layer_count,
            releases: names.iter().map(|name| release(name)).collect(),
        });
        let layers = LayerEvidence {
            prefixes: prefixes.collect(),
            checks: checks.filter_map(|(at, (_, _, check))| Some((at, (*check)?))).collect(),
            search: row.search.clone(),
            request_count: 0,
        };
        combine(readings, Arc::new(layers), &image(row.length, "own"), None, &settings())
    }

    /// `java:21.2026.08.10.13 by layers, confirmed; on …; not 0`.
    fn summary(found: &Identification) -> String {
        let base = |base: &IdentifiedBase| {
            let IdentifiedBase { base, evidence, confidence, equal_releases, .. } = base;
            let short = |name: String| {
                let name = name.replace("public.ecr.aws/lambda/", "").replace(COMPANY, "BASE");
                name.split("@sha256:").map(|part| if part.len() == 64 { "@" } else { part }).collect::<String>()
            };
            let equal: Vec<_> = equal_releases.iter().map(|other| short(other.to_string())).collect();
            let equal = if equal.is_empty() { String::new() } else { format!(" = {}", equal.join(" = ")) };
            let kind = evidence.kind.as_str();
            format!("{}{equal} by {kind}, {}", short(base.reference().to_string()), confidence.as_str())
        };
        let chain: Vec<_> = found.chain.iter().map(base).collect();
        let not: Vec<_> = found.contradicted.iter().map(|position| format!("; not {position}")).collect();
        let chain = if chain.is_empty() { "unknown".to_owned() } else { chain.join(" on ") };
        format!("{chain}{}", not.concat())
    }

    type Read = &'static [(EvidenceKind, &'static str, Option<PrefixCheck>)];
    type Match = &'static [(usize, &'static [&'static str])];

    const JAVA: &str = "java:21.2026.08.10.13";
    const LATER: &str = "java:21.2026.08.11.13";
    const PROVIDED: &str = "provided:al2023.2026.08.10.13";

    /// Name, records, prefixes, number of layers, search, and expected result.
    const RULES: &[(&str, Read, Match, usize, SearchCompletion, &str)] = &[
        ("nothing is known", &[], &[], 9, IDLE, "unknown"),
        ("a label without a comparison", &[(Label, "java@a", None)], &[], 9, IDLE, "java@ by label, unconfirmed"),
        ("confirmed", &[(Label, "java@a", FIRST_6)], &[], 9, IDLE, "java@ by label, confirmed"),
        (
            "confirmed, and the release is known",
            &[(Label, "java@a", FIRST_6)],
            &[(6, &["java@a"])],
            9,
            IDLE,
            "java@ by label, confirmed",
        ),
        (
            "a moving tag gets the release",
            &[(Label, "java:21", FIRST_6)],
            &[(6, &[JAVA])],
            9,
            IDLE,
            "java:21.2026.08.10.13 by label, confirmed",
        ),
        (
            "a moving tag gets the digest",
            &[(Label, "java:21", FIRST_6)],
            &[(6, &["java@m"])],
            9,
            IDLE,
            "java:21@ by label, confirmed",
        ),
        (
            "a moving tag that cannot be compared",
            &[(Label, "java:21", UNREAD)],
            &[],
            9,
            IDLE,
            "java:21 by label, unconfirmed",
        ),
        (
            "a record of a known release is confirmed unread",
            &[(Label, JAVA, UNREAD)],
            &[(6, &[JAVA])],
            9,
            IDLE,
            "java:21.2026.08.10.13 by label, confirmed",
        ),
        (
            "the same by its digest",
            &[(Label, "java@m", UNREAD)],
            &[(6, &["java:21.2026.08.10.13@m"])],
            9,
            IDLE,
            "java@ by label, confirmed",
        ),
        (
            "contradicted, and the layers win",
            &[(Label, "java@a", DIFFERENT)],
            &[(6, &[LATER])],
            9,
            SEARCHED,
            "java:21.2026.08.11.13 by layers, confirmed; not 0",
        ),
        ("contradicted, and nothing matches", &[(Label, "java@a", DIFFERENT)], &[], 9, SEARCHED, "unknown; not 0"),
        (
            "contradicted, and another record remains",
            &[(Label, "java@a", DIFFERENT), (Annotation, "python@b", UNREAD)],
            &[],
            9,
            SEARCHED,
            "python@ by annotation, unconfirmed; not 0",
        ),
        (
            "contradicted, and another record is confirmed",
            &[(Label, "java@a", DIFFERENT), (Annotation, "python@b", FIRST_6)],
            &[],
            9,
            IDLE,
            "python@ by annotation, confirmed; not 0",
        ),
        ("squashed", &[(Label, "java@a", FEWER)], &[], 1, SEARCHED, "java@ by label, unconfirmed"),
        (
            "fewer layers, and yet those of a base",
            &[(Label, "java@a", FEWER)],
            &[(4, &[PROVIDED])],
            5,
            SEARCHED,
            "provided:al2023.2026.08.10.13 by layers, confirmed; not 0",
        ),
        (
            "the base can no longer be read",
            &[(Label, "java@a", UNREAD)],
            &[],
            9,
            SEARCHED,
            "java@ by label, unconfirmed",
        ),
        (
            "a bare tag that nothing confirms",
            &[(Label, "21.2026.08.10.13", UNREAD)],
            &[],
            9,
            IDLE,
            "java:21.2026.08.10.13 by label, assumed",
        ),
        (
            "a bare tag that the layers confirm",
            &[(Label, "21.2026.08.10.13", FIRST_6)],
            &[],
            9,
            IDLE,
            "java:21.2026.08.10.13 by label, confirmed",
        ),
        (
            "unread, and the layers show another release",
            &[(Label, "java@a", UNREAD)],
            &[(6, &[JAVA])],
            9,
            IDLE,
            "java:21.2026.08.10.13 by layers, confirmed",
        ),
        (
            "unread, and the layers show another language",
            &[(Label, "python@a", UNREAD)],
            &[(6, &[JAVA])],
            9,
            IDLE,
            "java:21.2026.08.10.13 by layers, confirmed",
        ),
        (
            "an unread language above provided",
            &[(Label, "java@a", UNREAD)],
            &[(4, &[PROVIDED])],
            9,
            SEARCHED,
            "java@ by label, unconfirmed",
        ),
        (
            "by a builder's comment",
            &[(BuilderComment, "java:21", UNREAD)],
            &[],
            9,
            IDLE,
            "java:21 by builder-comment, unconfirmed",
        ),
        (
            "a material is the base that is a prefix",
            &[(Provenance, "nodejs@a", DIFFERENT), (Provenance, "java@b", FIRST_6)],
            &[],
            9,
            IDLE,
            "java@ by provenance, confirmed",
        ),
        (
            "of materials the longest",
            &[(Provenance, "provided@a", FIRST_4), (Provenance, "java@b", FIRST_6)],
            &[],
            9,
            IDLE,
            "java@ by provenance, confirmed",
        ),
        ("a material that was not compared", &[(Provenance, "java@b", UNREAD)], &[], 9, IDLE, "unknown"),
        (
            "a material that is not a configured base",
            &[(Provenance, "ghcr.io/acme/x@b", FIRST_6)],
            &[],
            9,
            IDLE,
            "unknown",
        ),
        (
            "a label before a material",
            &[(Label, "java@b", FIRST_6), (Provenance, "java@b", FIRST_6)],
            &[],
            9,
            IDLE,
            "java@ by label, confirmed",
        ),
        (
            "equal content",
            &[],
            &[(6, &[LATER, "java@m", JAVA])],
            9,
            SEARCHED,
            "java:21.2026.08.10.13 = java:21.2026.08.11.13 = java@ by layers, confirmed",
        ),
        (
            "equal content, and a label",
            &[(Label, LATER, FIRST_6)],
            &[(6, &[JAVA, LATER])],
            9,
            IDLE,
            "java:21.2026.08.11.13 = java:21.2026.08.10.13 by label, confirmed",
        ),
        (
            "only configured bases",
            &[],
            &[(7, &["ghcr.io/acme/other:1"]), (6, &[JAVA])],
            9,
            SEARCHED,
            "java:21.2026.08.10.13 by layers, confirmed",
        ),
        ("provided", &[], &[(4, &[PROVIDED])], 9, SEARCHED, "provided:al2023.2026.08.10.13 by layers, confirmed"),
        ("provided, and languages are not searched", &[], &[(4, &[PROVIDED])], 9, UNFINISHED, "unknown"),
        ("provided, and languages cannot be read", &[], &[(4, &[PROVIDED])], 9, FAILED, "unknown"),
        (
            "provided, and there are no more layers",
            &[],
            &[(4, &[PROVIDED])],
            4,
            UNFINISHED,
            "provided:al2023.2026.08.10.13 by layers, confirmed",
        ),
        (
            "provided, not searched, and a label of a language",
            &[(Label, "java@a", UNREAD)],
            &[(4, &[PROVIDED])],
            9,
            UNFINISHED,
            "java@ by label, unconfirmed",
        ),
        (
            "a language above provided",
            &[],
            &[(6, &[JAVA]), (4, &[PROVIDED])],
            9,
            SEARCHED,
            "java:21.2026.08.10.13 by layers, confirmed",
        ),
        (
            "a chain",
            &[],
            &[(8, &["BASE@c"]), (6, &[JAVA]), (4, &[PROVIDED])],
            9,
            IDLE,
            "BASE@ by layers, confirmed on java:21.2026.08.10.13 by layers, confirmed",
        ),
        (
            "a chain whose end is not searched",
            &[],
            &[(8, &["BASE@c"]), (4, &[PROVIDED])],
            9,
            IDLE,
            "BASE@ by layers, confirmed",
        ),
        (
            "a chain that ends with provided",
            &[],
            &[(8, &["BASE@c"]), (4, &[PROVIDED])],
            9,
            SEARCHED,
            "BASE@ by layers, confirmed on provided:al2023.2026.08.10.13 by layers, confirmed",
        ),
        (
            "the label of a company base",
            &[(Label, "BASE@c", FIRST_8)],
            &[(6, &[JAVA])],
            9,
            IDLE,
            "BASE@ by label, confirmed on java:21.2026.08.10.13 by layers, confirmed",
        ),
        (
            "a company base that is gone",
            &[(Label, "BASE@c", UNREAD)],
            &[(6, &[JAVA])],
            9,
            IDLE,
            "BASE@ by label, unconfirmed on java:21.2026.08.10.13 by layers, confirmed",
        ),
        (
            "an inherited label",
            &[(Label, "java@a", FIRST_6)],
            &[(8, &["BASE@c"]), (6, &["java@a"])],
            9,
            IDLE,
            "BASE@ by layers, confirmed on java@ by label, confirmed",
        ),
        (
            "an inherited label, and the base is unknown",
            &[(Label, "java@a", FIRST_6)],
            &[(8, &["BASE@c"])],
            9,
            IDLE,
            "BASE@ by layers, confirmed on java@ by label, confirmed",
        ),
        (
            "earlier releases of a company base are not links",
            &[],
            &[(8, &["BASE@c"]), (7, &["BASE@b"])],
            9,
            IDLE,
            "BASE@ by layers, confirmed",
        ),
        (
            "a release itself",
            &[(Label, "java@a", DIFFERENT)],
            &[(6, &["java:21.2026.08.10.13@own"])],
            6,
            IDLE,
            "java:21.2026.08.10.13 by itself, confirmed",
        ),
        (
            "a release itself, with provided below",
            &[],
            &[(6, &["java:21.2026.08.10.13@own", LATER]), (4, &[PROVIDED])],
            6,
            IDLE,
            "java:21.2026.08.10.13 = java:21.2026.08.11.13 by itself, confirmed",
        ),
        ("nothing is added to a base", &[], &[(6, &[JAVA])], 6, IDLE, "java:21.2026.08.10.13 by layers, confirmed"),
        (
            "a company base itself",
            &[],
            &[(8, &["BASE@own"]), (6, &[JAVA])],
            8,
            IDLE,
            "java:21.2026.08.10.13 by layers, confirmed",
        ),
        ("a company base itself, and nothing below", &[], &[(8, &["BASE@own"])], 8, IDLE, "BASE@ by itself, confirmed"),
    ];

    #[test]
    fn evidence_is_combined_by_the_rules() {
        for (name, readings, prefixes, length, search, expected) in RULES {
            let row = Row { readings, prefixes, length: *length, search: search.clone() };
            assert_eq!(summary(&identified(&row)), *expected, "{name}");
        }
    }

    #[test]
    fn the_order_of_discovery_of_releases_makes_no_difference() {
        let names = ["java:21.2026.08.11.13", "java@m", "java:21.2026.08.10.13", "python:3.12.2026.08.10.12"];
        let mut summaries = BTreeSet::new();
        for turn in 0..names.len() {
            let mut names = names;
            names.rotate_left(turn);
            for names in [names, [names[1], names[0], names[3], names[2]]] {
                let row = Row { readings: &[], prefixes: &[(6, &names)], length: 9, search: SEARCHED };
                summaries.insert(summary(&identified(&row)));
            }
        }
        assert_eq!(summaries.len(), 1, "{summaries:?}");
    }

    #[test]
    fn records_of_inner_bases_and_materials_are_not_contradictions() {
        let dissenting = |readings: &[(EvidenceKind, &str, Option<PrefixCheck>)], prefixes: &[(usize, &[&str])]| {
            let found = identified(&Row { readings, prefixes, length: 9, search: SEARCHED });
            found.dissenting(|_| false).map(|(reading, _)| reading.value.clone()).collect::<Vec<_>>()
        };
        let inherited = [(Label, "java@a", FIRST_6), (Provenance, "nodejs@b", DIFFERENT)];
        assert!(dissenting(&inherited, &[(8, &["BASE@c"])]).is_empty());
        let contradicted = [(Label, "java@a", DIFFERENT), (Label, "java@b", FIRST_6)];
        assert!(dissenting(&contradicted, &[]).is_empty(), "it has a reason of its own");
        let unread = [(Label, "java@a", FIRST_6), (Label, "python:3.12", UNREAD)];
        assert_eq!(dissenting(&unread, &[]), ["public.ecr.aws/lambda/python:3.12"]);
    }
}
