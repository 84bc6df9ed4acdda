//! Validation of a configuration: collects problems, and resolves secrets and relative paths.

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::{
    ConfigProblem, EnvironmentVariables,
    tree::{ConfigNode, KeyPath, ValueOrigin},
    values::{DurationText, duration},
};
use crate::secret::Secret;

/// The size limit of a secret file, in bytes.
const SECRET_LIMIT: u64 = 64 * 1024;

/// A validation in progress.
pub(super) struct ConfigValidator<'a> {
    /// The configuration, with the origin of each value.
    pub(super) tree: &'a ConfigNode,
    /// The environment variables, which may hold secrets.
    pub(super) environment: &'a EnvironmentVariables,
    /// The folder that paths in the file are relative to.
    pub(super) file_folder: &'a Path,
    /// The folder that paths in variables are relative to.
    pub(super) working_folder: &'a Path,
    /// The problems found so far.
    pub(super) problems: Vec<ConfigProblem>,
}

impl ConfigValidator<'_> {
    /// Reports a problem at `path`, unless one at or below `path` is already reported: it would be the same mistake.
    pub(super) fn refuse(&mut self, path: &KeyPath, message: impl Into<String>) {
        if self.problems.iter().any(|known| known.path.segments().starts_with(path.segments())) {
            return;
        }
        self.problems.push(ConfigProblem {
            origin: self.tree.origin_of(path),
            path: path.clone(),
            message: message.into(),
        });
    }

    /// Unwraps `result`, or reports its error at `path`.
    pub(super) fn accept<T>(&mut self, path: &KeyPath, result: Result<T, impl Into<String>>) -> Option<T> {
        result.map_err(|message| self.refuse(path, message)).ok()
    }

    /// Parses `text` with a parser whose errors quote the text.
    pub(super) fn parse<T: FromStr<Err = String>>(&mut self, path: &KeyPath, text: &str) -> Option<T> {
        self.accept(path, text.parse())
    }

    /// Parses each of `texts`, and reports errors at their indices in the list at `path`.
    pub(super) fn each<T>(
        &mut self,
        path: &KeyPath,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let parsed = texts.iter().enumerate().map(|(index, text)| (path.index(index), parse(text)));
        parsed.filter_map(|(path, result)| self.accept(&path, result)).collect()
    }

    /// Parses the duration at `path` and requires at least `least`.
    pub(super) fn duration(
        &mut self,
        path: &KeyPath,
        text: Option<&DurationText>,
        least: Duration,
    ) -> Option<Duration> {
        let DurationText(text) = text?;
        let found = self.accept(path, duration(text))?;
        if found < least {
            self.refuse(path, format!("{text:?} is too short: the minimum is {}s", least.as_secs()));
            return None;
        }
        Some(found)
    }

    /// Resolves the path `text` at `path`: relative to the folder of the file that sets it, else to the working folder.
    pub(super) fn folder(&self, path: &KeyPath, text: &Path) -> PathBuf {
        match self.tree.origin_of(path) {
            ValueOrigin::File { .. } => self.file_folder.join(text),
            _ => self.working_folder.join(text),
        }
    }

    /// Reads a secret from the environment variable `name`.
    pub(super) fn secret_in_variable(&mut self, path: &KeyPath, name: &str) -> Option<Secret> {
        let read = || {
            let value =
                self.environment.get(name).ok_or_else(|| format!("the environment variable {name:?} is not set"))?;
            value
                .parse()
                .map_err(|error| format!("the environment variable {name:?} does not hold a valid secret: {error}"))
        };
        let secret = read();
        self.accept(path, secret)
    }

    /// Reads a secret from a file.
    pub(super) fn secret_in_file(&mut self, path: &KeyPath, file: &str) -> Option<Secret> {
        let file = self.folder(path, Path::new(file));
        let refusal = |why: &dyn Display| format!("{} does not hold a valid secret: {why}", file.display());
        let read = || {
            let size = fs::metadata(&file).map_err(|error| refusal(&error))?.len();
            if size > SECRET_LIMIT {
                return Err(refusal(&format_args!("it has {size} bytes, more than {SECRET_LIMIT}")));
            }
            let text = fs::read_to_string(&file).map_err(|error| refusal(&error))?;
            text.parse().map_err(|error| refusal(&error))
        };
        self.accept(path, read())
    }
}
