//! Whose is it? From resource tags, then patterns, then a default. Pure.

use super::ResourceTags;
use crate::glob::Glob;

/// How owners are found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners {
    /// The keys of tags that name an owner; the first that is there counts.
    pub tags: Vec<String>,
    /// Tried in order where no tag names an owner.
    pub rules: Vec<OwnerRule>,
    /// Where nothing else names one.
    pub default: Option<String>,
}

/// An owner by pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerRule {
    /// Of the deployment's name, or of its image's repository without the registry.
    pub pattern: Glob,
    /// Who owns what matches.
    pub owner: String,
}

impl Owners {
    /// The owner that `tags` name: a key earlier in the list wins, keys are compared as AWS does, by case. An
    /// empty value names nobody.
    #[must_use]
    pub fn tagged<'a>(&self, tags: &'a ResourceTags) -> Option<&'a str> {
        let value = |key: &String| tags.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        // The value is kept without the white space that people leave around it.
        self.tags.iter().find_map(value)
    }

    /// The owner of what no tag gives one: the first rule that matches its `name` or its image's
    /// `repository`, else the default.
    #[must_use]
    pub fn ruled(&self, name: &str, repository: Option<&str>) -> Option<&str> {
        // A service is named with its cluster, and people think of it without.
        let names = [Some(name), name.rsplit_once('/').map(|(_, service)| service), repository];
        let holds = |rule: &&OwnerRule| names.into_iter().flatten().any(|name| rule.pattern.matches(name));
        self.rules.iter().find(holds).map(|rule| rule.owner.as_str()).or(self.default.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_before_rules_and_rules_before_the_default() {
        let owners = Owners {
            tags: vec!["team".into(), "owner".into()],
            rules: vec![OwnerRule { pattern: "payments-*".parse().unwrap(), owner: "payments".into() }],
            default: Some("platform".into()),
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
        assert_eq!(Owners::default().ruled("orders", None), None);
    }
}
