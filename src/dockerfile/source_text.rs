//! Text composed of pieces of a file, with the position of each byte.

use std::ops::Range;

/// Text with the position of each byte in the file; bytes from elsewhere, such as a `--build-arg`, have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SourceText {
    text: String,
    offsets: Vec<Option<usize>>,
}

impl SourceText {
    /// Text that is not in the file.
    pub(super) fn from_elsewhere(text: &str) -> Self {
        Self { text: text.to_owned(), offsets: vec![None; text.len()] }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The position in the file of the byte at `position`.
    pub(super) fn offset(&self, position: usize) -> Option<usize> {
        self.offsets.get(position).copied().flatten()
    }

    /// The positions of all bytes that have one.
    pub(super) fn offsets(&self) -> impl Iterator<Item = usize> {
        self.offsets.iter().copied().flatten()
    }

    /// The byte range in the file from the first to the last byte of this text; `None` if one of them is from
    /// elsewhere.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        let all: Option<Vec<_>> = self.offsets.iter().copied().collect();
        let all = all?;
        Some(*all.first()?..*all.last()? + 1)
    }

    /// The byte range in the file of `range`, if contiguous.
    pub(super) fn contiguous(&self, range: Range<usize>) -> Option<Range<usize>> {
        let first = self.offset(range.start)?;
        let is_next = |(index, position): (usize, usize)| self.offset(position) == Some(first + index);
        let length = range.len();
        range.enumerate().all(is_next).then_some(first..first + length)
    }

    /// Adds the part `range` of `text`, which begins at `offset` in the file.
    pub(super) fn push_str(&mut self, text: &str, offset: usize) {
        self.text.push_str(text);
        self.offsets.extend((offset..offset + text.len()).map(Some));
    }

    /// Adds a part of another text.
    pub(super) fn push_slice(&mut self, other: &Self, range: Range<usize>) {
        self.text.push_str(&other.text[range.clone()]);
        self.offsets.extend_from_slice(&other.offsets[range]);
    }

    /// Adds another text.
    pub(super) fn push(&mut self, other: &Self) {
        self.push_slice(other, 0..other.len());
    }

    /// A part of the text.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        Self { text: self.text[range.clone()].to_owned(), offsets: self.offsets[range].to_vec() }
    }

    /// The text without blanks at both ends.
    pub(super) fn trim(&self) -> Self {
        let start = self.len() - self.text.trim_start().len();
        self.slice(start..start.max(self.text.trim_end().len()))
    }

    /// The text before and after the first `separator`.
    pub(super) fn split_once(&self, separator: char) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        Some((self.slice(0..at), self.slice(at + separator.len_utf8()..self.len())))
    }
}
