//! Splits a Dockerfile into instructions: lines, continuations, comments and here-documents.

use std::ops::Range;

use super::{MOST_BYTES, SourceText, SyntaxError, heredoc};

/// One instruction.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    /// Its keyword in lower case.
    pub(super) keyword: String,
    /// Its arguments, continuation lines joined.
    pub(super) arguments: SourceText,
    /// The line it begins on, from 1.
    pub(super) line: usize,
    /// The line it ends on, here-documents included.
    pub(super) last_line: usize,
    /// From the keyword to the end of its last line, without the line break and here-documents.
    pub(super) span: Range<usize>,
}

impl Instruction {
    pub(super) fn error(&self, message: &str) -> SyntaxError {
        SyntaxError { line: self.line, message: message.to_owned() }
    }
}

/// One line of the file.
#[derive(Clone, Copy)]
struct SourceLine<'a> {
    /// Without its line break.
    text: &'a str,
    offset: usize,
    number: usize,
}

impl<'a> SourceLine<'a> {
    fn trimmed(self) -> SourceLine<'a> {
        let text = self.text.trim_start();
        SourceLine { text, offset: self.offset + self.text.len() - text.len(), ..self }
    }

    fn is_comment(self) -> bool {
        self.text.trim_start().starts_with('#')
    }

    fn is_blank(self) -> bool {
        self.text.trim().is_empty()
    }

    /// The line before a trailing escape character; `None` if there is none, or it is escaped.
    fn continued(self, escape: char) -> Option<&'a str> {
        let text = self.text.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
        (!text.ends_with(escape)).then_some(text)
    }
}

/// The lines of `text`, without a byte order mark.
fn lines(text: &str) -> impl Iterator<Item = SourceLine<'_>> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut offset = start;
    text[start..].split_inclusive('\n').enumerate().map(move |(index, whole)| {
        let line = SourceLine { text: whole.trim_end_matches(['\r', '\n']), offset, number: index + 1 };
        offset += whole.len();
        line
    })
}

/// The instructions of `text`, and its escape character.
pub(super) fn split(text: &str) -> Result<(Vec<Instruction>, char), SyntaxError> {
    if text.len() > MOST_BYTES {
        return Err(SyntaxError { line: 1, message: format!("it is longer than {MOST_BYTES} bytes") });
    }
    let escape = escape_directive(text)?;
    let mut instructions = Vec::new();
    let mut lines = lines(text);
    while let Some(line) = lines.next() {
        let first = line.trimmed();
        if first.text.is_empty() || first.is_comment() {
            continue;
        }
        let mut joined = SourceText::default();
        let mut last = first;
        let mut continued = first.continued(escape);
        joined.push_str(continued.unwrap_or(first.text), first.offset);
        while continued.is_some() {
            let Some(next) = lines.next() else { break };
            if next.is_comment() || next.is_blank() {
                continue;
            }
            last = next;
            continued = next.continued(escape);
            joined.push_str(continued.unwrap_or(next.text), next.offset);
        }
        if joined.as_str().trim().is_empty() {
            continue;
        }
        let mut instruction = instruction(&joined, first, last);
        for heredoc in heredoc::begun_by(&instruction.keyword, joined.as_str()) {
            let Some(end) = lines.find(|line| heredoc.ends_with(line.text)) else {
                return Err(instruction.error(&format!("the here-document {} has no end", heredoc.name)));
            };
            instruction.last_line = end.number;
        }
        instructions.push(instruction);
    }
    Ok((instructions, escape))
}

fn instruction(joined: &SourceText, first: SourceLine<'_>, last: SourceLine<'_>) -> Instruction {
    let joined = joined.trim();
    let end = joined.as_str().find(|c: char| c.is_ascii_whitespace() || c == '\u{b}').unwrap_or(joined.len());
    Instruction {
        keyword: joined.as_str()[..end].to_lowercase(),
        arguments: joined.slice(end..joined.len()).trim(),
        line: first.number,
        last_line: last.number,
        span: first.offset..last.offset + last.text.len(),
    }
}

/// The character of `# escape=`. Directives are comments of the form `# name=value` at the start of the file.
fn escape_directive(text: &str) -> Result<char, SyntaxError> {
    let mut escape = '\\';
    for line in lines(text) {
        let directive = line.text.trim_start().strip_prefix('#').and_then(|comment| comment.split_once('='));
        let Some((name, value)) = directive else { break };
        match (name.trim().to_ascii_lowercase().as_str(), value.trim()) {
            ("syntax" | "check", _) | ("escape", "\\") => {}
            ("escape", "`") => escape = '`',
            ("escape", _) => {
                let message = "the escape character must be \\ or `".to_owned();
                return Err(SyntaxError { line: line.number, message });
            }
            _ => break,
        }
    }
    Ok(escape)
}
