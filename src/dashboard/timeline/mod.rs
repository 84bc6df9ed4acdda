//! The timeline: base lines in use with the deployments on each release, on a common time axis.

mod lane;
mod scale;

use std::cmp::Reverse;

use askama::{Template, filters::HtmlSafe};

use super::verdict_style::{self, number};
use crate::report::{LineFields, Report};
use lane::{TimelineLane, age_days};
use scale::TimeScale;

/// The number of lines shown initially.
const FIRST_LINES: usize = 12;
/// Maximum number of lines.
const MOST_LINES: usize = 200;

/// The timeline.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "minimize",
    source = r##"
{% if !lanes.is_empty() %}
<section class="card lines" id="lines" aria-labelledby="lines-title">
<div class="head"><h2 id="lines-title">Base lines</h2><p class="quiet">Deployments on the releases of each line. The size of a circle is the number of deployments on a release; a stroke is a release without deployments. The time axis is compressed towards the past.</p></div>
<div class="lanes">
<div class="lane axis" aria-hidden="true"><div class="about"></div><svg class="time" width="100%" height="34">
<rect class="too-old" x="0" y="0" width="{{ limit_at }}%" height="34"/>
{% for (at, name, is_minor) in ticks %}
<text class="tick{% if is_minor %} minor{% endif %}" x="{{ at }}%" y="22" text-anchor="middle">{{ name }}</text>
{% endfor %}
<text class="tick limit" x="{{ limit_at }}%" y="22" text-anchor="middle">limit {{ limit }} d</text>
<text class="tick" x="{{ today_at }}%" y="22" text-anchor="middle">today</text>
</svg></div>
{% for lane in lanes %}
{{ lane }}
{% endfor %}
</div>
{% if !more.is_empty() %}
<details class="more"><summary>{{ more_title }}</summary>
<div class="lanes">
{% for lane in more %}
{{ lane }}
{% endfor %}
</div></details>
{% endif %}
{% if !rest.is_empty() %}
<p class="quiet">{{ rest }}</p>
{% endif %}
<p class="legend quiet"><svg width="22" height="16" aria-hidden="true"><circle class="current-ring" cx="11" cy="8" r="6"/></svg> current release <svg width="22" height="16" aria-hidden="true"><line class="release" x1="11" x2="11" y1="3" y2="13"/></svg> release <svg width="22" height="16" aria-hidden="true"><circle class="bound" cx="11" cy="8" r="6"/></svg> published by that date <svg width="22" height="16" aria-hidden="true"><rect class="too-old" width="22" height="16"/></svg> older than {{ limit }} d</p>
<details class="as-table"><summary>Show as table</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Deployments by base line and release">
<table class="plain"><thead><tr><th scope="col">Line</th><th scope="col">Release</th><th scope="col">Published</th><th scope="col" class="num">Age</th><th scope="col" class="num">Deployments</th><th scope="col">Verdicts</th></tr></thead>
<tbody>
{% for row in rows %}
<tr><th scope="row">{{ row.line }}</th><td>{% if let Some(link) = row.link %}<a href="{{ link }}">{{ row.release }}</a>{% else %}{{ row.release }}{% endif %}{% if row.is_current %} (current){% endif %}{% if let Some(held) = row.held %} ({{ held }}){% endif %}</td><td>{{ row.published }}</td><td class="num">{{ row.age }}</td><td class="num">{{ row.deployments }}</td><td>{{ row.verdicts }}</td></tr>
{% endfor %}
</tbody></table></div></details>
</section>
{% endif %}
"##
)]
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
    pub(super) fn new(report: &Report) -> Self {
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
        let mut lanes: Vec<_> = drawn.iter().map(|line| TimelineLane::new(line, now, scale, limit, most)).collect();
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
