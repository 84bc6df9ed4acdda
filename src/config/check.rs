//! Where validation collects what it finds, and what it may ask of the world: secrets and folders.

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::{
    Environment, Problem,
    tree::{KeyPath, Node, Origin},
    values::{DurationText, duration},
};
use crate::secret::Secret;

/// More than any password.
const SECRET_LIMIT: u64 = 64 * 1024;

/// One validation.
pub(super) struct Check<'a> {
    /// What is validated, with its origins.
    pub(super) tree: &'a Node,
    /// Where secrets may be.
    pub(super) environment: &'a Environment,
    /// The folder that paths in the file are relative to.
    pub(super) file_folder: &'a Path,
    /// The folder that paths in variables are relative to.
    pub(super) working_folder: &'a Path,
    /// What was found so far.
    pub(super) problems: Vec<Problem>,
}

impl Check<'_> {
    /// Reports that what is at `path` is wrong, unless something at or below it is reported already:
    /// that would be the same mistake twice.
    pub(super) fn refuse(&mut self, path: &KeyPath, message: impl Into<String>) {
        if self.problems.iter().any(|known| known.path.segments().starts_with(path.segments())) {
            return;
        }
        self.problems.push(Problem { origin: self.tree.origin_of(path), path: path.clone(), message: message.into() });
    }

    /// What `result` holds, or a problem at `path`.
    pub(super) fn accept<T>(&mut self, path: &KeyPath, result: Result<T, impl Into<String>>) -> Option<T> {
        result.map_err(|message| self.refuse(path, message)).ok()
    }

    /// `text` parsed, by a parser whose errors repeat the text.
    pub(super) fn parse<T: FromStr<Err = String>>(&mut self, path: &KeyPath, text: &str) -> Option<T> {
        self.accept(path, text.parse())
    }

    /// Each of `texts` parsed; the problems are at their places in the list at `path`.
    pub(super) fn each<T>(
        &mut self,
        path: &KeyPath,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let parsed = texts.iter().enumerate().map(|(index, text)| (path.index(index), parse(text)));
        parsed.filter_map(|(path, result)| self.accept(&path, result)).collect()
    }

    /// The duration at `path`, if there is one, at least `least`.
    pub(super) fn duration(
        &mut self,
        path: &KeyPath,
        text: Option<&DurationText>,
        least: Duration,
    ) -> Option<Duration> {
        let DurationText(text) = text?;
        let found = self.accept(path, duration(text))?;
        if found < least {
            self.refuse(path, format!("{text:?} is too short: at least {}s", least.as_secs()));
            return None;
        }
        Some(found)
    }

    /// The path `text` at `path`: relative to the file's folder if it is from there, else to the
    /// working folder.
    pub(super) fn folder(&self, path: &KeyPath, text: &Path) -> PathBuf {
        match self.tree.origin_of(path) {
            Origin::File { .. } => self.file_folder.join(text),
            _ => self.working_folder.join(text),
        }
    }

    /// The secret in the variable `name`.
    pub(super) fn secret_in_variable(&mut self, path: &KeyPath, name: &str) -> Option<Secret> {
        let read = || {
            let value =
                self.environment.get(name).ok_or_else(|| format!("the environment variable {name:?} is not set"))?;
            value.parse().map_err(|error| format!("the environment variable {name:?} holds no secret: {error}"))
        };
        let secret = read();
        self.accept(path, secret)
    }

    /// The secret in a file.
    pub(super) fn secret_in_file(&mut self, path: &KeyPath, file: &str) -> Option<Secret> {
        let file = self.folder(path, Path::new(file));
        let refusal = |why: &dyn Display| format!("{} holds no secret: {why}", file.display());
        let read = || {
            let size = fs::metadata(&file).map_err(|error| refusal(&error))?.len();
            if size > SECRET_LIMIT {
                return Err(refusal(&format_args!("{size} bytes are too many")));
            }
            let text = fs::read_to_string(&file).map_err(|error| refusal(&error))?;
            text.parse().map_err(|error| refusal(&error))
        };
        self.accept(path, read())
    }
}
