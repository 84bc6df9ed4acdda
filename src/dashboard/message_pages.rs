//! Pages without a report: before the first run, and for invalid queries.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

use super::{ServerActivity, frame, status::DisplayTime, verdict_style::shown};
use crate::report::query::{PARAMETERS, QueryError};

/// The page before the end of the first run, with the status of `serve`.
#[must_use]
pub fn waiting(served: ServerActivity<'_>, now: DateTime<Utc>, next_run_at: Option<DateTime<Utc>>) -> String {
    let page = WaitingPage {
        running: served.running_since.map(|at| DisplayTime::new(at, now)),
        failed: served.failed_run.map(|run| (DisplayTime::new(run.at, now), shown(run.message))),
        next: next_run_at.map(|at| DisplayTime::new(at, now)),
    };
    frame::page(false, "No run yet", Vec::new(), page)
}

/// The page for an invalid query, with the valid parameters.
#[must_use]
pub fn bad_request(error: &QueryError) -> String {
    let page = BadRequestPage { why: shown(&error.to_string()), parameters: &PARAMETERS };
    frame::page(false, "Invalid query", Vec::new(), page)
}

#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "minimize",
    source = r##"
<section class="card lonely">
<h1>No run yet</h1>
{% if let Some(running) = running %}
<p>The first run has been in progress since <time datetime="{{ running.iso }}">{{ running.text }}</time>. Reload this page when it has finished.</p>
{% else if let Some(next) = next %}
<p>The first run starts at <time datetime="{{ next.iso }}">{{ next.text }}</time>{% if !next.distance.is_empty() %}, {{ next.distance }}{% endif %}.</p>
{% else %}
<p>No run is planned. Request one with <code>POST /api/v1/audit</code>.</p>
{% endif %}
{% if let Some((failed, why)) = failed %}
<p class="fact bad"><span aria-hidden="true">✕</span> The run of <time datetime="{{ failed.iso }}">{{ failed.text }}</time> failed: {{ why }}</p>
{% endif %}
</section>
"##
)]
struct WaitingPage {
    running: Option<DisplayTime>,
    failed: Option<(DisplayTime, String)>,
    next: Option<DisplayTime>,
}

impl HtmlSafe for WaitingPage {}

#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "minimize",
    source = r##"
<section class="card lonely">
<h1>Invalid query</h1>
<p>{{ why }}.</p>
<p><a href="/">All findings</a></p>
<h2>Valid parameters</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Parameters">
<table class="plain"><thead><tr><th scope="col">Parameter</th><th scope="col">Description</th></tr></thead><tbody>
{% for (name, what) in parameters %}
<tr><th scope="row"><code>{{ name }}</code></th><td>{{ what }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
"##
)]
struct BadRequestPage<'a> {
    why: String,
    parameters: &'a [(&'a str, &'a str)],
}

impl HtmlSafe for BadRequestPage<'_> {}
