//! Problems of a configuration, each with its location.

use std::fmt;

use super::tree::{KeyPath, ValueOrigin};

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Where the value was set.
    pub origin: ValueOrigin,
    /// The key; empty for a problem of the whole file.
    pub path: KeyPath,
    /// The problem and how to fix it. Never contains a secret.
    pub message: String,
}

/// One or more problems, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblems(pub(crate) Vec<ConfigProblem>);

impl From<Vec<ConfigProblem>> for ConfigProblems {
    fn from(mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort_by(|a, b| (&a.origin, &a.path).cmp(&(&b.origin, &b.path)));
        Self(problems)
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != ValueOrigin::Nowhere {
            write!(f, "{}: ", self.origin)?;
        }
        // The name of a variable or flag already identifies the key.
        if matches!(self.origin, ValueOrigin::File { .. } | ValueOrigin::Nowhere) && !self.path.segments().is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [problem] => write!(f, "{problem}"),
            problems => {
                write!(f, "the configuration has {} problems", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigProblems {}

/// Suggests the closest of `known` as `; did you mean …?`, or returns an empty string.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // Keys are short; a longer text is not a typo of one.
    let word: String = word.to_lowercase().chars().take(256).collect();
    let nearest = known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance);
    nearest.map_or_else(String::new, |(_, candidate)| format!("; did you mean {candidate}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_words_are_suggested() {
        let known = ["max_age", "grace", "severity", "override"];
        assert_eq!(did_you_mean("maxage", known), "; did you mean max_age?");
        assert_eq!(did_you_mean("graze", known), "; did you mean grace?");
        assert_eq!(did_you_mean("hihg", ["low", "high"]), "; did you mean high?");
        assert_eq!(did_you_mean("colour", known), "");
        assert_eq!(did_you_mean("", known), "");
    }
}
