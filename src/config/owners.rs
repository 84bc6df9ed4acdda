//! `[owners]`: whose each deployment is.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath};
use crate::inventory::{OwnerRule, Owners};

/// Whose each deployment is: by tag, else by rule, else the default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOwners {
    /// The keys of AWS tags that name an owner; the first that is there counts. The tags of the function or
    /// service come before those of the image's repository.
    #[schemars(extend("default" = []), example = ["team", "owner"])]
    tags: Option<Vec<String>>,
    /// Who owns what no tag gives an owner, by pattern. Tried in order.
    rules: Option<Vec<RawRule>>,
    /// Who owns the rest. Without it, nobody.
    #[schemars(example = &"platform")]
    default: Option<String>,
}

/// An owner by pattern.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawRule {
    /// A pattern of the deployment's name, for a service with or without its cluster, or of its image's repository
    /// without the registry.
    #[schemars(required, example = &"payments-*")]
    r#match: Option<String>,
    /// Who owns what matches.
    #[schemars(required, example = &"payments")]
    owner: Option<String>,
}

pub(super) fn validate(raw: &RawOwners, at: &KeyPath, check: &mut Check<'_>) -> Owners {
    let tags = check.each(&at.key("tags"), raw.tags.as_deref().unwrap_or_default(), key);
    let rules_at = at.key("rules");
    let mut rules = Vec::new();
    for (index, rule) in raw.rules.iter().flatten().enumerate() {
        let at = rules_at.index(index);
        let pattern = rule.r#match.as_ref().and_then(|text| check.parse(&at.key("match"), text));
        let owner = rule.owner.as_ref().and_then(|text| check.accept(&at.key("owner"), owner(text)));
        if let (Some(pattern), Some(owner)) = (pattern, owner) {
            rules.push(OwnerRule { pattern, owner });
        }
    }
    let default = raw.default.as_ref().and_then(|text| check.accept(&at.key("default"), owner(text)));
    Owners { tags, rules, default }
}

fn key(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > 128 {
        return Err(format!("{text:?} is no key of a tag: write it as in \"team\""));
    }
    Ok(text.to_owned())
}

fn owner(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(format!("{text:?} is no owner: write a name, as in \"payments\""));
    }
    Ok(text.trim().to_owned())
}
