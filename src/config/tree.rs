//! TOML values with their origin: a line of the file, a variable or a flag. Knows no keys.

use std::{collections::BTreeMap, fmt};

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueOrigin {
    /// The configuration file.
    File {
        /// The path as given.
        file: String,
        /// The line, from 1; 0 if unknown.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A command-line flag.
    Flag(&'static str),
    /// Not set.
    Nowhere,
}

/// The path of a value: `registry."public.ecr.aws".rate`, `inventory.ecr[0].regions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<KeySegment>);

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeySegment {
    /// Into a table.
    Key(String),
    /// Into a list.
    Index(usize),
}

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

impl KeyPath {
    /// The path of `key` in the table at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(KeySegment::Key(key.to_owned()))
    }

    /// The path of the element `index` in the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(KeySegment::Index(index))
    }

    fn with(&self, segment: KeySegment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }

    /// The segments, from the root.
    pub(super) fn segments(&self) -> &[KeySegment] {
        &self.0
    }
}

impl<'a> FromIterator<&'a str> for KeyPath {
    fn from_iter<I: IntoIterator<Item = &'a str>>(keys: I) -> Self {
        Self(keys.into_iter().map(|key| KeySegment::Key(key.to_owned())).collect())
    }
}

impl ConfigNode {
    /// An empty table without an origin.
    pub(super) fn empty() -> Self {
        Self { value: ConfigValue::Table(BTreeMap::new()), origin: ValueOrigin::Nowhere }
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

/// Whether `key` is a TOML bare key.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                KeySegment::Index(index) => write!(f, "[{index}]")?,
                KeySegment::Key(key) => {
                    f.write_str(if position == 0 { "" } else { "." })?;
                    if is_bare(key) { f.write_str(key)? } else { write!(f, "{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: 0 } => f.write_str(file),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
            Self::Nowhere => Ok(()),
        }
    }
}
