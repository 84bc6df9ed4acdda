//! Patterns over names: `*` matches any run of characters, `/` too, `?` one, `[…]` and `{a,b}` as in a shell.

use std::{fmt, str::FromStr};

/// The longest pattern, in bytes.
const MOST_BYTES: usize = 4096;
/// How deep `{a,{b,c}}` may nest: compiling a pattern recurses.
const MOST_NESTED: usize = 16;
/// The longest quoted part of a rejected pattern, in characters.
const QUOTED_CHARS: usize = 100;

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

/// Whether `text` as a pattern has wildcards.
#[must_use]
pub fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("\"\" is not a pattern: write * for everything".to_owned());
        }
        let quoted = || format!("{:?}", text.chars().take(QUOTED_CHARS).collect::<String>());
        if text.len() > MOST_BYTES {
            return Err(format!("{} exceeds the limit of {MOST_BYTES} bytes for a pattern", quoted()));
        }
        if nested(text) > MOST_NESTED {
            return Err(format!("{} has braces that nest deeper than {MOST_NESTED}", quoted()));
        }
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(false)
            .build()
            .map_err(|error| format!("{} is not a pattern: {}", quoted(), error.kind()))?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }
}

/// How deep the braces of `text` nest; literal ones count as well.
fn nested(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
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

    #[test]
    fn a_pattern_that_cannot_be_compiled_is_refused() {
        let nested = |depth: usize| format!("{}b{}", "{a,".repeat(depth), "}".repeat(depth));
        assert!(nested(MOST_NESTED).parse::<Glob>().expect("deep").matches("b"));
        for text in [nested(MOST_NESTED + 1), nested(5_000), "{".repeat(1_000), "?".repeat(MOST_BYTES + 1)] {
            let why = text.parse::<Glob>().expect_err(&text[..10]);
            assert!(why.len() < 300, "{why}");
        }
        for unit in ["?", "*", "[a-z]", "[!é]", "{a,b}", "\\{"] {
            let _ = unit.repeat(MOST_BYTES / unit.len()).parse::<Glob>();
        }
    }
}
