//! The list of recommended actions: one item per step, with what one copies to do it.

use std::collections::BTreeSet;

use askama::{Template, filters::HtmlSafe};

use super::{
    links,
    task::explain,
    verdict_style::{VerdictStyle, counted, more, shown, urgency},
};
use crate::report::{CurrentRelease, Finding, Report, ToDoItem, ToDoList, ToDoStep, format};

/// Maximum number of steps, as in the other formats.
const MOST_STEPS: usize = 10;
/// Maximum number of owners to list per step, and of images or codes with their deployments.
const NAMED: usize = 3;
/// Maximum number of release lines that a link filters by.
const MOST_LINES: usize = 5;

/// The list of actions, most urgent first.
#[derive(Template)]
#[template(path = "actions.html")]
pub(super) struct ActionList {
    items: Vec<ActionItem>,
    rest: Vec<String>,
}

impl HtmlSafe for ActionList {}

#[derive(Template)]
#[template(path = "action.html")]
struct ActionItem {
    style: VerdictStyle,
    urgency: &'static str,
    text: String,
    /// What one copies, with the deployments that it is for.
    copied: Vec<(String, String)>,
    more: String,
    count: String,
    owners: String,
    link: String,
}

impl HtmlSafe for ActionItem {}

impl ActionList {
    pub(super) fn new(report: &Report) -> Self {
        let to_do = ToDoList::new(&report.findings);
        let (items, unlisted) = to_do.first(MOST_STEPS);
        let unlisted = unlisted.iter().map(|items| format!("And {}.", format::unlisted(items)));
        let waiting = format::waiting(&to_do).map(|waiting| format!("{waiting}."));
        Self { items: items.into_iter().map(ActionItem::new).collect(), rest: unlisted.chain(waiting).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.rest.is_empty()
    }
}

impl ActionItem {
    fn new(item: &ToDoItem<'_>) -> Self {
        let worst = item.findings.iter().max_by_key(|finding| finding.severity).copied().unwrap_or(item.findings[0]);
        let owners: BTreeSet<_> =
            item.findings.iter().filter_map(|finding| finding.deployment.owner.as_deref()).collect();
        let mut named: Vec<_> = owners.iter().take(NAMED).map(|owner| shown(owner)).collect();
        if owners.len() > NAMED {
            named.push(more(owners.len() - NAMED, "owner"));
        }
        let (copied, rest) = copied(item);
        Self {
            style: VerdictStyle::new(worst.verdict),
            urgency: urgency(item.severity()),
            text: sentence(item),
            copied,
            more: if rest == 0 { String::new() } else { format!("And {}.", more(rest, "image")) },
            count: counted(item.findings.len() as u64, "deployment"),
            owners: named.join(", "),
            link: link(item),
        }
    }
}

/// The step as a sentence.
fn sentence(item: &ToDoItem<'_>) -> String {
    let work = format::work(item.work());
    let them = if item.work().number == 1 { "it" } else { "them" };
    let named = |name: Option<&str>, otherwise: &str| {
        name.map_or_else(|| otherwise.to_owned(), |name| shown(format::short_name(name)))
    };
    match &item.step {
        ToDoStep::Rebuild { .. } => {
            let current = item.findings[0].current.as_ref();
            let on = named(current.map(CurrentRelease::build_on), "the current release of the base");
            let release = current.and_then(|current| current.release.as_deref());
            let release = release.map(|release| format!(" (now {})", shown(release))).unwrap_or_default();
            format!("Rebuild {work} on {on}{release} and deploy {them}")
        }
        ToDoStep::RebuildBase { base, on } => {
            let on = named(*on, "the current release of its base");
            format!("Rebuild the base {} on {on} first, for {work}", shown(base))
        }
        ToDoStep::Upgrade { from, to } => {
            format!("Upgrade {work} from {} to {}", named(*from, "the runtime"), named(*to, "a supported runtime"))
        }
        ToDoStep::Restore => format!("Push or restore {work} that {} missing, or deploy others", are(item)),
        ToDoStep::Redeploy => format!("Redeploy {work} with newer images from the repository"),
        ToDoStep::Repair => format!("Repair {work} that cannot be invoked"),
        ToDoStep::Investigate => format!("Find out why the base of {work} is unknown"),
    }
}

fn are(item: &ToDoItem<'_>) -> &'static str {
    if item.work().number == 1 { "is" } else { "are" }
}

/// What one copies to do the step: pinned references and commands, each with the deployments that it is for; and the
/// number of those that are not listed.
fn copied(item: &ToDoItem<'_>) -> (Vec<(String, String)>, usize) {
    let all = |text: String| (vec![(shown(&text), String::new())], 0);
    let details = item.details();
    match &item.step {
        ToDoStep::Rebuild { on: Some(on) } => all(on.clone()),
        ToDoStep::RebuildBase { .. } => {
            let current = item.findings[0].awaited_base().and_then(|(_, link)| link.current.as_ref());
            current.map_or_else(|| (Vec::new(), 0), |current| all(current.build_on_pinned()))
        }
        ToDoStep::Restore | ToDoStep::Redeploy => {
            let listed = details.iter().filter_map(|detail| Some((shown(detail.object?), names(&detail.findings))));
            (listed.take(NAMED).collect(), details.len().saturating_sub(NAMED))
        }
        ToDoStep::Investigate => {
            let listed = details.iter().map(|detail| {
                let finding = detail.findings[0];
                let code = shown(detail.object.unwrap_or_default());
                (explain(&finding.image.reference), format!("{code}: {}", names(&detail.findings)))
            });
            (listed.take(NAMED).collect(), 0)
        }
        ToDoStep::Rebuild { on: None } | ToDoStep::Upgrade { .. } | ToDoStep::Repair => (Vec::new(), 0),
    }
}

/// `orders:live, orders and 3 more deployments`.
fn names(findings: &[&Finding]) -> String {
    let named: Vec<_> =
        findings.iter().take(NAMED).map(|finding| shown(&format::deployment_name(&finding.deployment))).collect();
    let rest = match findings.len().saturating_sub(NAMED) {
        0 => String::new(),
        rest => format!(" and {}", more(rest, "deployment")),
    };
    format!("{}{rest}", named.join(", "))
}

/// The findings of the step, as closely as filters select them.
fn link(item: &ToDoItem<'_>) -> String {
    let lines: BTreeSet<_> =
        item.findings.iter().filter_map(|finding| finding.base.as_ref()?.line.as_deref()).collect();
    let is_by_line =
        matches!(item.step, ToDoStep::Rebuild { .. } | ToDoStep::RebuildBase { .. } | ToDoStep::Upgrade { .. });
    let lines = lines.into_iter().filter(|_| is_by_line).take(MOST_LINES).map(|line| ("line", line));
    links::only_all([("action", item.findings[0].action.as_str())].into_iter().chain(lines))
}
