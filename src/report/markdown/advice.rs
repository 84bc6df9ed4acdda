//! The list of recommended actions: one item per step, regardless of the number of deployments.

use super::{
    super::{
        Finding, Report, ToDoItem, ToDoList, ToDoStep,
        format::{self, count},
        group::DeploymentNames,
    },
    NAME, list,
    text::{TextPosition, code, prose},
};

/// Maximum number of items; the others are counted.
const MOST_STEPS: usize = 10;

/// Maximum number of deployments to list per step, and of images or codes with their deployments.
const NAMED: usize = 3;

/// Renders the list, most urgent first.
pub(super) fn render(report: &Report) -> String {
    let to_do = ToDoList::new(&report.findings);
    let names = DeploymentNames::new(&report.findings);
    let (items, unlisted) = to_do.first(MOST_STEPS);
    let items = items.into_iter().map(|item| format!("{}: {}", advice(item), whom(item, &names)));
    let unlisted = unlisted.iter().map(|items| format!("and {}", format::unlisted(items)));
    let items: Vec<_> = items.chain(unlisted).chain(format::waiting(&to_do)).collect();
    list("What to do", &items)
}

fn advice(item: &ToDoItem<'_>) -> String {
    // References must be copyable, and are not shortened like names.
    let named = |subject: Option<&str>, otherwise: &str| {
        subject.map_or_else(|| otherwise.to_owned(), |subject| code(subject, TextPosition::Line, 2 * NAME))
    };
    let work = format::work(item.work());
    match &item.step {
        ToDoStep::Rebuild { on } => {
            format!("**Rebuild** {work} on {} and deploy", named(on.as_deref(), "the current release of the base"))
        }
        ToDoStep::RebuildBase { base, on } => {
            let base = code(base, TextPosition::Line, 2 * NAME);
            format!(
                "**Rebuild** the base {base} on {} first, for {work}",
                named(*on, "the current release of its base")
            )
        }
        ToDoStep::Upgrade { from, to } => {
            format!("**Upgrade** {work} from {} to {}", named(*from, "the runtime"), named(*to, "a supported runtime"))
        }
        ToDoStep::Restore => format!("**Restore** {work} or deploy others"),
        ToDoStep::Redeploy => format!("**Redeploy** {work} with newer images from the repository"),
        ToDoStep::Repair => format!("**Repair** {work} that cannot be invoked"),
        ToDoStep::Investigate => format!("**Investigate** {work} with `basewatch explain IMAGE`"),
    }
}

/// The deployments, by image or code if the item has such details.
fn whom(item: &ToDoItem<'_>, names: &DeploymentNames<'_>) -> String {
    let details = item.details();
    if details.is_empty() {
        return deployments(&item.findings, names);
    }
    let shown = details.iter().take(NAMED).map(|detail| {
        let object = code(detail.object.unwrap_or_default(), TextPosition::Line, 2 * NAME);
        format!("{object} ({})", deployments(&detail.findings, names))
    });
    let more = match details.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}

/// `orders:421`, `orders:420`, `orders:419` and 10 more deployments.
fn deployments(findings: &[&Finding], names: &DeploymentNames<'_>) -> String {
    let name = |finding: &&Finding| {
        let name = code(&format::deployment_name(&finding.deployment), TextPosition::Line, NAME);
        let lacking = prose(&names.qualifier(finding), TextPosition::Line, NAME);
        if lacking.is_empty() { name } else { format!("{name} {lacking}") }
    };
    let names: Vec<_> = findings.iter().take(NAMED).map(name).collect();
    let more = match findings.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {}", count(more as u64, "more deployment")),
    };
    format!("{}{more}", names.join(", "))
}
