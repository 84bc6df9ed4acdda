//! Holds: releases that `[[policy.hold]]` takes out of their line until a date.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{BaseQuery, BaseResolver, Resolution, StepOutcome, observed::TagInterval};
use crate::{
    glob::Glob,
    image::{Digest, LambdaArch, LambdaTag, Repository},
    schedule::LastDay,
    store::{RepositoryRecord, TagObservation},
};

/// A hold on the releases that match a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseHold {
    /// The pattern of `REPOSITORY:DATED-TAG`, with or without architecture, or of `REPOSITORY@DIGEST`.
    pub release: Glob,
    /// The reason, as the configuration has it.
    pub reason: String,
    /// The last day on which it holds.
    pub until: LastDay,
}

// Patterns are equal if their texts are.
impl Eq for ReleaseHold {}

/// The names of a release that holds are matched against.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReleaseNames<'a> {
    pub(super) repository: &'a Repository,
    /// Its dated tag.
    pub(super) release: Option<&'a LambdaTag>,
    /// The architecture whose tag counts as well as the plain one.
    pub(super) arch: Option<LambdaArch>,
    /// The digests of its index and of the platform's manifest.
    pub(super) digests: [Option<&'a Digest>; 2],
}

impl ReleaseHold {
    fn matches(&self, names: &ReleaseNames<'_>) -> bool {
        let repository = names.repository;
        let tags = names.release.into_iter().flat_map(|release| {
            let plain = release.release();
            let own = names.arch.or(release.arch).map(|arch| plain.on(arch));
            [Some(plain), own].into_iter().flatten()
        });
        let tags = tags.map(|tag| format!("{repository}:{tag}"));
        let digests = names.digests.into_iter().flatten().map(|digest| format!("{repository}@{digest}"));
        tags.chain(digests).any(|name| self.release.matches(&name))
    }
}

/// The holds of a run, and which of them matched a release.
#[derive(Debug, Default)]
pub(super) struct ActiveHolds {
    in_force: Vec<(usize, Arc<ReleaseHold>)>,
    matched: Mutex<BTreeSet<usize>>,
}

impl ActiveHolds {
    /// The holds that have not ended at `now`.
    pub(super) fn new(holds: &[ReleaseHold], now: DateTime<Utc>) -> Self {
        let in_force = holds.iter().enumerate().filter(|(_, hold)| !hold.until.is_over(now));
        Self {
            in_force: in_force.map(|(index, hold)| (index, Arc::new(hold.clone()))).collect(),
            matched: Mutex::default(),
        }
    }

    /// The first hold that matches the release with these names.
    pub(super) fn matching(&self, names: &ReleaseNames<'_>) -> Option<Arc<ReleaseHold>> {
        let mut matching = self.in_force.iter().filter(|(_, hold)| hold.matches(names)).peekable();
        let first = matching.peek().map(|(_, hold)| Arc::clone(hold))?;
        self.matched.lock().unwrap_or_else(PoisonError::into_inner).extend(matching.map(|(index, _)| index));
        Some(first)
    }
}

impl BaseResolver {
    /// The hold on a release.
    pub(super) fn hold_of(&self, names: &ReleaseNames<'_>) -> Option<Arc<ReleaseHold>> {
        self.holds.matching(names)
    }

    /// The hold on a dated tag. Its digest may be held as well.
    pub(super) fn hold_of_tag(
        &self,
        repository: &Repository,
        tag: &LambdaTag,
        arch: Option<LambdaArch>,
    ) -> Option<Arc<ReleaseHold>> {
        // Its digest is read only where it matters.
        let carried = |name: String| {
            let known = |record: &RepositoryRecord| record.carried.get(&name).map(|seen| seen.digest.clone());
            self.images.catalog().read_repository(repository, known)
        };
        if self.holds.in_force.is_empty() {
            return None;
        }
        let digests = [carried(tag.to_string()), arch.and_then(|arch| carried(tag.on(arch).to_string()))];
        let digests = digests.each_ref().map(Option::as_ref);
        self.hold_of(&ReleaseNames { repository, release: Some(tag), arch, digests })
    }

    /// Whether a held digest in `repository` belongs to an unknown release, which might count as newer.
    pub(super) fn holds_unknown_release(&self, repository: &Repository) -> bool {
        let is_unknown = |hold: &ReleaseHold| {
            let Some((of, _)) = hold.release.as_str().split_once('@') else { return false };
            let is_here = of.parse::<Glob>().is_ok_and(|of| of.matches(&repository.to_string()));
            let matches = |seen: &TagObservation| hold.release.matches(&format!("{repository}@{}", seen.digest));
            is_here && !self.images.catalog().read_repository(repository, |record| record.carried.values().any(matches))
        };
        self.holds.in_force.iter().any(|(_, hold)| is_unknown(hold))
    }

