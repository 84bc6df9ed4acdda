//! Owners of deployments: from resource tags, else from patterns.

use super::ResourceTags;
use crate::glob::Glob;

/// How owners are determined.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnerSettings {
    /// The tag keys that name an owner; the first one present counts.
    pub tags: Vec<String>,
    /// Rules for deployments without such a tag, tried in order.
    pub rules: Vec<OwnerRule>,
}

/// An owner for a pattern of names.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerRule {
    /// Matched against the deployment's name, and its image's repository without the registry.
    pub pattern: Glob,
    /// The owner of matching deployments.
    pub owner: String,
}

impl OwnerSettings {
    /// The owner that `tags` name. Earlier keys win; keys are case-sensitive, as in AWS. An empty value counts as
    /// absent.
    #[must_use]
    pub fn tagged<'a>(&self, tags: &'a ResourceTags) -> Option<&'a str> {
        let value = |key: &String| tags.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        // White space around the value is trimmed.
        self.tags.iter().find_map(value)
    }

    /// The owner without a tag: that of the first rule that matches `name` or the image's `repository`.
    #[must_use]
    pub fn ruled(&self, name: &str, repository: Option<&str>) -> Option<&str> {
        // A service is named with its cluster; rules may name it without.
        let names = [Some(name), name.rsplit_once('/').map(|(_, service)| service), repository];
        let holds = |rule: &&OwnerRule| names.into_iter().flatten().any(|name| rule.pattern.matches(name));
        self.rules.iter().find(holds).map(|rule| rule.owner.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_before_rules_and_the_first_rule_applies() {
        let rule = |pattern: &str, owner: &str| OwnerRule { pattern: pattern.parse().unwrap(), owner: owner.into() };
        let owners = OwnerSettings {
            tags: vec!["team".into(), "owner".into()],
            rules: vec![rule("payments-*", "payments"), rule("*", "platform")],
        };
        let tags = |pairs: &[(&str, &str)]| -> ResourceTags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        for (given, expected) in [
            (tags(&[("owner", "b"), ("team", "a")]), Some("a")),
            (tags(&[("owner", " b "), ("team", "")]), Some("b")),
            (tags(&[("Team", "a")]), None),
        ] {
            assert_eq!(owners.tagged(&given), expected, "{given:?}");
        }
        assert_eq!(owners.ruled("payments-api", None), Some("payments"));
        assert_eq!(owners.ruled("api", Some("payments-images")), Some("payments"));
        assert_eq!(owners.ruled("prod/payments-api", None), Some("payments"));
        assert_eq!(owners.ruled("orders", Some("orders")), Some("platform"));
        assert_eq!(OwnerSettings::default().ruled("orders", None), None);
    }
}
