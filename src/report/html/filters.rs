//! How does a reader say which findings are wanted? A form that a browser sends by itself, and what is filtered by
//! already, each with a link that takes it away.

use std::{collections::BTreeMap, fmt::Write as _};

use askama::{Template, filters::HtmlSafe};

use super::{
    View, links,
    look::{grouped, shown},
};
use crate::report::{Finding, Query, is_visible, query::NOBODY, words};

/// More values than this are not offered; any can be searched for.
const MOST_OPTIONS: usize = 300;

/// The form above the findings.
#[derive(Template)]
#[template(
    ext = "html",
    whitespace = "minimize",
    source = r##"
<form class="filters{% if is_file %} scripted{% endif %}" id="filters" method="get" action="#findings" role="search" aria-label="Findings">
<div class="field search"><label for="q">Search</label><input type="search" id="q" name="q" value="{{ text|safe }}" maxlength="200" autocomplete="off" spellcheck="false" placeholder="name, image, base or owner"></div>
{% for field in fields %}
<div class="field"><label for="by-{{ field.name }}">{{ field.label }}</label><select id="by-{{ field.name }}" name="{{ field.name }}"><option value="">any</option>
{% for option in field.options %}
<option value="{{ option.value|safe }}"{% if option.is_chosen %} selected{% endif %}>{{ option.label }} ({{ option.count }})</option>
{% endfor %}
</select></div>
{% endfor %}
{% for (name, value) in kept %}
<input type="hidden" name="{{ name }}" value="{{ value|safe }}">
{% endfor %}
<div class="field"><button type="submit">Filter</button></div>
</form>
<ul class="chips" id="chips" aria-label="Filtered by">
{% for chip in chips %}
<li><a href="{{ chip.link }}" title="Take this filter away"><span class="key">{{ chip.name }}</span> {{ chip.value }} <span aria-hidden="true">✕</span><span class="unseen">: take this filter away</span></a></li>
{% endfor %}
{% if chips.len() > 1 %}
<li><a href="?#findings">All findings</a></li>
{% endif %}
</ul>
"##
)]
pub(super) struct Filters {
    is_file: bool,
    text: String,
    fields: Vec<Field>,
    kept: Vec<(&'static str, String)>,
    chips: Vec<Chip>,
}

impl HtmlSafe for Filters {}

struct Field {
    name: &'static str,
    label: &'static str,
    options: Vec<Choice>,
}

struct Choice {
    value: String,
    label: String,
    count: String,
    is_chosen: bool,
}

struct Chip {
    name: &'static str,
    value: String,
    link: String,
}

/// What a finding has for a parameter; nothing where that is not known.
type Value = fn(&Finding) -> Option<&str>;

/// The parameters that are offered, each with its label and whether a choice of one is no choice.
const FIELDS: [(&str, &str, Value); 8] = [
    ("verdict", "Verdict", |finding| Some(finding.verdict.as_str())),
    ("severity", "Severity", |finding| Some(finding.severity.as_str())),
    ("action", "Action", |finding| Some(finding.action.as_str())),
    ("owner", "Owner", |finding| Some(finding.deployment.owner.as_deref().unwrap_or(NOBODY))),
    ("line", "Base line", |finding| finding.base.as_ref()?.line.as_deref()),
    ("kind", "Kind", |finding| Some(finding.deployment.kind.as_str())),
    ("account", "Account", |finding| finding.deployment.account.as_deref()),
    ("region", "Region", |finding| finding.deployment.region.as_deref()),
];

impl Filters {
    pub(super) fn of(view: &View<'_>) -> Self {
        let parameters = view.query.parameters();
        let chosen = |name: &str| -> Vec<&str> {
            parameters.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.as_str()).collect()
        };
        let is_offered = |name: &str| FIELDS.iter().any(|(field, ..)| *field == name) && chosen(name).len() < 2;
        let fields = FIELDS.iter().filter(|(name, ..)| is_offered(name)).filter_map(|(name, label, value)| {
            let options = options(view, *value, &chosen(name));
            // Where there is one value for all, there is nothing to choose.
            (options.len() > 1).then_some(Field { name, label, options })
        });
        let fields: Vec<_> = fields.collect();
        let is_in_form = |name: &str| name == "q" || name == "offset" || fields.iter().any(|field| field.name == name);
        let kept = parameters.iter().filter(|(name, _)| !is_in_form(name)).map(|(name, value)| (*name, exact(value)));
        let kept = kept.collect();
        Self { is_file: view.mode.is_file(), text: exact(&view.query.text), kept, chips: chips(&parameters), fields }
    }
}

/// The values that there are, the usual order for words and the most frequent first for names.
fn options(view: &View<'_>, value: Value, chosen: &[&str]) -> Vec<Choice> {
    let mut counts: BTreeMap<&str, u64> = chosen.iter().map(|value| (*value, 0)).collect();
    for value in view.report.findings.iter().filter_map(value) {
        *counts.entry(value).or_default() += 1;
    }
    let mut values: Vec<_> = counts.into_iter().collect();
    values.sort_by_key(|(value, count)| (!chosen.contains(value), std::cmp::Reverse(*count)));
    values.truncate(MOST_OPTIONS);
    let option = |(value, count): (&str, u64)| Choice {
        value: exact(value),
        label: if value == NOBODY { "nobody known".to_owned() } else { shown(words::short_name(value)) },
        count: grouped(count),
        is_chosen: chosen.contains(&value),
    };
    values.into_iter().map(option).collect()
}

/// A value as an attribute has it: what the browser sends back is the very same text, and a reader of the page's
/// source sees all of it. (HTML has no way to write U+0080 to U+009F; those come back as something else.)
fn exact(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if is_visible(character) && !matches!(character, '<' | '>' | '&' | '"' | '\'') {
            text.push(character);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "&#{};", u32::from(character));
        }
    }
    text
}

fn chips(parameters: &[(&'static str, String)]) -> Vec<Chip> {
    let is_filter = |name: &str| !matches!(name, "sort" | "offset" | "limit");
    let chip = |(place, (name, value)): (usize, &(&'static str, String))| {
        let others = parameters.iter().enumerate().filter(|(other, (name, _))| *other != place && *name != "offset");
        let others = others.map(|(_, (name, value))| (*name, value.as_str()));
        // What a query said can be said again.
        let query = Query::parse(others).unwrap_or_default();
        let value = if value == NOBODY { "nobody known".to_owned() } else { shown(words::short_name(value)) };
        Chip { name: if *name == "q" { "search" } else { name }, value, link: links::findings(&query) }
    };
    parameters.iter().enumerate().filter(|(_, (name, _))| is_filter(name)).map(chip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_so_that_it_comes_back_the_same() {
        assert_eq!(exact("team é/注-1"), "team é/注-1");
        assert_eq!(exact("a\"<b>&'\u{1b}\u{202e}"), "a&#34;&#60;b&#62;&#38;&#39;&#27;&#8238;");
    }
}
