//! The last report, serialized once for all requests.

use std::io::Write as _;

use axum::body::Bytes;
use chrono::{DateTime, Days, Utc};
use flate2::{Compression, write::GzEncoder};

use crate::{
    report::{Report, SCHEMA, json},
    store::HistoryDay,
};

/// The last report and the history.
pub struct ReportSnapshot {
    /// The report.
    pub report: Report,
    /// The days of the history, oldest first.
    pub history: Vec<HistoryDay>,
    /// The report as JSON.
    pub(super) json: Bytes,
    /// The JSON, compressed with gzip.
    pub(super) gzip: Bytes,
}

impl ReportSnapshot {
    /// Serializes and compresses `report`.
    #[must_use]
    pub fn new(report: Report, history: Vec<HistoryDay>) -> Self {
        let json = json::render(&report).into_bytes();
        Self { report, history, gzip: compressed(&json).into(), json: json.into() }
    }

    /// Parses a stored report.
    ///
    /// # Errors
    ///
    /// When it is not a report, or has an unknown schema version.
    pub fn read(json: Vec<u8>, history: Vec<HistoryDay>) -> Result<Self, String> {
        let report: Report = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        if report.schema != SCHEMA {
            return Err(format!("its schema is {:?}, not {SCHEMA}", report.schema));
        }
        Ok(Self { report, history, gzip: compressed(&json).into(), json: json.into() })
    }
}

impl ReportSnapshot {
    /// The last `days` days of the history as of `now`.
    #[must_use]
    pub fn last_days(&self, days: usize, now: DateTime<Utc>) -> &[HistoryDay] {
        let since = now.date_naive() - Days::new(days as u64);
        let first = self.history.partition_point(|day| day.date <= since);
        &self.history[first..]
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing to memory cannot fail")
}
