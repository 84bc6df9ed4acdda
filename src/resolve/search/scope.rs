//! The scope of a search: the releases that can be the base of an image, by its records and signs.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    identify::{Identification, PrefixCheck},
    image::{
        DotnetVersion, ImageFacts, LambdaArch, LambdaTag, MatchedPrefix, Repository, RepositoryRelease, is_plausible,
    },
};

/// The repository of the bases for .NET.
const DOTNET: &str = "public.ecr.aws/lambda/dotnet";

/// Whether `repository` is `provided`, on which AWS builds its language bases: its releases can be prefixes of theirs.
pub(super) fn is_provided(repository: &Repository) -> bool {
    repository.name.ends_with("provided")
}

/// The lines that the image of `facts` is recognizably built on: .NET records its version.
pub(super) fn shown_lines(facts: &ImageFacts) -> impl Iterator<Item = (Repository, String)> {
    let families = facts.fingerprint.dotnet.map(|version| {
        let DotnetVersion { major, minor, .. } = version;
        [major.to_string(), format!("{major}.{minor}"), format!("core{major}.{minor}")]
    });
    families.into_iter().flatten().filter_map(|family| Some((DOTNET.parse().ok()?, family)))
}

/// The layer whose date is used: the uppermost one that all Lambda bases have. Its date is that of the base, or of the
/// image if the base has no history.
const DATED_LAYER: usize = 3;

/// The approximate build date of the image of `facts` or its base; dates after `existed_at` are ignored.
pub(super) fn built_at(facts: &ImageFacts, existed_at: DateTime<Utc>) -> DateTime<Utc> {
    let plausible = |at: &DateTime<Utc>| is_plausible(*at, existed_at);
    let of_base = facts.build.made_at(DATED_LAYER).filter(plausible);
    let of_image = || [facts.created_at, facts.history_created_at].into_iter().flatten().filter(plausible).max();
    of_base.or_else(of_image).unwrap_or(existed_at).min(existed_at)
}

/// A line that an image names as its base, without the release.
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
    /// Whether the release with `tag` in `repository` belongs to this line. Every release belongs to `latest`: dated
    /// tags do not show which ones it pointed at.
    pub(super) fn has(&self, repository: &Repository, tag: &LambdaTag) -> bool {
        self.repository == *repository && (self.family() == "latest" || self.family() == tag.family)
    }

    /// Whether `known` is a release of this line.
    pub(super) fn has_release(&self, known: &RepositoryRelease) -> bool {
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

/// An image whose base is searched.
#[derive(Debug)]
pub(super) struct SearchedImage {
    /// Its facts.
    pub(super) facts: Arc<ImageFacts>,
    /// Its architecture, if Lambda runs it.
    pub(super) arch: Option<LambdaArch>,
    /// The instant by which it existed.
    pub(super) existed_at: DateTime<Utc>,
    /// Its recorded build date.
    pub(super) built_at: DateTime<Utc>,
    /// The lines that it names.
    pub(super) named: Vec<NamedLine>,
    /// Whether it is recognizably built on a Lambda base.
    pub(super) shows_lambda_base: bool,
    /// Whether its records determine its base; see [`is_settled`].
    pub(super) is_settled: bool,
}

/// What an image still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SearchNeed {
    /// No search: nothing shows where its base could be, or its records determine it.
    Nothing,
    /// A known release is its base.
    Answered,
    /// A known release is a prefix; it is the base unless a release published with it is a longer prefix.
    SameRun,
    /// A known release is its base, or that of a company base whose releases have still to be compared.
    Company,
    /// The lines that it names are to be searched.
    Named,
    /// All lines are to be searched, those that it names first.
    All,
}

impl SearchNeed {
    /// Whether a longer prefix than a known one is searched. Each release is read then, because the number of layers of
    /// a line changes over the years.
    pub(super) fn is_for_longer(self) -> bool {
        matches!(self, Self::SameRun | Self::Company)
    }

