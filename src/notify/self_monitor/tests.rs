//! Self-monitoring decisions as tables, and their invariants.

use std::time::Duration as Span;

use chrono::{DateTime, Duration, Utc};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{ObservedRun, SelfMonitor, SelfMonitorSettings, addressed, plan::plan};
use crate::{
    judge::Severity,
    notify::{
        ChannelKind, EventKind, Message, MessageFormat, NotificationChannel, NotifySettings, QuietHours, SnsSettings,
        due_messages,
        run_health::{RUN, RunError, RunHealth},
    },
    outbox::{DeliveryError, DeliveryReceipt, DeliveryRecord},
};

/// Runs, one after the other.
struct Bench {
    monitor: SelfMonitor,
    settings: NotifySettings,
    monitor_settings: SelfMonitorSettings,
    now: DateTime<Utc>,
    runs: usize,
}

fn channel(id: &str) -> NotificationChannel {
    let topic_arn = "arn:aws:sns:eu-west-1:123456789012:x".parse().unwrap();
    let kind = ChannelKind::Sns(SnsSettings { topic_arn, format: MessageFormat::Text, formats: [].into() });
    NotificationChannel::new(id.to_owned(), kind)
}

impl Bench {
    fn new() -> Self {
        Self {
            monitor: SelfMonitor::default(),
            settings: NotifySettings { channels: vec![channel("all")], ..NotifySettings::default() },
            monitor_settings: SelfMonitorSettings::default(),
            now: "2026-11-02T09:00:00Z".parse().expect("an instant"),
            runs: 0,
        }
    }

    fn observed(&self, what: char) -> ObservedRun {
        let error = |scope: &str| RunError::new(scope, "access-denied", "not allowed", self.now);
        let (trouble, errors) = match what {
            'f' => (Some(RunHealth::Failed), vec![error(RUN)]),
            'e' => (Some(RunHealth::Empty), Vec::new()),
            'd' => (Some(RunHealth::Empty), vec![error("account 1")]),
            'b' => (Some(RunHealth::Blind), vec![RunError::new(RUN, "most-unknown", "only 1 of 3", self.now)]),
            'i' => (Some(RunHealth::Incomplete), vec![error("account 1")]),
            _ => (None, Vec::new()),
        };
        ObservedRun {
            run_id: format!("run {}", self.runs),
            at: self.now,
            lasted: Some((self.now, self.now)),
            trouble,
            errors,
        }
    }

    /// Records a run and returns the messages it makes due.
    fn note(&mut self, run: &ObservedRun) -> Vec<Message> {
        let before = self.monitor.outbox.len();
        self.monitor.note(run, &self.monitor_settings);
        plan(&mut self.monitor, &self.settings, &self.monitor_settings, &run.run_id, "store/latest.json", self.now);
        self.monitor.outbox[before..].iter().map(|entry| entry.message.clone()).collect()
    }

    fn acknowledge(&mut self) {
        for pending in self.monitor.outbox.clone() {
            let outcome = Ok(DeliveryReceipt::default());
            let (target, key) = (pending.channel, pending.message.dedup_key);
            due_messages::record(&mut self.monitor, &DeliveryRecord { target, key, at: self.now, outcome });
        }
    }

    /// A run with the outcome `what`; returns its messages.
    fn run(&mut self, what: char) -> Vec<Message> {
        self.runs += 1;
        let messages = self.note(&self.observed(what));
        self.acknowledge();
        messages
    }

    /// A run a day: `-` without a message, else a letter for its event.
    fn daily(&mut self, runs: &str) -> String {
        let letter = |messages: &[Message]| match messages {
            [] => '-',
            [message] => match message.watch.as_ref().expect("a message of its kind").event {
                EventKind::Triggered => 'T',
                EventKind::Escalated => 'E',
                EventKind::Reminded => 'R',
                EventKind::Resolved => 'O',
            },
            _ => '!',
        };
        let mut events = String::new();
        for what in runs.chars() {
            events.push(letter(&self.run(what)));
            self.now += Duration::hours(24);
        }
        events
    }
}

