//! Selection of due rebuilds, and follow-up of requested ones, from one report, the ledger and the settings.
//!
//! At most one rebuild of a repository and line is open. Until it ends no newer release is requested; otherwise a base that
//! is published daily would cause a rebuild every day.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Rebuild, RebuildConclusion, RebuildRequest, RebuildSettings,
    deliver::{first_rule, rule_for},
    follow::{RebuildStep, count, follow, is_over, is_past_deadline},
    need::{RebuildNeed, ReportIndex, RepositoryLine, release},
};
use crate::{
    image::{Digest, Reference},
    judge::Severity,
    outbox::DeliveryState,
    registry::EcrHost,
    report::{Report, format},
};

/// Maximum number of names of each kind in a request: build services limit its size.
const MAX_NAMES: usize = 100;

/// How long an ended rebuild is kept in the ledger.
const RETENTION: TimeDelta = TimeDelta::days(90);

/// The rebuild plan of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebuildPlan {
    /// Keys of the rebuilds to request, in order. The ledger must be stored first.
    pub due: Vec<String>,
    /// Rebuilds that have ended.
    pub followed: Vec<ConcludedRebuild>,
    /// Keys of rebuilds that no service accepted within the deadline, with their severity; each once.
    pub unaccepted: Vec<(String, Severity)>,
    /// Repositories whose rebuilds are paused from this run on, after repeated failures.
    pub paused: Vec<PausedRebuilds>,
    /// Number of needed rebuilds that exceed the cap of this run.
    pub waiting: u64,
    /// Number of needed rebuilds that are paused, or were just requested for the same release.
    pub held: u64,
    /// Number of needed rebuilds that match no rule.
    pub without_rule: u64,
}

/// A rebuild that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcludedRebuild {
    /// Its key.
    pub key: String,
    /// How it ended.
    pub outcome: RebuildConclusion,
    /// The new image, for people.
    pub image: Option<String>,
    /// Number of deployments that still need it.
    pub needing: u64,
    /// Their worst severity.
    pub severity: Severity,
}

/// A repository and line whose rebuilds are paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedRebuilds {
    /// The key of the last failed rebuild.
    pub key: String,
    /// Number of failed rebuilds in a row.
    pub failures: u32,
    /// When the pause ends.
    pub until: DateTime<Utc>,
}

/// Computes the due rebuilds and records them in `known`, with the outcome of the others.
///
/// Makes no call: the caller stores the ledger first.
pub fn plan(
    report: &Report,
    known: &mut BTreeMap<String, Rebuild>,
    settings: &RebuildSettings,
    run_id: &str,
    now: DateTime<Utc>,
) -> RebuildPlan {
    known.retain(|_, rebuild| rebuild.ended_at.is_none_or(|ended| now - ended < RETENTION));
    // Findings that wait for a base need one rebuild, of that base.
    let report = report.with_company_bases();
    let index = ReportIndex::from_report(&report, settings.threshold);
    let mut by_repository_line: BTreeMap<RepositoryLine, Vec<String>> = BTreeMap::new();
    for (key, rebuild) in &*known {
        by_repository_line.entry(rebuild.repository_line()).or_default().push(key.clone());
    }
    let mut plan = RebuildPlanner { planned: RebuildPlan::default(), known, by_repository_line, settings, now };
    let needs = index.needs();
    plan.reopen(&needs);
    let mut candidates = plan.follow(&index);
    let new = plan.candidates(&needs, run_id);
    candidates.extend(new);
    plan.cap(candidates);
    plan.planned
}

/// A rebuild that could be requested in this run.
#[derive(Debug)]
struct RebuildCandidate {
    repository_line: RepositoryLine,
    severity: Severity,
    key: String,
    /// The rebuild to record, if it is new.
    new: Option<Rebuild>,
    attempts: u32,
}

struct RebuildPlanner<'a> {
    planned: RebuildPlan,
    known: &'a mut BTreeMap<String, Rebuild>,
    /// Keys of the rebuilds that were known before this run.
    by_repository_line: BTreeMap<RepositoryLine, Vec<String>>,
    settings: &'a RebuildSettings,
    now: DateTime<Utc>,
}

