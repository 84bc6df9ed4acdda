//! `[identify]`: which base an image stands on, and which line that base follows.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath};
use crate::{
    identify::{LineRule, Settings},
    image::{Repository, is_tag},
};

/// Which base an image stands on, and which line that base follows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIdentify {
    /// The labels in which your builds record the base, tried in order, before the
    /// `org.opencontainers.image.base.*` annotations and labels, which always count.
    #[schemars(extend("default" = ["sdkBaseVersion"]))]
    labels: Option<Vec<String>>,
    /// Which line a base repository's digests follow, where nothing better says so. Tried in order.
    line: Option<Vec<RawLine>>,
}

/// What is known about a base repository that the labels do not say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawLine {
    /// The base repository, with its registry.
    #[schemars(required, example = &"public.ecr.aws/lambda/java")]
    repository: Option<String>,
    /// The moving tag that is assumed where nothing better is known; findings mark it as assumed.
    #[schemars(example = &"latest")]
    default_tag: Option<String>,
    /// The moving tag that these images follow, whatever else says so.
    #[schemars(example = &"21")]
    tag: Option<String>,
    /// The images the rule is for: a pattern of their repository, without its registry. Without it,
    /// all images.
    #[schemars(example = &"orders*")]
    images: Option<String>,
    /// Whether a bare digest or a bare dated tag in a label of these images means this repository.
    #[schemars(extend("default" = false))]
    bare: Option<bool>,
}

pub(super) fn validate(raw: &RawIdentify, at: &KeyPath, check: &mut Check<'_>) -> Settings {
    let labels = match &raw.labels {
        Some(labels) => check.each(&at.key("labels"), labels, label),
        None => Settings::default().labels,
    };
    let at = at.key("line");
    let rules = raw.line.iter().flatten().enumerate();
    let lines = rules.filter_map(|(index, raw)| validate_line(raw, &at.index(index), check)).collect();
    Settings { labels, lines, mirrors: Vec::new() }
}

fn label(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} is no label: write its key, as in \"sdkBaseVersion\""));
    }
    Ok(text.to_owned())
}

fn validate_line(raw: &RawLine, at: &KeyPath, check: &mut Check<'_>) -> Option<LineRule> {
    let repository = raw.repository.as_ref().and_then(|text| {
        let parsed = text.parse::<Repository>().map_err(|error| format!("{text:?}: {error}"));
        check.accept(&at.key("repository"), parsed)
    });
    let mut tag = |key: &str, text: &Option<String>| {
        let text = text.clone()?;
        let is_valid = is_tag(&text);
        check.accept(
            &at.key(key),
            if is_valid {
                Ok(text)
            } else {
                Err(format!("{text:?} is no tag: up to 128 letters, digits, and _ . - not in front"))
            },
        )
    };
    let default_tag = tag("default_tag", &raw.default_tag);
    let tag = tag("tag", &raw.tag);
    let images = raw.images.as_ref().and_then(|text| check.parse(&at.key("images"), text));
    let is_bare = raw.bare.unwrap_or_default();
    if raw.default_tag.is_none() && raw.tag.is_none() && !is_bare {
        check.refuse(at, "says nothing about its repository: set default_tag, tag or bare");
    }
    Some(LineRule { repository: repository?, images, tag, default_tag, is_bare })
}
