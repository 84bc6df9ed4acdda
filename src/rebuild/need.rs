//! Which repositories have images that need a rebuild, and on what? Read out of one report.
//!
//! Pure. Knows nothing of what was asked for before.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, Utc};

use crate::{
    image::Digest,
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    registry::EcrHost,
    report::{BaseInUse, CurrentRelease, Finding, Location, Report},
};

/// A repository and a line that its images stand on: the place that at most one rebuild is open for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) line: String,
}

/// What a report shows of one slot.
#[derive(Debug, Default)]
pub(super) struct Sight<'a> {
    /// What needs a rebuild, in the order of the report.
    pub(super) needing: Vec<&'a Finding>,
    /// Everything else about which something could be concluded.
    pub(super) others: Vec<&'a Finding>,
}

/// A report by slots.
#[derive(Debug)]
pub(super) struct World<'a> {
    report: &'a Report,
    slots: BTreeMap<Slot, Sight<'a>>,
    /// Repositories with findings about which nothing could be concluded, not even on which line they are.
    unclear: BTreeSet<(String, String)>,
}

impl<'a> World<'a> {
    /// Reads `report`; what is less severe than `threshold` needs no rebuild.
    pub(super) fn of(report: &'a Report, threshold: Severity) -> Self {
        let mut slots: BTreeMap<Slot, Sight<'a>> = BTreeMap::new();
        let mut unclear = BTreeSet::new();
        for finding in &report.findings {
            let Some((registry, repository)) = repository(finding) else { continue };
            match line(finding) {
                Some(line) if finding.verdict != Verdict::Unknown => {
                    let sight = slots.entry(Slot { registry, repository, line: line.to_owned() }).or_default();
                    if needs_rebuild(finding, threshold) {
                        sight.needing.push(finding);
                    } else {
                        sight.others.push(finding);
                    }
                }
                _ => {
                    unclear.insert((registry, repository));
                }
            }
        }
        slots.values_mut().for_each(Sight::leave_out_the_replaced);
        Self { report, slots, unclear }
    }

    /// What is seen of `slot`.
    pub(super) fn sight(&self, slot: &Slot) -> Option<&Sight<'a>> {
        self.slots.get(slot)
    }

    /// Everything about which something could be concluded and whose image is in the repository of `slot`.
    pub(super) fn in_repository<'b>(&'b self, slot: &'b Slot) -> impl Iterator<Item = &'a Finding> + 'b {
        let first = Slot { line: String::new(), ..slot.clone() };
        let is_same = |other: &Slot| other.registry == slot.registry && other.repository == slot.repository;
        let sights = self.slots.range(first..).take_while(move |(other, _)| is_same(other)).map(|(_, sight)| sight);
        sights.flat_map(|sight| sight.needing.iter().chain(&sight.others).copied())
    }

    /// Whether what is not seen of `slot` is not there.
    pub(super) fn shows_all_of(&self, slot: &Slot) -> bool {
        // Any account and region may run its images.
        let host = EcrHost::parse(&slot.registry);
        let location = Location {
            registry_account: host.map(|host| host.account),
            registry_region: host.map(|host| host.region),
            repository: Some(&slot.repository),
            ..Location::default()
        };
        let is_clear = !self.unclear.contains(&(slot.registry.clone(), slot.repository.clone()));
        is_clear && self.report.proves_absence(&location)
    }

    /// The slots that need a rebuild, worst first.
    pub(super) fn needs(&self) -> Vec<(&Slot, Need<'a>)> {
        let mut needs: Vec<_> = self.slots.iter().filter_map(|(slot, sight)| Some((slot, sight.need()?))).collect();
        needs.sort_by_key(|(slot, need)| (Reverse(need.severity), (*slot).clone()));
        needs
    }
}

/// What one slot needs.
#[derive(Clone, Debug)]
pub(super) struct Need<'a> {
    /// What needs it.
    pub(super) findings: Vec<&'a Finding>,
    /// The worst of them.
    pub(super) severity: Severity,
    /// The release to build on.
    pub(super) target: &'a CurrentRelease,
}

impl<'a> Sight<'a> {
    /// What it needs, if anything.
    pub(super) fn need(&self) -> Option<Need<'a>> {
        let severity = self.needing.iter().map(|finding| finding.base_severity()).max()?;
        // The tag may move while a report is made: the newest that any finding saw.
        let targets = self.needing.iter().filter_map(|finding| finding.current.as_ref());
        let target = targets.max_by_key(|current| (current.published_at, current.digest.clone()))?;
        Some(Need { findings: self.needing.clone(), severity, target })
    }

    /// An image in a repository that nobody is known to run needs nothing once a newer one for its platform is
    /// there and good: its successor was built.
    fn leave_out_the_replaced(&mut self) {
        let mut good_since: BTreeMap<Option<String>, DateTime<Utc>> = BTreeMap::new();
        for finding in self.others.iter().filter(|finding| is_good(finding)) {
            let Some(at) = pushed_at(finding) else { continue };
            let since = good_since.entry(platform(finding)).or_insert(at);
            *since = at.max(*since);
        }
        let (replaced, needing) = self.needing.drain(..).partition::<Vec<_>, _>(|finding| {
            let good = good_since.get(&platform(finding));
            !is_running(finding) && pushed_at(finding).is_some_and(|at| good.is_some_and(|good| at < *good))
        });
        self.needing = needing;
        self.others.extend(replaced);
    }
}

fn is_running(finding: &Finding) -> bool {
    matches!(finding.deployment.kind, DeploymentKind::Lambda | DeploymentKind::Ecs)
}

fn pushed_at(finding: &Finding) -> Option<DateTime<Utc>> {
    finding.image.pushed_at.or(finding.image.created_at)
}

fn platform(finding: &Finding) -> Option<String> {
    finding.image.platform.as_ref().map(ToString::to_string)
}

/// Whether the base in use leaves nothing to do.
pub(super) fn is_good(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fresh | Verdict::Superseded)
}

fn needs_rebuild(finding: &Finding, threshold: Severity) -> bool {
    let is_without_change = finding.behind.as_ref().is_some_and(|behind| behind.content_changed == Some(false));
    // Nobody wants a build of what is put up with.
    let is_put_up_with = finding.is_base_exempted();
    // Nor does a rebuild help a workload whose image is gone or that cannot be invoked.
    finding.action == Action::Rebuild && finding.base_severity() >= threshold && !is_without_change && !is_put_up_with
}

/// The registry and the name of the repository of the image.
pub(super) fn repository(finding: &Finding) -> Option<(String, String)> {
    let repository = finding.image.reference.repository()?;
    Some((repository.registry.to_string(), repository.name.to_string()))
}

/// The line of the base.
fn line(finding: &Finding) -> Option<&str> {
    finding.current.as_ref().map(|current| current.reference.as_str())
}

/// The release of a base as it is told apart from others: its name, else its digest, else what was recorded.
pub(super) fn release(base: &BaseInUse) -> String {
    let digest = base.digest.as_ref().map(Digest::to_string);
    base.release.clone().or(digest).unwrap_or_else(|| base.reference.to_string())
}
