//! Notes about expired, expiring and unused exemptions.

use chrono::{DateTime, Utc};

use super::{Note, NoteCode, format};
use crate::judge::{Exemption, ExemptionUsage};

impl Note {
    /// The note about an exemption that has expired, expires soon, or is unused. `is_whole` is whether the whole
    /// inventory was read, without which an exemption may only seem unused.
    #[must_use]
    pub fn exemption(encounter: &ExemptionUsage<'_>, is_whole: bool, now: DateTime<Utc>) -> Option<Self> {
        let ExemptionUsage { exemption, matched, covered } = encounter;
        let Exemption { reason, owner, until, .. } = exemption;
        let named = format!("the exemption {reason:?} of {owner}");
        let covered = format::tally(covered.iter().map(|(verdict, number)| (*verdict, *number)));
        let (code, message) = if *matched == 0 {
            let expired = if until.is_over(now) { " and has expired" } else { "" };
            let message = format!("{named} matches no deployment{expired}: remove it or correct its patterns");
            (NoteCode::ExemptionUnused, is_whole.then_some(message)?)
        } else if until.is_over(now) {
            let rest = match covered.as_str() {
                "" => "is no longer needed: remove it".to_owned(),
                covered => format!("no longer covers {covered}"),
            };
            (NoteCode::ExemptionExpired, format!("{named} ended on {until} and {rest}"))
        } else if until.is_near(now) && !covered.is_empty() {
            (NoteCode::ExemptionExpiring, format!("{named} ends on {until}; it covers {covered}"))
        } else {
            return None;
        };
        Some(Self::new(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{PolicyScope, Verdict};

    fn now() -> DateTime<Utc> {
        "2026-11-20T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn notes_report_unused_expiring_and_expired_exemptions() {
        let exemption = |until: &str| Exemption {
            reason: "replaced in Q1".into(),
            owner: "payments".into(),
            until: until.parse().unwrap(),
            scope: PolicyScope::default(),
            codes: Vec::new(),
        };
        let two = &[(Verdict::Stale, 1), (Verdict::OutOfDate, 1)][..];
        let expiring = ("exemption-expiring", "ends on 2026-11-30; it covers 1 stale, 1 out-of-date");
        let expired = "ended on 2026-11-19 and no longer covers 1 stale, 1 out-of-date";
        let obsolete = "ended on 2026-11-19 and is no longer needed: remove it";
        let unused = "matches no deployment: remove it or correct its patterns";
        let both = "matches no deployment and has expired: remove it or correct its patterns";
        for (until, matched, covered, is_whole, expected) in [
            ("2027-06-30", 2, two, true, None),
            ("2027-06-30", 2, &[], true, None),
            ("2026-11-30", 2, two, true, Some(expiring)),
            ("2026-11-30", 2, &[], true, None),
            ("2026-11-19", 2, two, false, Some(("exemption-expired", expired))),
            ("2026-11-19", 2, &[], true, Some(("exemption-expired", obsolete))),
            ("2027-06-30", 0, &[], true, Some(("exemption-unused", unused))),
            ("2026-11-19", 0, &[], true, Some(("exemption-unused", both))),
            ("2027-06-30", 0, &[], false, None),
            ("2026-11-19", 0, &[], false, None),
        ] {
            let exemption = exemption(until);
            let covered = covered.iter().copied().collect();
            let found = Note::exemption(&ExemptionUsage { exemption: &exemption, matched, covered }, is_whole, now());
            let named = |message| format!("the exemption \"replaced in Q1\" of payments {message}");
            let expected = expected.map(|(code, message)| (code.to_owned(), named(message)));
            assert_eq!(found.map(|note| (note.code, note.message)), expected, "{until} {matched} {is_whole}");
        }
    }
}
