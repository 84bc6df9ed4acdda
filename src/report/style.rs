//! Rendering options for terminals, and styled text output. Renderers do not access the terminal.

use super::{Sanitized, sanitize::LongWordHandling};
use crate::judge::Severity;

/// Rendering options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// The width of the terminal in columns; `None` for unlimited.
    pub width: Option<usize>,
    /// Whether to use colors. Colors never convey information that is not also in the text.
    pub color: bool,
    /// Whether to show everything: all fresh deployments, reasons and rows.
    pub show_all: bool,
    /// Whether to hide the suggested command, because the audited images no longer exist.
    pub hide_next: bool,
}

/// The style of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextStyle {
    /// Unstyled.
    #[default]
    Plain,
    /// Titles.
    Bold,
    /// Secondary text.
    Dim,
    /// The color of a severity.
    Severity(Severity),
}

impl TextStyle {
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

/// A text page. Accepts only [`Sanitized`] text, so that untrusted text is always sanitized.
#[derive(Debug)]
pub(crate) struct TextPage {
    style: RenderOptions,
    text: String,
    pending_blanks: usize,
}

/// The minimum width.
const NARROWEST: usize = 20;

/// The width below which tables become lists, and texts are not cut.
const NARROW: usize = 60;

impl TextPage {
    /// An empty page.
    pub(crate) fn new(style: &RenderOptions) -> Self {
        Self { style: *style, text: String::new(), pending_blanks: 0 }
    }

    /// The width in columns; `None` for unlimited.
    pub(crate) fn width(&self) -> Option<usize> {
        self.style.width.map(|width| width.max(NARROWEST))
    }

    /// Whether the page is too narrow for tables.
    pub(crate) fn is_narrow(&self) -> bool {
        self.width().is_some_and(|width| width < NARROW)
    }

    /// `most` lines of a text, or all on a narrow page, where few words fit a line.
    pub(crate) fn most_lines(&self, most: usize) -> usize {
        if self.is_narrow() { usize::MAX } else { most }
    }

    /// Ends a paragraph with an empty line, unless there is one.
    pub(crate) fn end_paragraph(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.end();
        }
    }

    /// Appends text to the line. Trailing blanks are dropped.
    pub(crate) fn put(&mut self, paint: TextStyle, text: impl Into<Sanitized>) {
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

    /// Appends blanks.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.pending_blanks += columns;
    }

    /// Ends the line.
    pub(crate) fn end(&mut self) {
        self.pending_blanks = 0;
        self.text.push('\n');
    }

    /// Appends a line.
    pub(crate) fn line(&mut self, paint: TextStyle, text: impl Into<Sanitized>) {
        self.put(paint, text);
        self.end();
    }

    /// Appends `text` indented and wrapped, in at most `most` lines.
    pub(crate) fn paragraph(&mut self, paint: TextStyle, indent: usize, text: impl Into<Sanitized>, most: usize) {
        for line in text.into().wrapped(self.room(indent), LongWordHandling::Break, most) {
            self.skip(indent);
            self.line(paint, line);
        }
    }

    /// Appends `text` indented and wrapped only between words.
    pub(crate) fn evidence(&mut self, paint: TextStyle, indent: usize, text: impl Into<Sanitized>) {
        for line in text.into().wrapped(self.room(indent), LongWordHandling::Keep, usize::MAX) {
            self.skip(indent);
            self.line(paint, line);
        }
    }

    /// Appends `title` and `text` at column `indent`, wrapped only between words.
    pub(crate) fn entry(&mut self, indent: usize, title: &'static str, text: impl Into<Sanitized>) {
        self.item(TextStyle::Dim, indent, title, text);
    }

    /// Appends `title` in `paint`, and `text` as in [`entry`](Self::entry).
    pub(crate) fn item(&mut self, paint: TextStyle, indent: usize, title: &'static str, text: impl Into<Sanitized>) {
        self.put(paint, title);
        self.skip(indent.saturating_sub(title.len()));
        self.hanging(TextStyle::Plain, indent, text);
    }

    /// Appends `text` to the line, which is at column `indent`, wrapped only between words. Further lines are indented.
    pub(crate) fn hanging(&mut self, paint: TextStyle, indent: usize, text: impl Into<Sanitized>) {
        let lines = text.into().wrapped(self.room(indent), LongWordHandling::Keep, usize::MAX);
        for (number, line) in lines.into_iter().enumerate() {
            if number > 0 {
                self.skip(indent);
            }
            self.line(paint, line);
        }
    }

    /// The remaining width after `indent`.
    pub(crate) fn room(&self, indent: usize) -> usize {
        self.width().map_or(usize::MAX, |width| width.saturating_sub(indent))
    }

    /// The text of the page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
