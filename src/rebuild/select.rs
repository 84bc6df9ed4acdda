//! Which rebuilds are due, and what became of those that were asked for? Pure: one report, the ledger, the settings.
//!
//! At most one rebuild of a repository and line is open. While it is, nothing newer is asked for, for a base that is
//! published every day would otherwise cause a rebuild every day.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Outcome, Rebuild, Request, Rule, Settings,
    deliver::{is_callable, rule_for},
    follow::{Step, count, follow, is_over, is_past_deadline},
    need::{Need, Slot, World, release},
};
use crate::{
    image::{Digest, Reference},
    judge::Severity,
    registry::EcrHost,
    report::{Report, words},
};

/// How many names a request lists of each kind: what calls a build takes has limits.
const MOST_NAMES: usize = 100;

/// How long a rebuild that has ended is remembered.
const REMEMBERED_FOR: TimeDelta = TimeDelta::days(90);

/// What one run does about rebuilds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The keys of the rebuilds to call for, in this order. The ledger is to be recorded first.
    pub due: Vec<String>,
    /// What became of rebuilds that were asked for earlier.
    pub followed: Vec<Followed>,
    /// The keys of those that nobody has accepted for the length of the deadline, and how bad that is; each once.
    pub unaccepted: Vec<(String, Severity)>,
    /// Where asking again and again has brought nothing, and is stopped in this run.
    pub paused: Vec<Paused>,
    /// How many are needed, or recorded and to be tried again, that the cap of this run puts off.
    pub waiting: u64,
    /// How many are needed and not asked for: those before brought nothing, or were for the same release.
    pub held: u64,
    /// How many are needed and match no rule.
    pub without_rule: u64,
}

/// What became of one rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its key.
    pub key: String,
    /// What became of it.
    pub outcome: Outcome,
    /// An image on a new base that was seen, for people.
    pub image: Option<String>,
    /// How many deployments need it still.
    pub needing: u64,
    /// The worst of those.
    pub severity: Severity,
}

/// A repository and line for which no more rebuilds are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// The key of the last one that brought nothing.
    pub key: String,
    /// How many in a row brought nothing.
    pub failures: u32,
    /// When one more is asked for.
    pub until: DateTime<Utc>,
}

/// Works out what is due, and records it in `known` along with what became of the others.
///
/// Nothing is called for: whoever does so saves the ledger before.
pub fn plan(
    report: &Report,
    known: &mut BTreeMap<String, Rebuild>,
    settings: &Settings,
    run_id: &str,
    now: DateTime<Utc>,
) -> Planned {
    known.retain(|_, rebuild| rebuild.ended_at.is_none_or(|ended| now - ended < REMEMBERED_FOR));
    // What waits for a base needs one rebuild, of that base.
    let report = report.with_company_bases();
    let world = World::of(&report, settings.threshold);
    let mut by_slot: BTreeMap<Slot, Vec<String>> = BTreeMap::new();
    for (key, rebuild) in &*known {
        by_slot.entry(rebuild.slot()).or_default().push(key.clone());
    }
    let mut plan = Plan { planned: Planned::default(), known, by_slot, settings, now };
    let needs = world.needs();
    plan.reopen(&needs);
    let mut wanted = plan.follow(&world);
    let new = plan.wanted(&needs, run_id);
    wanted.extend(new);
    plan.cap(wanted);
    plan.planned
}

/// A call that could be made in this run.
#[derive(Debug)]
struct Wanted {
    slot: Slot,
    severity: Severity,
    key: String,
    /// What is to be recorded, if that has not been done.
    new: Option<Rebuild>,
    attempts: u32,
}

struct Plan<'a> {
    planned: Planned,
    known: &'a mut BTreeMap<String, Rebuild>,
    /// The keys of what was known before.
    by_slot: BTreeMap<Slot, Vec<String>>,
    settings: &'a Settings,
    now: DateTime<Utc>,
}

