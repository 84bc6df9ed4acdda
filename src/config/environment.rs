//! Environment variables as settings: `BASEWATCH_POLICY__MAX_AGE=30d` sets `policy.max_age`.
//!
//! Knows no key itself; the shape lists them.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    ConfigProblem,
    problem::did_you_mean,
    shape::{ConfigSchema, SettableKey},
    tree::{ConfigNode, ConfigValue, KeyPath, ValueOrigin},
};
use crate::aws::unusable_variables;

/// Environment variable with the path of the configuration file.
pub const CONFIG_VARIABLE: &str = "BASEWATCH_CONFIG";
/// Environment variable with the log filter.
pub const LOG_VARIABLE: &str = "BASEWATCH_LOG";
/// Environment variable with the log format: `text` or `json`.
pub const LOG_FORMAT_VARIABLE: &str = "BASEWATCH_LOG_FORMAT";

/// The variables that are not settings.
const PROCESS_VARIABLES: [&str; 3] = [CONFIG_VARIABLE, LOG_VARIABLE, LOG_FORMAT_VARIABLE];

/// The tables that no variable sets.
const TABLES: [&str; 5] = ["REGISTRY", "INVENTORY__LAMBDA", "INVENTORY__ECS", "INVENTORY__ECR", "INVENTORY__IMAGES"];

/// The environment variables of the process, or of a test.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentVariables(BTreeMap<String, String>);

impl EnvironmentVariables {
    /// Reads the variables of this process. Invalid UTF-8 becomes U+FFFD, which the reader of the variable rejects.
    #[must_use]
    pub fn from_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The value of `name`; an empty value counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The user's cache folder: `$XDG_CACHE_HOME/basewatch`, else `~/.cache/basewatch` (macOS:
    /// `~/Library/Caches/basewatch`).
    #[must_use]
    pub fn cache_folder(&self) -> Option<PathBuf> {
        let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        self.folder("XDG_CACHE_HOME", below_home)
    }

    /// The user's configuration folder: `$XDG_CONFIG_HOME/basewatch`, else `~/.config/basewatch`.
    #[must_use]
    pub fn config_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME", ".config")
    }

    // The specification requires relative paths to be ignored: https://specifications.freedesktop.org/basedir/latest/
    fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let absolute = |name: &str| self.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute(variable)
            .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
            .map(|folder| folder.join("basewatch"))
    }
}

impl FromIterator<(String, String)> for EnvironmentVariables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Sets the values of the variables in `tree`. Returns a problem for each variable that matches no key.
pub(super) fn overlay(
    tree: &mut ConfigNode,
    environment: &EnvironmentVariables,
    shape: &ConfigSchema,
) -> Vec<ConfigProblem> {
    let settable = shape.settable();
    let named_by_secrets = secret_variables(tree);
    let mut problems = Vec::new();
    for (name, text) in environment.0.iter().filter(|(name, _)| name.starts_with("BASEWATCH_")) {
        if PROCESS_VARIABLES.contains(&name.as_str()) || named_by_secrets.contains(name) {
            continue;
        }
        let origin = ValueOrigin::Variable(name.clone());
        match settable.iter().find(|key| key.variable == *name) {
            Some(key) => tree.set(&key.path, value(key, text, &origin), &origin),
            None => problems.push(unknown(name, origin, &settable)),
        }
    }
    problems
}

/// Problems with the AWS SDK's own variables, which prevent any request.
pub(super) fn unusable(environment: &EnvironmentVariables) -> Vec<ConfigProblem> {
    let wrong = unusable_variables(|name| environment.get(name).map(str::to_owned));
    let problem = |(name, what): (&str, String)| ConfigProblem {
        origin: ValueOrigin::Variable(name.to_owned()),
        path: KeyPath::default(),
        message: format!("{what}; set it again without that character"),
    };
    wrong.into_iter().map(problem).collect()
}

fn unknown(name: &str, origin: ValueOrigin, settable: &[SettableKey]) -> ConfigProblem {
    let known = settable.iter().map(|key| key.variable.as_str()).chain(PROCESS_VARIABLES);
    let hint = if TABLES.iter().any(|table| name["BASEWATCH_".len()..].starts_with(table)) {
        "; registries and inventories can only be set in the file".to_owned()
    } else {
        match did_you_mean(name, known) {
            hint if hint.is_empty() => "; policy.max_age is BASEWATCH_POLICY__MAX_AGE".to_owned(),
            hint => hint,
        }
    };
    ConfigProblem { origin, path: KeyPath::default(), message: format!("unknown variable{hint}") }
}

/// Parses `text` as the kind of value that `key` takes. Any other text stays a string, which the schema check rejects.
fn value(key: &SettableKey, text: &str, origin: &ValueOrigin) -> ConfigValue {
    let as_text = || ConfigValue::Text(text.to_owned());
    match key.kind.as_str() {
        "boolean" => text.parse().map_or_else(|_| as_text(), ConfigValue::Boolean),
        "integer" => text.parse().map_or_else(|_| as_text(), ConfigValue::Integer),
        "number" => text.parse().map_or_else(|_| as_text(), ConfigValue::Float),
        "array" => ConfigValue::List(
            text.split(',')
                .map(str::trim)
                .filter(|element| !element.is_empty())
                .map(|element| ConfigNode { value: ConfigValue::Text(element.to_owned()), origin: origin.clone() })
                .collect(),
        ),
        _ => as_text(),
    }
}

/// The variables that hold secrets: the values of all `env` keys.
fn secret_variables(tree: &ConfigNode) -> Vec<String> {
    match &tree.value {
        ConfigValue::Table(table) => {
            let here = match table.get("env").map(|node| &node.value) {
                Some(ConfigValue::Text(name)) => Some(name.clone()),
                _ => None,
            };
            here.into_iter().chain(table.values().flat_map(secret_variables)).collect()
        }
        ConfigValue::List(list) => list.iter().flat_map(secret_variables).collect(),
        _ => Vec::new(),
    }
}
