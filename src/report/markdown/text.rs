//! Safe embedding of untrusted text in Markdown. Words that could have a special meaning become code spans.
//!
//! A code span contains no markup, and GitHub does not replace URLs, `@team`, `#12`, commits or `:emoji:` in it
//! (<https://github.github.com/gfm/#code-spans>). Escaping single characters would not prevent these replacements, and
//! would change copied references.

use super::super::{Sanitized, format::NOTHING};

/// The position of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextPosition {
    /// In a table cell, which `|` would end.
    Cell,
    /// In a paragraph or list item.
    Line,
}

/// `text` as a code span of at most `width` columns; a dash if empty.
pub(super) fn code(text: &str, position: TextPosition, width: usize) -> String {
    let sanitized = Sanitized::from(text).shortened(width);
    if sanitized.as_str().is_empty() { NOTHING.to_owned() } else { span(sanitized.as_str(), position) }
}

/// `text` as prose of at most `width` columns.
pub(super) fn prose(text: &str, position: TextPosition, width: usize) -> String {
    let sanitized = Sanitized::from(text).shortened(width);
    let words: Vec<_> = sanitized.as_str().split(' ').filter(|word| !word.is_empty()).collect();
    let shown = words.iter().enumerate().map(|(index, word)| self::word(word, index + 1 == words.len(), position));
    shown.collect::<Vec<_>>().join(" ")
}

/// A plain word unchanged, any other word as a code span without surrounding punctuation.
fn word(word: &str, is_last: bool, position: TextPosition) -> String {
    let core = word.trim_start_matches(['(', '"', '\'', '…']);
    let (before, core) = word.split_at(word.len() - core.len());
    let kept = core.trim_end_matches(['.', ',', ';', ':', ')', '"', '\'', '…', '?']);
    let (core, after) = core.split_at(kept.len());
    // A `<` before a blank does not start a tag. What follows the last word is unknown.
    let may_open_tag = core == "<" && (is_last || !after.is_empty());
    if is_plain(core) && !may_open_tag { word.to_owned() } else { format!("{before}{}{after}", span(core, position)) }
}

/// Whether a word has no special meaning: letters and digits, joined by hyphens and apostrophes.
///
/// `ABC-12` may be an issue of GitHub (`GH-12`) or of a linked tracker; seven or more hexadecimal digits may be a
/// commit.
fn is_plain(core: &str) -> bool {
    let is_joint = |c: char| matches!(c, '-' | '\'');
    let is_sign = matches!(core, "" | "≥" | "–" | "<" | "=");
    let is_word = core.chars().all(|c| c.is_alphanumeric() || is_joint(c))
        && core.starts_with(char::is_alphanumeric)
        && core.ends_with(char::is_alphanumeric);
    is_sign || (is_word && !is_issue(core) && !is_commit(core))
}

fn is_issue(core: &str) -> bool {
    let digits = core.rsplit('-').next().unwrap_or_default();
    core.starts_with(char::is_alphabetic) && core.contains('-') && digits.starts_with(|c: char| c.is_ascii_digit())
}

fn is_commit(core: &str) -> bool {
    core.split('-').any(|part| part.len() >= 7 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A code span (CommonMark 0.31.2, section 6.1) with `text`, which must be one line and not empty.
fn span(text: &str, position: TextPosition) -> String {
    let text = match position {
        TextPosition::Cell => cell(text),
        TextPosition::Line => text.to_owned(),
    };
    let fence = "`".repeat(fence(&text));
    // The parser strips one blank at each end, and a backtick would join the fence.
    let is_padded = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if is_padded && !text.chars().all(|c| c == ' ') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A fence length that differs from all runs of backticks in `text`.
fn fence(text: &str) -> usize {
    let runs: Vec<_> = text.split(|c| c != '`').map(str::len).collect();
    // The shortest such length, because parsers limit it; cmark to 80.
    (1..=text.len() + 1).find(|length| !runs.contains(length)).unwrap_or(1)
}

/// Escapes `|` in a table cell as `\|` (GFM, section 4.10). Parsers differ for `|` after a backslash, which is written
/// as `\u{7c}`.
fn cell(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' if shown.ends_with('\\') => shown.push_str("\\u{7c}"),
            '|' => shown.push_str("\\|"),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_special_meaning_become_code_spans() {
        let table = [
            ("the base is 90 days old", "the base is 90 days old"),
            ("out-of-date since 2026-10-23; look", "out-of-date since 2026-10-23; look"),
            ("(what's left?)", "(what's left?)"),
            ("≥ 61 d – 注文", "≥ 61 d – 注文"),
            ("label sdkBaseVersion: ok", "label sdkBaseVersion: ok"),
            ("ask @team, #12 or o/r#12", "ask `@team`, `#12` or `o/r#12`"),
            ("GH-12 ABC-7: abcdef0 1234567", "`GH-12` `ABC-7`: `abcdef0` `1234567`"),
            ("see https://x.y/z. www.x.y a@b.c", "see `https://x.y/z`. `www.x.y` `a@b.c`"),
            ("[a](b) ![c](d) <e> &amp; **f** _g_ ~~h~~", "`[a](b`) `![c](d`) `<e>` `&amp`; `**f**` `_g_` `~~h~~`"),
            (":smile: $x$ \\ # - + 1.", "`:smile`: `$x$` `\\` `#` `-` `+` 1."),
            ("a|b `c` ``d", "`a\\|b` `` `c` `` ` ``d `"),
            ("a\nb\u{202e}", "`a\\u{a}b\\u{202e}`"),
            ("= < \"", "= < \""),
            ("<b a=<c", "`<b` `a=<c`"),
            ("< <; <", "< `<`; `<`"),
            ("  a   b ", "a b"),
            ("", ""),
        ];
        for (text, shown) in table {
            assert_eq!(prose(text, TextPosition::Cell, 1000), shown, "{text:?}");
        }
    }

    #[test]
    fn a_code_span_holds_any_text() {
        let table = [
            ("orders:421", "`orders:421`"),
            ("a`b", "``a`b``"),
            ("`a``b", "``` `a``b ```"),
            ("`", "`` ` ``"),
            ("``", "` `` `"),
            (" a ", "`  a  `"),
            (" ", "` `"),
            ("", "–"),
        ];
        for (text, shown) in table {
            assert_eq!(code(text, TextPosition::Line, 1000), shown, "{text:?}");
        }
        assert_eq!(code("a|b\\|c\\\\|", TextPosition::Cell, 1000), "`a\\|b\\\\u{7c}c\\\\\\u{7c}`");
        assert_eq!(code("a|b\\|c", TextPosition::Line, 1000), "`a|b\\|c`");
        // The fence stays short for any number of backticks.
        let all: String = (1..44).map(|length| "`".repeat(length) + "x").collect();
        assert!(code(&all, TextPosition::Line, 2000).starts_with(&("`".repeat(44) + " `x")));
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(code("orders-and-payments:421", TextPosition::Cell, 10), "`order…:421`");
        assert_eq!(prose("one two three four", TextPosition::Cell, 9), "one …four");
    }
}
