//! `store` and `[retention]`: where the ledger, reports and the catalog are stored, and for how long.

use std::{path::Path, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::DurationText};
use crate::store::{Retention, StoreLocation};

/// How long the store keeps reports.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetention {
    /// Reports of runs. The last report is always kept.
    #[schemars(extend("default" = "90d"))]
    reports: Option<DurationText>,
}

pub(super) fn location(raw: Option<&String>, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<StoreLocation> {
    let location = check.accept(at, raw?.parse::<StoreLocation>().map_err(|error| error.to_string()))?;
    Some(match location {
        StoreLocation::Folder(folder) => StoreLocation::Folder(check.folder(at, Path::new(&folder))),
        location @ StoreLocation::S3 { .. } => location,
    })
}

pub(super) fn retention(raw: &RawRetention, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Retention {
    let standard = Retention::default();
    let day = Duration::from_hours(24);
    let reports = check.duration(&at.key("reports"), raw.reports.as_ref(), day);
    Retention { reports: reports.unwrap_or(standard.reports), ..standard }
}
