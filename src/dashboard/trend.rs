//! The history of the last 90 days: deployments by verdict, and base ages.

use std::{collections::BTreeMap, fmt::Write as _};

use askama::{Template, filters::HtmlSafe};
use chrono::{Days, NaiveDate};

use super::{
    DashboardView, TrendDay,
    verdict_style::{self, VerdictStyle, counted, grouped, number, percent},
};
use crate::report::format;

/// The number of days.
const DAYS: u64 = 90;
/// The height of the charts in SVG units.
const HEIGHT: f64 = 100.0;

/// The history section.
#[derive(Template)]
#[template(path = "trend.html")]
pub(super) struct TrendChart {
    change: String,
    most: String,
    gaps: Vec<(u64, u64)>,
    bars: Vec<TrendBar>,
    lines: Vec<(&'static str, String)>,
    oldest: String,
    limit: i64,
    limit_at: Option<String>,
    first: String,
    last: String,
    styles: Vec<VerdictStyle>,
    has_gaps: bool,
    has_incomplete: bool,
    rows: Vec<TrendRow>,
}

impl HtmlSafe for TrendChart {}

struct TrendBar {
    at: String,
    title: String,
    complete: bool,
    blocks: Vec<TrendSegment>,
}

struct TrendSegment {
    style: VerdictStyle,
    top: String,
    height: String,
}

struct TrendRow {
    date: NaiveDate,
    complete: &'static str,
    deployments: String,
    counts: Vec<String>,
    p50: String,
    p90: String,
    alerts: String,
}

impl TrendChart {
    pub(super) fn new(view: &DashboardView<'_>) -> Self {
        let last = view.now.date_naive();
        let first = last.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(last);
        let day_index =
            |date: NaiveDate| u64::try_from((date - first).num_days()).ok().filter(|day_index| *day_index < DAYS);
        let days: BTreeMap<u64, &TrendDay> =
            view.trend.iter().filter_map(|day| Some((day_index(day.date)?, day))).collect();
        let most = days.values().map(|day| total(day)).max().unwrap_or_default();
        let oldest = days.values().filter_map(|day| day.age_p90_days.max(day.age_p50_days)).max().unwrap_or_default();
        let limit = view.report.policy.max_age_days;
        let top = oldest.max(u64::try_from(limit).unwrap_or_default().min(oldest.saturating_mul(2)));
        let height = |days: u64| number(HEIGHT - percent(days, top) * 0.96);
        let gaps = gaps(&days);
        let is_on_it = u64::try_from(limit).ok().filter(|limit| *limit <= top && top > 0);
        Self {
            change: change(&days),
            most: grouped(most),
            bars: days.iter().map(|(day_index, day)| TrendBar::new(*day_index, day, most)).collect(),
            lines: [("p90", TrendDay::p90 as fn(&TrendDay) -> _), ("p50", TrendDay::p50)]
                .into_iter()
                .flat_map(|(class, age)| lines(&days, age, &height).into_iter().map(move |points| (class, points)))
                .collect(),
            oldest: grouped(top),
            limit,
            limit_at: is_on_it.map(height),
            first: first.to_string(),
            last: last.to_string(),
            styles: verdict_style::WORST_FIRST.map(VerdictStyle::new).into(),
            has_gaps: !gaps.is_empty(),
            gaps,
            has_incomplete: days.values().any(|day| !day.complete),
            rows: days.values().rev().map(|day| TrendRow::new(day)).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bars.is_empty()
    }
}

impl TrendDay {
    fn p50(&self) -> Option<u64> {
        self.age_p50_days
    }

    fn p90(&self) -> Option<u64> {
        self.age_p90_days
    }

