//! The summary above a long table: what to do, in at most ten lines.

use crate::report::{
    Report, ToDoItem, ToDoList, ToDoStep, format,
    style::{TextPage, TextStyle},
};

/// The number of rows from which the summary says more than the table. Fewer fit a screen.
pub(super) const LONG_TABLE: usize = 20;

/// Maximum number of lines.
const MOST_LINES: usize = 10;

/// The indentation of the text beside the action: that of the second column of the table.
const INDENT: usize = 13;

pub(super) fn render(page: &mut TextPage, report: &Report) {
    let to_do = ToDoList::new(&report.findings);
    let waiting = format::waiting(&to_do);
    let most = MOST_LINES - usize::from(waiting.is_some());
    // A line counts the items that are not listed.
    let most = if to_do.items.len() > most { most - 1 } else { most };
    let (items, unlisted) = to_do.first(most);
    let unlisted: Vec<_> = unlisted.iter().map(format::unlisted).collect();
    let unlisted = (!unlisted.is_empty()).then(|| format!("and {}", unlisted.join("; ")));
    if items.is_empty() && waiting.is_none() {
        return;
    }
    for item in items {
        let (action, what) = step(item);
        page.item(TextStyle::Severity(item.severity()), INDENT, action, what);
    }
    for line in unlisted.into_iter().chain(waiting) {
        page.item(TextStyle::Plain, INDENT, "", line);
    }
    page.end();
}

/// The action and its object. References are not shortened, so that they can be pasted.
fn step(item: &ToDoItem<'_>) -> (&'static str, String) {
    let work = format::work(item.work());
    match &item.step {
        ToDoStep::Rebuild { on } => {
            ("rebuild", format!("{work} on {}", on.as_deref().unwrap_or("the current release of the base")))
        }
        ToDoStep::RebuildBase { base, on } => {
            ("rebuild", format!("{base} on {} first, for {work}", on.unwrap_or("the current release of its base")))
        }
        ToDoStep::Upgrade { from, to } => (
            "upgrade",
            format!("{work} from {} to {}", from.unwrap_or("the runtime"), to.unwrap_or("a supported runtime")),
        ),
        ToDoStep::Restore => ("restore", format!("{work} or deploy others")),
        ToDoStep::Redeploy => ("redeploy", format!("{work} with newer images from the repository")),
        ToDoStep::Repair => ("repair", format!("{work} that cannot be invoked")),
        ToDoStep::Investigate => ("investigate", format!("{work}: {}", reasons(item))),
    }
}

/// `base-unidentified, registry-denied and 3 more`.
fn reasons(item: &ToDoItem<'_>) -> String {
    const NAMED: usize = 3;
    let details = item.details();
    let named = details.iter().take(NAMED).map(|detail| detail.object.unwrap_or("unknown"));
    let more = match details.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", named.collect::<Vec<_>>().join(", "))
}
