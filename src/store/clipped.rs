//! JSON whose long texts are cut while it is read, so that oversized documents of earlier versions can be read in bounded
//! memory.

/// Maximum length of a text, in bytes of the document: several times the limit of any text written now.
const TEXT_BYTES: usize = 8 * 1024;

/// Maximum size of a document that is read with cut texts, in bytes.
pub(super) const MOST_READ_BYTES: u64 = 4 << 30;

/// Consumes JSON in pieces and keeps it with long texts cut. The result stays valid JSON: texts are cut between characters,
/// never within an escape or a surrogate pair.
#[derive(Debug, Default)]
pub(super) struct JsonClipper {
    kept: Vec<u8>,
    is_in_text: bool,
    /// Length of the current text that was kept.
    text_bytes: usize,
    is_cutting: bool,
    escape: JsonEscape,
    /// Whether the last escape is a high surrogate (RFC 8259, section 7).
    is_half: bool,
}

/// Position of the next byte within an escape.
#[derive(Clone, Copy, Debug, Default)]
enum JsonEscape {
    #[default]
    None,
    /// After the backslash.
    Begun,
    /// Number of hexadecimal digits to come, and the code so far.
    Digits(u8, u32),
}

impl JsonClipper {
    /// Consumes the next piece.
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

    /// Length of what was kept so far.
    pub(super) fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    /// The JSON that was kept.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    fn push_in_text(&mut self, byte: u8) {
        match self.escape {
            JsonEscape::None => self.push_character(byte),
            JsonEscape::Begun => {
                self.escape = if byte == b'u' { JsonEscape::Digits(4, 0) } else { JsonEscape::None };
                self.is_half = false;
                self.keep(byte);
            }
            JsonEscape::Digits(left, code) => {
                let code = code * 16 + char::from(byte).to_digit(16).unwrap_or_default();
                self.escape = if left > 1 { JsonEscape::Digits(left - 1, code) } else { JsonEscape::None };
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
            self.escape = JsonEscape::Begun;
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
        let mut clipper = JsonClipper::default();
        json.chunks(piece).for_each(|piece| clipper.push(piece));
        clipper.into_bytes()
    }

    #[test]
    fn only_long_texts_are_cut_and_the_document_stays_valid() {
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
        fn a_document_with_short_texts_is_unchanged(texts in proptest::collection::vec(".{0,40}", 0..20), piece in 1..50_usize) {
            let json = serde_json::to_vec(&texts).unwrap();
            prop_assert_eq!(clipped(&json, piece), json);
        }
    }
}
