//! Pages without a report: before the first run, and for invalid queries.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

use super::{
    PageMode, ServerActivity,
    frame::{self, FrameOptions},
    status::DisplayTime,
    verdict_style::shown,
};
use crate::report::query::{PARAMETERS, QueryError};

/// The page before the end of the first run, with the status of `serve`.
#[must_use]
pub fn waiting(served: ServerActivity<'_>, now: DateTime<Utc>, next_run_at: Option<DateTime<Utc>>) -> String {
    let page = WaitingPage {
        running: served.running_since.map(|at| DisplayTime::new(at, now)),
        failed: served.failed_run.map(|run| (DisplayTime::new(run.at, now), shown(run.message))),
        next: next_run_at.map(|at| DisplayTime::new(at, now)),
    };
    frame::page(&FrameOptions::of_page("No run yet", PageMode::Served(served)), page)
}

/// The page for an invalid query, with the valid parameters.
#[must_use]
pub fn bad_request(error: &QueryError) -> String {
    let page = BadRequestPage { why: shown(&error.to_string()), parameters: &PARAMETERS };
    frame::page(&FrameOptions::of_page("Invalid query", PageMode::Served(ServerActivity::default())), page)
}

/// A page with one message, such as that something does not exist.
#[must_use]
pub fn message_page(served: ServerActivity<'_>, title: &str, text: &str) -> String {
    let title = shown(title);
    let page = MessagePage { title: title.clone(), text: shown(text) };
    frame::page(&FrameOptions::of_page(&title, PageMode::Served(served)), page)
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct WaitingPage {
    running: Option<DisplayTime>,
    failed: Option<(DisplayTime, String)>,
    next: Option<DisplayTime>,
}

impl HtmlSafe for WaitingPage {}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    title: String,
    text: String,
}

impl HtmlSafe for MessagePage {}

#[derive(Template)]
#[template(path = "bad_request.html")]
struct BadRequestPage<'a> {
    why: String,
    parameters: &'a [(&'a str, &'a str)],
}

impl HtmlSafe for BadRequestPage<'_> {}
