//! Patterns over names: `*` matches any run of characters, `/` too, `?` one, `[…]` and `{a,b}` as in a shell.

use std::{fmt, str::FromStr};

/// A compiled pattern.
#[derive(Clone)]
pub struct Glob {
    text: String,
    matcher: globset::GlobMatcher,
}

impl Glob {
    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.matcher.is_match(text)
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("\"\" is no pattern: write * for everything".to_owned());
        }
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(false)
            .build()
            .map_err(|error| format!("{text:?} is no pattern: {}", error.kind()))?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_crosses_slashes() {
        let matches = |pattern: &str, text: &str| pattern.parse::<Glob>().expect(pattern).matches(text);
        assert!(matches("*", "team-a/orders"));
        assert!(matches("team-a/*", "team-a/orders/api"));
        assert!(!matches("team-a/*", "team-b/orders"));
        assert!(matches("421", "421") && !matches("421", "4210"));
        assert!("[".parse::<Glob>().is_err());
    }
}
