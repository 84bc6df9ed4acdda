//! The outlines of the last reports in memory, for what changed and for the history of a deployment.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{Days, NaiveDate};

use crate::{
    app::report_outline,
    report::ReportOutline,
    store::{HistoryDay, SharedTexts, Store},
};

/// The number of days of which outlines are kept.
const DAYS: u64 = 31;
/// Findings in all outlines after which earlier ones are not kept, unless [`NEEDED_DAYS`] needs them.
const MOST_FINDINGS: u64 = 200_000;
/// The age in days of the report that the last one is compared with.
const NEEDED_DAYS: u64 = 7;

/// The outlines of the last reports.
#[derive(Debug, Default)]
pub(super) struct PastReports(Mutex<PastState>);

#[derive(Debug, Default)]
struct PastState {
    /// The last report of each day.
    by_date: BTreeMap<NaiveDate, Arc<ReportOutline>>,
    is_loaded: bool,
}

impl PastReports {
    fn lock(&self) -> MutexGuard<'_, PastState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outlines, oldest first; `None` while they are being read.
    pub(super) fn outlines(&self) -> Option<Vec<Arc<ReportOutline>>> {
        let state = self.lock();
        state.is_loaded.then(|| state.by_date.values().map(Arc::clone).collect())
    }

    /// Reads the outlines of the last report of each day in `history`. Reports that cannot be read are skipped.
    pub(super) async fn load(&self, store: &dyn Store, history: &[HistoryDay]) {
        for day in wanted(history) {
            match report_outline(store, day).await {
                Ok(Some(outline)) => self.insert(outline, false),
                Ok(None) => {}
                Err(error) => tracing::warn!("cannot read the report of {}: {error}", day.date),
            }
        }
        self.lock().is_loaded = true;
    }

    /// Adds the outline of a new report.
    pub(super) fn add(&self, outline: ReportOutline) {
        self.insert(outline, true);
    }

    fn insert(&self, mut outline: ReportOutline, is_new: bool) {
        let mut state = self.lock();
        let date = outline.generated_at.date_naive();
        if !is_new && state.by_date.contains_key(&date) {
            return;
        }
        let mut texts = SharedTexts::default();
        if let Some(known) = state.by_date.values().next_back() {
            // Sharing does not change equal texts.
            ReportOutline::clone(known).share(|text| texts.share(text));
        }
        outline.share(|text| texts.share(text));
        state.by_date.insert(date, Arc::new(outline));
        let newest = state.by_date.last_key_value().map(|(date, _)| *date);
        let oldest = newest.and_then(|date| date.checked_sub_days(Days::new(DAYS))).unwrap_or(date);
        state.by_date = state.by_date.split_off(&oldest);
    }
}

/// The days of which outlines are kept, latest first.
fn wanted(history: &[HistoryDay]) -> Vec<&HistoryDay> {
    let Some(newest) = history.last().map(|day| day.date) else { return Vec::new() };
    let since = |days| newest.checked_sub_days(Days::new(days)).unwrap_or(newest);
    let needed = history.iter().rev().find(|day| day.date <= since(NEEDED_DAYS)).map(|day| day.date);
    let mut findings = 0;
    let is_wanted = |day: &&HistoryDay| {
        findings += day.deployments;
        day.date >= since(DAYS) && (findings <= MOST_FINDINGS || Some(day.date) == needed)
    };
    history.iter().rev().filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn day(date: &str, deployments: u64) -> HistoryDay {
        let day = json!({
            "date": date, "at": format!("{date}T06:00:00Z"), "run_id": date, "complete": true,
            "deployments": deployments, "by_verdict": {}, "by_severity": {},
        });
        serde_json::from_value(day).unwrap()
    }

    fn dates(history: &[HistoryDay]) -> Vec<String> {
        wanted(history).into_iter().map(|day| day.date.to_string()).collect()
    }

    #[test]
    fn a_large_fleet_keeps_few_days_and_the_one_of_last_week() {
        let days = |deployments| {
            let days = ["2026-10-01", "2026-11-12", "2026-11-13", "2026-11-14", "2026-11-19", "2026-11-20"];
            days.map(|date| day(date, deployments))
        };
        assert_eq!(dates(&days(10)), ["2026-11-20", "2026-11-19", "2026-11-14", "2026-11-13", "2026-11-12"]);
        assert_eq!(dates(&days(90_000)), ["2026-11-20", "2026-11-19", "2026-11-13"]);
        assert_eq!(dates(&[]), [""; 0]);
    }

    #[test]
    fn the_last_report_of_a_day_counts_also_while_others_are_read() {
        let outline = |run_id: &str, at: &str| -> ReportOutline {
            serde_json::from_value(json!({ "run_id": run_id, "generated_at": at, "complete": true, "findings": [] }))
                .unwrap()
        };
        let past = PastReports::default();
        past.add(outline("02", "2026-11-20T09:00:00Z"));
        assert!(past.outlines().is_none(), "not yet read");
        past.insert(outline("01", "2026-11-20T06:00:00Z"), false);
        past.insert(outline("00", "2026-11-19T06:00:00Z"), false);
        past.lock().is_loaded = true;
        let ids: Vec<_> = past.outlines().unwrap().iter().map(|outline| outline.run_id.clone()).collect();
        assert_eq!(ids, ["00", "02"]);
    }
}
