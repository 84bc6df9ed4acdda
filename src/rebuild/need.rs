//! Repositories that need a rebuild, and the release to build on, from one report. Knows nothing of earlier requests.

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
    report::{BaseInUse, CurrentRelease, DeploymentLocation, Finding, Report},
};

/// A repository and the release line of its images. At most one rebuild of it is open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RepositoryLine {
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) line: String,
}

/// The findings of one repository and line.
#[derive(Debug, Default)]
pub(super) struct LineFindings<'a> {
    /// Findings that need a rebuild, in the order of the report.
    pub(super) needing: Vec<&'a Finding>,
    /// All other findings with a known verdict.
    pub(super) others: Vec<&'a Finding>,
}

/// The findings of a report by repository and line.
#[derive(Debug)]
pub(super) struct ReportIndex<'a> {
    report: &'a Report,
    lines: BTreeMap<RepositoryLine, LineFindings<'a>>,
    /// Repositories with findings of unknown verdict or line.
    unclear: BTreeSet<(String, String)>,
}

impl<'a> ReportIndex<'a> {
    /// Indexes `report`. Findings below `threshold` need no rebuild.
    pub(super) fn from_report(report: &'a Report, threshold: Severity) -> Self {
        let mut lines: BTreeMap<RepositoryLine, LineFindings<'a>> = BTreeMap::new();
        let mut unclear = BTreeSet::new();
        for finding in &report.findings {
            let Some((registry, repository)) = repository(finding) else { continue };
            match line(finding) {
                Some(line) if finding.verdict != Verdict::Unknown => {
                    let line_findings =
                        lines.entry(RepositoryLine { registry, repository, line: line.to_owned() }).or_default();
                    if needs_rebuild(finding, threshold) {
                        line_findings.needing.push(finding);
                    } else {
                        line_findings.others.push(finding);
                    }
                }
                _ => {
                    unclear.insert((registry, repository));
                }
            }
        }
        lines.values_mut().for_each(LineFindings::drop_replaced);
        Self { report, lines, unclear }
    }

    /// The findings of `repository_line`.
    pub(super) fn line_findings(&self, repository_line: &RepositoryLine) -> Option<&LineFindings<'a>> {
        self.lines.get(repository_line)
    }

    /// All findings with a known verdict whose image is in the repository of `repository_line`.
    pub(super) fn in_repository<'b>(
        &'b self,
        repository_line: &'b RepositoryLine,
    ) -> impl Iterator<Item = &'a Finding> + 'b {
        let first = RepositoryLine { line: String::new(), ..repository_line.clone() };
        let is_same = |other: &RepositoryLine| {
            other.registry == repository_line.registry && other.repository == repository_line.repository
        };
        let findings_of_lines = self
            .lines
            .range(first..)
            .take_while(move |(other, _)| is_same(other))
            .map(|(_, line_findings)| line_findings);
        findings_of_lines.flat_map(|line_findings| line_findings.needing.iter().chain(&line_findings.others).copied())
    }

    /// Whether the report shows all deployments of `repository_line`.
    pub(super) fn shows_all_of(&self, repository_line: &RepositoryLine) -> bool {
        // Any account and region may run its images.
        let host = EcrHost::parse(&repository_line.registry);
        let location = DeploymentLocation {
            registry_account: host.map(|host| host.account),
            registry_region: host.map(|host| host.region),
            repository: Some(&repository_line.repository),
            ..DeploymentLocation::default()
        };
        let is_clear = !self.unclear.contains(&(repository_line.registry.clone(), repository_line.repository.clone()));
        is_clear && self.report.proves_absence(&location)
    }

    /// The slots that need a rebuild, the most severe first.
    pub(super) fn needs(&self) -> Vec<(&RepositoryLine, RebuildNeed<'a>)> {
        let mut needs: Vec<_> = self
            .lines
            .iter()
            .filter_map(|(repository_line, line_findings)| Some((repository_line, line_findings.need()?)))
            .collect();
        needs.sort_by_key(|(repository_line, need)| (Reverse(need.severity), (*repository_line).clone()));
        needs
    }
}

/// The rebuild that one slot needs.
#[derive(Clone, Debug)]
pub(super) struct RebuildNeed<'a> {
    /// The findings that need it.
    pub(super) findings: Vec<&'a Finding>,
    /// Their worst severity.
    pub(super) severity: Severity,
    /// The release to build on.
    pub(super) target: &'a CurrentRelease,
}

impl<'a> LineFindings<'a> {
    /// The rebuild that it needs, if any.
    pub(super) fn need(&self) -> Option<RebuildNeed<'a>> {
        let severity = self.needing.iter().map(|finding| finding.base_severity()).max()?;
        // The tag may move during the run: the newest release counts.
        let targets = self.needing.iter().filter_map(|finding| finding.current.as_ref());
        let target = targets.max_by_key(|current| (current.published_at, current.digest.clone()))?;
        Some(RebuildNeed { findings: self.needing.clone(), severity, target })
    }

    /// Excludes images that are not deployed and have a newer image of their platform on a good base: they were replaced.
    fn drop_replaced(&mut self) {
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

/// Whether the base in use needs no action.
pub(super) fn is_good(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fresh | Verdict::Superseded)
}

fn needs_rebuild(finding: &Finding, threshold: Severity) -> bool {
    let is_without_change = finding.behind.as_ref().is_some_and(|behind| behind.content_changed == Some(false));
    let is_exempted = finding.is_base_exempted();
    // The action of a workload whose image was deleted or that cannot be invoked is not `rebuild`.
    finding.action == Action::Rebuild && finding.base_severity() >= threshold && !is_without_change && !is_exempted
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

/// The identity of a base release: its name, or else its digest, or else the recorded reference.
pub(super) fn release(base: &BaseInUse) -> String {
    let digest = base.digest.as_ref().map(Digest::to_string);
    base.release.clone().or(digest).unwrap_or_else(|| base.reference.to_string())
}
