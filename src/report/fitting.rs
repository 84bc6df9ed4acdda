//! A report that has to fit somewhere: into the store, or into what Lambda gives back.

use serde::Serialize;

use super::{Note, NoteCode, Report, json};

/// How many errors a report keeps that is too large even without findings.
const MOST_ERRORS: usize = 100;

impl Report {
    /// As compact JSON of at most `most_bytes`: whole if it fits, else with the worst findings only.
    ///
    /// Then a note says how many are missing, and the report does not call itself complete. The counts in its summary
    /// are still those of all findings.
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
            // A comma comes to each.
            let Some(rest) = left.checked_sub(size(finding) + 1) else { break };
            left = rest;
            part.findings.push(finding.clone());
        }
        if let Some(last) = part.notes.last_mut() {
            *last = note(self.findings.len(), self.findings.len() - part.findings.len());
        }
        json::compact(&part)
    }

    fn without_findings(&self) -> Self {
        Self {
            schema: self.schema.clone(),
            run_id: self.run_id.clone(),
            generated_at: self.generated_at,
            complete: self.complete,
            policy: self.policy.clone(),
            summary: self.summary.clone(),
            findings: Vec::new(),
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
    let message = format!("{missing} of {all} findings are left out, the worst are here: the report is too large");
    Note::new(NoteCode::ReportCut, message)
}

fn size<T: Serialize>(document: &T) -> usize {
    json::compact(document).len()
}