    /// The hold on an observed release of a line in `repository`.
    pub(super) fn hold_of_interval(&self, repository: &Repository, interval: &TagInterval) -> Option<Arc<ReleaseHold>> {
        self.hold_of_digests(repository, [Some(&interval.digest), interval.platform_digest.as_ref()])
    }

    /// The hold on digests, or on the dated tag that is known to carry one of them.
    pub(super) fn hold_of_digests(
        &self,
        repository: &Repository,
        digests: [Option<&Digest>; 2],
    ) -> Option<Arc<ReleaseHold>> {
        if self.holds.in_force.is_empty() {
            return None;
        }
        let release = self.known_release(repository, &digests.into_iter().flatten().collect::<Vec<_>>());
        self.hold_of(&ReleaseNames { repository, release: release.as_ref(), arch: None, digests })
    }

    /// Sets the hold on the base in use.
    pub(super) fn find_hold(&self, query: &BaseQuery, resolution: &mut Resolution) {
        let base = &resolution.base;
        let hold = self.hold_of(&ReleaseNames {
            repository: &query.base.repository,
            release: base.release.as_ref(),
            arch: LambdaArch::from_oci(query.platform.architecture()),
            digests: [base.digest.as_ref(), base.platform_digest.as_ref()],
        });
        if let Some(ReleaseHold { release, reason, until }) = hold.as_deref() {
            let detail = format!("{} matches: held until {until}, {reason}", release.as_str());
            resolution.step("hold", StepOutcome::Found, detail);
        }
        resolution.base.hold = hold;
    }

    /// The positions of the configured holds that matched a release.
    #[must_use]
    pub fn matched_holds(&self) -> BTreeSet<usize> {
        self.holds.matched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(release: &str) -> ReleaseHold {
        let until = "2027-01-31".parse().expect("a day");
        ReleaseHold { release: release.parse().expect("a pattern"), reason: "breaks TLS".to_owned(), until }
    }

    #[test]
    fn a_release_is_held_by_its_dated_tag_with_or_without_architecture_or_by_a_digest() {
        let repository: Repository = "public.ecr.aws/lambda/java".parse().expect("a repository");
        let release = LambdaTag::parse("21.2026.07.16.13").expect("a tag");
        let (index, manifest) = (Digest::sha256(b"index"), Digest::sha256(b"manifest"));
        let names = ReleaseNames {
            repository: &repository,
            release: Some(&release),
            arch: Some(LambdaArch::Arm64),
            digests: [Some(&index), Some(&manifest)],
        };
        for (pattern, is_held) in [
            ("public.ecr.aws/lambda/java:21.2026.07.16.13".to_owned(), true),
            ("public.ecr.aws/lambda/java:21.2026.07.*".to_owned(), true),
            ("public.ecr.aws/lambda/*:*.2026.07.16.*".to_owned(), true),
            ("public.ecr.aws/lambda/java:21.2026.07.16.13-arm64".to_owned(), true),
            (format!("public.ecr.aws/lambda/java@{index}"), true),
            (format!("public.ecr.aws/lambda/java@{manifest}"), true),
            ("public.ecr.aws/lambda/java:21.2026.07.16.13-x86_64".to_owned(), false),
            ("public.ecr.aws/lambda/java:21.2026.07.16.1".to_owned(), false),
            ("public.ecr.aws/lambda/java:21".to_owned(), false),
            ("public.ecr.aws/lambda/nodejs:21.2026.07.16.13".to_owned(), false),
            (format!("public.ecr.aws/lambda/python@{index}"), false),
        ] {
            assert_eq!(hold(&pattern).matches(&names), is_held, "{pattern}");
        }
        let no_names = ReleaseNames { release: None, digests: [None, None], ..names };
        assert!(!hold("*").matches(&no_names), "a release without names cannot be held");
    }

    #[test]
    fn an_ended_hold_is_ignored_and_every_matching_hold_counts() {
        let repository: Repository = "public.ecr.aws/lambda/java".parse().expect("a repository");
        let release = LambdaTag::parse("21.2026.07.16.13").expect("a tag");
        let names = ReleaseNames { repository: &repository, release: Some(&release), arch: None, digests: [None; 2] };
        let holds = [hold("*/nodejs:*"), hold("*/java:21.2026.*"), hold("*/java:21.2026.07.*")];
        let at = |day: &str| format!("{day}T12:00:00Z").parse().expect("an instant");
        let in_force = ActiveHolds::new(&holds, at("2027-01-31"));
        assert_eq!(in_force.matching(&names).as_deref(), Some(&holds[1]));
        assert_eq!(*in_force.matched.lock().unwrap_or_else(PoisonError::into_inner), BTreeSet::from([1, 2]));
        assert_eq!(ActiveHolds::new(&holds, at("2027-02-01")).matching(&names), None);
    }
}
