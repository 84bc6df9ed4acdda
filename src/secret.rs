//! Secrets: values that are never shown, and their sources.
//!
//! It reads no source itself; adapters do.

use crate::image::Arn;
use std::{fmt, str::FromStr};

/// A secret value: it never shows in debug output, logs or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for sending it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a valid secret. Never includes a part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It is empty, or white space only.
    #[error("it is empty")]
    Empty,
    /// It has a character that is invisible or not allowed in a header.
    #[error("it contains a {0}, which cannot be sent: store the secret again without it")]
    Character(String),
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    /// Parses a secret from an environment variable, a file or AWS Secrets Manager, without surrounding white space
    /// such as the line break that `echo` and editors add.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidSecret::Empty);
        }
        match text.chars().find(|c| c.is_control() || is_invisible(*c)) {
            Some(character) => Err(InvalidSecret::Character(character_name(character))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Invisible characters, such as the byte order mark that some editors write at the start of a file.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The name of a character that cannot be shown: `line feed (U+000A)`.
pub(crate) fn character_name(c: char) -> String {
    let name = match c {
        '\n' => "line feed",
        '\r' => "carriage return",
        '\t' => "tab",
        '\0' => "NUL",
        ' ' => "space",
        '\u{feff}' => "byte order mark",
        c if c.is_whitespace() => "white space character",
        c if c.is_control() => "control character",
        _ => "character",
    };
    format!("{name} (U+{:04X})", u32::from(c))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The source of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A value from the environment or a file.
    Here(Secret),
    /// In AWS Secrets Manager; fetched when it is first needed.
    SecretsManager {
        /// The ARN of the secret.
        arn: Arn,
        /// The key of a secret that is a JSON object; without one, the whole text is the secret.
        key: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_secret_is_trimmed() {
        for text in ["hush", "hush\n", "hush\r\n", " hush ", "\thush\n\n", "\u{a0}hush"] {
            assert_eq!(
                text.parse::<Secret>().map(|secret| secret.reveal().to_owned()),
                Ok("hush".to_owned()),
                "{text:?}"
            );
        }
        assert_eq!("my word\n".parse::<Secret>().expect("a secret").reveal(), "my word");
        for text in ["", " ", "\r\n\t"] {
            assert_eq!(text.parse::<Secret>(), Err(InvalidSecret::Empty), "{text:?}");
        }
    }

    #[test]
    fn an_invalid_character_is_named_without_the_secret() {
        for (text, name) in [
            ("hu\nsh", "line feed (U+000A)"),
            ("hu\tsh", "tab (U+0009)"),
            ("hu\0sh", "NUL (U+0000)"),
            ("hu\u{1b}sh", "control character (U+001B)"),
            ("\u{feff}hush", "byte order mark (U+FEFF)"),
            ("hu\u{200b}sh", "character (U+200B)"),
        ] {
            let error = text.parse::<Secret>().expect_err(name).to_string();
            assert!(error.contains(name) && !error.contains("hu"), "{error}");
        }
    }
}
