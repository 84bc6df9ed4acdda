//! Selectors: resources by name, resource tag and owner.

use std::{collections::BTreeMap, str::FromStr};

use super::{Deployment, DeploymentKind};
use crate::glob::Glob;

/// The tags of an AWS resource.
pub type ResourceTags = BTreeMap<String, String>;

/// The resources that one rule of the configuration selects. Exclusions take precedence.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// Patterns of names; at least one has to match.
    pub include: Vec<Glob>,
    /// Excluded patterns of names.
    pub exclude: Vec<Glob>,
    /// Patterns of resource tags; at least one has to match, unless the list is empty.
    pub resource_tags: Vec<TagPattern>,
    /// Excluded patterns of resource tags.
    pub exclude_resource_tags: Vec<TagPattern>,
    /// Patterns of owners; at least one has to match, unless the list is empty.
    pub owners: Vec<Glob>,
    /// Excluded patterns of owners.
    pub exclude_owners: Vec<Glob>,
}

/// A pattern of a resource tag: `team=pay*`, or `team` for any value.
#[derive(Clone, Debug, PartialEq)]
pub struct TagPattern {
    key: Glob,
    value: Option<Glob>,
}

/// The filters of the command line, for all inventories. An empty list admits everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryFilter {
    /// Patterns of owners.
    pub owners: Vec<Glob>,
    /// Patterns of regions.
    pub regions: Vec<Glob>,
    /// Patterns of AWS accounts.
    pub accounts: Vec<Glob>,
    /// Kinds of deployment.
    pub kinds: Vec<DeploymentKind>,
}

impl Default for Selector {
    fn default() -> Self {
        let everything = "*".parse().expect("a pattern");
        Self {
            include: vec![everything],
            exclude: Vec::new(),
            resource_tags: Vec::new(),
            exclude_resource_tags: Vec::new(),
            owners: Vec::new(),
            exclude_owners: Vec::new(),
        }
    }
}

impl Selector {
    /// Whether a resource of this name may be selected.
    #[must_use]
    pub fn admits_name(&self, name: &str) -> bool {
        is_match(&self.include, name) && !is_match(&self.exclude, name)
    }

    /// Whether resource tags are needed to decide.
    #[must_use]
    pub fn needs_tags(&self) -> bool {
        !self.resource_tags.is_empty() || !self.exclude_resource_tags.is_empty()
    }

    /// Whether names alone decide.
    #[must_use]
    pub fn is_by_name(&self) -> bool {
        !self.needs_tags() && self.owners.is_empty() && self.exclude_owners.is_empty()
    }

    /// Whether a resource with these tags and this owner may be selected.
    #[must_use]
    pub fn admits(&self, tags: &ResourceTags, owner: Option<&str>) -> bool {
        let has = |patterns: &[TagPattern]| patterns.iter().any(|pattern| pattern.matches(tags));
        let is_owned = |patterns: &[Glob]| owner.is_some_and(|owner| is_match(patterns, owner));
        (self.resource_tags.is_empty() || has(&self.resource_tags))
            && !has(&self.exclude_resource_tags)
            && (self.owners.is_empty() || is_owned(&self.owners))
            && !is_owned(&self.exclude_owners)
    }
}

impl InventoryFilter {
    /// Whether `region` is admitted.
    #[must_use]
    pub fn admits_region(&self, region: &str) -> bool {
        self.regions.is_empty() || is_match(&self.regions, region)
    }

    /// Whether `account` is admitted.
    #[must_use]
    pub fn admits_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || is_match(&self.accounts, account)
    }

    /// Whether deployments of `kind` are admitted.
    #[must_use]
    pub fn admits_kind(&self, kind: DeploymentKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Whether `deployment` is admitted. One without a region, account or owner matches no pattern of that list.
    #[must_use]
    pub fn admits(&self, deployment: &Deployment) -> bool {
        let Deployment { kind, owner, region, account, .. } = deployment;
        self.admits_all(*kind, [owner.as_deref(), region.as_deref(), account.as_deref()])
    }

    fn admits_all(&self, kind: DeploymentKind, of: [Option<&str>; 3]) -> bool {
        let patterns = [&self.owners, &self.regions, &self.accounts];
        let holds = |(patterns, text): (&Vec<Glob>, Option<&str>)| {
            patterns.is_empty() || text.is_some_and(|text| is_match(patterns, text))
        };
        self.admits_kind(kind) && patterns.into_iter().zip(of).all(holds)
    }
}

impl TagPattern {
    fn matches(&self, tags: &ResourceTags) -> bool {
        let has_value = |value: &str| self.value.as_ref().is_none_or(|pattern| pattern.matches(value));
        tags.iter().any(|(key, value)| self.key.matches(key) && has_value(value))
    }
}

impl FromStr for TagPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        let refusal = |why: String| format!("{text:?} is not a tag pattern: {why}; write \"team=pay*\", or \"team\"");
        let parse = |part: &str| part.parse::<Glob>().map_err(refusal);
        Ok(Self { key: parse(key)?, value: value.map(parse).transpose()? })
    }
}

impl std::fmt::Display for TagPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key.as_str())?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "={}", value.as_str()))
    }
}

pub(super) fn is_match(globs: &[Glob], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> ResourceTags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_are_matched_by_key_and_value() {
        let tags = tags(&[("team", "payments"), ("env", "prod")]);
        for (pattern, holds) in
            [("team", true), ("team=pay*", true), ("team=orders", false), ("t*=*", true), ("owner", false)]
        {
            let pattern: TagPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&tags), holds, "{pattern}");
        }
        for garbage in ["", "=", "=x", "a=[", "a="] {
            assert!(garbage.parse::<TagPattern>().is_err(), "{garbage}");
        }
    }

    #[test]
    fn exclusions_take_precedence() {
        let selector = Selector {
            exclude: vec!["sandbox-*".parse().unwrap()],
            resource_tags: vec!["env=prod".parse().unwrap()],
            exclude_resource_tags: vec!["basewatch=ignore".parse().unwrap()],
            exclude_owners: vec!["attic".parse().unwrap()],
            ..Selector::default()
        };
        assert!(selector.admits_name("orders") && !selector.admits_name("sandbox-orders"));
        assert!(selector.admits(&tags(&[("env", "prod")]), None));
        assert!(!selector.admits(&tags(&[("env", "test")]), None));
        assert!(!selector.admits(&tags(&[("env", "prod"), ("basewatch", "ignore")]), None));
        assert!(!selector.admits(&tags(&[("env", "prod")]), Some("attic")));
    }

    #[test]
    fn an_unknown_owner_matches_no_owner_pattern() {
        let selector = Selector { owners: vec!["payments".parse().unwrap()], ..Selector::default() };
        assert!(selector.admits(&ResourceTags::new(), Some("payments")));
        assert!(!selector.admits(&ResourceTags::new(), Some("orders")) && !selector.admits(&ResourceTags::new(), None));
    }
}
