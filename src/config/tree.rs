//! TOML values with their origin: a line of the file, a variable or a flag. Knows no keys.

use std::{collections::BTreeMap, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    ConfigProblem, ConfigProblems,
    key_path::{KeyPath, KeySegment, ValueOrigin},
};

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConfigNode {
    pub(super) value: ConfigValue,
    pub(super) origin: ValueOrigin,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ConfigValue {
    Table(BTreeMap<String, ConfigNode>),
    List(Vec<ConfigNode>),
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Instant(String),
}

impl ConfigNode {
    /// An empty table without an origin.
    pub(super) fn empty() -> Self {
        Self { value: ConfigValue::Table(BTreeMap::new()), origin: ValueOrigin::Nowhere }
    }

    /// Parses the TOML document `text` of `file`.
    pub(super) fn parse(text: &str, file: &Path) -> Result<Self, ConfigProblems> {
        let file = file.display().to_string();
        let breaks: Vec<_> = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        let line_of = |offset: usize| breaks.partition_point(|at| *at < offset) + 1;
        let at = |offset: usize| ValueOrigin::File { file: file.clone(), line: line_of(offset) };
        let (table, errors) = DeTable::parse_recoverable(text);
        let Some(error) = errors.first() else {
            return Ok(Self { value: table_of(table.into_inner(), &at), origin: at(0) });
        };
        // Later errors are usually consequences of the first.
        let origin = at(error.span().map_or(0, |span| span.start));
        Err(ConfigProblems::from(vec![ConfigProblem {
            origin,
            path: KeyPath::default(),
            message: format!("not TOML: {}", error.message()),
        }]))
    }

    /// Sets `value` at `path`, and creates the tables on the way.
    pub(super) fn set(&mut self, path: &KeyPath, value: ConfigValue, origin: &ValueOrigin) {
        let mut node = self;
        for segment in path.segments() {
            let KeySegment::Key(key) = segment else { return };
            if !matches!(node.value, ConfigValue::Table(_)) {
                // The file has another value where a table belongs. The schema check reports it.
                return;
            }
            let ConfigValue::Table(table) = &mut node.value else { return };
            node = table.entry(key.clone()).or_insert_with(|| Self { origin: origin.clone(), ..Self::empty() });
        }
        *node = Self { value, origin: origin.clone() };
    }

    /// The origin of the value at `path`; of a missing value, the origin of the nearest enclosing table.
    pub(super) fn origin_of(&self, path: &KeyPath) -> ValueOrigin {
        let mut node = self;
        for segment in path.segments() {
            let next = match (segment, &node.value) {
                (KeySegment::Key(key), ConfigValue::Table(table)) => table.get(key),
                (KeySegment::Index(index), ConfigValue::List(list)) => list.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node.origin.clone()
    }

    /// The values without origins, for serde.
    pub(super) fn to_toml(&self) -> toml::Value {
        match &self.value {
            ConfigValue::Table(table) => {
                toml::Value::Table(table.iter().map(|(key, node)| (key.clone(), node.to_toml())).collect())
            }
            ConfigValue::List(list) => toml::Value::Array(list.iter().map(Self::to_toml).collect()),
            ConfigValue::Text(text) | ConfigValue::Instant(text) => toml::Value::String(text.clone()),
            ConfigValue::Integer(number) => toml::Value::Integer(*number),
            ConfigValue::Float(number) => toml::Value::Float(*number),
            ConfigValue::Boolean(flag) => toml::Value::Boolean(*flag),
        }
    }
}

fn table_of(table: DeTable<'_>, at: &dyn Fn(usize) -> ValueOrigin) -> ConfigValue {
    ConfigValue::Table(
        table
            .into_iter()
            .map(|(key, value)| {
                let origin = at(key.span().start);
                (key.into_inner().into_owned(), ConfigNode { value: value_of(value.into_inner(), at), origin })
            })
            .collect(),
    )
}

fn value_of(value: DeValue<'_>, at: &dyn Fn(usize) -> ValueOrigin) -> ConfigValue {
    match value {
        DeValue::String(text) => ConfigValue::Text(text.into_owned()),
        DeValue::Boolean(flag) => ConfigValue::Boolean(flag),
        DeValue::Datetime(instant) => ConfigValue::Instant(instant.to_string()),
        // An integer out of range becomes a float, which no integer key accepts.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| ConfigValue::Float(f64::INFINITY), ConfigValue::Integer),
        DeValue::Float(number) => ConfigValue::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Table(table) => table_of(table, at),
        DeValue::Array(list) => ConfigValue::List(
            list.into_iter()
                .map(|element| {
                    let origin = at(element.span().start);
                    ConfigNode { value: value_of(element.into_inner(), at), origin }
                })
                .collect(),
        ),
    }
}

impl ConfigValue {
    /// The type for messages. The value itself may be a secret.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::List(_) => "a list",
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Instant(_) => "a date",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unclosed_inline_tables_are_rejected() {
        // Before toml_parser 1.1.6, the parser recursed once for each of them.
        let file = "[[a]]\nb = { c = \"d\"\n".repeat(2_000);
        assert!(ConfigNode::parse(&file, Path::new("basewatch.toml")).is_err());
    }
}
