//! Stored reports: the latest, the dated ones, and the history with one entry per day. Reads only schema and run id of a
//! report.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::{StreamExt as _, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Error, Result, Retention, Store, StoredDocument, StoredObject, VersionedDocument, WriteCondition, document, load,
    parts,
};

/// Name of the latest report.
pub const LATEST: &str = "reports/latest.json";
/// Prefix of dated reports.
const REPORTS: &str = "reports/";
/// Maximum number of dated reports that one run removes.
const MOST_REMOVED: usize = 500;
/// Number of concurrent removals.
const REMOVED_AT_ONCE: usize = 8;
/// Maximum attempts of a write with conflicts.
const ATTEMPTS: u32 = 50;
/// Maximum number of owners per day, the largest ones.
const MOST_OWNERS: usize = 100;

/// One day of the history: the figures of its last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryDay {
    /// The day, in UTC.
    pub date: NaiveDate,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
    /// The id of the run. Ids sort by start time.
    pub run_id: String,
    /// Whether it was complete.
    pub complete: bool,
    /// Number of deployments.
    pub deployments: u64,
    /// Number of deployments by verdict.
    pub by_verdict: BTreeMap<String, u64>,
    /// Number of deployments by severity.
    pub by_severity: BTreeMap<String, u64>,
    /// Number of deployments that are not fresh by owner, for the 100 owners with the most; `""`: without an owner.
    #[serde(default)]
    pub by_owner: BTreeMap<String, u64>,
    /// Number of those of all other owners.
    #[serde(default)]
    pub other_owners: u64,
    /// Ages of the bases in use; absent if none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<BaseAges>,
    /// Number of alerts sent by all runs of that day.
    #[serde(default)]
    pub alerts_sent: u64,
    /// Number of runs of that day.
    #[serde(default)]
    pub runs: u64,
}

/// Ages in whole days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseAges {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// Maximum.
    pub max: u64,
}

/// The history: one entry per day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportHistory {
    /// The days, oldest first.
    pub days: Vec<HistoryDay>,
    /// No dated report is known to be older than this day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned_before: Option<NaiveDate>,
}

impl StoredDocument for ReportHistory {
    const SCHEMA: &'static str = "basewatch.history/v1";
    const NAME: &'static str = "history.json";
}

impl ReportHistory {
    /// Adds the figures of a run. Of several runs of a day, the one that started last counts.
    fn add(&mut self, mut day: HistoryDay) {
        largest_owners(&mut day);
        let Some(known) = self.days.iter_mut().find(|known| known.date == day.date) else {
            day.runs = 1;
            self.days.push(day);
            return self.days.sort_by_key(|day| day.date);
        };
        // The same run again, after a write with unknown outcome, counts once.
        let is_other = known.run_id != day.run_id;
        let alerts_sent = if is_other { known.alerts_sent + day.alerts_sent } else { known.alerts_sent };
        let runs = known.runs + u64::from(is_other);
        if day.run_id >= known.run_id {
            *known = day;
        }
        (known.alerts_sent, known.runs) = (alerts_sent, runs);
    }
}

fn largest_owners(day: &mut HistoryDay) {
    let mut owners: Vec<_> = std::mem::take(&mut day.by_owner).into_iter().collect();
    owners.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    day.other_owners += owners.iter().skip(MOST_OWNERS).map(|(_, count)| count).sum::<u64>();
    day.by_owner = owners.into_iter().take(MOST_OWNERS).collect();
}

/// Name of the dated report of a run: `reports/2026/11/21/20261121T060000Z-01J….json`.
#[must_use]
pub fn dated_name(at: DateTime<Utc>, run_id: &str) -> String {
    format!("{}.json", parts_folder(at, run_id))
}

/// Folder of the parts of that report.
#[must_use]
pub fn parts_folder(at: DateTime<Utc>, run_id: &str) -> String {
    format!("{REPORTS}{}-{run_id}", at.format("%Y/%m/%d/%Y%m%dT%H%M%SZ"))
}

