//! Links to this page with another query, and to the API.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::report::{
    Finding, FindingQuery,
    query::{SortKey, SortOrder},
};

/// A link to the findings of `query`.
pub(super) fn findings(query: &FindingQuery) -> String {
    format!("?{}#findings", parameters(query))
}

/// A link to the findings with the single filter `name`.
pub(super) fn only(name: &str, value: &str) -> String {
    format!("?{}#findings", pairs([(name, value)]))
}

/// A link to the findings with these filters.
pub(super) fn only_all<'a>(filters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("?{}#findings", pairs(filters))
}

/// A link to all findings of `query` as CSV.
pub(super) fn csv(query: &FindingQuery) -> String {
    let query = FindingQuery { offset: 0, limit: None, ..query.clone() };
    let others = parameters(&query);
    let and = if others.is_empty() { "" } else { "&" };
    format!("/api/v1/findings?format=csv{and}{others}")
}

/// The path of the JSON report.
pub(super) const REPORT: &str = "/api/v1/report";

/// `query` sorted by `by`, or reversed if it already is, on the first page.
pub(super) fn sorted(query: &FindingQuery, by: SortKey) -> FindingQuery {
    let is_reversed = query.sort.by == by && !query.sort.is_reversed;
    FindingQuery { sort: SortOrder { by, is_reversed }, offset: 0, ..query.clone() }
}

/// The anchor of a finding, derived from its ID.
pub(super) fn anchor(finding: &Finding) -> String {
    format!("f-{}", short_hash(&finding.id))
}

/// A short hash, sufficient to distinguish a few thousand values.
pub(super) fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..5])
}

fn parameters(query: &FindingQuery) -> String {
    let parameters = query.parameters();
    pairs(parameters.iter().map(|(name, value)| (*name, value.as_str())))
}

fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = pairs.into_iter().map(|(name, value)| format!("{name}={}", encode(value)));
    encoded.collect::<Vec<_>>().join("&")
}

/// Percent-encodes all characters except unreserved ones (RFC 3986) and `/:@`.
fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_encode_their_query() {
        let query = FindingQuery {
            owners: ["a&b=c d+\"<é".to_owned()].into(),
            lines: ["public.ecr.aws/lambda/java:21".to_owned()].into(),
            ..FindingQuery::default()
        };
        let link = findings(&query);
        assert_eq!(link, "?owner=a%26b%3Dc%20d%2B%22%3C%C3%A9&line=public.ecr.aws/lambda/java:21#findings");
        assert_eq!(csv(&FindingQuery { offset: 100, ..FindingQuery::default() }), "/api/v1/findings?format=csv");
    }

    #[test]
    fn sorting_twice_reverses_the_order() {
        let once = sorted(&FindingQuery { offset: 200, ..FindingQuery::default() }, SortKey::Age);
        assert_eq!((once.sort.to_string(), once.offset), ("age".to_owned(), 0));
        assert_eq!(sorted(&once, SortKey::Age).sort.to_string(), "-age");
        assert_eq!(sorted(&once, SortKey::Name).sort.to_string(), "name");
    }
}
