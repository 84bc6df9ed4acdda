//! A lane of the timeline: a release line with its releases over time and the deployments on them.

use std::collections::{BTreeMap, BTreeSet};

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

use super::{
    super::{
        links,
        verdict_style::{self, BarSegment, VerdictStyle, counted, grouped, number, shown},
    },
    scale::TimeScale,
};
use crate::{
    judge::Verdict,
    report::{LineFields, LineRelease, RuntimeFields, format},
    resolve::PublishDateSource,
};

/// The drawing of circles: the distance in percent of the axis below which releases share a circle, and the minimum
/// radius with the range above it.
#[derive(Clone, Copy)]
struct CircleSizes {
    apart: f64,
    radius: (f64, f64),
}

const WIDE: CircleSizes = CircleSizes { apart: 3.0, radius: (6.0, 15.0) };
const NARROW: CircleSizes = CircleSizes { apart: 9.0, radius: (6.0, 9.0) };
/// The distance below which unused releases share a stroke.
const STROKES_APART: f64 = 0.4;
/// The minimum radius of a circle with its number inside, and the addition per digit.
const ROOMY: (f64, f64) = (2.0, 3.8);

/// A lane of the timeline.
#[derive(Template)]
#[template(path = "timeline/lane.html")]
pub(super) struct TimelineLane {
    name: String,
    link: String,
    runtime: Option<(String, &'static str)>,
    parts: Vec<BarSegment>,
    aside: String,
    limit_at: String,
    /// An SVG path, in percent of the axis.
    strokes: String,
    current: Option<String>,
    /// The circles for wide and for narrow windows.
    stops: [(&'static str, Vec<TimelineCircle>); 2],
}

impl HtmlSafe for TimelineLane {}

/// A circle for deployments on adjacent releases.
struct TimelineCircle {
    style: VerdictStyle,
    at: String,
    radius: String,
    text_y: String,
    is_roomy: bool,
    is_bound: bool,
    count: String,
    title: String,
    link: String,
}

/// The age of `release` in days; `None` if unknown.
#[expect(clippy::cast_precision_loss, reason = "ages are small")]
pub(super) fn age_days(release: &LineRelease, now: DateTime<Utc>) -> Option<f64> {
    Some((now - release.published_at?).num_minutes() as f64 / 1440.0)
}

impl TimelineLane {
    /// The lane of `line`; its name links to its page if there are pages, else to its findings.
    pub(super) fn new(
        line: &LineFields,
        now: DateTime<Utc>,
        scale: TimeScale,
        limit: f64,
        most: u64,
        has_pages: bool,
    ) -> Self {
        let age_position = |release: &LineRelease| age_days(release, now).map(|age| scale.at(age));
        let used = line.releases.iter().filter(|release| release.deployments > 0);
        let undated: u64 =
            used.clone().filter(|release| release.published_at.is_none()).map(|release| release.deployments).sum();
        let dated: Vec<_> = used.filter_map(|release| Some((age_position(release)?, release))).collect();
        let current = line.releases.iter().find(|release| release.current);
        let unused = line
            .releases
            .iter()
            .filter(|release| release.deployments == 0 && !release.current && release.hold.is_none());
        Self {
            name: shown(format::short_name(&line.reference)),
            link: if has_pages { links::line(&line.reference) } else { links::only("line", &line.reference) },
            runtime: line.runtime.as_ref().map(runtime),
            parts: verdict_style::parts(&line.by_verdict, line.deployments),
            aside: aside(line, undated),
            limit_at: number(scale.at(limit)),
            strokes: strokes(unused.filter_map(age_position)),
            current: current.and_then(age_position).map(number),
            stops: [("wide", WIDE), ("narrow", NARROW)].map(|(class, circles)| {
                let groups = merged(&dated, circles.apart);
                (class, groups.iter().map(|group| TimelineCircle::new(line, group, now, circles, most)).collect())
            }),
        }
    }
}

fn runtime(runtime: &RuntimeFields) -> (String, &'static str) {
    let name = &runtime.name;
    let on = |date: Option<chrono::NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
    let (text, class) = match runtime.status.as_str() {
        "ending" => (format!("{name} will be deprecated on {}", on(runtime.deprecation_date)), "warn"),
        "deprecated" => (format!("{name} deprecated since {}", on(runtime.deprecation_date)), "bad"),
        "blocked" => (format!("{name} deprecated, updates blocked since {}", on(runtime.block_update_date)), "bad"),
        _ => match runtime.deprecation_date {
            Some(date) => (format!("{name} supported until {date}"), "ok"),
            None => (format!("{name} supported"), "ok"),
        },
    };
    (shown(&text), class)
}

/// Information that is not in the drawing.
fn aside(line: &LineFields, undated: u64) -> String {
    let mut parts = Vec::new();
    if undated > 0 {
        parts.push(format!("{} on releases of unknown date", counted(undated, "deployment")));
    }
    if line.releases_omitted > 0 {
        parts.push(format!("{} not shown", counted(line.releases_omitted, "release")));
    }
    if !line.releases_complete {
        parts.push("not all releases are known".to_owned());
    }
    parts.join("; ")
}

fn strokes(positions: impl Iterator<Item = f64>) -> String {
    let mut positions: Vec<_> = positions.collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup_by(|next, kept| *next - *kept < STROKES_APART);
    positions.into_iter().flat_map(|at| ["M".to_owned(), number(at), " 0v10".to_owned()]).collect()
}

/// Merges adjacent releases, newest first. The current release is never merged.
fn merged<'a>(dated: &[(f64, &'a LineRelease)], apart: f64) -> Vec<Vec<(f64, &'a LineRelease)>> {
    let mut groups: Vec<Vec<(f64, &LineRelease)>> = Vec::new();
    for (at, release) in dated {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|(first, newest)| !newest.current && first - at < apart) => {
                group.push((*at, release));
            }
            _ => groups.push(vec![(*at, release)]),
        }
    }
    groups
}

