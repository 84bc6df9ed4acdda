//! Which words and which mark go with a verdict? Never a colour alone.

use std::{borrow::Cow, collections::BTreeMap};

use super::super::{PolicyFields, harmless};
use crate::judge::{Severity, Verdict};

/// The verdicts in the order in which they matter to a reader: the worst first, and what is well last.
pub(super) const WORST_FIRST: [Verdict; 6] =
    [Verdict::Deprecated, Verdict::Stale, Verdict::OutOfDate, Verdict::Superseded, Verdict::Unknown, Verdict::Fresh];

/// What a verdict looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The word, which is also the end of its CSS class, `v-stale`.
    pub(super) word: &'static str,
    /// A mark of its own shape.
    pub(super) mark: &'static str,
    /// A class in one letter, for where there are thousands of them.
    pub(super) letter: char,
}

impl Look {
    /// That of `verdict`.
    pub(super) fn of(verdict: Verdict) -> Self {
        let (mark, letter) = match verdict {
            Verdict::Fresh => ("✓", 'f'),
            Verdict::Superseded => ("○", 'n'),
            Verdict::OutOfDate => ("▲", 'o'),
            Verdict::Stale => ("■", 's'),
            Verdict::Deprecated => ("✕", 'd'),
            Verdict::Unknown => ("?", 'u'),
        };
        Self { word: verdict.as_str(), mark, letter }
    }
}

/// What a verdict means, under `policy`.
pub(super) fn meaning(verdict: Verdict, policy: &PolicyFields) -> String {
    match verdict {
        Verdict::Fresh => "on the current base".to_owned(),
        Verdict::Superseded => format!("a newer base is out, for up to {} days", policy.grace_days),
        Verdict::OutOfDate => format!("behind for over {} days", policy.grace_days),
        Verdict::Stale => format!("base older than {} days", policy.max_age_days),
        Verdict::Deprecated => "the runtime has ended".to_owned(),
        Verdict::Unknown => "nothing could be concluded".to_owned(),
    }
}

/// Whether a deployment with this verdict stands on an old base.
pub(super) fn is_old(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Deprecated | Verdict::Stale | Verdict::OutOfDate)
}

/// What a severity says.
pub(super) fn urgency(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "nothing to do",
        Severity::Info => "worth knowing",
        Severity::Low => "worth a look some time",
        Severity::Medium => "worth planning",
        Severity::High => "worth doing now",
        Severity::Critical => "overdue",
    }
}

/// The worst of `counts`.
pub(super) fn worst(counts: &BTreeMap<Verdict, u64>) -> Verdict {
    let is_there = |verdict: &Verdict| counts.get(verdict).is_some_and(|count| *count > 0);
    WORST_FIRST.into_iter().find(is_there).unwrap_or(Verdict::Unknown)
}

/// Text from outside, as a template may have it.
pub(super) fn shown(text: &str) -> String {
    harmless(text).into_owned()
}

/// The same for what may be missing.
pub(super) fn shown_or<'a>(text: Option<&'a str>, otherwise: &'a str) -> Cow<'a, str> {
    text.map_or(Cow::Borrowed(otherwise), harmless)
}

/// `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
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

/// A part of a bar: verdict, where it begins and how long it is, in per cent of the bar.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) look: Look,
    pub(super) count: String,
    pub(super) from: String,
    pub(super) length: String,
}

/// `counts` as the parts of one bar, whose whole length stands for `whole`.
pub(super) fn parts(counts: &BTreeMap<Verdict, u64>, whole: u64) -> Vec<Part> {
    let mut from = 0;
    let mut parts = Vec::new();
    for verdict in WORST_FIRST {
        let count = counts.get(&verdict).copied().unwrap_or_default();
        if count > 0 {
            let (start, end) = (percent(from, whole), percent(from + count, whole));
            let (count, look) = (grouped(count), Look::of(verdict));
            parts.push(Part { look, count, from: number(start), length: number(end - start) });
        }
        from += count;
    }
    parts
}

/// `part` of `whole` in per cent.
#[expect(clippy::cast_precision_loss, reason = "a bar of a thousand pixels shows no more than ten bits")]
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A coordinate with the digits that are seen: `12.5`.
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
    fn the_parts_of_a_bar_fill_it_and_start_with_the_worst() {
        let counts = BTreeMap::from([(Verdict::Fresh, 1), (Verdict::Stale, 2), (Verdict::Unknown, 0)]);
        let parts = parts(&counts, 3);
        let shown: Vec<_> =
            parts.iter().map(|part| (part.look.word, part.from.as_str(), part.length.as_str())).collect();
        assert_eq!(shown, [("stale", "0", "66.67"), ("fresh", "66.67", "33.33")]);
        assert_eq!(worst(&counts), Verdict::Stale);
    }

    #[test]
    fn every_verdict_has_a_mark_of_its_own() {
        let marks: std::collections::BTreeSet<_> = WORST_FIRST.map(|verdict| Look::of(verdict).mark).into();
        let letters: std::collections::BTreeSet<_> = WORST_FIRST.map(|verdict| Look::of(verdict).letter).into();
        assert_eq!((marks.len(), letters.len()), (Verdict::ALL.len(), Verdict::ALL.len()));
        assert!(Verdict::ALL.iter().all(|verdict| WORST_FIRST.contains(verdict)));
    }
}
