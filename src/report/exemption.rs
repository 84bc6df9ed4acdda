//! How are exemptions shown? On the findings that they exempt, and as notes where somebody has to look at them.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Note, NoteCode, words};
use crate::judge::{Encounter, Exemption};

/// Why a finding is put up with, who answers for that, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ExemptionFields {
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    pub until: NaiveDate,
}

impl ExemptionFields {
    /// The fields of `exemption`.
    #[must_use]
    pub fn of(exemption: &Exemption) -> Self {
        let Exemption { reason, owner, until, .. } = exemption;
        Self { reason: reason.clone(), owner: owner.clone(), until: until.0 }
    }
}

impl Note {
    /// What is to be known at `now` about an exemption: that it has expired, that it will soon, or that it matches
    /// no deployment, if `is_whole` says that all there are were seen.
    #[must_use]
    pub fn of_exemption(encounter: &Encounter<'_>, is_whole: bool, now: DateTime<Utc>) -> Option<Self> {
        let Encounter { exemption, matched, covered } = encounter;
        let Exemption { reason, owner, until, .. } = exemption;
        let named = format!("the exemption {reason:?} of {owner}");
        let covered = words::tally(covered.iter().map(|(verdict, number)| (*verdict, *number)));
        let (code, message) = if *matched == 0 {
            let expired = if until.is_over(now) { ", and has expired" } else { "" };
            let message = format!("{named} matches no deployment{expired}: remove it, or correct its patterns");
            (NoteCode::ExemptionUnused, is_whole.then_some(message)?)
        } else if until.is_over(now) {
            let rest = match covered.as_str() {
                "" => "nothing needs it any more: remove it".to_owned(),
                covered => format!("it no longer exempts what it matches: {covered}"),
            };
            (NoteCode::ExemptionExpired, format!("{named} ended on {until}, and {rest}"))
        } else if until.is_near(now) && !covered.is_empty() {
            (NoteCode::ExemptionExpiring, format!("{named} ends on {until}; it exempts {covered}"))
        } else {
            return None;
        };
        Some(Self::new(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Scope, Verdict};

    fn now() -> DateTime<Utc> {
        "2026-11-20T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn notes_tell_what_somebody_has_to_look_at_and_nothing_else() {
        let exemption = |until: &str| Exemption {
            reason: "replaced in Q1".into(),
            owner: "payments".into(),
            until: until.parse().unwrap(),
            scope: Scope::default(),
            codes: Vec::new(),
        };
        let two = &[(Verdict::Stale, 1), (Verdict::OutOfDate, 1)][..];
        let soon = ("exemption-expiring", "ends on 2026-11-30; it exempts 1 stale, 1 out-of-date");
        let over = "ended on 2026-11-19, and it no longer exempts what it matches: 1 stale, 1 out-of-date";
        let moot = "ended on 2026-11-19, and nothing needs it any more: remove it";
        let vain = "matches no deployment: remove it, or correct its patterns";
        let both = "matches no deployment, and has expired: remove it, or correct its patterns";
        for (until, matched, covered, is_whole, told) in [
            ("2027-06-30", 2, two, true, None),
            ("2027-06-30", 2, &[], true, None),
            ("2026-11-30", 2, two, true, Some(soon)),
            ("2026-11-30", 2, &[], true, None),
            ("2026-11-19", 2, two, false, Some(("exemption-expired", over))),
            ("2026-11-19", 2, &[], true, Some(("exemption-expired", moot))),
            ("2027-06-30", 0, &[], true, Some(("exemption-unused", vain))),
            ("2026-11-19", 0, &[], true, Some(("exemption-unused", both))),
            ("2027-06-30", 0, &[], false, None),
            ("2026-11-19", 0, &[], false, None),
        ] {
            let exemption = exemption(until);
            let covered = covered.iter().copied().collect();
            let found = Note::of_exemption(&Encounter { exemption: &exemption, matched, covered }, is_whole, now());
            let named = |message| format!("the exemption \"replaced in Q1\" of payments {message}");
            let told = told.map(|(code, message)| (code.to_owned(), named(message)));
            assert_eq!(found.map(|note| (note.code, note.message)), told, "{until} {matched} {is_whole}");
        }
    }
}
