//! Where does a link lead? To this page with another query, or to the API; never anywhere else.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::super::{Finding, Query, query::Sort, query::SortBy};

/// The page with `query`, at its findings.
pub(super) fn findings(query: &Query) -> String {
    format!("?{}#findings", parameters(query))
}

/// The page with only `name` filtered by.
pub(super) fn only(name: &str, value: &str) -> String {
    format!("?{}#findings", pairs([(name, value)]))
}

/// The page with only these filters.
pub(super) fn only_all<'a>(filters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("?{}#findings", pairs(filters))
}

/// The findings of `query` as CSV, all pages of them.
pub(super) fn csv(query: &Query) -> String {
    let query = Query { offset: 0, limit: None, ..query.clone() };
    let wanted = parameters(&query);
    let and = if wanted.is_empty() { "" } else { "&" };
    format!("/api/v1/findings?format=csv{and}{wanted}")
}

/// The whole report as JSON.
pub(super) const REPORT: &str = "/api/v1/report";

/// `query` sorted by `by`: the other way round if it is sorted by that already. What is first comes first.
pub(super) fn sorted(query: &Query, by: SortBy) -> Query {
    let is_reversed = query.sort.by == by && !query.sort.is_reversed;
    Query { sort: Sort { by, is_reversed }, offset: 0, ..query.clone() }
}

/// The anchor of a finding; the same as long as its id is.
pub(super) fn anchor(finding: &Finding) -> String {
    format!("f-{}", short_hash(&finding.id))
}

/// The first digits of the hash of `text`: enough to tell a few thousand texts apart.
pub(super) fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(5).fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn parameters(query: &Query) -> String {
    let parameters = query.parameters();
    pairs(parameters.iter().map(|(name, value)| (*name, value.as_str())))
}

fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = pairs.into_iter().map(|(name, value)| format!("{name}={}", encode(value)));
    encoded.collect::<Vec<_>>().join("&")
}

/// Percent-encodes all but what RFC 3986 calls unreserved, and what is plain to read in a query.
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
    fn a_link_is_its_query_whatever_is_in_it() {
        let query = Query {
            owners: ["a&b=c d+\"<é".to_owned()].into(),
            lines: ["public.ecr.aws/lambda/java:21".to_owned()].into(),
            ..Query::default()
        };
        let link = findings(&query);
        assert_eq!(link, "?owner=a%26b%3Dc%20d%2B%22%3C%C3%A9&line=public.ecr.aws/lambda/java:21#findings");
        assert_eq!(csv(&Query { offset: 100, ..Query::default() }), "/api/v1/findings?format=csv");
    }

    #[test]
    fn sorting_twice_turns_the_order_round() {
        let once = sorted(&Query { offset: 200, ..Query::default() }, SortBy::Age);
        assert_eq!((once.sort.to_string(), once.offset), ("age".to_owned(), 0));
        assert_eq!(sorted(&once, SortBy::Age).sort.to_string(), "-age");
        assert_eq!(sorted(&once, SortBy::Name).sort.to_string(), "name");
    }
}