#[test]
fn a_problem_triggers_once_it_persists_and_resolves_once_it_is_over() {
    let table = [
        ("gggg", "----"),
        // One failure triggers; the following ones do not.
        ("gffffg", "-T---O"),
        ("f", "T"),
        ("e", "T"),
        ("eeg", "T-O"),
        ("d", "T"),
        ("bbbg", "T--O"),
        ("ibeg", "-TEO"),
        ("ebg", "T-O"),
        ("iig", "---"),
        ("iiig", "--TO"),
        ("iigiig", "------"),
        // A failure neither ends nor extends a streak of incomplete runs.
        ("ifiig", "-T--O"),
        // A worse problem escalates once.
        ("iiiffig", "--TE--O"),
        ("eeffeeg", "T-E---O"),
        // Only a healthy run resolves it.
        ("fififig", "T-----O"),
        // Reminded weekly.
        ("ffffffffffffffffg", "T------R------R-O"),
        ("fgfg", "TOTO"),
    ];
    for (runs, expected) in table {
        assert_eq!(Bench::new().daily(runs), expected, "{runs}");
    }
}

#[test]
fn thresholds_count_runs_in_a_row_and_zero_is_never() {
    let with = |failed_runs, empty_runs, incomplete_runs, runs| {
        let mut bench = Bench::new();
        bench.monitor_settings =
            SelfMonitorSettings { failed_runs, empty_runs, incomplete_runs, ..SelfMonitorSettings::default() };
        bench.daily(runs)
    };
    assert_eq!(with(3, 1, 3, "ffgfff"), "-----T");
    assert_eq!(with(3, 1, 3, "ffifff"), "-----T", "an incomplete run is not a failed one");
    assert_eq!(with(0, 1, 3, "ffffffffff"), "----------");
    assert_eq!(with(1, 0, 3, "eeee"), "----");
    assert_eq!(with(1, 2, 3, "eeg"), "-TO");
    // Nothing was found because nothing could be read: that is at least incomplete.
    assert_eq!(with(1, 0, 2, "ddg"), "-TO");
    // With a threshold of 0, incomplete runs count as healthy.
    assert_eq!(with(1, 1, 0, "fiiii"), "TO---");
}

#[test]
fn a_superseded_or_already_recorded_run_changes_nothing() {
    let mut bench = Bench::new();
    bench.daily("g");
    let late = ObservedRun { at: bench.now - Duration::days(2), run_id: "late".to_owned(), ..bench.observed('f') };
    bench.monitor.note(&late, &bench.monitor_settings);
    assert_eq!((bench.monitor.trouble, bench.monitor.streaks.len()), (None, 0));
    bench.runs += 1;
    let run = bench.observed('i');
    bench.note(&run);
    let once = bench.monitor.clone();
    assert!(bench.note(&run).is_empty() && bench.monitor == once);
}

#[test]
fn a_message_says_since_when_how_often_and_which_scopes_are_unreadable() {
    let mut bench = Bench::new();
    assert_eq!(bench.daily("gii"), "---");
    let message = bench.run('i').remove(0);
    let fields = message.watch.expect("its fields");
    assert_eq!((fields.trouble, fields.runs), (RunHealth::Incomplete, 3));
    assert_eq!(fields.since.to_string(), "2026-11-03 09:00:00 UTC");
    assert_eq!(fields.errors[0].since, fields.since, "account 1 was not seen from then on");
    assert_eq!(fields.last_good_at.expect("a good run").to_string(), "2026-11-02 09:00:00 UTC");
    assert_eq!((message.severity, message.complete, message.owner), (Severity::High, false, None));
    assert!(message.report.is_some());
    // A failed run has no report, and leaves the unreadable scopes as they were.
    bench.now += Duration::days(1);
    let message = bench.run('f').remove(0);
    assert_eq!((message.report, message.watch.map(|fields| fields.runs)), (None, Some(1)));
    assert_eq!(bench.monitor.unreadable["account 1"], fields.since);
    bench.now += Duration::days(1);
    let over = bench.run('g').remove(0).watch.expect("its fields");
    assert_eq!(
        (over.event, over.trouble, over.runs, over.since),
        (EventKind::Resolved, RunHealth::Failed, 4, fields.since)
    );
    assert!(bench.monitor.unreadable.is_empty());
}

