//! The environment as settings: `BASEWATCH_POLICY__MAX_AGE=30d` is `policy.max_age`.
//!
//! Knows no single key: which there are is in the shape.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Problem,
    problem::did_you_mean,
    removed,
    shape::{Settable, Shape},
    tree::{KeyPath, Node, Origin, Value},
};
use crate::aws::unusable_variables;

/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "BASEWATCH_CONFIG";
/// The variable that holds the log filter.
pub const LOG_VARIABLE: &str = "BASEWATCH_LOG";

/// The environment variables of the process, or a test's.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. What is not UTF-8 is replaced, and then refused by what reads it.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The value of `name`; an empty one counts as none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The folder for what can be fetched again: `$XDG_CACHE_HOME/basewatch`, else
    /// `~/.cache/basewatch`, on macOS `~/Library/Caches/basewatch`.
    #[must_use]
    pub fn cache_folder(&self) -> Option<PathBuf> {
        let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        self.folder("XDG_CACHE_HOME", below_home)
    }

    /// The user's folder of configuration: `$XDG_CONFIG_HOME/basewatch`, else `~/.config/basewatch`.
    #[must_use]
    pub fn config_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME", ".config")
    }

    // Relative paths in these variables are to be ignored: https://specifications.freedesktop.org/basedir/latest/
    fn folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let absolute = |name: &str| self.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute(variable)
            .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
            .map(|folder| folder.join("basewatch"))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Puts what the variables set over `tree`, and says which of them set nothing there is.
pub(super) fn overlay(tree: &mut Node, environment: &Environment, shape: &Shape) -> Vec<Problem> {
    let settable = shape.settable();
    let named_by_secrets = secret_variables(tree);
    let mut problems = Vec::new();
    for (name, text) in environment.0.iter().filter(|(name, _)| name.starts_with("BASEWATCH_")) {
        if matches!(name.as_str(), CONFIG_VARIABLE | LOG_VARIABLE) || named_by_secrets.contains(name) {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        match settable.iter().find(|key| key.variable == *name) {
            Some(key) => tree.set(&key.path, value(key, text, &origin), &origin),
            None => problems.push(unknown(name, origin, &settable)),
        }
    }
    problems
}

/// The problems of AWS's own variables: with them, no request can be made.
pub(super) fn unusable(environment: &Environment) -> Vec<Problem> {
    let wrong = unusable_variables(|name| environment.get(name).map(str::to_owned));
    let problem = |(name, what): (&str, String)| Problem {
        origin: Origin::Variable(name.to_owned()),
        path: KeyPath::default(),
        message: format!("it {what}; set it again without that character"),
    };
    wrong.into_iter().map(problem).collect()
}

fn unknown(name: &str, origin: Origin, settable: &[Settable]) -> Problem {
    let known = settable.iter().map(|key| key.variable.as_str()).chain([CONFIG_VARIABLE, LOG_VARIABLE]);
    if let Some(message) = removed::variable(name) {
        return Problem { origin, path: KeyPath::default(), message };
    }
    let hint = match did_you_mean(name, known) {
        hint if !hint.is_empty() => hint,
        _ if ["REGISTRY", "INVENTORY"].iter().any(|section| name["BASEWATCH_".len()..].starts_with(section)) => {
            "; registries and inventories are set in the file only".to_owned()
        }
        _ => "; policy.max_age is BASEWATCH_POLICY__MAX_AGE".to_owned(),
    };
    Problem { origin, path: KeyPath::default(), message: format!("no setting has this variable{hint}") }
}

/// The value that `text` stands for. One that is not of the key's kind stays a text, and is then
/// refused like one in the file.
fn value(key: &Settable, text: &str, origin: &Origin) -> Value {
    let as_text = || Value::Text(text.to_owned());
    match key.kind.as_str() {
        "boolean" => text.parse().map_or_else(|_| as_text(), Value::Boolean),
        "integer" => text.parse().map_or_else(|_| as_text(), Value::Integer),
        "number" => text.parse().map_or_else(|_| as_text(), Value::Float),
        "array" => Value::List(
            text.split(',')
                .map(str::trim)
                .filter(|element| !element.is_empty())
                .map(|element| Node { value: Value::Text(element.to_owned()), origin: origin.clone() })
                .collect(),
        ),
        _ => as_text(),
    }
}

/// The variables that secrets are in, wherever there is an `env` key: their names are the user's choice.
fn secret_variables(tree: &Node) -> Vec<String> {
    match &tree.value {
        Value::Table(table) => {
            let here = match table.get("env").map(|node| &node.value) {
                Some(Value::Text(name)) => Some(name.clone()),
                _ => None,
            };
            here.into_iter().chain(table.values().flat_map(secret_variables)).collect()
        }
        Value::List(list) => list.iter().flat_map(secret_variables).collect(),
        _ => Vec::new(),
    }
}
