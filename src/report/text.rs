//! How does text from outside come out harmless? Labels, tags and registries may say anything at all;
//! a terminal must never obey it, and a reader must see that something odd is there.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

/// More characters than this are cut off: an image may carry a label of a megabyte.
const LONGEST: usize = 1000;

/// So many marks may sit on one character; scripts need up to four, more only smears over other lines.
const MOST_MARKS: usize = 4;

/// Text that can be shown: no control character, nothing invisible, nothing that reorders its surroundings.
///
/// There is no other way to get one than through the escaping, so whatever takes only these cannot forget it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harmless(String);

impl Harmless {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many terminal columns it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.chars().map(columns).sum()
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text in at most `width` columns: what does not fit is left out of the middle, where names and
    /// references differ least, with `…` in its place.
    #[must_use]
    pub fn shortened(&self, width: usize) -> Self {
        if self.width() <= width {
            return self.clone();
        }
        let Some(room) = width.checked_sub(1) else { return Self::default() };
        let tail_room = room / 2;
        let head = fitting(self.0.chars(), room - tail_room);
        // Marks belong to the character before them, which is not there.
        let tail: String = fitting(self.0.chars().rev(), tail_room).chars().rev().collect();
        Self(format!("{head}…{}", tail.trim_start_matches(|c| columns(c) == 0)))
    }

    /// The text in lines of at most `width` columns, broken between words; what does not fit into `most`
    /// lines ends in `…`.
    #[must_use]
    pub fn wrapped(&self, width: usize, long_words: LongWords, most: usize) -> Vec<Self> {
        let width = width.max(8);
        let mut lines = vec![String::new()];
        let mut used = 0;
        for word in self.0.split(' ').filter(|word| !word.is_empty()) {
            let word_width: usize = word.chars().map(columns).sum();
            if used > 0 && used + 1 + word_width <= width {
                push(&mut lines, " ", false);
                used += 1;
            } else if used > 0 {
                push(&mut lines, "", true);
                used = 0;
            }
            for character in word.chars() {
                let character_width = columns(character);
                if used + character_width > width && long_words == LongWords::Break {
                    push(&mut lines, "", true);
                    used = 0;
                }
                push(&mut lines, character.encode_utf8(&mut [0; 4]), false);
                used += character_width;
            }
        }
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = format!("{}…", fitting(last.chars(), width - 1));
            }
        }
        lines.into_iter().map(Self).collect()
    }
}

fn push(lines: &mut Vec<String>, text: &str, is_new_line: bool) {
    match lines.last_mut() {
        Some(last) if !is_new_line => last.push_str(text),
        _ => lines.push(text.to_owned()),
    }
}

/// What happens to words that are longer than a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongWords {
    /// They go on in the next line.
    Break,
    /// They stay whole, and the line gets too long: digests and commands are there to be copied.
    Keep,
}

/// The first of `characters` that fit into `room` columns, with the marks on them.
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

/// `text` with everything that is not plainly visible as an escape, `\u{1b}`, and at most
/// a thousand characters long.
///
/// Escaped are control characters (terminal escapes and line breaks among them), format characters (text
/// direction, zero-width), separators other than the space, private-use and unassigned characters (Unicode
/// general categories C and Z), and what is invisible for another reason: variation selectors and fillers.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(LONGEST * 2));
    // As if marks came before, so that a mark with nothing to sit on is seen.
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

/// Whether a reader sees `character`, and only it.
#[must_use]
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let is_default_ignorable = matches!(character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}');
    // The standard library's tables know what is printable; for a whole text, and not at its start, it
    // leaves marks alone, as it does everything that is.
    let mut buffer = [b'a'; 5];
    let length = 1 + character.encode_utf8(&mut buffer[1..]).len();
    let probe = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
    !is_default_ignorable && probe.escape_debug().nth(1) == Some(character)
}

impl From<&str> for Harmless {
    fn from(text: &str) -> Self {
        Self(harmless(text).into_owned())
    }
}

impl From<String> for Harmless {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
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
            assert_eq!(harmless(text), shown, "{text:?}");
            assert_eq!(harmless(shown), shown, "twice is once");
        }
    }

    #[test]
    fn a_label_of_a_megabyte_and_a_tower_of_marks_are_cut() {
        assert_eq!(harmless(&"é".repeat(1 << 20)).chars().count(), LONGEST + 1);
        assert_eq!(harmless(&"x".repeat(1 << 20)).chars().count(), LONGEST + 1);
        let tower = format!("x{}", "\u{301}".repeat(6));
        assert_eq!(harmless(&tower), format!("x{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(4)));
    }

    #[test]
    fn text_is_shortened_in_the_middle_to_columns_not_characters() {
        let short = |text: &str, width| Harmless::from(text).shortened(width).0;
        assert_eq!(short("orders:421", 10), "orders:421");
        assert_eq!(short("orders-and-payments:421", 10), "order…:421");
        assert_eq!(short("注文サービス", 7), "注…ス");
        assert_eq!(short("abc", 1), "…");
        assert_eq!(short("abc", 0), "");
        for width in 0..20 {
            assert!(
                Harmless::from("注文サービスe\u{301}नमस्ते注文サービス").shortened(width).width() <= width,
                "{width}"
            );
        }
    }

    #[test]
    fn text_is_wrapped_between_words_and_inside_those_that_do_not_fit() {
        let lines = |text: &str, width, most| -> Vec<String> {
            Harmless::from(text).wrapped(width, LongWords::Break, most).into_iter().map(|line| line.0).collect()
        };
        let whole = Harmless::from("a abcdefghijkl b").wrapped(8, LongWords::Keep, 9);
        assert_eq!(whole.iter().map(Harmless::as_str).collect::<Vec<_>>(), ["a", "abcdefghijkl", "b"]);
        assert_eq!(lines("the base is ninety days old", 12, 9), ["the base is", "ninety days", "old"]);
        assert_eq!(lines("the base is ninety days old", 12, 2), ["the base is", "ninety days…"]);
        assert_eq!(lines("a abcdefghijkl b", 8, 9), ["a", "abcdefgh", "ijkl b"]);
        assert_eq!(lines("注文サービス", 8, 9), ["注文サー", "ビス"]);
        assert_eq!(lines("", 8, 9), [""]);
    }
}