#[test]
fn many_and_long_errors_are_cut_and_counted() {
    let mut bench = Bench::new();
    let error = RunError::new(&"é".repeat(10_000), "unreachable", &"\u{1b}x".repeat(10_000), bench.now);
    assert!(error.scope.chars().count() <= 201 && error.message.chars().count() <= 501);
    let run = ObservedRun { errors: vec![error; 1000], ..bench.observed('f') };
    let message = bench.note(&run).remove(0).watch.expect("its fields");
    assert_eq!((message.errors.len(), message.errors_left_out), (5, 995));
    let scopes = (0..1000).map(|number| RunError::new(&format!("account {number}"), "x", "y", bench.now));
    let run = ObservedRun { run_id: "wide".to_owned(), errors: scopes.collect(), ..bench.observed('i') };
    bench.monitor.note(&run, &bench.monitor_settings);
    assert!(bench.monitor.unreadable.len() <= 200, "{}", bench.monitor.unreadable.len());
}

#[test]
fn channels_subscribed_to_all_owners_are_notified() {
    let owners = |owners: &[&str]| owners.iter().map(|owner| owner.parse().expect("a pattern")).collect::<Vec<_>>();
    let ids = |settings: &NotifySettings, names: &[&str]| {
        let channels = names.iter().map(|name| (*name).to_owned()).collect();
        let monitor_settings = SelfMonitorSettings { channels, ..SelfMonitorSettings::default() };
        addressed(settings, &monitor_settings).iter().map(|channel| channel.id.clone()).collect::<Vec<_>>().join(" ")
    };
    let mut settings = NotifySettings::default();
    assert_eq!(ids(&settings, &[]), "");
    settings.channels = vec![
        channel("all"),
        NotificationChannel { owners: owners(&["payments"]), ..channel("payments") },
        NotificationChannel { threshold: Some(Severity::Critical), ..channel("on-call") },
    ];
    assert_eq!(ids(&settings, &[]), "all");
    assert_eq!(ids(&settings, &["on-call", "payments"]), "payments on-call");
    settings.channels.remove(0);
    assert_eq!(ids(&settings, &[]), "payments", "at least one channel is notified");
    settings.threshold = Severity::Critical;
    assert_eq!(ids(&settings, &[]), "");
}

#[test]
fn quiet_hours_hold_the_alert_and_a_problem_that_ends_in_them_is_not_notified() {
    let quiet = |except| QuietHours {
        from: "18:00:00".parse().expect("a time"),
        to: "08:00:00".parse().expect("a time"),
        days: Vec::new(),
        time_zone: chrono_tz::UTC,
        except,
    };
    let mut bench = Bench::new();
    bench.settings.quiet_hours = Some(quiet(Severity::Critical));
    let (night, morning) = (bench.now - Duration::hours(6), bench.now);
    bench.now = night;
    assert!(bench.run('f').is_empty());
    bench.now = morning;
    let message = bench.run('f').remove(0).watch.expect("its fields");
    assert_eq!((message.runs, message.since), (2, night));
    bench.now = night + Duration::days(1);
    assert!(bench.run('g').is_empty(), "it is over, and that can wait");
    bench.now = morning + Duration::days(1);
    let over = bench.run('g').remove(0).watch.expect("its fields");
    assert_eq!((over.event, over.runs, over.since), (EventKind::Resolved, 2, night));
    bench.now = night + Duration::days(2);
    assert!(bench.run('f').is_empty() && bench.run('g').is_empty());
    bench.now = morning + Duration::days(2);
    assert!(bench.run('g').is_empty());
    bench.settings.quiet_hours = Some(quiet(Severity::High));
    bench.now = night + Duration::days(3);
    assert_eq!(bench.run('f').len(), 1);
}

