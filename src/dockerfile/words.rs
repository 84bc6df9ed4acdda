//! Splits arguments into words: at blanks, as in `FROM`, or with quotes, as BuildKit splits `ARG`, `ENV` and `LABEL`.
//! Quotes and escapes are kept until variables are expanded.

use super::SourceText;

/// The words between blanks.
pub(super) fn blank_separated(text: &SourceText) -> Vec<SourceText> {
    split(text, |_, character| character.len_utf8())
}

/// The words between blanks that are neither quoted nor escaped.
pub(super) fn quoted(text: &SourceText, escape: char) -> Vec<SourceText> {
    split(text, |rest, character| match character {
        '\'' | '"' => closing(rest, character, escape),
        character if character == escape => with_next(rest, character),
        character => character.len_utf8(),
    })
}

/// Splits at blanks; `step` returns the number of bytes at the start of the rest that belong together.
fn split(text: &SourceText, step: impl Fn(&str, char) -> usize) -> Vec<SourceText> {
    let whole = text.as_str();
    let mut words = Vec::new();
    let mut start = None;
    let mut at = 0;
    while let Some(character) = whole[at..].chars().next() {
        if character.is_whitespace() {
            words.extend(start.take().map(|start| text.slice(start..at)));
            at += character.len_utf8();
        } else {
            start.get_or_insert(at);
            at += step(&whole[at..], character);
        }
    }
    words.extend(start.map(|start| text.slice(start..at)));
    words
}

/// The length of the quoted text at the start of `text`; all of it if the quote is not closed.
fn closing(text: &str, quote: char, escape: char) -> usize {
    let mut at = quote.len_utf8();
    while let Some(character) = text[at..].chars().next() {
        at += match character {
            character if character == escape && quote != '\'' => with_next(&text[at..], character),
            character => character.len_utf8(),
        };
        if character == quote {
            break;
        }
    }
    at
}

/// The length of an escape character and the escaped character.
fn with_next(text: &str, escape: char) -> usize {
    let length = escape.len_utf8();
    length + text[length..].chars().next().map_or(0, char::len_utf8)
}
