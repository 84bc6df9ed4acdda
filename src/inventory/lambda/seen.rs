//! What is seen of one function: its versions, its aliases, and which versions calls reach. Pure.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    function::Function,
    listing::{Alias, Mark},
    memory::Remembered,
    version::FunctionVersion,
};
use crate::{aws::Failure, image::Arn};

/// A function that is meant.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its ARN, without a qualifier.
    pub(super) arn: Arn,
    /// Its aliases, as far as they could be listed.
    pub(super) aliases: Vec<Alias>,
    /// The versions that the list shows.
    pub(super) listed: Vec<(FunctionVersion, Mark)>,
    /// The versions that are looked at.
    pub(super) found: Vec<(FunctionVersion, Outcome)>,
    /// Whether it runs on Lambda Managed Instances.
    pub(super) is_managed: bool,
    /// Whether its aliases are asked for.
    pub(super) is_alias_wanted: bool,
    /// Whether its aliases could not be listed.
    pub(super) is_alias_missing: bool,
}

/// What came of looking at a version.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It is asked for.
    Asked,
    /// This; to be remembered where the list showed it.
    Known(Arc<Function>, Option<Remembered>),
    /// It was deleted meanwhile.
    Gone,
    /// It is not known.
    Failed(Failure),
}

impl Seen {
    /// A function of which nothing is known but its ARN.
    pub(super) fn new(arn: Arn) -> Self {
        Self {
            arn,
            aliases: Vec::new(),
            listed: Vec::new(),
            found: Vec::new(),
            is_managed: false,
            is_alias_wanted: false,
            is_alias_missing: false,
        }
    }

    /// What came of looking at `version`.
    pub(super) fn found(&self, version: &FunctionVersion) -> Option<&Outcome> {
        self.found.iter().find(|(known, _)| known == version).map(|(_, outcome)| outcome)
    }

    /// The version that calls without a qualifier reach, and those of which it is not known whether calls do.
    pub(super) fn unqualified(&self) -> Vec<&FunctionVersion> {
        let reached = if self.is_managed { &FunctionVersion::LatestPublished } else { &FunctionVersion::Latest };
        let others = self.listed.iter().map(|(version, _)| version);
        std::iter::once(reached).chain(others.filter(|it| matches!(it, FunctionVersion::Other(_)))).collect()
    }

    /// Where `version` stands in the list.
    pub(super) fn mark(&self, version: &FunctionVersion) -> Option<&Mark> {
        self.listed.iter().find(|(known, _)| known == version).map(|(_, mark)| mark)
    }

    /// Whether it has a version besides the one that is not published.
    pub(super) fn is_published(&self) -> bool {
        self.listed.iter().any(|(version, _)| *version != FunctionVersion::Latest)
    }

    /// The versions that calls reach, as far as aliases are known.
    pub(super) fn reached(&self) -> BTreeSet<FunctionVersion> {
        let aliased = self.aliases.iter().flat_map(|alias| std::iter::once(&alias.version).chain(&alias.others));
        self.unqualified().into_iter().chain(aliased).cloned().collect()
    }
}
