//! Keys that were removed, with their replacements.

use std::{collections::BTreeMap, slice};

use super::{
    ConfigProblem,
    tree::{ConfigNode, ConfigValue, KeyPath},
    values::base_pattern,
};
use crate::identify::BaseRules;

const PROBES: &str = "was removed without replacement";

/// Removes the removed keys from `tree`. Returns a problem with the replacement for each.
pub(super) fn take(tree: &mut ConfigNode) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let mut refuse = |node: &ConfigNode, path: KeyPath, message: String| {
        problems.push(ConfigProblem { origin: node.origin.clone(), path, message });
    };
    if let Some(lines) = take_key(tree, "identify", "line") {
        let path = KeyPath::from_iter(["identify", "line"]);
        match &lines.value {
            ConfigValue::List(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    refuse(entry, path.index(index), replaced_by(&[line_entry(entry)]));
                }
            }
            _ => refuse(&lines, path, replaced_by(&[line_entry(&lines)])),
        }
    }
    if let Some(dated_tags) = take_key(tree, "resolve", "dated_tags") {
        let message = dated_tags_message(&dated_tags);
        refuse(&dated_tags, KeyPath::from_iter(["resolve", "dated_tags"]), message);
    }
    if let Some(probes) = take_key(tree, "resolve", "probes") {
        refuse(&probes, KeyPath::from_iter(["resolve", "probes"]), format!("{PROBES}: delete the key"));
    }
    problems
}

/// The message for the variable `name`, if it set a removed key.
pub(super) fn variable(name: &str) -> Option<String> {
    match name {
        "BASEWATCH_RESOLVE__DATED_TAGS" => {
            let entry = "[[identify.base]] with repository and dated_tags = true";
            Some(format!("resolve.dated_tags was replaced by {entry}, which can only be set in the file"))
        }
        "BASEWATCH_RESOLVE__PROBES" => Some(format!("resolve.probes {PROBES}: unset the variable")),
        _ => None,
    }
}

/// Removes `key` from `section`, and the section when it becomes empty, because it is unknown otherwise.
fn take_key(tree: &mut ConfigNode, section: &str, key: &str) -> Option<ConfigNode> {
    let ConfigValue::Table(sections) = &mut tree.value else { return None };
    let ConfigValue::Table(keys) = &mut sections.get_mut(section)?.value else { return None };
    let taken = keys.remove(key);
    if keys.is_empty() {
        sections.remove(section);
    }
    taken
}

fn replaced_by(entries: &[String]) -> String {
    format!("was replaced by [[identify.base]]. Write instead:\n{}", entries.join("\n"))
}

/// The `[[identify.base]]` entry that is equivalent to the `[[identify.line]]` entry.
fn line_entry(entry: &ConfigNode) -> String {
    let none = BTreeMap::new();
    let keys = if let ConfigValue::Table(keys) = &entry.value { keys } else { &none };
    let given = ["repository", "images", "tag", "default_tag", "bare"].into_iter().filter_map(|key| {
        match &keys.get(key)?.value {
            ConfigValue::Text(text) => Some((key, format!("{text:?}"))),
            ConfigValue::Boolean(flag) => Some((key, flag.to_string())),
            _ => None,
        }
    });
    base_entry(given)
}

fn base_entry(keys: impl Iterator<Item = (&'static str, String)>) -> String {
    let keys = keys.map(|(key, value)| format!("\n    {key} = {value}"));
    format!("    [[identify.base]]{}", keys.collect::<String>())
}

fn dated_tags_message(list: &ConfigNode) -> String {
    let patterns = if let ConfigValue::List(patterns) = &list.value { patterns } else { slice::from_ref(list) };
    let dated = |pattern: &str, has_dated_tags: bool| {
        let keys = [("repository", format!("{pattern:?}")), ("dated_tags", has_dated_tags.to_string())];
        base_entry(keys.into_iter())
    };
    if patterns.is_empty() {
        return replaced_by(&BaseRules::built_in().map(|pattern| dated(pattern, false)).collect::<Vec<_>>());
    }
    let entry = |pattern: &ConfigNode| {
        let ConfigValue::Text(pattern) = &pattern.value else { return None };
        let is_built_in = |known: &str| base_pattern(pattern).is_ok_and(|(found, _)| found.as_str() == known);
        (!BaseRules::built_in().any(is_built_in)).then(|| dated(pattern, true))
    };
    let entries: Vec<_> = patterns.iter().filter_map(entry).collect();
    if entries.is_empty() {
        return "was removed: these repositories have dated tags by default; delete the key".to_owned();
    }
    replaced_by(&entries)
}