impl Plan<'_> {
    /// A rebuild that was asked for and then not needed is needed again: that is still the same one.
    fn reopen(&mut self, needs: &[(&Slot, Need<'_>)]) {
        for (slot, need) in needs {
            if self.is_open(slot) {
                continue;
            }
            let last = self.last_ended(slot);
            if let Some(rebuild) = last.and_then(|key| self.known.get_mut(&key)) {
                let is_same = rebuild.request.base_digest == need.target.digest.as_str();
                if is_same && rebuild.outcome == Some(Outcome::Moot) && rebuild.sent_at.is_some() {
                    (rebuild.outcome, rebuild.ended_at, rebuild.seen) = (None, None, None);
                }
            }
        }
    }

    /// Follows what has no outcome. Returns what is to be called for again.
    fn follow(&mut self, world: &World<'_>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let open: Vec<_> =
            self.known.iter().filter(|(_, rebuild)| rebuild.is_open()).map(|(key, _)| key.clone()).collect();
        for key in open {
            let Some(rebuild) = self.known.get_mut(&key) else { continue };
            match follow(rebuild, world, self.settings, self.now) {
                Step::Wait => {}
                Step::Call => {
                    let need = world.sight(&rebuild.slot()).and_then(super::need::Sight::need);
                    let severity = need.map_or(Severity::None, |need| need.severity);
                    let is_tried = rebuild.attempts > 0 && rebuild.told_at.is_none();
                    if is_tried && is_past_deadline(rebuild.due_at, self.settings, self.now) {
                        rebuild.told_at = Some(self.now);
                        self.planned.unaccepted.push((key.clone(), severity));
                    }
                    if rule_for(rebuild, self.settings).is_none() {
                        self.planned.without_rule += 1;
                    } else if is_callable(rebuild, self.now) {
                        wanted.push(Wanted {
                            slot: rebuild.slot(),
                            severity,
                            key,
                            new: None,
                            attempts: rebuild.attempts,
                        });
                    }
                }
                Step::End(outcome, seen) => {
                    rebuild.outcome = Some(outcome);
                    rebuild.ended_at = Some(self.now);
                    rebuild.seen.clone_from(&seen.image);
                    let (image, needing, severity) = (seen.image, seen.needing, seen.severity);
                    self.planned.followed.push(Followed { key: key.clone(), outcome, image, needing, severity });
                    self.pause_after(key);
                }
            }
        }
        wanted
    }

    /// Says so if no more are asked for because of `key`, which has just ended.
    fn pause_after(&mut self, key: String) {
        let Some(rebuild) = self.known.get(&key) else { return };
        if let Some((failures, until)) = rebuild.is_failed().then(|| self.pause(&rebuild.slot())).flatten() {
            self.planned.paused.push(Paused { key, failures, until });
        }
    }

    /// What is needed and neither asked for nor held back.
    fn wanted(&mut self, needs: &[(&Slot, Need<'_>)], run_id: &str) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for (slot, need) in needs {
            if self.is_open(slot) {
                continue;
            }
            if self.pause(slot).is_some() || self.has_just_asked(slot, need.target.digest.as_str()) {
                self.planned.held += 1;
                continue;
            }
            let Some(rule) = first_rule(self.settings, &slot.repository) else {
                self.planned.without_rule += 1;
                continue;
            };
            let key = key(slot, need.target.digest.as_str(), self.asked_before(slot, need.target.digest.as_str()));
            let Some(request) = request(slot, need, &key, run_id, self.now) else { continue };
            let rebuild = Rebuild::new(request, rule.name.clone(), self.now);
            wanted.push(Wanted {
                slot: (*slot).clone(),
                severity: need.severity,
                key,
                new: Some(rebuild),
                attempts: 0,
            });
        }
        wanted
    }

    /// Takes as many as one run may ask for, those first that were not tried in vain.
    fn cap(&mut self, mut wanted: Vec<Wanted>) {
        let rank = |wanted: &Wanted| (wanted.attempts, Reverse(wanted.severity), wanted.slot.clone());
        // What is recorded was counted in an earlier run.
        wanted.sort_by_key(|wanted| (wanted.attempts, wanted.new.is_some(), rank(wanted)));
        let put_off = wanted.split_off(wanted.len().min(self.settings.max_per_run));
        self.planned.waiting = count(put_off.len());
        wanted.sort_by_key(rank);
        for Wanted { key, new, .. } in wanted {
            if let Some(rebuild) = new {
                self.known.insert(key.clone(), rebuild);
            }
            self.planned.due.push(key);
        }
    }

    fn of_slot(&self, slot: &Slot) -> impl Iterator<Item = (&String, &Rebuild)> {
        let keys = self.by_slot.get(slot).into_iter().flatten();
        keys.filter_map(|key| self.known.get_key_value(key))
    }

    fn is_open(&self, slot: &Slot) -> bool {
        self.of_slot(slot).any(|(_, rebuild)| rebuild.is_open())
    }

    /// The one of `slot` that ended last.
    fn last_ended(&self, slot: &Slot) -> Option<String> {
        let ended = self.of_slot(slot).filter_map(|(key, rebuild)| Some((rebuild.ended_at?, key)));
        ended.max().map(|(_, key)| key.clone())
    }

    /// How many in a row brought nothing and until when no more are asked for, where that is so.
    fn pause(&self, slot: &Slot) -> Option<(u32, DateTime<Utc>)> {
        let mut ended: Vec<_> = self
            .of_slot(slot)
            .filter(|(_, rebuild)| rebuild.outcome.is_some_and(|outcome| outcome != Outcome::Moot))
            .filter_map(|(_, rebuild)| Some((rebuild.ended_at?, rebuild)))
            .collect();
        ended.sort_by_key(|(at, rebuild)| Reverse((*at, rebuild.due_at)));
        let failures = ended.iter().take_while(|(_, rebuild)| rebuild.is_failed()).count();
        let failures = u32::try_from(failures).unwrap_or(u32::MAX);
        let (last, _) = ended.first().filter(|_| failures >= self.settings.max_failures.max(1))?;
        let until = last.checked_add_signed(TimeDelta::from_std(self.settings.pause).ok()?)?;
        (self.now < until).then_some((failures, until))
    }

    /// Whether this very release was asked for and that ended less than a pause ago: whoever was asked has built
    /// it, or could not.
    fn has_just_asked(&self, slot: &Slot, target: &str) -> bool {
        let is_recent =
            |rebuild: &Rebuild| rebuild.ended_at.is_some_and(|ended| !is_over(ended, self.settings.pause, self.now));
        self.of_slot(slot).any(|(_, rebuild)| rebuild.counts_for(target) && is_recent(rebuild))
    }

    fn asked_before(&self, slot: &Slot, target: &str) -> usize {
        self.of_slot(slot).filter(|(_, rebuild)| rebuild.counts_for(target)).count()
    }
}

impl Rebuild {
    fn new(request: Request, rule: String, now: DateTime<Utc>) -> Self {
        Self {
            request,
            rule,
            due_at: now,
            sent_at: None,
            message_id: None,
            attempts: 0,
            not_before: None,
            last_error: None,
            refusals: 0,
            told_at: None,
            outcome: None,
            ended_at: None,
            seen: None,
        }
    }

    /// Whether it is due, or asked for and not yet ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether it brought nothing.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Overdue | Outcome::Refused))
    }

    pub(super) fn slot(&self) -> Slot {
        let Request { registry, repository, line, .. } = &self.request;
        Slot { registry: registry.clone(), repository: repository.clone(), line: line.clone() }
    }

    /// Whether it has ended and somebody may have been asked to build on `target`: one that nobody ever accepted
    /// because it was no longer needed does not count.
    fn counts_for(&self, target: &str) -> bool {
        let was_asked = self.sent_at.is_some() || self.outcome == Some(Outcome::Refused);
        !self.is_open() && was_asked && self.request.base_digest == target
    }
}

/// The rule for a repository.
pub(super) fn first_rule<'a>(settings: &'a Settings, repository: &str) -> Option<&'a Rule> {
    settings.rules.iter().find(|rule| rule.repositories.iter().any(|glob| glob.matches(repository)))
}

