//! Edited copies of seeds: a few edits of a real input reach deeper into a parser than random bytes do.

use std::{fmt, ops::Range};

use bolero::generator::*;

/// Texts that parsers treat in a special way.
const TOKENS: [&str; 48] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "@",
    "/",
    "//",
    "..",
    "%2f",
    "%00",
    "${X}",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{feff}",
    "\r\n",
    "\0",
    "é",
    "=",
    ";",
    "<",
    ">",
    "rel=next",
    "sha256:",
    "sha512:",
    "latest",
    "docker.io/",
    "public.ecr.aws/",
    ":443",
    "-x86_64",
    "-arm64",
    ".2026.02.30.25",
    "9999-99-99T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "\"digest\":",
    "\"manifests\":",
    "\"config\":",
];

/// JSON that replaces a value or a key.
const VALUES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "0.1",
    "1e999",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "\"/\"",
    "\"a/b\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\\u202e\"",
    "\"… (1 bytes)\"",
    "\"9999-12-31T23:59:59.999999999-23:59\"",
    "\"0000-01-01T00:00:00+23:59\"",
    "\"2016-12-31T23:59:60.5Z\"",
    "[]",
    "[null]",
    "{}",
    "{\"a\":[{}]}",
];

/// The longest input, in bytes: more than parsers keep of one document.
const MOST_BYTES: usize = 160 * 1024;

/// An input that prints as text in failure reports.
pub(super) struct Input(pub(super) Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// A seed and its edits.
#[derive(Clone, Debug, TypeGenerator)]
pub(super) struct EditedSeed {
    seed: u8,
    #[generator(Vec::produce().with().len(1_usize..=8))]
    edits: Vec<Edit>,
}

/// One edit. A position is a fraction of the input's length, in 65,536ths.
#[derive(Clone, Debug, TypeGenerator)]
enum Edit {
    /// Changes single bits.
    Flip {
        at: u16,
        bits: u8,
    },
    Delete {
        at: u16,
        bytes: u8,
    },
    Truncate {
        at: u16,
    },
    Insert {
        at: u16,
        bytes: [u8; 3],
    },
    InsertToken {
        at: u16,
        token: u8,
    },
    /// Inserts a part again and again. Rarely often: such inputs take long.
    Repeat {
        at: u16,
        bytes: u8,
        #[generator(1..=16)]
        times: u8,
        #[generator(0..64)]
        rarely: u8,
    },
    /// Inserts a part of another seed.
    Splice {
        at: u16,
        seed: u8,
        from: u16,
        bytes: u8,
    },
    /// Replaces a value or a key of JSON.
    ReplaceValue {
        at: u16,
        value: u8,
    },
    /// Replaces a value or a key of JSON by one of another seed.
    TransplantValue {
        at: u16,
        seed: u8,
        from: u16,
    },
    /// Makes a text of JSON long.
    LengthenText {
        at: u16,
        #[generator(0..2048)]
        characters: u16,
        character: u8,
    },
}

impl EditedSeed {
    /// The seed of `seeds` that this names, edited.
    pub(super) fn apply(&self, seeds: &[Vec<u8>]) -> Input {
        let mut input = pick(seeds, self.seed).clone();
        for edit in &self.edits {
            edit.apply(&mut input, seeds);
            input.truncate(MOST_BYTES);
        }
        Input(input)
    }
}

impl Edit {
    fn apply(&self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        match *self {
            Self::Flip { at, bits } => {
                let at = position(input, at);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Delete { at, bytes } => drop(input.drain(range(input, at, usize::from(bytes)))),
            Self::Truncate { at } => input.truncate(position(input, at)),
            Self::Insert { at, bytes } => insert(input, at, &bytes),
            Self::InsertToken { at, token } => insert(input, at, pick(&TOKENS, token).as_bytes()),
            Self::Repeat { at, bytes, times, rarely } => {
                let times = usize::from(times) * if rarely == 0 { 64 } else { 1 };
                let part = input[range(input, at, usize::from(bytes))].repeat(times);
                insert(input, at, &part);
            }
            Self::Splice { at, seed, from, bytes } => {
                let other = pick(seeds, seed);
                insert(input, at, &other[range(other, from, usize::from(bytes))]);
            }
            Self::ReplaceValue { at, value } => replace(input, at, pick(&VALUES, value).as_bytes()),
            Self::TransplantValue { at, seed, from } => {
                let other = pick(seeds, seed);
                let value = value(other, from).map_or(&b"{}"[..], |value| &other[value]);
                replace(input, at, value);
            }
            Self::LengthenText { at, characters, character } => {
                let character = ["a", "0", "/", "é", "\\n", "\\u001b", ".", ":"][usize::from(character % 8)];
                let text = format!("\"{}\"", character.repeat(usize::from(characters)));
                replace(input, at, text.as_bytes());
            }
        }
    }
}

fn pick<T>(all: &[T], index: u8) -> &T {
    &all[usize::from(index) % all.len()]
}

fn position(input: &[u8], at: u16) -> usize {
    (usize::from(at) * (input.len() + 1)) >> 16
}

fn range(input: &[u8], at: u16, bytes: usize) -> Range<usize> {
    let start = position(input, at);
    start..input.len().min(start + bytes)
}

fn insert(input: &mut Vec<u8>, at: u16, bytes: &[u8]) {
    let at = position(input, at);
    input.splice(at..at, bytes.iter().copied());
}

/// Replaces the value at `at`; inserts `bytes` if there is none.
fn replace(input: &mut Vec<u8>, at: u16, bytes: &[u8]) {
    let place = value(input, at).unwrap_or_else(|| range(input, at, 0));
    input.splice(place, bytes.iter().copied());
}

/// The first key or value of JSON behind `at`, from its first byte to its last.
fn value(json: &[u8], at: u16) -> Option<Range<usize>> {
    let values = values(json);
    let first = values.partition_point(|value| value.start < position(json, at));
    values.get(first.min(values.len().checked_sub(1)?)).cloned()
}

/// The positions of keys and values of JSON, or of similar parts in other text.
fn values(json: &[u8]) -> Vec<Range<usize>> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
    let (mut values, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = json.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                while let Some(byte) = json.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                at = json.len().min(at + 1);
                values.push(start..at);
            }
            b'{' | b'[' => open.push(start),
            b'}' | b']' => values.extend(open.pop().map(|start| start..at)),
            byte if is_word(byte) => {
                at += json[at..].iter().take_while(|byte| is_word(byte)).count();
                values.push(start..at);
            }
            _ => {}
        }
    }
    values.sort_by_key(|value| value.start);
    values
}
