//! Which releases can be the base of an image, by what the image says and shows. Pure.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    identify::{EvidenceKind, Identification, PrefixCheck},
    image::{Arch, ImageFacts, LambdaTag, MatchedPrefix, ReleaseOf, Repository},
};

/// The labels that AWS gives its newer base images, by their beginning.
const PLATFORM_LABELS: &str = "com.amazonaws.lambda.platform.";

/// Whether `repository` holds the bases that AWS builds its language bases from as well, so that a release in it can be a
/// prefix of one of theirs.
pub(super) fn is_provided(repository: &Repository) -> bool {
    repository.name.ends_with("provided")
}

/// Whether the image is recognizably built on a Lambda base.
pub(super) fn shows_lambda_base(facts: &ImageFacts) -> bool {
    facts.labels.keys().any(|label| label.starts_with(PLATFORM_LABELS))
}

/// A line that an image names as its base without saying which release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedLine {
    /// The position of the reading.
    pub(super) reading: usize,
    /// The repository.
    pub(super) repository: Repository,
    /// The moving tag.
    pub(super) tag: String,
}

impl NamedLine {
    /// Whether the release with `tag` in `repository` is of this line. Every release is of `latest`: which ones carried
    /// it cannot be told from their tags.
    pub(super) fn has(&self, repository: &Repository, tag: &LambdaTag) -> bool {
        self.repository == *repository && (self.family() == "latest" || self.family() == tag.family)
    }

    /// Whether `known` is a release of this line.
    pub(super) fn has_release(&self, known: &ReleaseOf) -> bool {
        let is_of_line = |tag: &String| {
            *tag == self.tag || LambdaTag::parse(tag).is_some_and(|tag| self.has(&known.repository, &tag))
        };
        self.repository == known.repository && known.release.tags.iter().any(is_of_line)
    }

    /// The tag without the architecture that some moving tags end in.
    fn family(&self) -> &str {
        ["-arm64", "-x86_64"].iter().find_map(|arch| self.tag.strip_suffix(arch)).unwrap_or(&self.tag)
    }
}

/// An image whose base is looked for.
#[derive(Debug)]
pub(super) struct SearchedImage {
    /// What is known of it.
    pub(super) facts: Arc<ImageFacts>,
    /// Its architecture, if Lambda runs it.
    pub(super) arch: Option<Arch>,
    /// By when it existed.
    pub(super) existed_at: DateTime<Utc>,
    /// When it was built, as far as it says so.
    pub(super) built_at: DateTime<Utc>,
    /// The lines that it names.
    pub(super) named: Vec<NamedLine>,
    /// Whether it is recognizably built on a Lambda base.
    pub(super) shows_lambda_base: bool,
    /// Whether a base that it names proved to be a prefix, or to have more layers than the image has.
    pub(super) is_settled: bool,
}

/// What is to be done for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing shows where its base could be, or what it names is settled.
    Nothing,
    /// A known release is its base.
    Answered,
    /// A known release is a prefix; it is the base if none of those published with it is a longer one.
    SameRun,
    /// The lines that it names are to be searched.
    Named,
    /// All lines are to be searched, those that it names first.
    All,
}

impl SearchedImage {
    /// How many layers it has.
    pub(super) fn layer_count(&self) -> usize {
        self.facts.diff_ids.len().max(self.facts.layers.len())
    }

    /// What is to be done for it, where `prefixes` are known. `has_dated_tags` says whether releases of a repository
    /// carry dated tags: those are no company's bases, which have further bases below.
    pub(super) fn need(&self, prefixes: &[MatchedPrefix], has_dated_tags: impl Fn(&Repository) -> bool) -> Need {
        let dated = prefixes.iter().filter(|prefix| prefix.releases.iter().any(|it| has_dated_tags(&it.repository)));
        let dated: Vec<_> = dated.collect();
        let is_final = |prefix: &&MatchedPrefix| {
            prefix.layer_count == self.layer_count()
                || prefix.releases.iter().any(|it| has_dated_tags(&it.repository) && !is_provided(&it.repository))
        };
        let has_named = || {
            let mut releases = prefixes.iter().flat_map(|prefix| &prefix.releases);
            releases.any(|it| self.named.iter().any(|line| line.has_release(it)))
        };
        match () {
            () if self.arch.is_none() || self.layer_count() == 0 => Need::Nothing,
            () if dated.iter().any(is_final) || has_named() => Need::Answered,
            () if self.is_settled => Need::Nothing,
            () if !dated.is_empty() => Need::SameRun,
            () if self.shows_lambda_base => Need::All,
            () if !self.named.is_empty() => Need::Named,
            () => Need::Nothing,
        }
    }
}

/// The lines that an image names, of those whose repository `is_base`, where no digest and no dated tag beside it says
/// which release is meant.
pub(super) fn named_lines(identification: &Identification, is_base: impl Fn(&Repository) -> bool) -> Vec<NamedLine> {
    let named = identification.readings.iter().enumerate().filter_map(|(reading, read)| {
        let base = read.base.as_ref().ok().filter(|base| base.digest.is_none() && is_base(&base.repository))?;
        let tag = base.tag.clone().filter(|tag| !is_dated(tag))?;
        Some(NamedLine { reading, repository: base.repository.clone(), tag })
    });
    named.collect()
}

/// Whether `tag` is the dated one of a release.
pub(super) fn is_dated(tag: &str) -> bool {
    LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some())
}

/// Whether `checks` of what an image records settle its base: one is a prefix, or what a label or an annotation names has
/// more layers than the image, as after `docker build --squash`.
pub(super) fn is_settled(identification: &Identification, checks: &BTreeMap<usize, PrefixCheck>) -> bool {
    checks.iter().any(|(reading, check)| match check {
        PrefixCheck::Prefix { .. } => true,
        PrefixCheck::Fewer => {
            let kind = identification.readings.get(*reading).map(|reading| reading.kind);
            matches!(kind, Some(EvidenceKind::Label | EvidenceKind::Annotation))
        }
        PrefixCheck::Different | PrefixCheck::Unread => false,
    })
}
