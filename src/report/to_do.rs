//! What to do about a report: the findings that require an action, grouped by what is done in one go, such as a rebuild
//! of images on one base. Every format that recommends actions shows this list; it knows none of them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{CurrentRelease, Finding};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, Severity},
};

/// What to do about the findings of a report, most urgent first: by severity, then by the number of images.
#[derive(Debug, Default)]
pub struct ToDoList<'a> {
    /// One item per step. A fleet has few of them, apart from rebuilds on different bases.
    pub items: Vec<ToDoItem<'a>>,
    /// The findings with an action that can wait: their severity is `info` or `none`, as within the grace period.
    pub waiting: Vec<&'a Finding>,
}

/// A step, and the findings that it resolves.
#[derive(Debug)]
pub struct ToDoItem<'a> {
    /// The step.
    pub step: ToDoStep<'a>,
    /// The findings, in the order of the report; never empty.
    pub findings: Vec<&'a Finding>,
}

/// What to do. Findings with equal steps are one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ToDoStep<'a> {
    /// Rebuild images on the current release of their base, and deploy them.
    Rebuild {
        /// The reference to build on, with its digest; `None` if the current release is unknown.
        on: Option<String>,
    },
    /// Rebuild a company base before the images that are built on it.
    RebuildBase {
        /// The repository of the company base.
        base: String,
        /// The line to build it on; `None` if it is unknown.
        on: Option<&'a str>,
    },
    /// Upgrade to another Lambda runtime.
    Upgrade {
        /// The runtime in use.
        from: Option<&'a str>,
        /// The runtime to upgrade to; `None` if AWS publishes no supported successor.
        to: Option<&'a str>,
    },
    /// Restore deployed images that were deleted or archived, or deploy others.
    Restore,
    /// Deploy newer images that are already in the repository.
    Redeploy,
    /// Repair functions that cannot be invoked.
    Repair,
    /// Find out why the base is unknown.
    Investigate,
}

/// A part of an item: the findings about the same image to restore, image to deploy, failure or reason.
#[derive(Debug)]
pub struct ToDoDetail<'a> {
    /// The reference of the image, or the code of the failure or reason; `None` if it is unknown.
    pub object: Option<&'a str>,
    /// The findings; never empty.
    pub findings: Vec<&'a Finding>,
}

/// Items that do not fit into a list of limited length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnlistedItems {
    /// The number of items.
    pub items: u64,
    /// What the items differ in: `base` or `runtime`.
    pub noun: &'static str,
    /// How much is to be done.
    pub work: WorkCount,
}

/// An amount of work in its unit: `320 images`, `12 functions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkCount {
    /// The number.
    pub number: u64,
    /// The singular of the unit: `image`, `function` or `deployment`.
    pub noun: &'static str,
}

impl<'a> ToDoList<'a> {
    /// What to do about `findings`. Exempted findings need no action.
    #[must_use]
    pub fn new(findings: &'a [Finding]) -> Self {
        let mut list = Self::default();
        let mut indexes = HashMap::new();
        for finding in findings.iter().filter(|finding| finding.exemption.is_none()) {
            let Some(step) = ToDoStep::new(finding) else { continue };
            if finding.severity <= Severity::Info {
                list.waiting.push(finding);
                continue;
            }
            let index = *indexes.entry(step.clone()).or_insert(list.items.len());
            match list.items.get_mut(index) {
                Some(item) => item.findings.push(finding),
                None => list.items.push(ToDoItem { step, findings: vec![finding] }),
            }
        }
        list.items.sort_by_cached_key(|item| Reverse((item.severity(), item.work().number)));
        list
    }

    /// The images with an action that can wait.
    #[must_use]
    pub fn waiting_work(&self) -> WorkCount {
        images(&self.waiting)
    }

    /// At most `most` items, and what is left. The most urgent item of each action is always among them if `most` is at
    /// least seven.
    #[must_use]
    pub fn first(&self, most: usize) -> (Vec<&ToDoItem<'a>>, Vec<UnlistedItems>) {
        let mut seen = BTreeSet::new();
        let mut ranked: Vec<_> =
            self.items.iter().enumerate().map(|(rank, item)| (!seen.insert(item.step.rank()), rank, item)).collect();
        ranked.sort_by_key(|(is_repeated, rank, _)| (*is_repeated, *rank));
        let rest = ranked.split_off(ranked.len().min(most));
        ranked.sort_by_key(|(_, rank, _)| *rank);
        let rest = rest.into_iter().map(|(_, _, item)| item);
        (ranked.into_iter().map(|(_, _, item)| item).collect(), unlisted(rest))
    }
}

fn unlisted<'a, 'b: 'a>(items: impl Iterator<Item = &'a ToDoItem<'b>>) -> Vec<UnlistedItems> {
    let mut by_noun: BTreeMap<_, (u64, Vec<&Finding>)> = BTreeMap::new();
    for item in items {
        let (count, findings) = by_noun.entry(item.step.noun()).or_default();
        *count += 1;
        findings.extend(&item.findings);
    }
    let unlisted = by_noun.into_iter().map(|(noun, (items, findings))| {
        let work = if noun == "base" { images(&findings) } else { workloads(&findings) };
        UnlistedItems { items, noun, work }
    });
    unlisted.collect()
}

