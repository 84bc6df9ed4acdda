//! The report in the store: one object, or one that lists its findings in parts if there are many.

use chrono::{DateTime, Utc};

use crate::{
    report::{Report, ReportOutline, SCHEMA, json},
    store::{self, Error, HistoryDay, Retention, Store},
};

/// Stores `report` and its figures in the history, and removes what is older than `retention` as of `now`.
pub(crate) async fn record_report(
    store: &dyn Store,
    report: &Report,
    day: HistoryDay,
    now: DateTime<Utc>,
    retention: Retention,
) -> store::Result<()> {
    let unwritable =
        |error: std::io::Error| Error::Unreadable { location: store::LATEST.to_owned(), why: error.to_string() };
    let whole = store::whole_report(store, |mut left| json::write(report, &mut left)).map_err(unwritable)?;
    let json = if let Some(json) = whole {
        json
    } else {
        let folder = store::parts_folder(report.generated_at, &report.run_id);
        let findings = report.findings.iter().map(|finding| json::compact(finding).into_bytes());
        let parts = store::write_parts(store, &folder, findings, &[]).await?;
        json::render(&Report { parts, ..report.without_findings() }).into_bytes()
    };
    store::record(store, &json, day, now, retention).await
}

/// The latest report with all its findings; `None` before the first run.
///
/// # Errors
///
/// Those of the store, and when the report has another format.
pub(crate) async fn latest_report(store: &dyn Store) -> store::Result<Option<Report>> {
    report_named(store, store::LATEST).await
}

/// The report `name` with all its findings; `None` if there is none.
///
/// # Errors
///
/// As [`latest_report`].
pub(crate) async fn report_named(store: &dyn Store, name: &str) -> store::Result<Option<Report>> {
    let add = |report: &mut Report, json: &[u8]| {
        report.findings.push(serde_json::from_slice(json)?);
        Ok(())
    };
    let report = store::report_named(store, name, SCHEMA, add).await?;
    Ok(report.map(|report| Report { parts: Vec::new(), ..report }))
}

/// The outline of the last report of `day`; `None` if it is not kept.
///
/// # Errors
///
/// Those of [`latest_report`].
pub(crate) async fn report_outline(store: &dyn Store, day: &HistoryDay) -> store::Result<Option<ReportOutline>> {
    store::report_named(store, &store::dated_name(day.at, &day.run_id), SCHEMA, ReportOutline::add_finding).await
}
