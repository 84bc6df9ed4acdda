//! Safe embedding of untrusted text in SARIF. Viewers create links, fill in placeholders and render Markdown; a blank
//! separates what would trigger this.

use super::super::Sanitized;

/// Sanitizes the plain text of a message to at most `width` columns, without links or placeholders.
///
/// Braces are doubled, and `](` would create a link (SARIF 2.1.0, sections 3.11.5 and 3.11.6). GitHub also shows
/// messages in comments, where `@team`, `#12`, URLs and tags have a meaning.
pub(super) fn plain(text: &str, width: usize) -> String {
    let sanitized = Sanitized::from(text).shortened(width);
    let mut shown = String::with_capacity(sanitized.as_str().len());
    let mut characters = sanitized.as_str().chars().peekable();
    while let Some(character) = characters.next() {
        let is_begun = shown.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        shown.push(character);
        if matches!(character, '{' | '}') {
            shown.push(character);
        }
        if characters.peek().is_some_and(|next| is_kept_apart(&shown, *next, is_begun)) {
            shown.push(' ');
        }
    }
    shown
}

/// Whether a blank is needed between `shown` and `next`. `is_begun` is whether a word precedes the last character.
fn is_kept_apart(shown: &str, next: char, is_begun: bool) -> bool {
    match shown.chars().next_back() {
        Some(']') => matches!(next, '(' | '[' | ':'),
        Some('@') => !is_begun && next.is_ascii_alphanumeric(),
        Some('#') => next.is_ascii_digit(),
        Some('<') => next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'),
        Some('/') => shown.ends_with("://") && next != ' ',
        Some('.') => shown.len() >= 4 && shown.to_ascii_lowercase().ends_with("www.") && next != ' ',
        _ => false,
    }
}

/// `text` as a relative path (RFC 3986, section 4.2) with percent-encoded segments, without `..` and without a scheme.
pub(super) fn path(text: &str) -> String {
    let text: String = text.chars().take(LONGEST_PATH).collect();
    let segments = text.split('/').filter(|segment| !matches!(*segment, "" | "." | ".."));
    let encoded: Vec<_> = segments.map(encoded).collect();
    if encoded.is_empty() { "image".to_owned() } else { encoded.join("/") }
}

/// The maximum length, above that of any valid reference.
const LONGEST_PATH: usize = 500;

fn encoded(segment: &str) -> String {
    let mut shown = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            shown.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
            shown.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_no_links_placeholders_or_mentions() {
        let table = [
            ("the base is 90 days old", "the base is 90 days old"),
            ("lambda/java@sha256:ab <= [x] a.b", "lambda/java@sha256:ab <= [x] a.b"),
            ("[click](https://x.y)", "[click] (https:// x.y)"),
            ("![i][r] [r]: /x", "![i] [r] [r] : /x"),
            ("{0} ${BASE}", "{{0}} ${{BASE}}"),
            ("a\nb", "a\\u{{a}}b"),
            ("@team a@b (@c) _@d", "@ team a@b (@ c) _@d"),
            ("o/r#12 #a", "o/r# 12 #a"),
            ("<script>1</script><!--", "< script>1< /script>< !--"),
            ("www.x.y WWW.x", "www. x.y WWW. x"),
        ];
        for (text, shown) in table {
            assert_eq!(plain(text, 1000), shown, "{text:?}");
        }
        assert_eq!(plain("orders-and-payments:421", 10), "order…:421");
    }

    #[test]
    fn a_path_is_relative_and_has_no_scheme() {
        let table = [
            ("1.dkr.ecr.eu-west-1.amazonaws.com/team/orders", "1.dkr.ecr.eu-west-1.amazonaws.com/team/orders"),
            ("127.0.0.1:5000/x", "127.0.0.1%3A5000/x"),
            ("../../etc//./passwd", "etc/passwd"),
            ("https://x.y/z?a#b", "https%3A/x.y/z%3Fa%23b"),
            ("注 %41\\", "%E6%B3%A8%20%2541%5C"),
            ("", "image"),
            ("/..", "image"),
        ];
        for (text, shown) in table {
            assert_eq!(path(text), shown, "{text:?}");
        }
    }
}
