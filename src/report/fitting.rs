//! Truncation of reports to the size limit of a response of Lambda.

use serde::Serialize;

use super::{Note, NoteCode, Report, json};

/// Maximum number of errors in a report that is too large even without findings.
const MOST_ERRORS: usize = 100;

impl Report {
    /// Renders compact JSON of at most `most_bytes`, with only the worst findings if necessary.
    ///
    /// A truncated report has a note with the number of omitted findings and is not complete. Its summary still counts
    /// all findings.
    #[must_use]
    pub fn fitting(&self, most_bytes: usize) -> String {
        let whole = json::compact(self);
        if whole.len() <= most_bytes {
            return whole;
        }
        drop(whole);
        let mut part = self.without_findings();
        part.complete = false;
        part.notes.push(note(self.findings.len(), self.findings.len()));
        if size(&part) > most_bytes {
            part.lines = Vec::new();
            part.errors.truncate(MOST_ERRORS);
            part.notes.retain(|note| note.has_code(NoteCode::ReportCut) || note.has_code(NoteCode::MostUnknown));
        }
        let mut left = most_bytes.saturating_sub(size(&part));
        for finding in &self.findings {
            // Plus a comma.
            let Some(rest) = left.checked_sub(size(finding) + 1) else { break };
            left = rest;
            part.findings.push(finding.clone());
        }
        if let Some(last) = part.notes.last_mut() {
            *last = note(self.findings.len(), self.findings.len() - part.findings.len());
        }
        json::compact(&part)
    }

    /// The report without its findings.
    #[must_use]
    pub fn without_findings(&self) -> Self {
        Self {
            schema: self.schema.clone(),
            run_id: self.run_id.clone(),
            generated_at: self.generated_at,
            complete: self.complete,
            policy: self.policy.clone(),
            summary: self.summary.clone(),
            findings: Vec::new(),
            parts: Vec::new(),
            lines: self.lines.clone(),
            errors: self.errors.clone(),
            notes: self.notes.clone(),
            requests: self.requests.clone(),
            requests_by_kind: self.requests_by_kind.clone(),
            search: self.search,
            authentication: self.authentication.clone(),
        }
    }
}

fn note(all: usize, missing: usize) -> Note {
    Note::new(
        NoteCode::ReportCut,
        format!(
            "{missing} of {all} findings are omitted, because the report is too large; the worst findings are included"
        ),
    )
}

fn size<T: Serialize>(document: &T) -> usize {
    json::compact(document).len()
}
