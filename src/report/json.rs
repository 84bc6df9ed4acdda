//! How do machines read a document? As JSON, in which every text is exact.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::text::is_visible;

/// `document` as indented JSON with a line break at its end.
///
/// People look at JSON on terminals too: what is invisible is written as a `\u` escape (RFC 8259, section
/// 7), which leaves the value as it is.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "the documents of a report all have a JSON form")]
pub fn render<T: Serialize + ?Sized>(document: &T) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Visible(PrettyFormatter::new()));
    document.serialize(&mut serializer).expect("a document is made of texts, numbers, lists and maps of texts");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// `document` as JSON in one line, without a line break at its end; what is invisible is written as by [`render`].
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "the documents of a report all have a JSON form")]
pub fn compact<T: Serialize + ?Sized>(document: &T) -> String {
    let text = serde_json::to_string(document).expect("a document is made of texts, numbers, lists and maps of texts");
    if text.chars().all(is_visible) {
        return text;
    }
    // Outside of texts JSON is visible, and inside of them nothing else is escaped by its code.
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

/// The pretty formatter, escaping what is invisible.
struct Visible<'a>(PrettyFormatter<'a>);

impl Formatter for Visible<'_> {
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
    fn json_shows_what_is_invisible_and_keeps_the_value() {
        let text = "a\u{1b}[31m\u{9b}\u{202e}注\u{e0041}\"\n\\";
        let json = render(&vec![text]);
        assert_eq!(json, "[\n  \"a\\u001b[31m\\u009b\\u202e注\\udb40\\udc41\\\"\\n\\\\\"\n]\n");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text]);
    }
}