impl RebuildPlanner<'_> {
    /// Reopens a requested rebuild that had become obsolete and is needed again for the same release.
    fn reopen(&mut self, needs: &[(&RepositoryLine, RebuildNeed<'_>)]) {
        for (repository_line, need) in needs {
            if self.is_open(repository_line) {
                continue;
            }
            let last = self.last_ended(repository_line);
            if let Some(rebuild) = last.and_then(|key| self.known.get_mut(&key)) {
                let is_same = rebuild.request.base_digest == need.target.digest.as_str();
                if is_same && rebuild.outcome == Some(RebuildConclusion::Obsolete) && rebuild.sent_at.is_some() {
                    (rebuild.outcome, rebuild.ended_at, rebuild.new_image) = (None, None, None);
                }
            }
        }
    }

    /// Follows up the open rebuilds. Returns those to request again.
    fn follow(&mut self, index: &ReportIndex<'_>) -> Vec<RebuildCandidate> {
        let mut candidates = Vec::new();
        let open: Vec<_> =
            self.known.iter().filter(|(_, rebuild)| rebuild.is_open()).map(|(key, _)| key.clone()).collect();
        for key in open {
            let Some(rebuild) = self.known.get_mut(&key) else { continue };
            match follow(rebuild, index, self.settings, self.now) {
                RebuildStep::Wait => {}
                RebuildStep::Call => {
                    let need =
                        index.line_findings(&rebuild.repository_line()).and_then(super::need::LineFindings::need);
                    let severity = need.map_or(Severity::None, |need| need.severity);
                    let is_unaccepted = rebuild.delivery.attempts > 0 && rebuild.notified_at.is_none();
                    if is_unaccepted && is_past_deadline(rebuild.delivery.due_at, self.settings, self.now) {
                        rebuild.notified_at = Some(self.now);
                        self.planned.unaccepted.push((key.clone(), severity));
                    }
                    if rule_for(rebuild, self.settings).is_none() {
                        self.planned.without_rule += 1;
                    } else if rebuild.is_due() && rebuild.delivery.is_ready(self.now) {
                        candidates.push(RebuildCandidate {
                            repository_line: rebuild.repository_line(),
                            severity,
                            key,
                            new: None,
                            attempts: rebuild.delivery.attempts,
                        });
                    }
                }
                RebuildStep::End(outcome, observed) => {
                    rebuild.outcome = Some(outcome);
                    rebuild.ended_at = Some(self.now);
                    rebuild.new_image.clone_from(&observed.image);
                    let (image, needing, severity) = (observed.image, observed.needing, observed.severity);
                    self.planned.followed.push(ConcludedRebuild {
                        key: key.clone(),
                        outcome,
                        image,
                        needing,
                        severity,
                    });
                    self.pause_after(key);
                }
            }
        }
        candidates
    }

    /// Records the pause that the rebuild `key` has just started, if any.
    fn pause_after(&mut self, key: String) {
        let Some(rebuild) = self.known.get(&key) else { return };
        if let Some((failures, until)) = rebuild.is_failed().then(|| self.pause(&rebuild.repository_line())).flatten() {
            self.planned.paused.push(PausedRebuilds { key, failures, until });
        }
    }

    /// Needed rebuilds that are neither open nor held back.
    fn candidates(&mut self, needs: &[(&RepositoryLine, RebuildNeed<'_>)], run_id: &str) -> Vec<RebuildCandidate> {
        let mut candidates = Vec::new();
        for (repository_line, need) in needs {
            if self.is_open(repository_line) {
                continue;
            }
            if self.pause(repository_line).is_some()
                || self.is_recently_requested(repository_line, need.target.digest.as_str())
            {
                self.planned.held += 1;
                continue;
            }
            let Some(rule) = first_rule(self.settings, &repository_line.repository) else {
                self.planned.without_rule += 1;
                continue;
            };
            let key = key(
                repository_line,
                need.target.digest.as_str(),
                self.earlier_requests(repository_line, need.target.digest.as_str()),
            );
            let Some(request) = request(repository_line, need, &key, run_id, self.now) else { continue };
            let rebuild = Rebuild::new(request, rule.name.clone(), self.now);
            candidates.push(RebuildCandidate {
                repository_line: (*repository_line).clone(),
                severity: need.severity,
                key,
                new: Some(rebuild),
                attempts: 0,
            });
        }
        candidates
    }

    /// Selects up to `max_per_run` rebuilds, those without failed attempts first.
    fn cap(&mut self, mut candidates: Vec<RebuildCandidate>) {
        let rank = |candidates: &RebuildCandidate| {
            (candidates.attempts, Reverse(candidates.severity), candidates.repository_line.clone())
        };
        // Recorded rebuilds were selected in an earlier run.
        candidates.sort_by_key(|candidates| (candidates.attempts, candidates.new.is_some(), rank(candidates)));
        let waiting = candidates.split_off(candidates.len().min(self.settings.max_per_run));
        self.planned.waiting = count(waiting.len());
        candidates.sort_by_key(rank);
        for RebuildCandidate { key, new, .. } in candidates {
            if let Some(rebuild) = new {
                self.known.insert(key.clone(), rebuild);
            }
            self.planned.due.push(key);
        }
    }

    fn of_repository_line(&self, repository_line: &RepositoryLine) -> impl Iterator<Item = (&String, &Rebuild)> {
        let keys = self.by_repository_line.get(repository_line).into_iter().flatten();
        keys.filter_map(|key| self.known.get_key_value(key))
    }

    fn is_open(&self, repository_line: &RepositoryLine) -> bool {
        self.of_repository_line(repository_line).any(|(_, rebuild)| rebuild.is_open())
    }

    /// The rebuild of `repository_line` that ended last.
    fn last_ended(&self, repository_line: &RepositoryLine) -> Option<String> {
        let ended =
            self.of_repository_line(repository_line).filter_map(|(key, rebuild)| Some((rebuild.ended_at?, key)));
        ended.max().map(|(_, key)| key.clone())
    }

    /// The number of failed rebuilds in a row and the end of the pause, if rebuilds of `repository_line` are paused.
    fn pause(&self, repository_line: &RepositoryLine) -> Option<(u32, DateTime<Utc>)> {
        let mut ended: Vec<_> = self
            .of_repository_line(repository_line)
            .filter(|(_, rebuild)| rebuild.outcome.is_some_and(|outcome| outcome != RebuildConclusion::Obsolete))
            .filter_map(|(_, rebuild)| Some((rebuild.ended_at?, rebuild)))
            .collect();
        ended.sort_by_key(|(at, rebuild)| Reverse((*at, rebuild.delivery.due_at)));
        let failures = ended.iter().take_while(|(_, rebuild)| rebuild.is_failed()).count();
        let failures = u32::try_from(failures).unwrap_or(u32::MAX);
        let (last, _) = ended.first().filter(|_| failures >= self.settings.max_failures.max(1))?;
        let until = last.checked_add_signed(TimeDelta::from_std(self.settings.pause).ok()?)?;
        (self.now < until).then_some((failures, until))
    }

    /// Whether a rebuild on this release ended less than `pause` ago: it was built, or could not be.
    fn is_recently_requested(&self, repository_line: &RepositoryLine, target: &str) -> bool {
        let is_recent =
            |rebuild: &Rebuild| rebuild.ended_at.is_some_and(|ended| !is_over(ended, self.settings.pause, self.now));
        self.of_repository_line(repository_line)
            .any(|(_, rebuild)| rebuild.was_requested_for(target) && is_recent(rebuild))
    }

    fn earlier_requests(&self, repository_line: &RepositoryLine, target: &str) -> usize {
        self.of_repository_line(repository_line).filter(|(_, rebuild)| rebuild.was_requested_for(target)).count()
    }
}

impl Rebuild {
    fn new(request: RebuildRequest, rule: String, now: DateTime<Utc>) -> Self {
        Self {
            request,
            rule,
            delivery: DeliveryState::new(now),
            sent_at: None,
            message_id: None,
            notified_at: None,
            outcome: None,
            ended_at: None,
            new_image: None,
        }
    }

    /// Whether it is due, or requested and not yet ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether it is open and no service has accepted it yet.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_open() && self.sent_at.is_none()
    }

    /// Whether it ended without a new image.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.outcome, Some(RebuildConclusion::Overdue | RebuildConclusion::Refused))
    }

    pub(super) fn repository_line(&self) -> RepositoryLine {
        let RebuildRequest { registry, repository, line, .. } = &self.request;
        RepositoryLine { registry: registry.clone(), repository: repository.clone(), line: line.clone() }
    }

    /// Whether it has ended and a service was asked to build on `target`. One that became obsolete before it was accepted
    /// does not count.
    fn was_requested_for(&self, target: &str) -> bool {
        let was_requested = self.sent_at.is_some() || self.outcome == Some(RebuildConclusion::Refused);
        !self.is_open() && was_requested && self.request.base_digest == target
    }
}

/// The key of the rebuild of `repository_line` on `target`, after `before` earlier requests for it.
fn key(repository_line: &RepositoryLine, target: &str, before: usize) -> String {
    let RepositoryLine { registry, repository, line } = repository_line;
    // Names contain no line break.
    let text = match before {
        0 => format!("{registry}/{repository}\n{line}\n{target}"),
        before => format!("{registry}/{repository}\n{line}\n{target}\n{before}"),
    };
    Digest::sha256(text.as_bytes()).hex().to_owned()
}

/// The request to the build service; `None` if the name of the line is not a reference.
fn request(
    repository_line: &RepositoryLine,
    need: &RebuildNeed<'_>,
    key: &str,
    run_id: &str,
    now: DateTime<Utc>,
) -> Option<RebuildRequest> {
    let line: Reference = repository_line.line.parse().ok()?;
    let host = EcrHost::parse(&repository_line.registry);
    let findings = &need.findings;
    let first = |names: BTreeSet<String>| names.into_iter().take(MAX_NAMES).collect::<BTreeSet<_>>();
    Some(RebuildRequest {
        dedup_key: key.to_owned(),
        run_id: run_id.to_owned(),
        at: now,
        registry: repository_line.registry.clone(),
        repository: repository_line.repository.clone(),
        line: repository_line.line.clone(),
        base: Reference::pinned(line.repository, need.target.digest.clone()).to_string(),
        base_digest: need.target.digest.to_string(),
        base_release: need.target.release.clone(),
        from: first(findings.iter().filter_map(|finding| finding.base.as_ref()).map(release).collect()),
        deployments: first(findings.iter().map(|finding| format::deployment_name(&finding.deployment)).collect()),
        deployment_count: count(findings.len()),
        owners: first(findings.iter().filter_map(|finding| finding.deployment.owner.clone()).collect()),
        account: host.map(|host| host.account.to_owned()),
        region: host.map(|host| host.region.to_owned()),
    })
}