/// The key of the rebuild of `slot` on `target` after `before` that brought nothing.
fn key(slot: &Slot, target: &str, before: usize) -> String {
    let Slot { registry, repository, line } = slot;
    // No name holds a line break.
    let text = match before {
        0 => format!("{registry}/{repository}\n{line}\n{target}"),
        before => format!("{registry}/{repository}\n{line}\n{target}\n{before}"),
    };
    Digest::of(text.as_bytes()).hex().to_owned()
}

/// What whoever rebuilds is told; `None` if the line's name is no reference.
fn request(slot: &Slot, need: &Need<'_>, key: &str, run_id: &str, now: DateTime<Utc>) -> Option<Request> {
    let line: Reference = slot.line.parse().ok()?;
    let host = EcrHost::parse(&slot.registry);
    let findings = &need.findings;
    let first = |names: BTreeSet<String>| names.into_iter().take(MOST_NAMES).collect::<BTreeSet<_>>();
    Some(Request {
        dedup_key: key.to_owned(),
        run_id: run_id.to_owned(),
        at: now,
        registry: slot.registry.clone(),
        repository: slot.repository.clone(),
        line: slot.line.clone(),
        base: Reference::pinned(line.repository, need.target.digest.clone()).to_string(),
        base_digest: need.target.digest.to_string(),
        base_release: need.target.release.clone(),
        from: first(findings.iter().filter_map(|finding| finding.base.as_ref()).map(release).collect()),
        deployments: first(findings.iter().map(|finding| words::deployment_name(&finding.deployment)).collect()),
        deployment_count: count(findings.len()),
        owners: first(findings.iter().filter_map(|finding| finding.deployment.owner.clone()).collect()),
        account: host.map(|host| host.account.to_owned()),
        region: host.map(|host| host.region.to_owned()),
    })
}
