//! `[owners]`: how the owner of a deployment is determined.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath};
use crate::inventory::{OwnerRule, OwnerSettings};

/// How the owner of a deployment is determined: by tag, else by rule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOwners {
    /// Keys of AWS tags that name the owner, in order of preference. Tags of the function or service take precedence
    /// over tags of the image repository.
    #[schemars(extend("default" = []), example = ["team", "owner"])]
    tags: Option<Vec<String>>,
    /// Rules for deployments without an owner tag. The first match applies.
    rules: Option<Vec<RawOwnerRule>>,
}

/// Assigns an owner by pattern. A last rule that matches `*` is the default.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawOwnerRule {
    /// Pattern of the deployment name (of a service, with or without its cluster), or of the image repository without
    /// the registry.
    #[schemars(required, example = &"payments-*")]
    r#match: Option<String>,
    /// The owner.
    #[schemars(required, example = &"payments")]
    owner: Option<String>,
}

pub(super) fn validate(raw: &RawOwners, at: &KeyPath, check: &mut ConfigValidator<'_>) -> OwnerSettings {
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
    OwnerSettings { tags, rules }
}

fn key(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > 128 {
        return Err(format!("{text:?} is not a tag key: write it as in \"team\""));
    }
    Ok(text.to_owned())
}

fn owner(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(format!("{text:?} is not an owner: write a name, as in \"payments\""));
    }
    Ok(text.trim().to_owned())
}
