//! The timeline: release lines in use with the deployments on each release, on a common time axis.

mod lane;
mod scale;

use std::cmp::Reverse;

use askama::{Template, filters::HtmlSafe};

use super::{
    DashboardView, PageScope,
    verdict_style::{self, number},
};
use crate::report::LineFields;
use lane::{TimelineLane, age_days};
use scale::TimeScale;

/// The number of lines shown initially.
const FIRST_LINES: usize = 12;
/// Maximum number of lines.
const MOST_LINES: usize = 200;

/// The timeline.
#[derive(Template)]
#[template(path = "timeline/timeline.html")]
pub(super) struct Timeline {
    limit: i64,
    limit_at: String,
    today_at: String,
    ticks: Vec<(String, &'static str, bool)>,
    lanes: Vec<TimelineLane>,
    more: Vec<TimelineLane>,
    more_title: String,
    rest: String,
    rows: Vec<lane::TimelineRow>,
}

impl HtmlSafe for Timeline {}

impl Timeline {
    #[expect(clippy::cast_precision_loss, reason = "ages are small")]
    pub(super) fn new(view: &DashboardView<'_>, scope: PageScope<'_>) -> Self {
        let report = view.report;
        let has_pages = !view.mode.is_file() && scope == PageScope::Fleet;
        let now = report.generated_at;
        let limit = report.policy.max_age_days as f64;
        let mut worst_first: Vec<&LineFields> = report.lines.iter().collect();
        let badness = |line: &LineFields| {
            let old: u64 = line
                .by_verdict
                .iter()
                .filter(|(verdict, _)| verdict_style::is_old(**verdict))
                .map(|(_, count)| count)
                .sum();
            (old, line.deployments)
        };
        worst_first.sort_by_key(|line| Reverse(badness(line)));
        let drawn = &worst_first[..worst_first.len().min(MOST_LINES)];
        let used = drawn.iter().flat_map(|line| &line.releases).filter(|release| release.deployments > 0);
        let most = used.clone().map(|release| release.deployments).max().unwrap_or_default();
        let oldest = used.filter_map(|release| age_days(release, now)).fold(0.0, f64::max);
        let scale = TimeScale::new(oldest, limit);
        let mut lanes: Vec<_> =
            drawn.iter().map(|line| TimelineLane::new(line, now, scale, limit, most, has_pages)).collect();
        let more = lanes.split_off(lanes.len().min(FIRST_LINES));
        let rest = worst_first.len() - drawn.len();
        Self {
            limit: report.policy.max_age_days,
            limit_at: number(scale.at(limit)),
            today_at: number(scale.at(0.0)),
            ticks: scale.ticks(limit).into_iter().map(|tick| (number(tick.at), tick.name, tick.is_minor)).collect(),
            lanes,
            more_title: verdict_style::more(more.len(), "line"),
            more,
            rest: match rest {
                0 => String::new(),
                _ => format!("And {}; see the JSON report.", verdict_style::more(rest, "line")),
            },
            rows: drawn.iter().flat_map(|line| lane::rows(line, now)).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}