#[test]
fn a_channel_without_resolved_is_not_notified_of_the_end() {
    let mut bench = Bench::new();
    bench.settings.channels[0].resolved = false;
    assert_eq!(bench.daily("fgfg"), "T-T-");
    bench.settings.remind_every = None;
    assert_eq!(bench.daily("ffffffffffffffff"), "T---------------");
}

#[test]
fn an_expired_message_triggers_again() {
    let mut bench = Bench::new();
    bench.runs += 1;
    let first = bench.note(&bench.observed('f')).remove(0);
    bench.monitor.outbox[0].delivery.failed(&DeliveryError::for_target("503".to_owned()), bench.now);
    bench.now += Duration::from_std(bench.settings.keep_trying + Span::from_secs(1)).expect("a span");
    assert_eq!(due_messages::give_up(&mut bench.monitor, &bench.settings, bench.now), 1);
    assert!(bench.monitor.deliveries.is_empty() && bench.monitor.outbox.is_empty());
    bench.runs += 1;
    let second = bench.note(&bench.observed('f')).remove(0);
    assert_ne!(first.dedup_key, second.dedup_key);
    assert_eq!(second.watch.map(|fields| (fields.event, fields.runs)), Some((EventKind::Triggered, 2)));
}

#[test]
fn the_stored_state_round_trips() {
    let mut bench = Bench::new();
    bench.daily("giifg");
    bench.runs += 1;
    bench.note(&bench.observed('f'));
    let written = serde_json::to_string(&bench.monitor).expect("JSON");
    assert_eq!(serde_json::from_str::<SelfMonitor>(&written).expect("the same"), bench.monitor);
    assert_eq!(serde_json::from_str::<SelfMonitor>("{}").expect("an empty one"), SelfMonitor::default());
}

proptest! {
    #[test]
    fn an_alert_is_triggered_continues_and_resolves_for_any_sequence_of_runs(
        runs in vec((select(vec!['g', 'g', 'i', 'i', 'b', 'e', 'd', 'f']), 1_i64..72), 1..60),
        failed_runs in 0_u32..4, empty_runs in 0_u32..4, incomplete_runs in 0_u32..4,
    ) {
        let mut bench = Bench::new();
        bench.monitor_settings = SelfMonitorSettings { failed_runs, empty_runs, incomplete_runs, ..SelfMonitorSettings::default() };
        let (mut keys, mut is_open) = (std::collections::BTreeSet::new(), false);
        for (what, hours) in runs {
            bench.now += Duration::hours(hours);
            let messages = bench.run(what);
            prop_assert!(messages.len() <= 1, "at most one message per run");
            for message in messages {
                let event = message.watch.as_ref().expect("its fields").event;
                prop_assert_eq!(is_open, event != EventKind::Triggered);
                is_open = event != EventKind::Resolved;
                prop_assert!(keys.insert(message.dedup_key.clone()), "dedup keys are unique");
                prop_assert_eq!(message.severity, Severity::High);
            }
            if what == 'g' {
                prop_assert!(!is_open, "a healthy run resolves it");
            }
            // Repeating the run or the acknowledgement changes nothing.
            let settled = bench.monitor.clone();
            prop_assert!(settled.outbox.is_empty());
            let again = bench.observed(what);
            prop_assert!(bench.note(&again).is_empty());
            bench.acknowledge();
            prop_assert_eq!(&bench.monitor, &settled);
        }
    }
}
