//! The last report, serialized once for all requests.

use axum::body::Bytes;
use chrono::{DateTime, Days, Utc};
use flate2::{Compression, write::GzEncoder};

use crate::{
    report::{Report, json},
    store::HistoryDay,
};

/// The last report and the history.
pub struct ReportSnapshot {
    /// The report.
    pub report: Report,
    /// The days of the history, oldest first.
    pub history: Vec<HistoryDay>,
    /// The report as JSON, compressed with gzip.
    pub(super) gzip: Bytes,
}

impl ReportSnapshot {
    /// Serializes and compresses `report`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "writing to memory cannot fail")]
    pub fn new(report: Report, history: Vec<HistoryDay>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let written = json::write(&report, &mut encoder).and_then(|()| encoder.finish());
        let gzip = written.expect("writing to memory cannot fail").into();
        Self { report, history, gzip }
    }

    /// The last `days` days of the history as of `now`.
    #[must_use]
    pub fn last_days(&self, days: usize, now: DateTime<Utc>) -> &[HistoryDay] {
        let since = now.date_naive() - Days::new(days as u64);
        let first = self.history.partition_point(|day| day.date <= since);
        &self.history[first..]
    }
}
