//! Sanitizing of untrusted text from labels, tags and registries: invisible and control characters are shown as
//! escapes, so that terminals do not interpret them.

use std::borrow::Cow;

use textwrap::{Options, WordSeparator, WordSplitter::NoHyphenation};
use unicode_width::UnicodeWidthChar as _;

/// The maximum length in characters. A label may be megabytes long.
const LONGEST: usize = 1000;

/// The maximum number of combining marks per character. Scripts need up to four; more would overlap other lines.
const MOST_MARKS: usize = 4;

/// Text that is safe to display, without control characters, invisible characters and bidirectional controls.
///
/// Can only be created by escaping, so that functions that take it need no further checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sanitized(String);

impl Sanitized {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The width in terminal columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.chars().map(columns).sum()
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shortens the text to `width` columns by replacing the middle, where names and references differ least, by `…`.
    #[must_use]
    pub fn shortened(&self, width: usize) -> Self {
        if self.width() <= width {
            return self.clone();
        }
        let Some(room) = width.checked_sub(1) else { return Self::default() };
        let tail_room = room / 2;
        let head = fitting(self.0.chars(), room - tail_room);
        // Drop marks whose base character was removed.
        let tail: String = fitting(self.0.chars().rev(), tail_room).chars().rev().collect();
        Self(format!("{head}…{}", tail.trim_start_matches(|c| columns(c) == 0)))
    }

    /// Wraps the text to lines of `width` columns. More than `most` lines are truncated with `…`.
    #[must_use]
    pub fn wrapped(&self, width: usize, long_words: LongWordHandling, most: usize) -> Vec<Self> {
        let width = width.max(8);
        // References and commands contain hyphens: lines end at spaces only.
        let options = Options::new(width).word_separator(WordSeparator::AsciiSpace).word_splitter(NoHyphenation);
        let options = options.break_words(long_words == LongWordHandling::Break);
        let words: Vec<_> = self.0.split(' ').filter(|word| !word.is_empty()).collect();
        let mut lines: Vec<_> = textwrap::wrap(&words.join(" "), options).into_iter().map(Cow::into_owned).collect();
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = format!("{}…", fitting(last.chars(), width - 1));
            }
        }
        lines.into_iter().map(Self).collect()
    }
}

/// The handling of words that are longer than a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongWordHandling {
    /// Break them.
    Break,
    /// Keep them in one line, so that digests and commands can be copied.
    Keep,
}

/// The first `characters` that fit into `room` columns, with their combining marks.
fn fitting(characters: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|character| {
            used += columns(*character);
            used <= room
        })
        .collect()
}

fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// Escapes everything in `text` that is not visible, as in `\u{1b}`, and truncates it to 1000 characters.
///
/// Escaped are control, format, private-use and unassigned characters, separators other than the space (Unicode general
/// categories C and Z), variation selectors and fillers.
#[must_use]
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(LONGEST * 2));
    // A mark at the start has no base character, and is escaped.
    let mut marks = MOST_MARKS;
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        let is_mark = columns(character) == 0;
        marks = if is_mark { marks + 1 } else { 0 };
        if marks > MOST_MARKS || !is_visible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether `character` is visible and does not affect other characters.
#[must_use]
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let is_default_ignorable = matches!(character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}');
    // `str::escape_debug` keeps printable characters, and marks that are not at the start.
    let mut buffer = [b'a'; 5];
    let length = 1 + character.encode_utf8(&mut buffer[1..]).len();
    let probe = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
    !is_default_ignorable && probe.escape_debug().nth(1) == Some(character)
}

impl From<&str> for Sanitized {
    fn from(text: &str) -> Self {
        Self(sanitize(text).into_owned())
    }
}

impl From<String> for Sanitized {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let table = [
            ("orders:421", "orders:421"),
            ("C:\\x \"y\" 'z'", "C:\\x \"y\" 'z'"),
            ("\u{1b}[31mred\u{1b}]8;;http://x\u{7}", "\\u{1b}[31mred\\u{1b}]8;;http://x\\u{7}"),
            ("a\nb\r\tc\0", "a\\u{a}b\\u{d}\\u{9}c\\u{0}"),
            ("\u{9b}2J\u{85}\u{7f}", "\\u{9b}2J\\u{85}\\u{7f}"),
            ("\u{202e}txt\u{2066}\u{200f}\u{61c}", "\\u{202e}txt\\u{2066}\\u{200f}\\u{61c}"),
            ("or\u{200b}de\u{ad}rs\u{feff}", "or\\u{200b}de\\u{ad}rs\\u{feff}"),
            ("a\u{2028}b\u{a0}c\u{3000}", "a\\u{2028}b\\u{a0}c\\u{3000}"),
            ("\u{e0041}\u{e000}\u{378}\u{fe0f}", "\\u{e0041}\\u{e000}\\u{378}\\u{fe0f}"),
            ("e\u{301}", "e\u{301}"),
            ("\u{301}e", "\\u{301}e"),
            ("注文サービス नमस्ते สวัสดี", "注文サービス नमस्ते สวัสดี"),
        ];
        for (text, shown) in table {
            assert_eq!(sanitize(text), shown, "{text:?}");
            assert_eq!(sanitize(shown), shown, "sanitizing is idempotent");
        }
    }

    #[test]
    fn long_text_and_stacked_marks_are_truncated() {
        assert_eq!(sanitize(&"é".repeat(1 << 20)).chars().count(), LONGEST + 1);
        assert_eq!(sanitize(&"x".repeat(1 << 20)).chars().count(), LONGEST + 1);
        let tower = format!("x{}", "\u{301}".repeat(6));
        assert_eq!(sanitize(&tower), format!("x{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(4)));
    }

    #[test]
    fn text_is_shortened_in_the_middle_by_columns() {
        let short = |text: &str, width| Sanitized::from(text).shortened(width).0;
        assert_eq!(short("orders:421", 10), "orders:421");
        assert_eq!(short("orders-and-payments:421", 10), "order…:421");
        assert_eq!(short("注文サービス", 7), "注…ス");
        assert_eq!(short("abc", 1), "…");
        assert_eq!(short("abc", 0), "");
        for width in 0..20 {
            assert!(
                Sanitized::from("注文サービスe\u{301}नमस्ते注文サービス").shortened(width).width() <= width,
                "{width}"
            );
        }
    }

    #[test]
    fn text_is_wrapped_between_words_and_within_long_ones() {
        let lines = |text: &str, width, most| -> Vec<String> {
            Sanitized::from(text).wrapped(width, LongWordHandling::Break, most).into_iter().map(|line| line.0).collect()
        };
        let whole = Sanitized::from("a abcdefghijkl b").wrapped(8, LongWordHandling::Keep, 9);
        assert_eq!(whole.iter().map(Sanitized::as_str).collect::<Vec<_>>(), ["a", "abcdefghijkl", "b"]);
        assert_eq!(lines("the base is ninety days old", 12, 9), ["the base is", "ninety days", "old"]);
        assert_eq!(lines("the base is ninety days old", 12, 2), ["the base is", "ninety days…"]);
        assert_eq!(lines("a abcdefghijkl b", 8, 9), ["a", "abcdefgh", "ijkl b"]);
        assert_eq!(lines("注文サービス", 8, 9), ["注文サー", "ビス"]);
        assert_eq!(lines("", 8, 9), [""]);
    }
}
