//! Holds on releases, and notes about expired, expiring and unused holds.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Note, NoteCode};
use crate::resolve::ReleaseHold;

/// The hold on a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldFields {
    /// The reason.
    pub reason: String,
    /// The last day, in UTC.
    pub until: NaiveDate,
}

impl From<&ReleaseHold> for HoldFields {
    fn from(hold: &ReleaseHold) -> Self {
        Self { reason: hold.reason.clone(), until: hold.until.0 }
    }
}

impl Note {
    /// Whether the note is about an unused rule, which matters only to the maintainers of the configuration.
    #[must_use]
    pub fn is_about_unused(&self) -> bool {
        self.has_code(NoteCode::ExemptionUnused) || self.has_code(NoteCode::HoldUnused)
    }

    /// The note on `hold` at `now`: it has ended, it ends soon, or it matches no release. `is_met` says whether it
    /// matched one, `is_whole` whether everything was seen.
    #[must_use]
    pub fn hold(hold: &ReleaseHold, is_met: bool, is_whole: bool, now: DateTime<Utc>) -> Option<Self> {
        let ReleaseHold { release, reason, until } = hold;
        let named = format!("the hold on {} ({reason})", release.as_str());
        let (code, message) = if until.is_over(now) {
            (NoteCode::HoldExpired, format!("{named} ended on {until} and no longer applies: remove or extend it"))
        } else if !is_met {
            let message = format!("{named} matches no release of a line in use: remove it or correct its pattern");
            (NoteCode::HoldUnused, is_whole.then_some(message)?)
        } else if until.is_near(now) {
            (NoteCode::HoldExpiring, format!("{named} ends on {until} and will no longer apply"))
        } else {
            return None;
        };
        Some(Self::new(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_report_unused_expiring_and_expired_holds() {
        let now = "2026-11-20T06:00:00Z".parse().unwrap();
        for (until, is_met, is_whole, code) in [
            ("2027-06-30", true, true, None),
            ("2027-06-30", false, true, Some("hold-unused")),
            ("2027-06-30", false, false, None),
            ("2026-11-30", true, false, Some("hold-expiring")),
            ("2026-11-30", false, true, Some("hold-unused")),
            ("2026-11-19", false, false, Some("hold-expired")),
        ] {
            let hold = ReleaseHold {
                release: "public.ecr.aws/lambda/java:21.2026.07.*".parse().unwrap(),
                reason: "TLS to RDS fails".to_owned(),
                until: until.parse().unwrap(),
            };
            let note = Note::hold(&hold, is_met, is_whole, now);
            assert_eq!(note.as_ref().map(|note| note.code.as_str()), code, "{until} {is_met} {is_whole}");
            let says_which = |note: &Note| note.message.contains("lambda/java:21.2026.07.* (TLS to RDS fails)");
            assert!(note.as_ref().is_none_or(says_which), "{note:?}");
        }
    }
}
