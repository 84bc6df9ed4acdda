//! Alerts of a partial audit between two runs, such as of a pushed image.

use super::{
    AlertPlan, EventKind, Ledger, NotificationChannel, NotificationContext, NotifySettings, SummarySchedule,
    changes::{AlertChange, changes_of_findings},
    joined, notify_channel, split_by_quiet_hours, upkeep,
};
use crate::{judge::Verdict, notify::AlertSubject};

/// Records in the outbox of `ledger` the messages that the findings of `context` make due. `is_unlisted`: no inventory
/// lists these findings.
///
/// Absent findings are ignored. A partial audit does not count as a run, nor as the first contact with a channel: a new
/// channel still gets one summary later. Changes held by quiet hours or for a scheduled summary are left to the next run.
pub fn plan_part(
    ledger: &mut Ledger,
    context: NotificationContext<'_>,
    settings: &NotifySettings,
    is_unlisted: bool,
) -> AlertPlan {
    // The base that an image waits for was not audited: the next run notifies of it.
    let report = context.report.without_waiting();
    let context = NotificationContext { report: &report, ..context };
    upkeep::observe_findings(ledger, context.report, settings, is_unlisted);
    let mut planned = AlertPlan::default();
    let is_scheduled = |channel: &&NotificationChannel| matches!(channel.summary, Some(SummarySchedule::Scheduled(_)));
    for channel in settings.channels.iter().filter(|channel| !is_scheduled(channel)) {
        let mut all = changes_of_findings(channel, ledger, context.report, settings);
        all.retain(is_reportable);
        let (all, joined) = joined(all, channel, ledger, context.now());
        planned.joined += joined;
        let (due, waiting) = split_by_quiet_hours(all, settings, context.now());
        planned.waiting += waiting.len();
        notify_channel(channel, due, ledger, context, settings, false);
    }
    planned
}

/// Whether it is sent between runs: an outdated base, a workload problem, or a resolved alert. A base within its grace
/// period is not.
fn is_reportable(change: &AlertChange<'_>) -> bool {
    let is_old = |verdict| matches!(verdict, Verdict::OutOfDate | Verdict::Stale | Verdict::Deprecated);
    let is_about_workload = change.key.about == AlertSubject::Workload;
    let is_on_old_base = change.finding.is_some_and(|finding| is_old(finding.verdict));
    change.kind == EventKind::Resolved || is_about_workload || is_on_old_base
}