/// The day of a dated report.
fn date_of(name: &str) -> Option<NaiveDate> {
    let date = name.strip_prefix(REPORTS)?.get(.."2026/11/21".len())?;
    NaiveDate::parse_from_str(date, "%Y/%m/%d").ok()
}

/// Stores the report of a run and its day in the history, and removes what is older than `retention` as of `now`. If the
/// report has parts, it lists them as `parts`, and they are in [`parts_folder`] already.
///
/// `now` is the real time, not that of `--as-of`, because it decides what is removed. May be repeated by the same run and
/// called by several runs at once.
///
/// # Errors
///
/// Those of the store. A failure to remove old reports is only logged.
pub async fn record(
    store: &dyn Store,
    report_json: &[u8],
    day: HistoryDay,
    now: DateTime<Utc>,
    retention: Retention,
) -> Result<()> {
    let dated = dated_name(day.at, &day.run_id);
    store.write(&dated, report_json.to_vec(), WriteCondition::Always).await?;
    keep_latest(store, report_json, &day.run_id).await?;
    let first_day = since(now, retention.history);
    let history = change(store, |history| {
        history.add(day.clone());
        history.days.retain(|day| day.date >= first_day);
    })
    .await?;
    if let Err(error) = prune(store, &history.document, since(now, retention.reports)).await {
        tracing::warn!("cannot remove old reports: {error}");
    }
    Ok(())
}

/// Adds `count` to the sent alerts of `date` in the history, if it has that day.
///
/// # Errors
///
/// Those of the store.
pub async fn add_alerts(store: &dyn Store, date: NaiveDate, count: u64) -> Result<()> {
    let add = |history: &mut ReportHistory| {
        if let Some(day) = history.days.iter_mut().find(|day| day.date == date) {
            day.alerts_sent += count;
        }
    };
    change(store, add).await.map(drop)
}

/// The first day that is kept.
fn since(now: DateTime<Utc>, kept_for: std::time::Duration) -> NaiveDate {
    let kept_for = TimeDelta::from_std(kept_for).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(kept_for).unwrap_or(DateTime::<Utc>::MIN_UTC).date_naive()
}

/// Applies `change` to the history. Repeats it after a conflicting write.
async fn change(store: &dyn Store, change: impl Fn(&mut ReportHistory)) -> Result<VersionedDocument<ReportHistory>> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut history = load::<ReportHistory>(store).await?;
        let before = history.document.clone();
        change(&mut history.document);
        if history.document == before {
            return Ok(history);
        }
        match history.save(store).await {
            Err(Error::Conflict { .. }) if attempt < ATTEMPTS => pause().await,
            Err(error) => return Err(error),
            Ok(()) => return Ok(history),
        }
    }
}

/// A random wait, so that conflicting writers do not retry at the same time.
async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(5..100))).await;
}

#[derive(Deserialize)]
struct ReportHeader {
    schema: String,
    run_id: String,
}

