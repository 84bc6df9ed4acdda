//! Concurrent runs: documents stay consistent in both kinds of store.

use std::{collections::BTreeMap, sync::Arc};

use basewatch::store::{HistoryDay, LATEST, Retention, Store, history, record};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;

use crate::store::contract::Shared;

const RUNS: u32 = 20;

fn run_id(run: u32) -> String {
    format!("01J{run:023}")
}

async fn run(store: Arc<dyn Store>, run: u32) {
    let at: DateTime<Utc> = "2026-11-21T06:00:00Z".parse().unwrap();
    let day = HistoryDay {
        date: at.date_naive(),
        at: at + TimeDelta::seconds(run.into()),
        run_id: run_id(run),
        complete: true,
        deployments: u64::from(run),
        by_verdict: BTreeMap::new(),
        by_severity: BTreeMap::new(),
        by_owner: BTreeMap::new(),
        other_owners: 0,
        age_days: None,
        alerts_sent: 1,
        runs: 0,
    };
    let report = format!("{{\"schema\":\"basewatch.report/v1\",\"run_id\":\"{}\"}}", run_id(run));
    record(&*store, report.as_bytes(), day, at, Retention::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_runs_store_the_last_as_latest_and_all_are_counted() {
    for shared in Shared::both() {
        let runs = (0..RUNS).map(|nth| tokio::spawn(run(shared.store(), nth)));
        join_all(runs).await.into_iter().for_each(|ended| ended.unwrap());
        let store = shared.store();
        let days = history(&*store).await.unwrap();
        assert_eq!(days.len(), 1, "{store:?}");
        assert_eq!((days[0].runs, days[0].alerts_sent), (RUNS.into(), RUNS.into()), "{store:?}");
        assert_eq!((days[0].run_id.clone(), days[0].deployments), (run_id(RUNS - 1), u64::from(RUNS - 1)));
        let latest = String::from_utf8(store.read(LATEST).await.unwrap().unwrap().bytes).unwrap();
        assert!(latest.contains(&run_id(RUNS - 1)), "{store:?}: {latest}");
        assert_eq!(store.list("reports/2026/11/21/").await.unwrap().len(), RUNS as usize);
    }
}
