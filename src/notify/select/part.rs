//! Which alerts does a look at one thing make due, between two runs? Only of what was looked at.

use super::{
    EventKind, Ledger, News, Planned, Settings, awake,
    changes::{Change, changes_of_findings},
    images, tell, upkeep,
};
use crate::{judge::Verdict, notify::AlertSubject};

/// Records in `ledger` what the findings of `news` make due, as messages in its outbox; `is_unlisted` if no inventory
/// will find them again.
///
/// Nothing is concluded from what is absent, it does not count as a run, and nobody takes it for the first contact: a
/// receiver that is new still gets one summary of what is open. What waits for the end of quiet hours is left to the
/// next run.
pub fn plan_part(ledger: &mut Ledger, news: News<'_>, settings: &Settings, is_unlisted: bool) -> Planned {
    // The base that an image waits for was not looked at: whatever is to be told of it, a run tells.
    let report = news.report.without_waiting();
    let news = News { report: &report, ..news };
    upkeep::observe_findings(ledger, news.report, settings, is_unlisted);
    let mut planned = Planned::default();
    for receiver in &settings.receivers {
        let mut all = changes_of_findings(receiver, ledger, news.report, settings);
        all.retain(is_news);
        let (all, joined) = images::join(all, receiver, ledger, news.now());
        planned.joined += joined;
        let (due, waiting) = awake(all, settings, news.now());
        planned.waiting += waiting.len();
        tell(receiver, due, ledger, news, settings, false);
    }
    planned
}

/// Whether it is worth a message of its own: that something is built on an old base, or is no longer. A base that is
/// behind for less than the grace is what every image is built on now and then.
fn is_news(change: &Change<'_>) -> bool {
    let is_old = |verdict| matches!(verdict, Verdict::OutOfDate | Verdict::Stale | Verdict::Deprecated);
    let is_about_workload = change.key.about == AlertSubject::Workload;
    let is_on_old_base = change.finding.is_some_and(|finding| is_old(finding.verdict));
    change.kind == EventKind::Resolved || is_about_workload || is_on_old_base
}