    /// Whether candidates are read.
    pub(super) fn is_search(self) -> bool {
        matches!(self, Self::SameRun | Self::Company | Self::Named | Self::All)
    }
}

impl SearchedImage {
    /// Its number of layers.
    pub(super) fn layer_count(&self) -> usize {
        self.facts.diff_ids.len().max(self.facts.layers.len())
    }

    /// What it needs, given its known `prefixes`. A prefix that `is_company_base` accepts has another base below and
    /// does not end a search. `has_company_lists`: the releases of company bases can be listed.
    pub(super) fn need(
        &self,
        prefixes: &[MatchedPrefix],
        is_company_base: impl Fn(&Repository) -> bool,
        has_company_lists: bool,
    ) -> SearchNeed {
        let is_innermost = |known: &Arc<RepositoryRelease>| !is_company_base(&known.repository);
        let innermost = prefixes.iter().filter(|prefix| prefix.releases.iter().any(is_innermost));
        let innermost: Vec<_> = innermost.collect();
        let is_final = |prefix: &&MatchedPrefix| {
            let is_last = |known: &Arc<RepositoryRelease>| is_innermost(known) && !is_provided(&known.repository);
            prefix.layer_count == self.layer_count() || prefix.releases.iter().any(is_last)
        };
        let has_named = || {
            let mut releases = prefixes.iter().flat_map(|prefix| &prefix.releases);
            releases.any(|it| self.named.iter().any(|line| line.has_release(it)))
        };
        // Layers above the longest known release may belong to a company base.
        let may_have_company_base = || {
            has_company_lists
                && prefixes.first().is_some_and(|longest| {
                    longest.layer_count < self.layer_count() && longest.releases.iter().all(is_innermost)
                })
        };
        match () {
            () if self.arch.is_none() || self.layer_count() == 0 => SearchNeed::Nothing,
            () if innermost.iter().any(is_final) && may_have_company_base() => SearchNeed::Company,
            () if innermost.iter().any(is_final) || has_named() => SearchNeed::Answered,
            () if self.is_settled => SearchNeed::Nothing,
            () if !innermost.is_empty() => SearchNeed::SameRun,
            () if self.shows_lambda_base => SearchNeed::All,
            () if !self.named.is_empty() => SearchNeed::Named,
            () => SearchNeed::Nothing,
        }
    }
}

/// The lines in repositories that `is_base` accepts which an image names without a digest or dated tag.
pub(super) fn named_lines(identification: &Identification, is_base: impl Fn(&Repository) -> bool) -> Vec<NamedLine> {
    let named = identification.records.iter().enumerate().filter_map(|(reading, read)| {
        let base = read.base.as_ref().ok().filter(|base| base.digest.is_none() && is_base(&base.repository))?;
        let tag = base.tag.clone().filter(|tag| !is_dated(tag))?;
        Some(NamedLine { reading, repository: base.repository.clone(), tag })
    });
    named.collect()
}

/// Whether `tag` is the dated tag of a release.
pub(super) fn is_dated(tag: &str) -> bool {
    LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some())
}

/// Whether the `checks` of recorded bases determine the base: one is a prefix, or the labelled base has more layers
/// than the image, as after `docker build --squash`. A prefix that `is_company_base` accepts does not: its own base is
/// searched.
pub(super) fn is_settled(
    identification: &Identification,
    checks: &BTreeMap<usize, PrefixCheck>,
    is_company_base: impl Fn(&Repository) -> bool,
) -> bool {
    checks.iter().any(|(position, check)| {
        let Some(reading) = identification.records.get(*position) else { return false };
        match (check, &reading.base) {
            (PrefixCheck::Prefix { .. }, Ok(base)) => !is_company_base(&base.repository),
            (PrefixCheck::Fewer, _) => !reading.kind.is_candidate(),
            (PrefixCheck::Prefix { .. } | PrefixCheck::Different | PrefixCheck::Unread, _) => false,
        }
    })
}