    fn count(&self, verdict: crate::judge::Verdict) -> u64 {
        self.by_verdict.get(&verdict).copied().unwrap_or_default()
    }
}

fn total(day: &TrendDay) -> u64 {
    day.by_verdict.values().sum()
}

fn old(day: &TrendDay) -> u64 {
    verdict_style::WORST_FIRST
        .into_iter()
        .filter(|verdict| verdict_style::is_old(*verdict))
        .map(|verdict| day.count(verdict))
        .sum()
}

/// The change of the number of outdated deployments.
fn change(days: &BTreeMap<u64, &TrendDay>) -> String {
    let (Some((_, first)), Some((_, last))) = (days.first_key_value(), days.last_key_value()) else {
        return String::new();
    };
    if first.date == last.date {
        return "One day so far.".to_owned();
    }
    let (was, is) = (old(first), old(last));
    let direction = match is.cmp(&was) {
        std::cmp::Ordering::Less => "down from",
        std::cmp::Ordering::Equal => "unchanged since",
        std::cmp::Ordering::Greater => "up from",
    };
    let then = if is == was { first.date.to_string() } else { format!("{} on {}", grouped(was), first.date) };
    format!("{} on an outdated base, {direction} {then}.", counted(is, "deployment"))
}

/// The periods without a run between the first run and the last day.
fn gaps(days: &BTreeMap<u64, &TrendDay>) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut next = days.first_key_value().map_or(DAYS, |(day_index, _)| *day_index);
    // Includes today without a run.
    for day_index in days.keys().copied().chain([DAYS - 1]) {
        if day_index > next {
            gaps.push((next, day_index - next));
        }
        next = day_index + 1;
    }
    gaps
}

/// The polylines of an age, interrupted on days without a value.
fn lines(
    days: &BTreeMap<u64, &TrendDay>,
    age: impl Fn(&TrendDay) -> Option<u64>,
    height: &impl Fn(u64) -> String,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut next = None;
    for (day_index, day) in days {
        let Some(age) = age(day) else { continue };
        let point = format!("{day_index}.5,{}", height(age));
        match lines.last_mut() {
            Some(line) if next == Some(*day_index) => {
                // Writing to a string cannot fail.
                let _ = write!(line, " {point}");
            }
            // A single point is drawn as a short line, to be visible.
            _ => lines.push(format!("{day_index}.2,{} {point}", height(age))),
        }
        next = Some(day_index + 1);
    }
    lines
}

impl TrendBar {
    fn new(day_index: u64, day: &TrendDay, most: u64) -> Self {
        let mut from = 0;
        let mut blocks = Vec::new();
        for verdict in verdict_style::WORST_FIRST {
            let count = day.count(verdict);
            if count > 0 {
                let top = HEIGHT - percent(from + count, most);
                let height = number(percent(count, most));
                blocks.push(TrendSegment { style: VerdictStyle::new(verdict), top: number(top), height });
            }
            from += count;
        }
        let verdicts = format::tally(day.by_verdict.iter().map(|(verdict, count)| (*verdict, *count)));
        let incomplete = if day.complete { "" } else { " (incomplete)" };
        Self {
            at: format!("{day_index}.07"),
            title: format!("{}{incomplete}: {verdicts}", day.date),
            complete: day.complete,
            blocks,
        }
    }
}

impl TrendRow {
    fn new(day: &TrendDay) -> Self {
        let days =
            |age: Option<u64>| age.map_or_else(|| format::NOTHING.to_owned(), |age| format!("{} d", grouped(age)));
        Self {
            date: day.date,
            complete: if day.complete { "yes" } else { "no" },
            deployments: grouped(day.deployments),
            counts: verdict_style::WORST_FIRST.map(|verdict| grouped(day.count(verdict))).into(),
            p50: days(day.age_p50_days),
            p90: days(day.age_p90_days),
            alerts: grouped(day.alerts_sent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;

    fn day(date: &str, stale: u64, p90: Option<u64>) -> TrendDay {
        TrendDay {
            date: date.parse().unwrap(),
            by_verdict: BTreeMap::from([(Verdict::Stale, stale), (Verdict::Fresh, 1)]),
            age_p90_days: p90,
            ..TrendDay::default()
        }
    }

    #[test]
    fn days_without_a_run_are_gaps() {
        let days = [day("2026-11-01", 3, Some(50)), day("2026-11-02", 2, Some(40)), day("2026-11-05", 1, Some(30))];
        let days: BTreeMap<_, _> = [80, 81, 84].into_iter().zip(&days).collect();
        assert_eq!(gaps(&days), [(82, 2), (85, 4)]);
        let lines = lines(&days, TrendDay::p90, &|age: u64| age.to_string());
        assert_eq!(lines, ["80.2,50 80.5,50 81.5,40", "84.2,30 84.5,30"]);
        assert_eq!(change(&days), "1 deployment on an outdated base, down from 3 on 2026-11-01.");
    }

    #[test]
    fn the_worst_verdict_is_at_the_bottom_of_a_bar() {
        let bar = TrendBar::new(4, &day("2026-11-01", 3, None), 8);
        let blocks: Vec<_> =
            bar.blocks.iter().map(|block| (block.style.word, block.top.as_str(), block.height.as_str())).collect();
        assert_eq!(blocks, [("stale", "62.5", "37.5"), ("fresh", "50", "12.5")]);
    }
}
