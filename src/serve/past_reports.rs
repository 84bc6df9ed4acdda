//! The outlines of the last reports in memory, for what changed and for the history of a deployment.

use std::{
    collections::{BTreeMap, BTreeSet},
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

    /// Reads the missing outlines of the last report of each day in `history`. Reports that cannot be read are skipped.
    pub(super) async fn load(&self, store: &dyn Store, history: &[HistoryDay]) {
        let days: Vec<_> = history.iter().map(|day| (day.date, day.deployments)).collect();
        let wanted = wanted(&days);
        for day in history.iter().rev().filter(|day| wanted.contains(&day.date)) {
            if self.lock().by_date.contains_key(&day.date) {
                continue;
            }
            match report_outline(store, day).await {
                Ok(Some(outline)) => self.insert(outline, false),
                Ok(None) => {}
                Err(error) => tracing::warn!("cannot read the report of {}: {error}", day.date),
            }
        }
        self.lock().is_loaded = true;
    }

    /// Adds the outline of a new report, whose day is in `history`, and reads those that it makes necessary: of a large
    /// fleet, the report of last week is another one each day.
    pub(super) async fn add(&self, outline: ReportOutline, store: &dyn Store, history: &[HistoryDay]) {
        self.insert(outline, true);
        if self.lock().is_loaded {
            self.load(store, history).await;
        }
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
        let days: Vec<_> = state.by_date.iter().map(|(date, outline)| (*date, outline.findings.len() as u64)).collect();
        let wanted = wanted(&days);
        state.by_date.retain(|date, _| wanted.contains(date));
    }
}

/// Which of `days`, oldest first and with their numbers of findings, have outlines that are kept.
fn wanted(days: &[(NaiveDate, u64)]) -> BTreeSet<NaiveDate> {
    let Some((newest, _)) = days.last().copied() else { return BTreeSet::new() };
    let since = |days| newest.checked_sub_days(Days::new(days)).unwrap_or(newest);
    let needed = days.iter().rev().map(|(date, _)| *date).find(|date| *date <= since(NEEDED_DAYS));
    let mut sum = 0;
    let kept = days.iter().rev().filter_map(|(date, findings)| {
        sum += findings;
        let is_wanted = *date >= since(DAYS) && (sum <= MOST_FINDINGS || Some(*date) == needed);
        is_wanted.then_some(*date)
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dates(days: &[(NaiveDate, u64)]) -> Vec<String> {
        wanted(days).into_iter().rev().map(|date| date.to_string()).collect()
    }

    #[test]
    fn a_large_fleet_keeps_few_days_and_the_one_of_last_week() {
        let days = |deployments| {
            let days = ["2026-10-01", "2026-11-12", "2026-11-13", "2026-11-14", "2026-11-19", "2026-11-20"];
            days.map(|date| (date.parse().unwrap(), deployments))
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
        past.insert(outline("02", "2026-11-20T09:00:00Z"), true);
        assert!(past.outlines().is_none(), "not yet read");
        past.insert(outline("01", "2026-11-20T06:00:00Z"), false);
        past.insert(outline("00", "2026-11-19T06:00:00Z"), false);
        past.lock().is_loaded = true;
        let ids: Vec<_> = past.outlines().unwrap().iter().map(|outline| outline.run_id.clone()).collect();
        assert_eq!(ids, ["00", "02"]);
    }
}
