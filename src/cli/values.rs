//! Parsers of the command line and of single values.

use std::{ffi::OsString, path::PathBuf};

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Parser as _, error::ErrorKind};

use super::{Cli, ReportOutput};
use crate::{image::Reference, inventory::ImageSource};

/// Maximum length of the reason of a snooze, in characters.
const MAX_REASON_CHARS: usize = 500;

impl Cli {
    /// Parses the command line `arguments`, starting with the program name. In the Lambda runtime, the default command
    /// is `lambda`.
    ///
    /// # Errors
    ///
    /// When the arguments are invalid, or request help or the version.
    pub fn read(arguments: impl IntoIterator<Item = OsString>, is_in_lambda: bool) -> Result<Self, clap::Error> {
        let mut arguments: Vec<_> = arguments.into_iter().collect();
        Self::try_parse_from(&arguments).or_else(|error| {
            let has_none = matches!(
                error.kind(),
                ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            if !has_none || !is_in_lambda {
                return Err(error);
            }
            arguments.push("lambda".into());
            Self::try_parse_from(arguments)
        })
    }
}

/// Parses a time: RFC 3339, or a date for midnight UTC.
///
/// # Errors
///
/// A message with the expected format.
pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let midnight = text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    midnight
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc()))
        .ok()
        // Reports use RFC 3339, which does not support other years.
        .filter(|instant| (0..=9999).contains(&instant.year()))
        .ok_or_else(|| "write 2026-11-20 or 2026-11-20T06:00:00Z".to_owned())
}

/// Parses a number of days, weeks, months (30 days) or years (365 days), such as `2y`.
pub(super) fn span(text: &str) -> Result<TimeDelta, String> {
    let units = [("d", 1), ("w", 7), ("mo", 30), ("y", 365)];
    let days = units.into_iter().find_map(|(unit, days)| {
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.parse::<i64>().ok()?.checked_mul(days)).flatten()
    });
    days.filter(|days| *days <= 36_500)
        .map(TimeDelta::days)
        .ok_or_else(|| "write a number of days, weeks, months or years, as in 90d, 6mo or 2y".to_owned())
}

/// Parses the length of a snooze: a number of hours, or as [`span`]; not zero.
pub(super) fn snooze_length(text: &str) -> Result<TimeDelta, String> {
    let hours = text.strip_suffix('h').and_then(|hours| hours.parse::<u32>().ok());
    let length = hours.map(|hours| TimeDelta::hours(hours.into())).map_or_else(|| span(text), Ok);
    length
        .ok()
        .filter(|length| *length > TimeDelta::zero() && *length <= TimeDelta::days(36_500))
        .ok_or_else(|| "write a number of hours, days, weeks or months, as in 12h, 7d, 6w or 3mo".to_owned())
}

/// Parses the reason of a snooze, which everyone reads in one line.
pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=MAX_REASON_CHARS => Ok(text.to_owned()),
        count => Err(format!("it has {count} characters, and at most {MAX_REASON_CHARS} are stored")),
    }
}

/// Why one of `images` cannot be read, if it is a folder that is no OCI image layout.
#[must_use]
pub fn invalid_layout(images: &[ImageSource]) -> Option<String> {
    let mut folders = images.iter().filter_map(|source| match source {
        ImageSource::Layout { folder, .. } => Some(folder),
        ImageSource::Reference(_) | ImageSource::Unknown => None,
    });
    let problem = |folder: &PathBuf| {
        let why = match folder.is_dir() {
            false => format!("there is no folder {}", folder.display()),
            true if !folder.join("index.json").is_file() => format!("{} has no index.json", folder.display()),
            true => return None,
        };
        Some(format!(
            "{why}: an OCI image layout is a folder with index.json and blobs/, as `skopeo copy IMAGE oci:DIR` or \
             `buildah push IMAGE oci:DIR` writes it"
        ))
    };
    folders.find_map(problem)
}

/// Parses an output of a command whose formats are table and JSON.
///
/// # Errors
///
/// A message with the supported extensions.
pub(super) fn simple_output(text: &str) -> Result<ReportOutput, String> {
    let output = text.parse().ok();
    let is_simple = |output: &ReportOutput| match output {
        ReportOutput::Stdout => true,
        ReportOutput::File { format, .. } => format.simple().is_some(),
    };
    output.filter(is_simple).ok_or_else(|| "unknown file name extension: use .json, .txt or .table".to_owned())
}

/// Parses a reference to an image in a registry.
///
/// # Errors
///
/// A message with the expected format.
pub fn named_image(text: &str) -> Result<Reference, String> {
    match text.parse::<ImageSource>()? {
        ImageSource::Reference(reference) => Ok(reference),
        ImageSource::Layout { .. } | ImageSource::Unknown => {
            Err("a base must be in a registry, not in a folder".to_owned())
        }
    }
}
