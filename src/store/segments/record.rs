//! Segment format: a header line, and records with length and checksum.
//!
//! A record is framed as length (4 bytes), CRC-32 of length and body (4 bytes), body; all numbers are little-endian. The
//! body is kind (1 byte), length of the key (2 bytes), key, value. The last record of a finished segment has kind
//! 0. The checksum covers the length, so that zeros left by a file system after a crash are not a record.

/// The first line of a segment.
const HEADER: &[u8] = b"basewatch.catalog/v1\n";
/// Number of bytes before the body of a record.
const FRAME_BYTES: usize = 8;
/// Number of bytes of a body before the key.
const PREFIX_BYTES: usize = 3;
/// The kind of the record that ends a segment.
const END: u8 = 0;

/// Kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::store) enum RecordKind {
    /// The facts of a digest, as JSON.
    Content = 1,
    /// A part of a repository record, as JSON.
    Repository = 2,
    /// A named note: its time in microseconds since 1970 (8 bytes) and its value as JSON.
    Note = 3,
}

impl RecordKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Content, Self::Repository, Self::Note].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Record<'a> {
    pub(in crate::store) kind: RecordKind,
    pub(in crate::store) key: &'a str,
    pub(in crate::store) value: &'a [u8],
}

impl<'a> Record<'a> {
    /// The framed record; `None` if it is too long.
    pub(in crate::store) fn frame(&self) -> Option<Vec<u8>> {
        let key_length = u16::try_from(self.key.len()).ok()?;
        let mut body = Vec::with_capacity(PREFIX_BYTES + self.key.len() + self.value.len());
        body.push(self.kind as u8);
        body.extend_from_slice(&key_length.to_le_bytes());
        body.extend_from_slice(self.key.as_bytes());
        body.extend_from_slice(self.value);
        frame(&body)
    }

    /// Parses `body`; `None` if it is invalid or was written by a newer basewatch.
    pub(super) fn from_body(body: &'a [u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        let (key_length, rest) = rest.split_first_chunk()?;
        let (key, value) = rest.split_at_checked(u16::from_le_bytes(*key_length).into())?;
        Some(Self { kind: RecordKind::from_byte(*kind)?, key: std::str::from_utf8(key).ok()?, value })
    }
}

/// The framed record with this `body`.
pub(super) fn frame(body: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(body.len()).ok()?.to_le_bytes();
    let mut bytes = Vec::with_capacity(FRAME_BYTES + body.len());
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&checksum(length, body).to_le_bytes());
    bytes.extend_from_slice(body);
    Some(bytes)
}

fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

/// The header of a segment.
pub(super) fn header() -> &'static [u8] {
    HEADER
}

/// The end record of a finished segment.
pub(super) fn end() -> Vec<u8> {
    frame(&[END, 0, 0]).unwrap_or_default()
}

/// A finished segment with the framed records `frames`.
pub(in crate::store) fn segment_of<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    frames.into_iter().for_each(|frame| bytes.extend_from_slice(frame));
    bytes.extend(end());
    bytes
}

/// A parsed segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedSegment<'a> {
    /// The bodies of its records.
    pub(super) bodies: Vec<&'a [u8]>,
    /// Whether it has an end record.
    pub(super) is_finished: bool,
}

/// Parses a segment up to the first incomplete record, where its run was killed or is still writing. `None` for another
/// format.
pub(super) fn parse(bytes: &[u8]) -> Option<ParsedSegment<'_>> {
    let mut segment = ParsedSegment { bodies: Vec::new(), is_finished: false };
    let Some(mut rest) = bytes.strip_prefix(HEADER) else {
        return HEADER.starts_with(bytes).then_some(segment);
    };
    while let Some((body, after)) = next(rest) {
        if body.first() == Some(&END) {
            segment.is_finished = true;
            break;
        }
        segment.bodies.push(body);
        rest = after;
    }
    Some(segment)
}

/// The first body in `bytes`, and the rest.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let (body, after) = rest.split_at_checked(u32::from_le_bytes(*length).try_into().ok()?)?;
    (checksum(*length, body) == u32::from_le_bytes(*sum)).then_some((body, after))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const RECORDS: [Record<'_>; 4] = [
        Record { kind: RecordKind::Content, key: "sha256:ab", value: b"{}" },
        Record { kind: RecordKind::Repository, key: "public.ecr.aws/lambda/java", value: b"{\"tags\":null}" },
        Record { kind: RecordKind::Note, key: "lambda/\u{e9}", value: b"12345678[1,2]" },
        Record { kind: RecordKind::Note, key: "", value: b"" },
    ];

    fn frames() -> Vec<Vec<u8>> {
        RECORDS.iter().filter_map(Record::frame).collect()
    }

    fn records<'a>(segment: &ParsedSegment<'a>) -> Vec<Record<'a>> {
        segment.bodies.iter().filter_map(|body| Record::from_body(body)).collect()
    }

    #[test]
    fn a_segment_round_trips() {
        let bytes = segment_of(frames().iter().map(Vec::as_slice));
        let segment = parse(&bytes).unwrap();
        assert_eq!((records(&segment), segment.is_finished), (RECORDS.to_vec(), true));
    }

    #[test]
    fn a_truncated_segment_has_all_records_before_the_cut() {
        let frames = frames();
        let bytes = segment_of(frames.iter().map(Vec::as_slice));
        for length in 0..bytes.len() {
            let ends = frames.iter().scan(HEADER.len(), |end, frame| {
                *end += frame.len();
                Some(*end)
            });
            let whole = ends.take_while(|end| *end <= length).count();
            let segment = parse(&bytes[..length]).unwrap();
            assert_eq!((records(&segment), segment.is_finished), (RECORDS[..whole].to_vec(), false), "{length}");
            // What a file system may leave behind the part that was written. Zeros that were written are whole again.
            let zeros = [&bytes[..length], &[0; 40]].concat();
            let found = parse(&zeros).map(|segment| records(&segment)).unwrap_or_default();
            assert!(
                RECORDS.starts_with(&found) && (found.len() >= whole || length < HEADER.len()),
                "{length}: {found:?}"
            );
        }
    }

    #[test]
    fn a_corrupt_byte_loses_its_record_and_the_following_ones() {
        let bytes = segment_of(frames().iter().map(Vec::as_slice));
        for location in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[location] ^= 0x10;
            let Some(segment) = parse(&changed) else {
                assert!(location < HEADER.len());
                continue;
            };
            let found = records(&segment);
            assert!(RECORDS.starts_with(&found) && !segment.is_finished, "{location}");
        }
    }

    #[test]
    fn an_invalid_body_with_a_valid_checksum_is_not_a_record() {
        for body in [&[][..], &[1], &[1, 0], &[1, 9, 0, b'a'], &[1, 1, 0, 0xff], &[9, 0, 0, 1]] {
            let bytes = segment_of([frame(body).unwrap().as_slice(), frames()[0].as_slice()]);
            let segment = parse(&bytes).unwrap();
            assert_eq!((segment.bodies.len(), records(&segment)), (2, vec![RECORDS[0]]), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_file_is_parsed_without_panic(bytes in vec(any::<u8>(), 0..200), has_header in any::<bool>()) {
            let bytes = if has_header { [HEADER, &bytes].concat() } else { bytes };
            if let Some(segment) = parse(&bytes) {
                prop_assert!(has_header || bytes.len() < HEADER.len());
                let records = segment.bodies.iter().filter_map(|body| Record::from_body(body));
                prop_assert!(records.count() <= segment.bodies.len());
            }
        }
    }
}
