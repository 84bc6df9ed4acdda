//! Links to this page with another query, and to the API.

use chrono::NaiveDate;
use sha2::{Digest as _, Sha256};

use super::PageScope;
use crate::report::{
    Finding, FindingQuery,
    page_path::{self, encode},
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

/// The list of alerts, and its title.
pub(super) const ALERTS: (&str, &str) = ("/alerts", "Alerts");
/// The documentation, and its title.
pub(super) const DOCUMENTATION: (&str, &str) = ("/docs/verdicts", "Verdicts and reasons");

/// The page of an owner.
pub(super) fn owner(owner: &str) -> String {
    page_path::owner_page(Some(owner))
}

/// The page of a release line.
pub(super) fn line(line: &str) -> String {
    page_path::line_page(line)
}

/// The page of a deployment, by the ID of its finding.
pub(super) fn deployment(finding_id: &str) -> String {
    page_path::deployment_page(finding_id)
}

/// The page of an alert.
pub(super) fn alert(id: &str) -> String {
    page_path::alert_page(id)
}

/// The list of open alerts, of all owners or of one.
pub(super) fn alerts(owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("{}?{}", ALERTS.0, pairs([("owner", owner)])),
        None => ALERTS.0.to_owned(),
    }
}

/// The page of the changes since a day.
pub(super) fn changes(since: NaiveDate, scope: PageScope<'_>) -> String {
    let filter = scope.filter();
    let query = pairs(filter.iter().map(|(name, value)| (*name, value.as_str())));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/changes/{since}{mark}{query}")
}

/// A link to all findings of `query` on a page as CSV.
pub(super) fn csv(query: &FindingQuery, scope: PageScope<'_>) -> String {
    let mut query = FindingQuery { offset: 0, limit: None, ..query.clone() };
    match scope {
        PageScope::Fleet => {}
        PageScope::Owner(owner) => query.owners = [owner.to_owned()].into(),
        PageScope::Line(line) => query.lines = [line.to_owned()].into(),
    }
    let others = parameters(&query);
    let and = if others.is_empty() { "" } else { "&" };
    format!("/api/v1/findings?format=csv{and}{others}")
}

/// The path of the JSON report.
pub(super) const REPORT: &str = "/api/v1/report";

/// `query` sorted by `by`, or in the other order if it already is, on the first page.
pub(super) fn sorted(query: &FindingQuery, by: SortKey) -> FindingQuery {
    let first = by.first_order();
    let sort = if query.sort == first { SortOrder { is_descending: !first.is_descending, ..first } } else { first };
    FindingQuery { sort, offset: 0, ..query.clone() }
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
        let query = FindingQuery { offset: 100, ..FindingQuery::default() };
        assert_eq!(csv(&query, PageScope::Fleet), "/api/v1/findings?format=csv");
        assert_eq!(csv(&query, PageScope::Owner("a b")), "/api/v1/findings?format=csv&owner=a%20b");
    }

    #[test]
    fn sorting_twice_reverses_the_order() {
        let once = sorted(&FindingQuery { offset: 200, ..FindingQuery::default() }, SortKey::Age);
        assert_eq!((once.sort.to_string(), once.offset), ("-age".to_owned(), 0), "oldest first");
        assert_eq!(sorted(&once, SortKey::Age).sort.to_string(), "age");
        assert_eq!(sorted(&once, SortKey::Name).sort.to_string(), "name");
        assert_eq!(sorted(&FindingQuery::default(), SortKey::Severity).sort.to_string(), "severity");
    }
}
