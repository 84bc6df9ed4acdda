//! Which keys there are and what kind of value each takes, read from the schema of the raw structs, so
//! that every unknown key and every wrong kind is reported, not only the first.
//!
//! Knows no single key.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Problem,
    problem::did_you_mean,
    tree::{KeyPath, Node, Value},
};

/// The schema of the configuration, to check a tree against.
#[derive(Debug)]
pub(super) struct Shape {
    schema: Json,
}

/// A key that a variable can set.
#[derive(Clone, Debug)]
pub(super) struct Settable {
    /// The variable.
    pub(super) variable: String,
    /// The key.
    pub(super) path: KeyPath,
    /// `string`, `integer`, `number`, `boolean`, or `array` for a list of texts.
    pub(super) kind: String,
}

impl Shape {
    pub(super) fn new(schema: Json) -> Self {
        Self { schema }
    }

    /// Takes out of `tree` what no raw struct could hold, and says what it was.
    pub(super) fn prune(&self, tree: &mut Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.holds(&self.schema, tree, &KeyPath::default(), &mut problems);
        problems
    }

    /// The scalar and list-of-text keys outside maps and lists of tables, with their variables.
    pub(super) fn settable(&self) -> Vec<Settable> {
        let mut settable = Vec::new();
        self.collect(&self.schema, &KeyPath::default(), "BASEWATCH", &mut settable);
        settable
    }

    fn collect(&self, schema: &Json, path: &KeyPath, prefix: &str, settable: &mut Vec<Settable>) {
        let separator = if path.segments().is_empty() { "_" } else { "__" };
        for (key, schema) in properties(schema) {
            let (target, path) = (self.target(schema), path.key(key));
            let variable = format!("{prefix}{separator}{}", key.to_uppercase().replace('-', "_"));
            match kind(target) {
                "object" => self.collect(target, &path, &variable, settable),
                "array" if kind(self.target(&target["items"])) != "string" => {}
                kind => settable.push(Settable { variable, path, kind: kind.to_owned() }),
            }
        }
    }

    /// Follows a reference into the definitions.
    fn target<'a>(&'a self, schema: &'a Json) -> &'a Json {
        let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.schema["$defs"][name])
    }

    /// Whether `node` can stay, after taking out what is wrong inside it.
    fn holds(&self, schema: &Json, node: &mut Node, path: &KeyPath, problems: &mut Vec<Problem>) -> bool {
        let target = self.target(schema);
        let mut refuse = |message: String| {
            problems.push(Problem { origin: node.origin.clone(), path: path.clone(), message });
            false
        };
        match (kind(target), &mut node.value) {
            ("object", Value::Table(_)) => {
                self.prune_table(target, node, path, problems);
                true
            }
            ("array", Value::List(list)) => {
                for (index, element) in list.iter_mut().enumerate() {
                    if !self.holds(&target["items"], element, &path.index(index), problems) {
                        // Something of the right kind keeps its place, so that the others keep theirs;
                        // what is wrong with it is reported once.
                        element.value = blank(self.target(&target["items"]));
                    }
                }
                true
            }
            ("string", Value::Text(text)) => {
                let words = words(target);
                words.is_empty() || words.contains(&text.as_str()) || {
                    let hint = did_you_mean(text, words.iter().copied());
                    refuse(format!("no {text:?} here, only {}{hint}", words.join(", ")))
                }
            }
            // TOML has days of its own.
            ("string", Value::Instant(_)) if target["format"] == "date" => true,
            ("boolean", Value::Boolean(_)) => true,
            ("integer" | "number", Value::Integer(number)) => {
                #[expect(clippy::cast_precision_loss, reason = "limits are small")]
                let number = *number as f64;
                within(target, number).is_none_or(refuse)
            }
            ("number", Value::Float(number)) => within(target, *number).is_none_or(refuse),
            (_, value) => {
                let found = value.kind();
                refuse(format!("expected {}, found {found}", expected(target)))
            }
        }
    }

    fn prune_table(&self, schema: &Json, node: &mut Node, path: &KeyPath, problems: &mut Vec<Problem>) {
        let origin = node.origin.clone();
        let Value::Table(table) = &mut node.value else { return };
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        for key in required.filter(|key| !table.contains_key(*key)) {
            let example = &schema["properties"][key]["examples"][0];
            let message = format!("missing: write {key} = {example}");
            problems.push(Problem { origin: origin.clone(), path: path.key(key), message });
        }
        let known: Vec<&str> = properties(schema).map(|(key, _)| key).collect();
        table.retain(|key, value| {
            let path = path.key(key);
            let named = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
            if let Some(schema) = named.filter(|schema| schema.is_object()) {
                return self.holds(schema, value, &path, problems);
            }
            let hint = match did_you_mean(key, known.iter().copied()) {
                hint if hint.is_empty() => format!("; there are {}", known.join(", ")),
                hint => hint,
            };
            problems.push(Problem { origin: value.origin.clone(), path, message: format!("unknown key{hint}") });
            false
        });
    }
}

/// The keys of a table and the schema of each.
pub(super) fn properties(schema: &Json) -> impl Iterator<Item = (&str, &Json)> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, schema)| (key.as_str(), schema))
}

/// The JSON type; that of an enumeration of words is `string`.
fn kind(schema: &Json) -> &str {
    schema["type"].as_str().unwrap_or("string")
}

/// The words of an enumeration.
fn words(schema: &Json) -> Vec<&str> {
    let plain = schema["enum"].as_array().into_iter().flatten();
    let documented = schema["oneOf"].as_array().into_iter().flatten();
    documented
        .flat_map(|one| std::iter::once(&one["const"]).chain(one["enum"].as_array().into_iter().flatten()))
        .chain(plain)
        .filter_map(Json::as_str)
        .collect()
}

/// The least value of a kind.
fn blank(schema: &Json) -> Value {
    match kind(schema) {
        "object" => Value::Table(BTreeMap::new()),
        _ => Value::Text(String::new()),
    }
}

/// What is wrong with `number`, if it is outside the limits.
fn within(schema: &Json, number: f64) -> Option<String> {
    let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
    let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
    // Not a number is within no limits.
    (!(least..=most).contains(&number)).then(|| format!("{number} is out of range: {least} to {most}"))
}

/// What a value should have been: as its type is titled, else by its kind.
fn expected(target: &Json) -> &str {
    target["title"].as_str().unwrap_or_else(|| match kind(target) {
        "object" => "a table",
        "array" => "a list",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "a text",
    })
}
