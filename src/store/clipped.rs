//! JSON whose texts are cut while it is read, so that a document which earlier versions filled with text from images can
//! be read again, and no text of such a document takes much memory.

/// How much of a text is kept, in bytes as they stand in the document: several times what anything here is allowed to
/// have.
const TEXT_BYTES: usize = 8 * 1024;

/// The most bytes of a document that are read in this way.
pub(super) const MOST_READ_BYTES: u64 = 4 << 30;

/// Takes JSON in pieces, and keeps it with its texts cut. It stays JSON: cut between characters, and never inside of an
/// escape or between the two that stand for one character.
#[derive(Debug, Default)]
pub(super) struct Clipper {
    kept: Vec<u8>,
    is_in_text: bool,
    /// How much of the text was kept.
    text_bytes: usize,
    is_cutting: bool,
    escape: Escape,
    /// Whether the last escape is the first half of a character (RFC 8259, section 7).
    is_half: bool,
}

/// Where in an escape the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    /// Behind the backslash.
    Begun,
    /// So many hexadecimal digits are to come; the code so far.
    Digits(u8, u32),
}

impl Clipper {
    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        for byte in piece {
            if self.is_in_text {
                self.push_in_text(*byte);
            } else {
                self.kept.push(*byte);
                self.is_in_text = *byte == b'"';
            }
        }
    }

    /// How much was kept so far.
    pub(super) fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    /// All that was kept.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    fn push_in_text(&mut self, byte: u8) {
        match self.escape {
            Escape::None => self.push_character(byte),
            Escape::Begun => {
                self.escape = if byte == b'u' { Escape::Digits(4, 0) } else { Escape::None };
                self.is_half = false;
                self.keep(byte);
            }
            Escape::Digits(left, code) => {
                let code = code * 16 + char::from(byte).to_digit(16).unwrap_or_default();
                self.escape = if left > 1 { Escape::Digits(left - 1, code) } else { Escape::None };
                self.is_half = left == 1 && (0xd800..0xdc00).contains(&code);
                self.keep(byte);
            }
        }
    }

    fn push_character(&mut self, byte: u8) {
        if byte == b'"' {
            self.kept.push(byte);
            (self.is_in_text, self.is_cutting, self.is_half, self.text_bytes) = (false, false, false, 0);
            return;
        }
        let goes_on = byte & 0b1100_0000 == 0b1000_0000 || (self.is_half && byte == b'\\');
        if !goes_on && !self.is_cutting && self.text_bytes >= TEXT_BYTES {
            self.is_cutting = true;
            self.kept.extend_from_slice("…".as_bytes());
        }
        if byte == b'\\' {
            self.escape = Escape::Begun;
        }
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        if !self.is_cutting {
            self.kept.push(byte);
            self.text_bytes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn clipped(json: &[u8], piece: usize) -> Vec<u8> {
        let mut clipper = Clipper::default();
        json.chunks(piece).for_each(|piece| clipper.push(piece));
        clipper.into_bytes()
    }

    #[test]
    fn only_long_texts_are_cut_and_the_document_stays_json() {
        let long = "a".repeat(1 << 20);
        let document = json!({ "x": long, "y": ["b", { long.clone(): 7 }], "z": "c\"\\d" });
        let bytes = clipped(document.to_string().as_bytes(), 1000);
        assert!(bytes.len() < 3 * TEXT_BYTES, "{}", bytes.len());
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&read["z"], &read["y"][0]), (&document["z"], &document["y"][0]));
        let cut = read["x"].as_str().unwrap();
        assert_eq!(cut, format!("{}…", &long[..TEXT_BYTES]));
    }

    #[test]
    fn escapes_are_not_cut_in_the_middle() {
        for unit in ["\\\\", "\\\"", "\\u00e9", "\\ud83d\\ude00", "é", "😀", "注"] {
            for offset in 0..16 {
                let json = format!("[\"{}{}\",1]", "a".repeat(TEXT_BYTES - offset), unit.repeat(20));
                let read: Value = serde_json::from_slice(&clipped(json.as_bytes(), 7)).expect(unit);
                assert_eq!(read[1], 1, "{unit} {offset}");
                assert!(read[0].as_str().unwrap().ends_with('…'), "{unit} {offset}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_document_of_short_texts_stays_as_it_is(texts in proptest::collection::vec(".{0,40}", 0..20), piece in 1..50_usize) {
            let json = serde_json::to_vec(&texts).unwrap();
            prop_assert_eq!(clipped(&json, piece), json);
        }
    }
}