impl<'a> ToDoItem<'a> {
    /// The severity of the worst finding.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::None)
    }

    /// How much is to be done. Images are rebuilt, restored and investigated; workloads are upgraded, redeployed and
    /// repaired.
    #[must_use]
    pub fn work(&self) -> WorkCount {
        match self.step {
            ToDoStep::Rebuild { .. } | ToDoStep::RebuildBase { .. } | ToDoStep::Restore | ToDoStep::Investigate => {
                images(&self.findings)
            }
            ToDoStep::Upgrade { .. } | ToDoStep::Redeploy | ToDoStep::Repair => workloads(&self.findings),
        }
    }

    /// The parts of the item, those with the most findings first; empty for rebuilds and upgrades, which have none.
    #[must_use]
    pub fn details(&self) -> Vec<ToDoDetail<'a>> {
        let object: fn(&'a Finding) -> Option<&'a str> = match self.step {
            ToDoStep::Rebuild { .. } | ToDoStep::RebuildBase { .. } | ToDoStep::Upgrade { .. } => return Vec::new(),
            ToDoStep::Restore => |finding| Some(finding.image.reference.as_str()),
            ToDoStep::Redeploy => |finding| finding.replacement.as_ref().map(|image| image.reference.as_str()),
            ToDoStep::Repair => |finding| finding.deployment.state_reason_code.as_deref(),
            ToDoStep::Investigate => |finding| finding.reasons.first().map(|reason| reason.code.as_str()),
        };
        let mut indexes = HashMap::new();
        let mut details: Vec<ToDoDetail<'a>> = Vec::new();
        for finding in &self.findings {
            let object = object(finding);
            let index = *indexes.entry(object).or_insert(details.len());
            match details.get_mut(index) {
                Some(detail) => detail.findings.push(finding),
                None => details.push(ToDoDetail { object, findings: vec![finding] }),
            }
        }
        details.sort_by_key(|detail| Reverse(detail.findings.len()));
        details
    }
}

impl<'a> ToDoStep<'a> {
    /// The step that resolves `finding`; `None` if there is nothing to do.
    fn new(finding: &'a Finding) -> Option<Self> {
        Some(match finding.action {
            Action::Rebuild => Self::Rebuild { on: finding.current.as_ref().map(CurrentRelease::build_on_pinned) },
            Action::Redeploy => Self::Redeploy,
            Action::Upgrade => {
                let runtime = finding.runtime.as_ref();
                Self::Upgrade {
                    from: runtime.map(|runtime| runtime.name.as_str()),
                    to: runtime.and_then(|runtime| runtime.upgrade_to.as_deref()),
                }
            }
            Action::Restore => Self::Restore,
            Action::Repair => Self::Repair,
            Action::Investigate => Self::Investigate,
            Action::None => {
                let (outer, link) = finding.awaited_base()?;
                let repository = outer.reference.repository().map(ToString::to_string);
                Self::RebuildBase {
                    base: repository.unwrap_or_else(|| outer.reference.to_string()),
                    on: link.base.line.as_deref(),
                }
            }
        })
    }

    /// The kind of step as a number.
    fn rank(&self) -> u8 {
        match self {
            Self::Rebuild { .. } => 0,
            Self::RebuildBase { .. } => 1,
            Self::Upgrade { .. } => 2,
            Self::Restore => 3,
            Self::Redeploy => 4,
            Self::Repair => 5,
            Self::Investigate => 6,
        }
    }

    /// What steps of the kind differ in. Only rebuilds and upgrades can be several items.
    fn noun(&self) -> &'static str {
        match self {
            Self::Upgrade { .. } => "runtime",
            _ => "base",
        }
    }
}

/// The distinct images of `findings`.
fn images(findings: &[&Finding]) -> WorkCount {
    let digest = |finding: &Finding| finding.image.digest.as_ref().map(ToString::to_string);
    let images: BTreeSet<_> =
        findings.iter().map(|finding| digest(finding).unwrap_or_else(|| finding.image.reference.to_string())).collect();
    WorkCount { number: images.len() as u64, noun: "image" }
}

/// The distinct functions of `findings` if all are functions, whose aliases count once; otherwise the deployments, or
/// the images if nothing runs.
fn workloads(findings: &[&Finding]) -> WorkCount {
    let is_all = |is: fn(DeploymentKind) -> bool| findings.iter().all(|finding| is(finding.deployment.kind));
    if is_all(|kind| kind == DeploymentKind::Lambda) {
        let function = |finding: &&'_ Finding| {
            let deployment = &finding.deployment;
            (deployment.account.clone(), deployment.region.clone(), deployment.name.clone())
        };
        let functions: BTreeSet<_> = findings.iter().map(function).collect();
        return WorkCount { number: functions.len() as u64, noun: "function" };
    }
    if is_all(|kind| !matches!(kind, DeploymentKind::Lambda | DeploymentKind::Ecs)) {
        return images(findings);
    }
    WorkCount { number: findings.len() as u64, noun: "deployment" }
}
