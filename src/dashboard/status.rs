//! The overview: headline, completeness, time of the report and verdict counts.

use std::fmt::Write as _;

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    DashboardView, PageMode, PageScope, WriteAccess,
    alerts::AlertCounts,
    changes::ChangeSummary,
    links,
    owners::owner_name,
    verdict_style::{self, BarSegment, VerdictStyle, counted, grouped, meaning, shown},
};
use crate::report::{Summary, format};

/// The overview section.
#[derive(Template)]
#[template(path = "status.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of the template")]
pub(super) struct StatusOverview {
    headline: String,
    most_unknown: Option<String>,
    complete: bool,
    is_unknown: bool,
    has_errors: bool,
    gaps: String,
    scope: Option<(&'static str, String)>,
    is_served: bool,
    csrf: String,
    checked: DisplayTime,
    next: Option<DisplayTime>,
    running: Option<DisplayTime>,
    failed: Option<(DisplayTime, String)>,
    tiles: Vec<VerdictTile>,
    parts: Vec<BarSegment>,
    bar: String,
    details: String,
    changes: ChangeSummary,
    alerts: AlertCounts,
}

impl HtmlSafe for StatusOverview {}

struct VerdictTile {
    style: VerdictStyle,
    count: String,
    is_none: bool,
    meaning: String,
    link: String,
}

/// A time with its distance from now.
pub(super) struct DisplayTime {
    pub(super) iso: String,
    pub(super) text: String,
    pub(super) distance: String,
}

impl DisplayTime {
    /// `at`, relative to `now`.
    pub(super) fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let iso = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self { iso, text: format::instant(at), distance: distance(at - now) }
    }
}

/// `in 5 hours`, `3 days ago`; empty for now.
fn distance(from_now: TimeDelta) -> String {
    let minutes = from_now.num_minutes();
    let (number, unit) = match minutes.unsigned_abs() {
        0 => return String::new(),
        minutes @ 1..120 => (minutes, "minute"),
        minutes @ 120..2880 => (minutes / 60, "hour"),
        minutes => (minutes / 1440, "day"),
    };
    let span = counted(number, unit);
    if minutes > 0 { format!("in {span}") } else { format!("{span} ago") }
}

impl StatusOverview {
    pub(super) fn new(view: &DashboardView<'_>, scope: PageScope<'_>) -> Self {
        let report = view.report;
        let summary = &report.summary;
        let served = match view.mode {
            PageMode::Served(served) => Some(served),
            PageMode::SelfContained => None,
        };
        let tile = |verdict| {
            let count = summary.by_verdict.get(&verdict).copied().unwrap_or_default();
            VerdictTile {
                style: VerdictStyle::new(verdict),
                count: grouped(count),
                is_none: count == 0,
                meaning: meaning(verdict, &report.policy),
                link: links::only("verdict", verdict.as_str()),
            }
        };
        let errors = report.errors.len() as u64;
        let gaps = match errors {
            0 => "some images could not be read".to_owned(),
            _ => format!("{}, so parts of the inventory could not be audited.", counted(errors, "error")),
        };
        let instant = |at| DisplayTime::new(at, view.now);
        Self {
            headline: headline(view, scope),
            scope: scope_title(scope),
            most_unknown: report.most_unknown().map(|note| capitalized(&shown(&note.message))),
            complete: report.complete,
            is_unknown: report.most_unknown().is_some() || is_mostly_unknown(view, scope),
            has_errors: errors > 0,
            gaps,
            is_served: served.is_some(),
            csrf: match served.map(|served| served.access) {
                Some(WriteAccess::SignedIn { csrf, .. }) => csrf.to_owned(),
                _ => String::new(),
            },
            checked: instant(report.generated_at),
            next: view.next_run_at.map(instant),
            running: served.and_then(|served| served.running_since).map(instant),
            failed: served.and_then(|served| served.failed_run).map(|run| (instant(run.at), shown(run.message))),
            tiles: verdict_style::WORST_FIRST.map(tile).into(),
            parts: verdict_style::parts(&summary.by_verdict, summary.deployments),
            bar: format::tally(summary.by_verdict.iter().map(|(verdict, count)| (*verdict, *count))),
            details: details(view),
            changes: ChangeSummary::new(view, scope),
            alerts: AlertCounts::new(view, scope),
        }
    }

    /// The title of the page.
    pub(super) fn headline(&self) -> String {
        self.headline.clone()
    }
}

/// What the page is about, besides all deployments: `Owner`, and its name.
fn scope_title(scope: PageScope<'_>) -> Option<(&'static str, String)> {
    match scope {
        PageScope::Fleet => None,
        PageScope::Owner(owner) => Some(("Owner", shown(owner_name(owner)))),
        PageScope::Line(line) => Some(("Release line", shown(format::short_name(line)))),
    }
}

/// Whether most deployments of a page about a part of the fleet have no verdict.
fn is_mostly_unknown(view: &DashboardView<'_>, scope: PageScope<'_>) -> bool {
    let Summary { judged, deployments, .. } = view.report.summary;
    scope != PageScope::Fleet && judged.is_some_and(|judged| judged * 2 < deployments)
}

fn headline(view: &DashboardView<'_>, scope: PageScope<'_>) -> String {
    let outdated = outdated(view);
    match scope_title(scope) {
        // A sentence begins with the name then.
        Some((_, name)) => format!("{name}: {}{}", outdated[..1].to_lowercase(), &outdated[1..]),
        None => outdated,
    }
}

/// How many deployments are built on an outdated base.
fn outdated(view: &DashboardView<'_>) -> String {
    let summary = &view.report.summary;
    let all = summary.deployments;
    let old: u64 =
        summary.by_verdict.iter().filter(|(verdict, _)| verdict_style::is_old(**verdict)).map(|(_, count)| count).sum();
    let are = |number: u64| if number == 1 { "is" } else { "are" };
    match (all, old) {
        _ if view.report.most_unknown().is_some() => format::MOST_UNKNOWN.to_owned(),
        (0, _) if view.report.complete => "No deployments".to_owned(),
        (0, _) => "No deployments could be read".to_owned(),
        (all, 0) => format!("None of {} is known to be built on an outdated base", counted(all, "deployment")),
        (all, old) if all == old && all > 1 => {
            format!("All {} are built on an outdated base", counted(all, "deployment"))
        }
        (all, old) => {
            format!("{} of {} {} built on an outdated base", grouped(old), counted(all, "deployment"), are(old))
        }
    }
}

/// Capitalizes the first letter.
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Details of the counts in one line.
fn details(view: &DashboardView<'_>) -> String {
    let summary = &view.report.summary;
    if summary.deployments == 0 {
        return String::new();
    }
    // Writing to a string cannot fail.
    let mut text = format!("{} on {}.", counted(summary.images, "image"), counted(summary.bases, "base"));
    if let Some(ages) = summary.base_age_days {
        let _ = write!(text, " Base age: {ages}.");
    }
    if summary.exempted > 0 {
        let are = if summary.exempted == 1 { "is" } else { "are" };
        let _ = write!(text, " {} {are} exempted.", counted(summary.exempted, "deployment"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_use_a_suitable_unit() {
        let table = [
            (0, ""),
            (1, "in 1 minute"),
            (-59, "59 minutes ago"),
            (-119, "119 minutes ago"),
            (120, "in 2 hours"),
            (-47 * 60, "47 hours ago"),
            (48 * 60, "in 2 days"),
            (-90 * 24 * 60, "90 days ago"),
        ];
        for (minutes, text) in table {
            assert_eq!(distance(TimeDelta::minutes(minutes)), text);
        }
    }
}
