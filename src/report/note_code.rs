//! The codes of a report's notes.

use std::fmt;

use super::Note;

/// What a [`Note`] is about, in the order of the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteCode {
    /// The releases of a base repository in ECR could not all be read.
    BaseReleasesUnread,
    /// An exemption has expired.
    ExemptionExpired,
    /// An exemption expires soon.
    ExemptionExpiring,
    /// An exemption matches no deployment.
    ExemptionUnused,
    /// A hold has ended.
    HoldExpired,
    /// A hold ends soon.
    HoldExpiring,
    /// A hold matches no release of a line in use.
    HoldUnused,
    /// Less than `policy.min_known` of the fleet could be judged.
    MostUnknown,
    /// A registry was read through a pull-through cache.
    PullThroughCache,
    /// A release catalog failed verification.
    ReleaseCatalogRefused,
    /// A release catalog could not be read.
    ReleaseCatalogUnavailable,
    /// The report does not hold all findings.
    ReportCut,
}

impl NoteCode {
    /// The code in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BaseReleasesUnread => "base-releases-unread",
            Self::ExemptionExpired => "exemption-expired",
            Self::ExemptionExpiring => "exemption-expiring",
            Self::ExemptionUnused => "exemption-unused",
            Self::HoldExpired => "hold-expired",
            Self::HoldExpiring => "hold-expiring",
            Self::HoldUnused => "hold-unused",
            Self::MostUnknown => "most-unknown",
            Self::PullThroughCache => "pull-through-cache",
            Self::ReleaseCatalogRefused => "release-catalog-refused",
            Self::ReleaseCatalogUnavailable => "release-catalog-unavailable",
            Self::ReportCut => "report-cut",
        }
    }
}

impl fmt::Display for NoteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Note {
    /// A note with `code`.
    #[must_use]
    pub fn new(code: NoteCode, message: String) -> Self {
        Self { code: code.to_string(), message }
    }

    /// Whether its code is `code`.
    #[must_use]
    pub fn has_code(&self, code: NoteCode) -> bool {
        self.code == code.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::ErrorCode, report::Report};

    #[test]
    fn the_schema_and_the_documentation_list_every_code() {
        let schema = serde_json::to_value(schemars::schema_for!(Report)).unwrap();
        let description = |of: &str| {
            schema.pointer(&format!("/$defs/{of}/properties/code/description")).unwrap().as_str().unwrap().to_owned()
        };
        let (notes, errors) = (description("Note"), description("ErrorEntry"));
        let page = include_str!("../../docs/verdicts.md");
        let all = [
            NoteCode::BaseReleasesUnread,
            NoteCode::ExemptionExpired,
            NoteCode::ExemptionExpiring,
            NoteCode::ExemptionUnused,
            NoteCode::HoldExpired,
            NoteCode::HoldExpiring,
            NoteCode::HoldUnused,
            NoteCode::MostUnknown,
            NoteCode::PullThroughCache,
            NoteCode::ReleaseCatalogRefused,
            NoteCode::ReleaseCatalogUnavailable,
            NoteCode::ReportCut,
        ];
        for code in all {
            assert!(notes.contains(&format!("`{code}`")), "{code}: {notes}");
            assert!(page.contains(&format!("| `{code}` |")), "{code} is not in docs/verdicts.md");
        }
        let all = [
            ErrorCode::AccessDenied,
            ErrorCode::Credentials,
            ErrorCode::Failed,
            ErrorCode::Incomplete,
            ErrorCode::Malformed,
            ErrorCode::NotFound,
            ErrorCode::Throttled,
            ErrorCode::Unreachable,
        ];
        for code in all {
            assert!(errors.contains(&format!("`{code}`")), "{code}: {errors}");
        }
    }
}
