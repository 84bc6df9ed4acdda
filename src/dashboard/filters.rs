//! The filter form, which works without scripts, and the active filters with links to remove them.

use std::{collections::BTreeMap, fmt::Write as _};

use askama::{Template, filters::HtmlSafe};

use super::{
    DashboardView, links,
    verdict_style::{grouped, shown},
};
use crate::report::{Finding, FindingQuery, format, is_visible, query::NO_OWNER};

/// Maximum number of options per filter.
const MOST_OPTIONS: usize = 300;

/// The form above the findings.
#[derive(Template)]
#[template(path = "filters.html")]
pub(super) struct FilterForm {
    is_file: bool,
    text: String,
    fields: Vec<FilterField>,
    kept: Vec<(&'static str, String)>,
    chips: Vec<FilterChip>,
}

impl HtmlSafe for FilterForm {}

struct FilterField {
    name: &'static str,
    label: &'static str,
    options: Vec<FilterOption>,
}

struct FilterOption {
    value: String,
    label: String,
    count: String,
    is_chosen: bool,
}

struct FilterChip {
    name: &'static str,
    value: String,
    link: String,
}

/// The value of a finding for a filter; `None` if unknown.
type FilterValue = fn(&Finding) -> Option<&str>;

/// The filters: parameter, label and value.
const FIELDS: [(&str, &str, FilterValue); 8] = [
    ("verdict", "Verdict", |finding| Some(finding.verdict.as_str())),
    ("severity", "Severity", |finding| Some(finding.severity.as_str())),
    ("action", "Action", |finding| Some(finding.action.as_str())),
    ("owner", "Owner", |finding| Some(finding.deployment.owner.as_deref().unwrap_or(NO_OWNER))),
    ("line", "Release line", |finding| finding.base.as_ref()?.line.as_deref()),
    ("kind", "Kind", |finding| Some(finding.deployment.kind.as_str())),
    ("account", "Account", |finding| finding.deployment.account.as_deref()),
    ("region", "Region", |finding| finding.deployment.region.as_deref()),
];

impl FilterForm {
    pub(super) fn new(view: &DashboardView<'_>) -> Self {
        let parameters = view.query.parameters();
        let chosen = |name: &str| -> Vec<&str> {
            parameters.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.as_str()).collect()
        };
        let is_offered = |name: &str| FIELDS.iter().any(|(field, ..)| *field == name) && chosen(name).len() < 2;
        let fields = FIELDS.iter().filter(|(name, ..)| is_offered(name)).filter_map(|(name, label, value)| {
            let options = options(view, *value, &chosen(name));
            // A single value is not a choice.
            (options.len() > 1).then_some(FilterField { name, label, options })
        });
        let fields: Vec<_> = fields.collect();
        let is_in_form = |name: &str| name == "q" || name == "offset" || fields.iter().any(|field| field.name == name);
        let kept = parameters
            .iter()
            .filter(|(name, _)| !is_in_form(name))
            .map(|(name, value)| (*name, escape_attribute(value)));
        let kept = kept.collect();
        Self {
            is_file: view.mode.is_file(),
            text: escape_attribute(&view.query.text),
            kept,
            chips: chips(&parameters),
            fields,
        }
    }
}

/// The existing values, selected ones first, then by frequency.
fn options(view: &DashboardView<'_>, value: FilterValue, chosen: &[&str]) -> Vec<FilterOption> {
    let mut counts: BTreeMap<&str, u64> = chosen.iter().map(|value| (*value, 0)).collect();
    for value in view.report.findings.iter().filter_map(value) {
        *counts.entry(value).or_default() += 1;
    }
    let mut values: Vec<_> = counts.into_iter().collect();
    values.sort_by_key(|(value, count)| (!chosen.contains(value), std::cmp::Reverse(*count)));
    values.truncate(MOST_OPTIONS);
    let option = |(value, count): (&str, u64)| FilterOption {
        value: escape_attribute(value),
        label: if value == NO_OWNER { "no owner".to_owned() } else { shown(format::short_name(value)) },
        count: grouped(count),
        is_chosen: chosen.contains(&value),
    };
    values.into_iter().map(option).collect()
}

/// Escapes a value for an attribute, so that the browser sends back the same text. (HTML cannot represent U+0080 to
/// U+009F.)
fn escape_attribute(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if is_visible(character) && !matches!(character, '<' | '>' | '&' | '"' | '\'') {
            text.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "&#{};", u32::from(character));
        }
    }
    text
}

fn chips(parameters: &[(&'static str, String)]) -> Vec<FilterChip> {
    let is_filter = |name: &str| !matches!(name, "sort" | "offset" | "limit");
    let chip = |(index, (name, value)): (usize, &(&'static str, String))| {
        let others = parameters.iter().enumerate().filter(|(other, (name, _))| *other != index && *name != "offset");
        let others = others.map(|(_, (name, value))| (*name, value.as_str()));
        // The parameters of a query are valid.
        let query = FindingQuery::parse(others).unwrap_or_default();
        let value = if value == NO_OWNER { "no owner".to_owned() } else { shown(format::short_name(value)) };
        FilterChip { name: if *name == "q" { "search" } else { name }, value, link: links::findings(&query) }
    };
    parameters.iter().enumerate().filter(|(_, (name, _))| is_filter(name)).map(chip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_values_round_trip() {
        assert_eq!(escape_attribute("team é/注-1"), "team é/注-1");
        assert_eq!(escape_attribute("a\"<b>&'\u{1b}\u{202e}"), "a&#34;&#60;b&#62;&#38;&#39;&#27;&#8238;");
    }
}
