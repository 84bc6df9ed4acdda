//! Renders documents as JSON.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::is_visible;

/// Renders `document` as indented JSON with a trailing line break.
///
/// Invisible characters are written as `\u` escapes (RFC 8259, section 7), which are safe on terminals and do not
/// change the value.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "all documents are serializable")]
pub fn render<T: Serialize + ?Sized>(document: &T) -> String {
    let mut bytes = Vec::new();
    write(document, &mut bytes).expect("a document has only strings as keys");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Writes `document` as [`render`] does, without having it as a whole in memory.
///
/// # Errors
///
/// Those of `writer`.
pub fn write<T: Serialize + ?Sized>(document: &T, writer: &mut impl io::Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *writer, EscapingFormatter(PrettyFormatter::new()));
    document.serialize(&mut serializer)?;
    writer.write_all(b"\n")
}

/// Renders `document` as JSON in one line without a trailing line break, with the same escapes as [`render`].
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "all documents are serializable")]
pub fn compact<T: Serialize + ?Sized>(document: &T) -> String {
    let text = serde_json::to_string(document).expect("a document has only strings as keys");
    if text.chars().all(is_visible) {
        return text;
    }
    // Invisible characters occur only in strings, where `\u` escapes are valid.
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_visible(character) {
            shown.push(character);
        } else {
            shown.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}

/// The pretty formatter with escapes for invisible characters.
struct EscapingFormatter<'a>(PrettyFormatter<'a>);

impl Formatter for EscapingFormatter<'_> {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for part in fragment.split_inclusive(|character| !is_visible(character)) {
            let last = part.chars().next_back().filter(|character| !is_visible(*character));
            let shown = part.len() - last.map_or(0, char::len_utf8);
            writer.write_all(&part.as_bytes()[..shown])?;
            for unit in last.into_iter().flat_map(|character| character.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_escapes_invisible_characters_and_keeps_the_value() {
        let text = "a\u{1b}[31m\u{9b}\u{202e}注\u{e0041}\"\n\\";
        let json = render(&vec![text]);
        assert_eq!(json, "[\n  \"a\\u001b[31m\\u009b\\u202e注\\udb40\\udc41\\\"\\n\\\\\"\n]\n");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text]);
    }
}
