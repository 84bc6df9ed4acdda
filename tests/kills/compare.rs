//! Comparison of the messages of a disturbed fortnight with those of an undisturbed one.
//!
//! A run that was killed before it recorded its messages is repeated 50 minutes later with another id. Only the ids and
//! instants of runs and the spans derived from them (`requested 47 h ago`) may differ. Every message and call has the
//! `dedup_key` of the undisturbed fortnight, and those with the same key are identical.

use std::collections::{BTreeMap, BTreeSet};

use basewatch::notify::{Ledger, self_monitor::SelfMonitor};
use serde_json::Value;

use crate::post::Arrival;

/// The path of the build service.
const BUILD: &str = "/build";

/// How a fortnight differs from the undisturbed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Messages and calls that never arrived.
    pub(crate) lost: Vec<String>,
    /// Messages that the undisturbed fortnight lacks or has in another order, and reused keys.
    pub(crate) strange: Vec<String>,
    /// Number of repeated messages.
    pub(crate) again: usize,
    /// Number of repeated rebuild calls.
    pub(crate) builds_again: usize,
}

impl Difference {
    pub(crate) fn between(expected: &[Arrival], got: &[Arrival]) -> Self {
        let mut difference = Self::default();
        let paths: BTreeSet<_> = expected.iter().chain(got).map(|arrival| arrival.path.as_str()).collect();
        for path in paths {
            difference.at(path, &taken(expected, path), &taken(got, path));
        }
        difference
    }

    fn at(&mut self, path: &str, expected: &[&Value], got: &[&Value]) {
        let expected: Vec<_> = expected.iter().map(|body| essence(body)).collect();
        let mut by_key: BTreeMap<&str, &Value> = BTreeMap::new();
        let mut first = Vec::new();
        for body in got {
            match by_key.insert(key(body), body) {
                None => first.push(essence(body)),
                Some(before) if before == *body => {}
                Some(before) => self.strange.push(format!("{path}: one key for {before} and {body}")),
            }
        }
        let again = got.len() - first.len();
        *(if path == BUILD { &mut self.builds_again } else { &mut self.again }) += again;
        let missing = |from: &[String], of: &[String]| {
            let mut left = from.to_vec();
            for one in of {
                if let Some(at) = left.iter().position(|other| other == one) {
                    left.remove(at);
                }
            }
            left.into_iter().map(|one| format!("{path}: {one}")).collect::<Vec<_>>()
        };
        let (lost, strange) = (missing(&expected, &first), missing(&first, &expected));
        if lost.is_empty() && strange.is_empty() && expected != first {
            self.strange.push(format!("{path}: another order: {first:#?}"));
        }
        self.lost.extend(lost);
        self.strange.extend(strange);
    }
}

fn taken<'a>(arrivals: &'a [Arrival], path: &str) -> Vec<&'a Value> {
    arrivals.iter().filter(|arrival| arrival.path == path && arrival.is_taken).map(|arrival| &arrival.body).collect()
}

/// The key of a message or call.
pub(crate) fn key(body: &Value) -> &str {
    body.get("dedup_key").or_else(|| body.get("id")).and_then(Value::as_str).unwrap_or_default()
}

/// A body without the parts that may differ. Instants are reduced to their day.
fn essence(body: &Value) -> String {
    let mut body = body.clone();
    let is_call = body.get("specversion").is_some();
    let whole = body.as_object_mut().unwrap();
    if is_call {
        whole["time"] = day(&whole["time"]);
        let data = whole["data"].as_object_mut().unwrap();
        data.remove("run_id");
        data["at"] = day(&data["at"]);
        return body.to_string();
    }
    // The location of the report differs for each fortnight.
    for name in ["run_id", "report"] {
        whole.remove(name);
    }
    whole["at"] = day(&whole["at"]);
    if let Some(watch) = whole.get_mut("watch") {
        // A run that is repeated counts twice.
        watch.as_object_mut().unwrap().remove("runs");
        for name in ["since", "first_notified_at", "last_good_at", "last_report_at"] {
            if let Some(at) = watch.get_mut(name) {
                *at = day(at);
            }
        }
        for error in watch["errors"].as_array_mut().unwrap() {
            error["since"] = day(&error["since"]);
        }
    }
    for item in whole["items"].as_array_mut().unwrap() {
        let item = item.as_object_mut().unwrap();
        if let Some(first) = item.get_mut("first_notified_at") {
            *first = day(first);
        }
        if let Some(rebuild) = item.get_mut("rebuild") {
            *rebuild = without_hours(rebuild.as_str().unwrap()).into();
        }
    }
    body.to_string()
}

fn day(instant: &Value) -> Value {
    instant.as_str().unwrap()[..10].into()
}

/// `text` without the numbers before ` h `.
fn without_hours(text: &str) -> String {
    let parts: Vec<_> = text.split(" h ").collect();
    let (last, before) = parts.split_last().unwrap();
    let bare = before.iter().map(|part| format!("{}some h ", part.trim_end_matches(|c: char| c.is_ascii_digit())));
    bare.chain([(*last).to_owned()]).collect()
}

/// The stored state without instants and ids: notifications by channel, open alerts, the outcome of rebuilds, and the
/// health of the runs.
pub(crate) fn essence_of(ledger: &Ledger, monitor: &SelfMonitor) -> Vec<String> {
    let mut lines = Vec::new();
    for (finding, alert) in &ledger.alerts {
        for (channel, history) in alert.deliveries.iter() {
            let (state, episode, count, severity) =
                (history.state().as_str(), history.episode, history.count, history.severity);
            lines.push(format!("{finding} {channel} {state} {episode} {count} {}", severity.as_str()));
        }
    }
    lines.extend(ledger.outbox.iter().map(|due| format!("due to {} {}", due.channel, due.message.dedup_key)));
    lines.extend(ledger.rebuilds.iter().map(|(key, rebuild)| {
        format!("{key} {} {:?} {}", rebuild.request.repository, rebuild.outcome, rebuild.sent_at.is_some())
    }));
    lines.extend(monitor.deliveries.iter().map(|(channel, known)| {
        let (state, count) = (known.history.state().as_str(), known.history.count);
        format!("self-monitoring {channel} {state} {} {count} {:?}", known.history.episode, known.worst)
    }));
    lines.extend(monitor.outbox.iter().map(|due| format!("due to {} {}", due.channel, due.message.dedup_key)));
    lines.extend(monitor.trouble.map(|trouble| format!("self-monitoring: {trouble:?}")));
    lines
}
