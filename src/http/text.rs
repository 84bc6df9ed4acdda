//! Text from services, made printable.

/// The longest quoted text, in characters.
const QUOTED_CHARS: usize = 200;

/// `text` as one printable line of at most [`QUOTED_CHARS`] characters; empty for an HTML page.
pub(crate) fn quoted(text: &str) -> String {
    let mut line = one_line(text);
    if line.starts_with('<') {
        return String::new();
    }
    if let Some((end, _)) = line.char_indices().nth(QUOTED_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// External text as one printable line, without control characters and characters that reorder or hide text.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that reorder or hide text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_as_one_short_readable_line() {
        let line = quoted(&format!("denied\r\n\u{1b}[31m\u{202e}nwod \u{feff}{}", "é".repeat(500)));
        assert!(line.starts_with("denied [31m nwod éé") && line.ends_with("é…"), "{line}");
        assert_eq!(line.chars().count(), QUOTED_CHARS + 1);
        assert_eq!(quoted("\n<html>"), "");
    }
}
