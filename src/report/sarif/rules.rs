//! SARIF rules: one per reason code, with the explanation in `docs/verdicts.md`.

use super::{
    log::{MultiformatMessage, ReportingConfiguration, ReportingDescriptor, RuleProperties, SarifLevel, SarifMessage},
    text::plain,
};
use crate::judge::ReasonCode;

/// The page that explains the codes.
const PAGE: &str = include_str!("../../../docs/verdicts.md");

/// The URL of the page.
const PAGE_URI: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/verdicts.md");

/// The rules of a log: all reason codes, and other codes that occur.
pub(super) struct SarifRules(Vec<ReportingDescriptor>);

impl SarifRules {
    /// A rule for each reason code.
    pub(super) fn known() -> Self {
        Self(ReasonCode::ALL.iter().map(|code| rule(code.as_str())).collect())
    }

    /// The ID and index of the rule `code`. Adds a rule for an unknown code.
    pub(super) fn rule_reference(&mut self, code: &str) -> (String, usize) {
        // GitHub limits the name to 255 characters.
        let id = plain(code, 100);
        let id = if id.trim().is_empty() { "unexplained".to_owned() } else { id };
        let index = self.0.iter().position(|rule| rule.id == id).unwrap_or_else(|| {
            self.0.push(rule(&id));
            self.0.len() - 1
        });
        (id, index)
    }

    /// The rules, by index.
    pub(super) fn into_vec(self) -> Vec<ReportingDescriptor> {
        self.0
    }
}

fn rule(id: &str) -> ReportingDescriptor {
    let section = section(id);
    let about = section.as_ref().map_or_else(|| format!("Reason {id}."), |section| section.about.clone());
    let to_do = section.as_ref().map_or("see the message.", |section| section.to_do.as_str());
    let markdown = format!("{about}\n\n**What to do:** {to_do}");
    ReportingDescriptor {
        id: id.to_owned(),
        name: id.split('-').map(capitalized).collect(),
        short_description: SarifMessage { text: plain_text(first_sentence(&about)) },
        full_description: SarifMessage { text: plain_text(&about) },
        help: MultiformatMessage { text: plain_text(&markdown), markdown: escape_braces(&markdown) },
        help_uri: section.is_some().then(|| format!("{PAGE_URI}#{id}")),
        default_configuration: ReportingConfiguration { level: SarifLevel::Warning },
        properties: RuleProperties { tags: ["containers", "base-images"], precision: "very-high" },
    }
}

/// The explanation of a code, and what to do; one line per paragraph.
struct CodeExplanation {
    about: String,
    to_do: String,
}

fn section(code: &str) -> Option<CodeExplanation> {
    let (_, rest) = PAGE.split_once(&format!("\n### `{code}`\n"))?;
    let body = rest.split("\n##").next()?;
    let (about, to_do) = body.split_once("**What to do:**")?;
    let unwrapped = |text: &str| {
        let paragraphs = text.trim().split("\n\n");
        paragraphs.map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
    };
    Some(CodeExplanation { about: unwrapped(about), to_do: unwrapped(to_do) })
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").or_else(|| text.find(".\n")).map_or(text, |end| &text[..=end])
}

/// Strips Markdown.
fn plain_text(markdown: &str) -> String {
    escape_braces(&markdown.replace("**", "").replace('`', ""))
}

/// Escapes braces, which delimit placeholders (section 3.11.5).
fn escape_braces(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained_within_the_github_limits() {
        for (index, code) in ReasonCode::ALL.iter().enumerate() {
            let section = section(code.as_str()).unwrap_or_else(|| panic!("{code}"));
            // Links and lists do not work as plain text.
            assert!(!section.about.contains("](") && !section.about.contains("\n\n- "), "{code}");
            assert!(!section.to_do.contains("](") && section.to_do.ends_with('.'), "{code}: {}", section.to_do);
            let rule = rule(code.as_str());
            assert!(rule.short_description.text.ends_with('.'), "{}", rule.short_description.text);
            assert!(rule.short_description.text.chars().count() <= 300, "{}", rule.short_description.text);
            assert!(rule.full_description.text.chars().count() <= 1024, "{code}");
            assert!(rule.help.text.contains("\n\nWhat to do: ") && !rule.help.text.contains('`'), "{code}");
            assert_eq!(SarifRules::known().rule_reference(code.as_str()), (code.to_string(), index));
        }
    }

    #[test]
    fn an_unknown_code_gets_one_rule() {
        let mut rules = SarifRules::known();
        let known = rules.0.len();
        assert_eq!(rules.rule_reference("[x](y)"), ("[x] (y)".to_owned(), known));
        assert_eq!(rules.rule_reference("[x](y)"), ("[x] (y)".to_owned(), known));
        assert_eq!(rules.rule_reference(""), ("unexplained".to_owned(), known + 1));
        let rules = rules.into_vec();
        assert_eq!(rules.len(), known + 2);
        assert!(rules.iter().all(|rule| !rule.name.is_empty()));
        assert_eq!((rules[0].name.as_str(), rules[known].help_uri.as_ref()), ("BaseSuperseded", None));
    }
}
