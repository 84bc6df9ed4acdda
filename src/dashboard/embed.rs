//! Data embedded in a self-contained file: filter data for the script, and the report.

use std::collections::BTreeMap;

use askama::{Template, filters::HtmlSafe};
use serde::Serialize;

use super::{DashboardView, findings::FindingsTable};
use crate::report::json;

/// The size limit of an embedded report, in bytes.
const MOST_REPORT_BYTES: usize = 1 << 20;

/// The embedded data; empty for served pages, which use the API.
#[derive(Template)]
#[template(path = "embed.html")]
pub(super) struct EmbeddedData {
    is_file: bool,
    kinds: String,
    report: String,
}

impl HtmlSafe for EmbeddedData {}

/// Data that rows refer to by index.
#[derive(Serialize)]
struct EmbeddedIndex<'a> {
    /// Line, release and reasons.
    causes: Vec<(Option<&'a str>, Option<&'a str>, Vec<&'a str>)>,
    /// Kind, account, region and registry.
    places: &'a [[Option<&'a str>; 4]],
    /// The base name of saved files.
    name: String,
    counts: BTreeMap<&'a str, usize>,
}

impl EmbeddedData {
    pub(super) fn new(view: &DashboardView<'_>, findings: &FindingsTable<'_>) -> Self {
        if !view.mode.is_file() {
            return Self { is_file: false, kinds: String::new(), report: String::new() };
        }
        let causes = findings.examples.iter().map(|finding| {
            let base = finding.base.as_ref();
            let reasons = finding.reasons.iter().map(|reason| reason.code.as_str()).collect();
            (base.and_then(|base| base.line.as_deref()), base.and_then(|base| base.release.as_deref()), reasons)
        });
        let kinds = EmbeddedIndex {
            causes: causes.collect(),
            places: &findings.locations,
            name: format!("basewatch-{}", view.report.generated_at.format("%Y-%m-%d")),
            counts: BTreeMap::from([("findings", findings.selected.len())]),
        };
        let report = json::compact(view.report);
        Self {
            is_file: true,
            kinds: escape_for_script(&json::compact(&kinds)),
            report: if report.len() > MOST_REPORT_BYTES { String::new() } else { escape_for_script(&report) },
        }
    }
}

/// Escapes JSON so that it cannot end a script element or start a comment. The characters occur only in strings, where
/// the escapes are equivalent.
fn escape_for_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_json_is_equivalent_and_cannot_end_the_script() {
        let text = "</script><!--<script>&amp;";
        let inside = escape_for_script(&json::compact(&[text]));
        assert!(!inside.contains(['<', '>', '&']), "{inside}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&inside).unwrap(), [text]);
    }
}
