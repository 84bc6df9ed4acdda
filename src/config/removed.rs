//! Keys that were removed: what to write instead.

use std::collections::BTreeMap;

use super::{
    Problem,
    tree::{KeyPath, Node, Value},
    values::base_pattern,
};
use crate::identify::BaseRules;

const PROBES: &str = "was removed, and nothing takes its place";

/// Takes the removed keys out of `tree`, and says of each which entry does the same.
pub(super) fn take(tree: &mut Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |node: &Node, path: KeyPath, message: String| {
        problems.push(Problem { origin: node.origin.clone(), path, message });
    };
    if let Some(lines) = take_key(tree, "identify", "line") {
        let path = KeyPath::from_iter(["identify", "line"]);
        match &lines.value {
            Value::List(entries) => {
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

/// What is wrong with the variable `name`, if it set a removed key.
pub(super) fn variable(name: &str) -> Option<String> {
    match name {
        "BASEWATCH_RESOLVE__DATED_TAGS" => {
            let entry = "[[identify.base]] with repository and dated_tags = true";
            Some(format!("resolve.dated_tags was replaced by {entry}, which is set in the file only"))
        }
        "BASEWATCH_RESOLVE__PROBES" => Some(format!("resolve.probes {PROBES}: unset the variable")),
        _ => None,
    }
}

/// Takes `key` out of `section`, and the section with its last key, which would be unknown otherwise.
fn take_key(tree: &mut Node, section: &str, key: &str) -> Option<Node> {
    let Value::Table(sections) = &mut tree.value else { return None };
    let Value::Table(keys) = &mut sections.get_mut(section)?.value else { return None };
    let taken = keys.remove(key);
    if keys.is_empty() {
        sections.remove(section);
    }
    taken
}

fn replaced_by(entries: &[String]) -> String {
    format!("was replaced by [[identify.base]]; write instead\n{}", entries.join("\n"))
}

/// The entry that says what `[[identify.line]]` said.
fn line_entry(entry: &Node) -> String {
    let none = BTreeMap::new();
    let keys = if let Value::Table(keys) = &entry.value { keys } else { &none };
    let given = ["repository", "images", "tag", "default_tag", "bare"].into_iter().filter_map(|key| {
        match &keys.get(key)?.value {
            Value::Text(text) => Some((key, format!("{text:?}"))),
            Value::Boolean(flag) => Some((key, flag.to_string())),
            _ => None,
        }
    });
    base_entry(given)
}

fn base_entry(keys: impl Iterator<Item = (&'static str, String)>) -> String {
    let keys = keys.map(|(key, value)| format!("\n    {key} = {value}"));
    format!("    [[identify.base]]{}", keys.collect::<String>())
}

fn dated_tags_message(list: &Node) -> String {
    let patterns = if let Value::List(patterns) = &list.value { patterns.as_slice() } else { &[] };
    let entry = |pattern: &Node| {
        let Value::Text(pattern) = &pattern.value else { return None };
        let is_built_in = |known: &str| base_pattern(pattern).is_ok_and(|(found, _)| found.as_str() == known);
        let keys = [("repository", format!("{pattern:?}")), ("dated_tags", "true".to_owned())];
        (!BaseRules::built_in().any(is_built_in)).then(|| base_entry(keys.into_iter()))
    };
    let entries: Vec<_> = patterns.iter().filter_map(entry).collect();
    if entries.is_empty() {
        return "was removed: releases of these repositories are known to carry dated tags; delete the key".to_owned();
    }
    replaced_by(&entries)
}
