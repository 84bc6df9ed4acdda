//! Errors and notes of a report.

use askama::{Template, filters::HtmlSafe};

use super::verdict_style::{self, counted, shown};
use crate::report::Report;

/// Maximum number of errors and notes.
const MOST: usize = 200;

/// Errors and notes.
#[derive(Template)]
#[template(path = "problems.html")]
pub(super) struct ErrorsAndNotes {
    errors: Vec<ProblemEntry>,
    errors_title: String,
    more: String,
    notes: Vec<ProblemEntry>,
}

impl HtmlSafe for ErrorsAndNotes {}

struct ProblemEntry {
    scope: String,
    code: String,
    message: String,
}

impl ErrorsAndNotes {
    pub(super) fn new(report: &Report) -> Self {
        let entry = |scope: &str, code: &str, message: &str| ProblemEntry {
            scope: shown(scope),
            code: shown(code),
            message: shown(message),
        };
        let count = report.errors.len();
        Self {
            errors: report.errors.iter().take(MOST).map(|one| entry(&one.scope, &one.code, &one.message)).collect(),
            errors_title: format!("{}: parts of the inventory could not be audited", counted(count as u64, "error")),
            more: match count.saturating_sub(MOST) {
                0 => String::new(),
                more => format!("And {}; see the JSON report.", verdict_style::more(more, "error")),
            },
            notes: report.other_notes().take(MOST).map(|note| entry("", &note.code, &note.message)).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty() && self.notes.is_empty()
    }
}
