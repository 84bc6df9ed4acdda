//! A selected function: its versions, its aliases, and the versions that calls reach.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    cache::CachedFunction,
    function::FunctionDetails,
    listing::{FunctionAlias, VersionFingerprint},
    version::FunctionVersion,
};
use crate::{aws::AwsError, image::Arn};

/// A function that the settings select.
#[derive(Debug)]
pub(super) struct SelectedFunction {
    /// Its ARN, without a qualifier.
    pub(super) arn: Arn,
    /// Its aliases, as far as they could be listed.
    pub(super) aliases: Vec<FunctionAlias>,
    /// The listed versions.
    pub(super) listed: Vec<(FunctionVersion, VersionFingerprint)>,
    /// The versions that are read, with the results.
    pub(super) found: Vec<(FunctionVersion, VersionOutcome)>,
    /// Whether it runs on Lambda Managed Instances.
    pub(super) is_managed: bool,
    /// Whether its aliases have to be listed.
    pub(super) is_alias_requested: bool,
    /// Whether its aliases could not be listed.
    pub(super) is_alias_missing: bool,
}

/// The result of reading a version.
#[derive(Clone, Debug)]
pub(super) enum VersionOutcome {
    /// It is being read.
    Requested,
    /// The response; with its cache entry if the version is listed.
    Known(Arc<FunctionDetails>, Option<CachedFunction>),
    /// It was deleted meanwhile.
    Gone,
    /// It could not be read.
    Failed(AwsError),
}

impl SelectedFunction {
    /// A function of which only the ARN is known.
    pub(super) fn new(arn: Arn) -> Self {
        Self {
            arn,
            aliases: Vec::new(),
            listed: Vec::new(),
            found: Vec::new(),
            is_managed: false,
            is_alias_requested: false,
            is_alias_missing: false,
        }
    }

    /// The result of reading `version`.
    pub(super) fn found(&self, version: &FunctionVersion) -> Option<&VersionOutcome> {
        self.found.iter().find(|(known, _)| known == version).map(|(_, outcome)| outcome)
    }

    /// The versions that unqualified calls reach or may reach.
    pub(super) fn unqualified(&self) -> Vec<&FunctionVersion> {
        let reached = if self.is_managed { &FunctionVersion::LatestPublished } else { &FunctionVersion::Latest };
        let others = self.listed.iter().map(|(version, _)| version);
        std::iter::once(reached).chain(others.filter(|it| matches!(it, FunctionVersion::Other(_)))).collect()
    }

    /// The change fields of `version` in the list.
    pub(super) fn fingerprint(&self, version: &FunctionVersion) -> Option<&VersionFingerprint> {
        self.listed.iter().find(|(known, _)| known == version).map(|(_, fingerprint)| fingerprint)
    }

    /// Whether it has a published version.
    pub(super) fn is_published(&self) -> bool {
        self.listed.iter().any(|(version, _)| *version != FunctionVersion::Latest)
    }

    /// The versions that calls reach, as far as aliases are known.
    pub(super) fn reached(&self) -> BTreeSet<FunctionVersion> {
        let aliased = self.aliases.iter().flat_map(|alias| std::iter::once(&alias.version).chain(&alias.others));
        self.unqualified().into_iter().chain(aliased).cloned().collect()
    }
}
