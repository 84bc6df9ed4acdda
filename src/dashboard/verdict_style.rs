//! The presentation of verdicts, and formatting helpers.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    judge::{Severity, Verdict},
    report::{PolicyFields, sanitize},
};

/// The verdicts in display order, worst first.
pub(super) const WORST_FIRST: [Verdict; 6] =
    [Verdict::Deprecated, Verdict::Stale, Verdict::OutOfDate, Verdict::Superseded, Verdict::Unknown, Verdict::Fresh];

/// The presentation of a verdict. Never relies on color alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerdictStyle {
    /// The name, also the suffix of the CSS class: `v-stale`.
    pub(super) word: &'static str,
    /// A symbol with a unique shape.
    pub(super) symbol: &'static str,
    /// A one-letter CSS class, for compact tables.
    pub(super) letter: char,
}

impl VerdictStyle {
    /// The presentation of `verdict`.
    pub(super) fn new(verdict: Verdict) -> Self {
        let (symbol, letter) = match verdict {
            Verdict::Fresh => ("✓", 'f'),
            Verdict::Superseded => ("○", 'n'),
            Verdict::OutOfDate => ("▲", 'o'),
            Verdict::Stale => ("■", 's'),
            Verdict::Deprecated => ("✕", 'd'),
            Verdict::Unknown => ("?", 'u'),
        };
        Self { word: verdict.as_str(), symbol, letter }
    }
}

/// The description of a verdict under `policy`.
pub(super) fn meaning(verdict: Verdict, policy: &PolicyFields) -> String {
    match verdict {
        Verdict::Fresh => "built on the current base".to_owned(),
        Verdict::Superseded => format!("behind for up to {} days", policy.grace_days),
        Verdict::OutOfDate => format!("behind for more than {} days", policy.grace_days),
        Verdict::Stale => format!("base older than {} days", policy.max_age_days),
        Verdict::Deprecated => "Lambda runtime deprecated".to_owned(),
        Verdict::Unknown => "no verdict possible".to_owned(),
    }
}

/// Whether the verdict means an outdated base.
pub(super) fn is_old(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Deprecated | Verdict::Stale | Verdict::OutOfDate)
}

/// The description of a severity.
pub(super) fn urgency(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "no action required",
        Severity::Info => "for information",
        Severity::Low => "low priority",
        Severity::Medium => "plan a fix",
        Severity::High => "fix soon",
        Severity::Critical => "fix now",
    }
}

/// The worst verdict with a count.
pub(super) fn worst(counts: &BTreeMap<Verdict, u64>) -> Verdict {
    let is_there = |verdict: &Verdict| counts.get(verdict).is_some_and(|count| *count > 0);
    WORST_FIRST.into_iter().find(is_there).unwrap_or(Verdict::Unknown)
}

/// Sanitizes untrusted text for a template.
pub(super) fn shown(text: &str) -> String {
    sanitize(text).into_owned()
}

/// Sanitizes optional text, with a default.
pub(super) fn shown_or<'a>(text: Option<&'a str>, otherwise: &'a str) -> Cow<'a, str> {
    text.map_or(Cow::Borrowed(otherwise), sanitize)
}

/// `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 deployment`, `12,345 deployments`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `1 more owner`, `4 more owners`.
pub(super) fn more(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} more {noun}{plural}", grouped(number as u64))
}

/// A segment of a bar, with start and length in percent.
#[derive(Debug)]
pub(super) struct BarSegment {
    pub(super) style: VerdictStyle,
    pub(super) count: String,
    pub(super) from: String,
    pub(super) length: String,
}

/// The segments of a bar whose length represents `whole`.
pub(super) fn parts(counts: &BTreeMap<Verdict, u64>, whole: u64) -> Vec<BarSegment> {
    let mut from = 0;
    let mut parts = Vec::new();
    for verdict in WORST_FIRST {
        let count = counts.get(&verdict).copied().unwrap_or_default();
        if count > 0 {
            let (start, end) = (percent(from, whole), percent(from + count, whole));
            let (count, style) = (grouped(count), VerdictStyle::new(verdict));
            parts.push(BarSegment { style, count, from: number(start), length: number(end - start) });
        }
        from += count;
    }
    parts
}

/// `part` of `whole` in percent.
#[expect(clippy::cast_precision_loss, reason = "a bar of a thousand pixels shows no more than ten bits")]
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A coordinate with at most two decimals: `12.5`.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_nouns_counted() {
        let table =
            [(0, "0 bases"), (1, "1 base"), (999, "999 bases"), (1000, "1,000 bases"), (1_234_567, "1,234,567 bases")];
        for (number, text) in table {
            assert_eq!(counted(number, "base"), text);
        }
    }

    #[test]
    fn bar_segments_fill_the_bar_and_start_with_the_worst() {
        let counts = BTreeMap::from([(Verdict::Fresh, 1), (Verdict::Stale, 2), (Verdict::Unknown, 0)]);
        let parts = parts(&counts, 3);
        let shown: Vec<_> =
            parts.iter().map(|part| (part.style.word, part.from.as_str(), part.length.as_str())).collect();
        assert_eq!(shown, [("stale", "0", "66.67"), ("fresh", "66.67", "33.33")]);
        assert_eq!(worst(&counts), Verdict::Stale);
    }

    #[test]
    fn every_verdict_has_a_unique_mark() {
        let marks: std::collections::BTreeSet<_> = WORST_FIRST.map(|verdict| VerdictStyle::new(verdict).symbol).into();
        let letters: std::collections::BTreeSet<_> =
            WORST_FIRST.map(|verdict| VerdictStyle::new(verdict).letter).into();
        assert_eq!((marks.len(), letters.len()), (Verdict::ALL.len(), Verdict::ALL.len()));
        assert!(Verdict::ALL.iter().all(|verdict| WORST_FIRST.contains(verdict)));
    }
}