impl TimelineCircle {
    #[expect(clippy::cast_precision_loss, reason = "a radius needs no more than a few digits")]
    fn new(
        line: &LineFields,
        group: &[(f64, &LineRelease)],
        now: DateTime<Utc>,
        circles: CircleSizes,
        most: u64,
    ) -> Self {
        let count: u64 = group.iter().map(|(_, release)| release.deployments).sum();
        let at = group.iter().map(|(at, release)| at * release.deployments as f64).sum::<f64>() / count.max(1) as f64;
        let radius = circles.radius.0 + circles.radius.1 * (count as f64 / most.max(1) as f64).min(1.0).sqrt();
        let mut by_verdict = BTreeMap::new();
        for (verdict, count) in group.iter().flat_map(|(_, release)| &release.by_verdict) {
            *by_verdict.entry(*verdict).or_insert(0) += count;
        }
        let number_shown = grouped(count);
        let is_roomy = radius >= ROOMY.0 + ROOMY.1 * number_shown.len() as f64;
        Self {
            style: VerdictStyle::new(verdict_style::worst(&by_verdict)),
            at: number(at),
            radius: number(radius),
            text_y: number(if is_roomy { 4.0 } else { -radius - 4.0 }),
            is_roomy,
            is_bound: group.iter().any(|(_, release)| is_bound(release)),
            count: number_shown,
            title: title(group, &by_verdict, now),
            link: link(line, group),
        }
    }
}

fn is_bound(release: &LineRelease) -> bool {
    release.published_source.is_some_and(PublishDateSource::is_bound)
}

fn title(group: &[(f64, &LineRelease)], by_verdict: &BTreeMap<Verdict, u64>, now: DateTime<Utc>) -> String {
    let verdicts = format::tally(by_verdict.iter().map(|(verdict, count)| (*verdict, *count)));
    let text = match group {
        [(_, release)] => {
            let held = if release.hold.is_some() { ", held" } else { "" };
            format!("{}, {}{held}: {verdicts}", name(release), age(release, now))
        }
        [(_, newest), .., (_, oldest)] => {
            let releases = counted(group.len() as u64, "release");
            format!("{releases}, from {} to {}: {verdicts}", name(oldest), name(newest))
        }
        [] => verdicts,
    };
    shown(&text)
}

fn name(release: &LineRelease) -> String {
    let digest = || release.digest.as_ref().map(format::short_digest);
    release.release.clone().or_else(digest).unwrap_or_else(|| "release of unknown name".to_owned())
}

#[expect(clippy::cast_possible_truncation, reason = "whole days of an age fit")]
fn age(release: &LineRelease, now: DateTime<Utc>) -> String {
    let days = age_days(release, now).map(|days| days.floor() as i64);
    format::age(days, release.published_source)
}

/// A link to the deployments on these releases, or on the line if a release has no dated tag to filter by.
fn link(line: &LineFields, group: &[(f64, &LineRelease)]) -> String {
    let releases: Option<BTreeSet<_>> = group.iter().map(|(_, release)| release.release.as_deref()).collect();
    let releases = releases.unwrap_or_default();
    let releases = releases.into_iter().map(|release| ("release", release));
    links::only_all([("line", line.reference.as_str())].into_iter().chain(releases))
}

/// A row of the table with the same data.
pub(super) struct TimelineRow {
    pub(super) line: String,
    pub(super) release: String,
    pub(super) link: Option<String>,
    pub(super) is_current: bool,
    /// The hold on the release.
    pub(super) held: Option<String>,
    pub(super) published: String,
    pub(super) age: String,
    pub(super) deployments: String,
    pub(super) verdicts: String,
}

/// The rows of `line`: the current release, releases in use and held releases.
pub(super) fn rows(line: &LineFields, now: DateTime<Utc>) -> impl Iterator<Item = TimelineRow> {
    let used =
        line.releases.iter().filter(|release| release.current || release.deployments > 0 || release.hold.is_some());
    used.map(move |release| TimelineRow {
        line: shown(format::short_name(&line.reference)),
        release: shown(&name(release)),
        link: (release.deployments > 0).then(|| link(line, &[(0.0, release)])),
        is_current: release.current,
        held: release.hold.as_ref().map(|hold| shown(&format!("held until {}: {}", hold.until, hold.reason))),
        published: release.published_at.map_or_else(|| format::NOTHING.to_owned(), format::instant),
        age: age(release, now),
        deployments: grouped(release.deployments),
        verdicts: format::tally(release.by_verdict.iter().map(|(verdict, count)| (*verdict, *count))),
    })
}
