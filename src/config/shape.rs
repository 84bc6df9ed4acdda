//! Checks a configuration against the JSON schema of the raw structs. Reports every unknown key and every wrong type,
//! where serde stops at the first.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    ConfigProblem,
    problem::did_you_mean,
    tree::{ConfigNode, ConfigValue, KeyPath},
};

/// The schema of the configuration.
#[derive(Debug)]
pub(super) struct ConfigSchema {
    schema: Json,
}

/// A key that an environment variable can set.
#[derive(Clone, Debug)]
pub(super) struct SettableKey {
    /// The variable.
    pub(super) variable: String,
    /// The key.
    pub(super) path: KeyPath,
    /// The JSON type: `string`, `integer`, `number`, `boolean`, or `array` for a list of strings.
    pub(super) kind: String,
}

impl ConfigSchema {
    pub(super) fn new(schema: Json) -> Self {
        Self { schema }
    }

    /// Removes from `tree` what does not match the schema. Returns a problem for each removal.
    pub(super) fn prune(&self, tree: &mut ConfigNode) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        self.holds(&self.schema, tree, &KeyPath::default(), &mut problems);
        problems
    }

    /// The scalar and string-list keys outside maps and lists of tables, with their variables.
    pub(super) fn settable(&self) -> Vec<SettableKey> {
        let mut settable = Vec::new();
        self.collect(&self.schema, &KeyPath::default(), "BASEWATCH", &mut settable);
        settable
    }

    fn collect(&self, schema: &Json, path: &KeyPath, prefix: &str, settable: &mut Vec<SettableKey>) {
        let separator = if path.segments().is_empty() { "_" } else { "__" };
        for (key, schema) in properties(schema) {
            let (target, path) = (self.target(schema), path.key(key));
            let variable = format!("{prefix}{separator}{}", key.to_uppercase().replace('-', "_"));
            match kind(target) {
                "object" => self.collect(target, &path, &variable, settable),
                "array" if kind(self.target(&target["items"])) != "string" => {}
                kind => settable.push(SettableKey { variable, path, kind: kind.to_owned() }),
            }
        }
    }

    /// Follows a `$ref` into the definitions.
    fn target<'a>(&'a self, schema: &'a Json) -> &'a Json {
        let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.schema["$defs"][name])
    }

    /// The alternative of `schema` that has the type of `value`; `schema` itself if there is none.
    fn variant<'a>(&'a self, schema: &'a Json, value: &ConfigValue) -> &'a Json {
        let type_name = match value {
            ConfigValue::Table(_) => "object",
            ConfigValue::Text(_) => "string",
            ConfigValue::Boolean(_) => "boolean",
            _ => return schema,
        };
        let mut variants = schema["anyOf"].as_array().into_iter().flatten().map(|variant| self.target(variant));
        variants.find(|variant| kind(variant) == type_name).unwrap_or(schema)
    }

    /// Removes what is wrong inside `node`. Returns whether `node` itself matches the schema.
    fn holds(&self, schema: &Json, node: &mut ConfigNode, path: &KeyPath, problems: &mut Vec<ConfigProblem>) -> bool {
        let target = self.variant(self.target(schema), &node.value);
        let mut refuse = |message: String| {
            problems.push(ConfigProblem { origin: node.origin.clone(), path: path.clone(), message });
            false
        };
        match (kind(target), &mut node.value) {
            ("object", ConfigValue::Table(_)) => {
                self.prune_table(target, node, path, problems);
                true
            }
            ("array", ConfigValue::List(list)) => {
                for (index, element) in list.iter_mut().enumerate() {
                    if !self.holds(&target["items"], element, &path.index(index), problems) {
                        // Keep a blank element, so that the indices of the others stay correct.
                        element.value = blank(self.target(&target["items"]));
                    }
                }
                true
            }
            ("string", ConfigValue::Text(text)) if target["anyOf"].is_null() => {
                let allowed_values = allowed_values(target);
                allowed_values.is_empty() || allowed_values.contains(&text.as_str()) || {
                    let hint = did_you_mean(text, allowed_values.iter().copied());
                    refuse(format!("{text:?} is not allowed; use {}{hint}", allowed_values.join(", ")))
                }
            }
            // TOML has its own type for dates.
            ("string", ConfigValue::Instant(_)) if target["format"] == "date" => true,
            ("boolean", ConfigValue::Boolean(_)) => true,
            ("integer" | "number", ConfigValue::Integer(number)) => {
                #[expect(clippy::cast_precision_loss, reason = "limits are small")]
                let number = *number as f64;
                within(target, number).is_none_or(refuse)
            }
            ("number", ConfigValue::Float(number)) => within(target, *number).is_none_or(refuse),
            (_, value) => {
                let found = value.kind();
                refuse(format!("expected {}, found {found}", expected(target)))
            }
        }
    }

    fn prune_table(&self, schema: &Json, node: &mut ConfigNode, path: &KeyPath, problems: &mut Vec<ConfigProblem>) {
        let origin = node.origin.clone();
        let ConfigValue::Table(table) = &mut node.value else { return };
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        for key in required.filter(|key| !table.contains_key(*key)) {
            let example = &schema["properties"][key]["examples"][0];
            let message = format!("missing: write {key} = {example}");
            problems.push(ConfigProblem { origin: origin.clone(), path: path.key(key), message });
        }
        let known: Vec<&str> = properties(schema).map(|(key, _)| key).collect();
        table.retain(|key, value| {
            let path = path.key(key);
            let named = properties(schema).find(|(name, _)| name == key).map(|(_, schema)| schema);
            let is_open = schema["propertyNames"].is_null() && schema["additionalProperties"].is_object();
            if let Some(schema) = named.or_else(|| is_open.then(|| &schema["additionalProperties"])) {
                return self.holds(schema, value, &path, problems);
            }
            let hint = match did_you_mean(key, known.iter().copied()) {
                hint if hint.is_empty() => format!("; known keys: {}", known.join(", ")),
                hint => hint,
            };
            problems.push(ConfigProblem { origin: value.origin.clone(), path, message: format!("unknown key{hint}") });
            false
        });
    }
}