/// The version number of a format: 1 for `basewatch.report/v1`.
fn generation(schema: &str) -> u32 {
    schema.rsplit_once("/v").and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

/// Stores a report as the latest, unless a later run has stored its own.
async fn keep_latest(store: &dyn Store, report_json: &[u8], run_id: &str) -> Result<()> {
    let own = serde_json::from_slice::<ReportHeader>(report_json).map(|own| own.schema).unwrap_or_default();
    let mut attempt = 0;
    loop {
        attempt += 1;
        let only_if = match store.read(LATEST).await {
            Err(error @ Error::TooLarge { .. }) => {
                tracing::warn!("replacing the latest report: {error}");
                WriteCondition::Always
            }
            Err(error) => return Err(error),
            Ok(None) => WriteCondition::Absent,
            Ok(Some(StoredObject { bytes, version })) => {
                match serde_json::from_slice::<ReportHeader>(&bytes) {
                    Ok(head) if generation(&head.schema) > generation(&own) => {
                        let location = format!("{}/{LATEST}", store.location());
                        return Err(Error::Newer { location, found: head.schema, known: own });
                    }
                    Ok(head) if *head.run_id > *run_id => return Ok(()),
                    Ok(_) => {}
                    // Nothing is lost: it is a copy of a dated report.
                    Err(error) => tracing::warn!("replacing the unreadable {}/{LATEST}: {error}", store.location()),
                }
                WriteCondition::Unchanged(version)
            }
        };
        match store.write(LATEST, report_json.to_vec(), only_if).await {
            Err(Error::Conflict { .. }) if attempt < ATTEMPTS => pause().await,
            written => return written.map(drop),
        }
    }
}

/// Removes the dated reports before `first_day`. Lists them once a day: the history records the day up to which they were
/// removed.
async fn prune(store: &dyn Store, history: &ReportHistory, first_day: NaiveDate) -> Result<()> {
    if history.pruned_before.is_some_and(|day| day >= first_day) {
        return Ok(());
    }
    // The latest report may be dated before `first_day`, if it was made `--as-of` then.
    let latest = store.read(LATEST).await?.map(|stored| parts::listed(&stored.bytes)).unwrap_or_default();
    let mut old = store.list(REPORTS).await?;
    old.retain(|name| date_of(name).is_some_and(|day| day < first_day) && !latest.contains(name));
    let is_all = old.len() <= MOST_REMOVED;
    old.truncate(MOST_REMOVED);
    let removals = old.into_iter().map(|name| async move { store.remove(&name).await });
    let mut removals = stream::iter(removals).buffer_unordered(REMOVED_AT_ONCE);
    while let Some(removed) = removals.next().await {
        removed?;
    }
    if is_all {
        change(store, |history| history.pruned_before = history.pruned_before.max(Some(first_day))).await?;
    }
    Ok(())
}

/// The report `name` of the format `schema`, with the findings of its parts added by `add`; `None` if there is none.
///
/// # Errors
///
/// Those of the store, [`Error::Newer`] and [`Error::Unreadable`] if it does not have that format.
pub async fn report_named<T: DeserializeOwned + Send>(
    store: &dyn Store,
    name: &str,
    schema: &str,
    add: impl FnMut(&mut T, &[u8]) -> serde_json::Result<()> + Send,
) -> Result<Option<T>> {
    let location = format!("{}/{name}", store.location());
    let read = parts::read(store, name, |bytes| document::parse(bytes, schema, &location), add).await?;
    Ok(read.map(|read| read.document))
}

/// The days of the history, oldest first.
pub async fn history(store: &dyn Store) -> Result<Vec<HistoryDay>> {
    Ok(load::<ReportHistory>(store).await?.document.days)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::FolderStore;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(at: DateTime<Utc>, run_id: &str, deployments: u64) -> HistoryDay {
        HistoryDay {
            date: at.date_naive(),
            at,
            run_id: run_id.to_owned(),
            complete: true,
            deployments,
            by_verdict: BTreeMap::from([("stale".to_owned(), deployments)]),
            by_severity: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            other_owners: 0,
            age_days: Some(BaseAges { p50: 31, p90: 88, max: 88 }),
            alerts_sent: 2,
            runs: 0,
        }
    }

    fn report(run_id: &str) -> Vec<u8> {
        format!("{{\"schema\":\"basewatch.report/v1\",\"run_id\":\"{run_id}\"}}").into_bytes()
    }

    async fn recorded(store: &dyn Store, at: DateTime<Utc>, run_id: &str, deployments: u64) {
        record(store, &report(run_id), day(at, run_id, deployments), at, Retention::default()).await.unwrap();
    }

    async fn latest_json(store: &dyn Store) -> Option<Vec<u8>> {
        store.read(LATEST).await.unwrap().map(|stored| stored.bytes)
    }

    fn store() -> (tempfile::TempDir, FolderStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path().join("store"));
        (folder, store)
    }

    #[tokio::test]
    async fn a_run_is_kept_as_the_latest_by_its_date_and_in_the_history() {
        let (_folder, store) = store();
        assert_eq!(latest_json(&store).await, None);
        recorded(&store, at("2026-11-21T06:00:00Z"), "01A", 3).await;
        assert_eq!(latest_json(&store).await, Some(report("01A")));
        let names = store.list("").await.unwrap();
        assert_eq!(names, ["history.json", "reports/2026/11/21/20261121T060000Z-01A.json", "reports/latest.json"]);
        let days = history(&store).await.unwrap();
        assert_eq!(days, [HistoryDay { runs: 1, ..day(at("2026-11-21T06:00:00Z"), "01A", 3) }]);
    }

    #[tokio::test]
    async fn a_run_that_began_earlier_and_ends_later_takes_nothing_back() {
        let (_folder, store) = store();
        recorded(&store, at("2026-11-21T07:00:00Z"), "01B", 5).await;
        recorded(&store, at("2026-11-21T06:00:00Z"), "01A", 3).await;
        assert_eq!(latest_json(&store).await, Some(report("01B")));
        let days = history(&store).await.unwrap();
        assert_eq!(days.len(), 1);
        assert_eq!((days[0].deployments, days[0].runs, days[0].alerts_sent), (5, 2, 4));
        assert_eq!(store.list("reports/2026").await.unwrap().len(), 2, "both are kept by their dates");
    }

    #[tokio::test]
    async fn the_same_run_recorded_twice_is_one() {
        let (_folder, store) = store();
        for _ in 0..2 {
            recorded(&store, at("2026-11-21T07:00:00Z"), "01B", 5).await;
        }
        let days = history(&store).await.unwrap();
        assert_eq!((days[0].runs, days[0].alerts_sent), (1, 2));
    }

    #[tokio::test]
    async fn only_reports_older_than_the_retention_are_removed() {
        let (_folder, store) = store();
        let start = at("2026-01-01T06:00:00Z");
        for days in [0, 1, 60, 100] {
            recorded(&store, start + TimeDelta::days(days), &format!("01{days:03}"), 1).await;
        }
        store.write("reports/notes.json", b"mine".to_vec(), WriteCondition::Always).await.unwrap();
        recorded(&store, start + TimeDelta::days(150), "01150", 1).await;
        assert_eq!(
            store.list("reports/").await.unwrap(),
            [
                "reports/2026/03/02/20260302T060000Z-01060.json",
                "reports/2026/04/11/20260411T060000Z-01100.json",
                "reports/2026/05/31/20260531T060000Z-01150.json",
                "reports/latest.json",
                "reports/notes.json",
            ]
        );
        assert_eq!(history(&store).await.unwrap().len(), 5, "the history is kept for longer");
        recorded(&store, start + TimeDelta::days(401), "01401", 1).await;
        let dates: Vec<_> = history(&store).await.unwrap().iter().map(|day| day.run_id.clone()).collect();
        assert_eq!(dates, ["01001", "01060", "01100", "01150", "01401"]);
    }

    #[tokio::test]
    async fn parts_are_removed_with_their_report_unless_the_latest_report_lists_them() {
        let (_folder, store) = store();
        let now = at("2026-11-21T06:00:00Z");
        let in_parts = async |at: DateTime<Utc>, run_id: &str| {
            let findings = ["1", "2", "3"].map(|finding| finding.as_bytes().to_vec());
            let parts = parts::write_parts(&store, &parts_folder(at, run_id), findings.into_iter(), &[]).await.unwrap();
            let report = json!({ "schema": "basewatch.report/v1", "run_id": run_id, "parts": parts });
            record(&store, report.to_string().as_bytes(), day(at, run_id, 3), now, Retention::default()).await.unwrap();
        };
        in_parts(at("2026-01-01T06:00:00Z"), "01A").await;
        let latest = latest_findings(&store).await;
        assert_eq!(latest, [1, 2, 3], "made as of a day before the retention");
        in_parts(now, "01B").await;
        assert_eq!(latest_findings(&store).await, [1, 2, 3]);
        // Removes once a day.
        record(&store, &report("01C"), day(now, "01C", 0), now + TimeDelta::days(1), Retention::default())
            .await
            .unwrap();
        let folder = "reports/2026/11/21/20261121T060000Z-01";
        let mut names = store.list("reports/").await.unwrap();
        assert!(names.remove(1).starts_with(&format!("{folder}B/")), "{names:?}");
        let expected = [format!("{folder}B.json"), format!("{folder}C.json"), LATEST.to_owned()];
        assert_eq!(names, expected);
    }

    async fn latest_findings(store: &dyn Store) -> Vec<u32> {
        let add = |report: &mut Value, json: &[u8]| {
            let finding = serde_json::from_slice(json)?;
            report["findings"].as_array_mut().unwrap().push(finding);
            Ok(())
        };
        let parse = |bytes: &[u8]| {
            Ok(serde_json::from_slice::<Value>(bytes)
                .map(|mut report| {
                    report["findings"] = json!([]);
                    report
                })
                .unwrap())
        };
        let report = parts::read(store, LATEST, parse, add).await.unwrap().unwrap().document;
        serde_json::from_value(report["findings"].clone()).unwrap()
    }

    #[tokio::test]
    async fn a_history_of_another_format_is_left_as_it_is() {
        let (_folder, store) = store();
        let newer = br#"{"schema":"basewatch.history/v2","days":{}}"#.to_vec();
        store.write("history.json", newer.clone(), WriteCondition::Always).await.unwrap();
        let now = at("2026-11-21T06:00:00Z");
        let error = record(&store, &report("01A"), day(now, "01A", 1), now, Retention::default()).await.unwrap_err();
        assert!(matches!(error, Error::Newer { .. }), "{error}");
        assert_eq!(store.read("history.json").await.unwrap().unwrap().bytes, newer);
    }

    #[tokio::test]
    async fn a_garbled_latest_report_is_replaced() {
        let (_folder, store) = store();
        store.write(LATEST, b"{".to_vec(), WriteCondition::Always).await.unwrap();
        recorded(&store, at("2026-11-21T06:00:00Z"), "01A", 3).await;
        assert_eq!(latest_json(&store).await, Some(report("01A")));
    }

    #[tokio::test]
    async fn a_latest_report_of_a_newer_format_is_left_and_of_an_older_one_replaced() {
        let (_folder, store) = store();
        let newer = br#"{"schema":"basewatch.report/v2","run_id":"00"}"#.to_vec();
        store.write(LATEST, newer.clone(), WriteCondition::Always).await.unwrap();
        let error = keep_latest(&store, &report("01A"), "01A").await.unwrap_err();
        assert!(matches!(error, Error::Newer { .. }), "{error}");
        assert_eq!(latest_json(&store).await, Some(newer));
        let newest = br#"{"schema":"basewatch.report/v10","run_id":"01A"}"#;
        keep_latest(&store, newest, "01A").await.unwrap();
        assert_eq!(latest_json(&store).await, Some(newest.to_vec()));
    }

    #[test]
    fn many_owners_do_not_make_a_day_long() {
        let mut history = ReportHistory::default();
        let mut today = day(at("2026-11-21T06:00:00Z"), "01A", 1);
        today.by_owner = (0..150).map(|owner| (format!("team-{owner:03}"), owner)).collect();
        history.add(today);
        let kept = &history.days[0];
        assert_eq!((kept.by_owner.len(), kept.other_owners), (100, (0..50).sum()));
        assert!(kept.by_owner.contains_key("team-149") && !kept.by_owner.contains_key("team-049"));
    }
}
