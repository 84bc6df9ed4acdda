//! What does the place look like that a report is printed to? Passed in: a renderer asks no terminal.

use super::{Harmless, text::LongWords};
use crate::judge::Severity;

/// How people want to read a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// The columns of the terminal; without them, lines are as long as they need to be.
    pub width: Option<usize>,
    /// Whether terminal colours may be used. They never carry anything that is not also a word.
    pub color: bool,
    /// Whether everything is shown: fresh deployments one by one, every reason, every row.
    pub show_all: bool,
    /// Whether the command to go on with is left out, because what was audited is not there any more.
    pub hide_next: bool,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it is.
    #[default]
    Plain,
    /// Titles.
    Bold,
    /// What is read second.
    Dim,
    /// As bad as that.
    Severity(Severity),
}

impl Paint {
    /// The parameters of the SGR sequence (ECMA-48, 8.3.117).
    fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Severity(Severity::None) => Some("32"),
            Self::Severity(Severity::Info) => Some("36"),
            Self::Severity(Severity::Low) => Some("35"),
            Self::Severity(Severity::Medium) => Some("33"),
            Self::Severity(Severity::High) => Some("31"),
            Self::Severity(Severity::Critical) => Some("1;31"),
        }
    }
}

/// A page being written. It takes only [`Harmless`] text, so nothing from outside gets onto it as it came.
#[derive(Debug)]
pub(crate) struct Page {
    style: Style,
    text: String,
    pending_blanks: usize,
}

/// Narrower terminals get lines this long all the same: columns of three letters help nobody.
const NARROWEST: usize = 60;

impl Page {
    /// An empty page.
    pub(crate) fn new(style: &Style) -> Self {
        Self { style: *style, text: String::new(), pending_blanks: 0 }
    }

    /// The columns there are; `None` is as many as it takes.
    pub(crate) fn width(&self) -> Option<usize> {
        self.style.width.map(|width| width.max(NARROWEST))
    }

    /// Adds to the line. Blanks at the end of a line never come out.
    pub(crate) fn put(&mut self, paint: Paint, text: impl Into<Harmless>) {
        let text = text.into();
        if text.is_empty() {
            return;
        }
        self.text.extend(std::iter::repeat_n(' ', std::mem::take(&mut self.pending_blanks)));
        match paint.sgr().filter(|_| self.style.color) {
            Some(sgr) => self.text.extend(["\x1b[", sgr, "m", text.as_str(), "\x1b[0m"]),
            None => self.text.push_str(text.as_str()),
        }
    }

    /// Adds blanks.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.pending_blanks += columns;
    }

    /// Ends the line.
    pub(crate) fn end(&mut self) {
        self.pending_blanks = 0;
        self.text.push('\n');
    }

    /// Adds a line of its own.
    pub(crate) fn line(&mut self, paint: Paint, text: impl Into<Harmless>) {
        self.put(paint, text);
        self.end();
    }

    /// Adds `text` behind `indent` blanks, wrapped, in at most `most` lines.
    pub(crate) fn paragraph(&mut self, paint: Paint, indent: usize, text: impl Into<Harmless>, most: usize) {
        for line in text.into().wrapped(self.room(indent), LongWords::Break, most) {
            self.skip(indent);
            self.line(paint, line);
        }
    }

    /// Adds `text` behind `indent` blanks, wrapped between words only.
    pub(crate) fn evidence(&mut self, paint: Paint, indent: usize, text: impl Into<Harmless>) {
        for line in text.into().wrapped(self.room(indent), LongWords::Keep, usize::MAX) {
            self.skip(indent);
            self.line(paint, line);
        }
    }

    /// Adds a line `title   text`, the text `indent` columns from the margin and wrapped between words only.
    pub(crate) fn entry(&mut self, indent: usize, title: &'static str, text: impl Into<Harmless>) {
        self.put(Paint::Dim, title);
        self.skip(indent.saturating_sub(title.len()));
        for (number, line) in text.into().wrapped(self.room(indent), LongWords::Keep, usize::MAX).iter().enumerate() {
            if number > 0 {
                self.skip(indent);
            }
            self.line(Paint::Plain, line.clone());
        }
    }

    /// The columns that are left behind `indent`.
    pub(crate) fn room(&self, indent: usize) -> usize {
        self.width().map_or(usize::MAX, |width| width.saturating_sub(indent))
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