/// The keys of a table, or of a map that lists them, and the schema of each.
fn properties(schema: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let listed = schema["propertyNames"]["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let listed = listed.map(|key| (key, &schema["additionalProperties"]));
    properties.map(|(key, schema)| (key.as_str(), schema)).chain(listed)
}

/// The JSON type. Enumerations are strings.
fn kind(schema: &Json) -> &str {
    schema["type"].as_str().unwrap_or("string")
}

/// The values of an enumeration.
fn allowed_values(schema: &Json) -> Vec<&str> {
    let plain = schema["enum"].as_array().into_iter().flatten();
    let documented = schema["oneOf"].as_array().into_iter().flatten();
    documented
        .flat_map(|one| std::iter::once(&one["const"]).chain(one["enum"].as_array().into_iter().flatten()))
        .chain(plain)
        .filter_map(Json::as_str)
        .collect()
}

/// The empty value of a type.
fn blank(schema: &Json) -> ConfigValue {
    match kind(schema) {
        "object" => ConfigValue::Table(BTreeMap::new()),
        _ => ConfigValue::Text(String::new()),
    }
}

/// An error message if `number` is out of range.
fn within(schema: &Json, number: f64) -> Option<String> {
    let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
    let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
    // NaN is always out of range.
    (!(least..=most).contains(&number)).then(|| format!("{number} is out of range: {least} to {most}"))
}

/// The expected type: the title of the schema, else the JSON type.
fn expected(target: &Json) -> &str {
    target["title"].as_str().unwrap_or_else(|| match kind(target) {
        "object" => "a table",
        "array" => "a list",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "a string",
    })
}
