//! The decision in tables: which run makes who be told what; and its laws.

use std::time::Duration as Span;

use chrono::{DateTime, Duration, Utc};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    Observed, RUN, RunError, Trouble, Watch, WatchSettings, addressed,
    plan::{give_up, plan},
};
use crate::{
    judge::Severity,
    notify::{
        Channel, EventKind, Message, MessageFormat, QuietHours, Receipt, Receiver, Settings, SnsSettings,
        journal::Answer,
    },
};

/// Runs, one after the other.
struct Bench {
    watch: Watch,
    settings: Settings,
    terms: WatchSettings,
    now: DateTime<Utc>,
    runs: usize,
}

fn receiver(id: &str) -> Receiver {
    let topic_arn = "arn:aws:sns:eu-west-1:123456789012:x".parse().unwrap();
    let channel = Channel::Sns(SnsSettings { topic_arn, format: MessageFormat::Text, formats: [].into() });
    Receiver { id: id.to_owned(), owners: Vec::new(), threshold: None, resolved: true, channel }
}

impl Bench {
    fn new() -> Self {
        Self {
            watch: Watch::default(),
            settings: Settings { receivers: vec![receiver("all")], ..Settings::default() },
            terms: WatchSettings::default(),
            now: "2026-11-02T09:00:00Z".parse().expect("an instant"),
            runs: 0,
        }
    }

    fn observed(&self, what: char) -> Observed {
        let error = |scope: &str| RunError::new(scope, "access-denied", "not allowed", self.now);
        let (trouble, errors) = match what {
            'f' => (Some(Trouble::Failed), vec![error(RUN)]),
            'e' => (Some(Trouble::Empty), Vec::new()),
            'd' => (Some(Trouble::Empty), vec![error("account 1")]),
            'b' => (Some(Trouble::Blind), vec![RunError::new(RUN, "most-unknown", "only 1 of 3", self.now)]),
            'i' => (Some(Trouble::Incomplete), vec![error("account 1")]),
            _ => (None, Vec::new()),
        };
        Observed { run_id: format!("run {}", self.runs), at: self.now, trouble, errors }
    }

    /// A run, and what is due for it.
    fn note(&mut self, run: &Observed) -> Vec<Message> {
        let before = self.watch.outbox.len();
        self.watch.note(run, &self.terms);
        plan(&mut self.watch, &self.settings, &self.terms, &run.run_id, "store/latest.json", self.now);
        self.watch.outbox[before..].iter().map(|due| due.message.clone()).collect()
    }

    fn acknowledge(&mut self) {
        for due in self.watch.outbox.clone() {
            let answer = Answer::of(&due.receiver, &due.message.dedup_key, &Ok(Receipt::default()), self.now);
            self.watch.take(&answer);
        }
    }

    /// A run that comes to `what`, and what was told of it.
    fn run(&mut self, what: char) -> Vec<Message> {
        self.runs += 1;
        let told = self.note(&self.observed(what));
        self.acknowledge();
        told
    }

    /// A run each `hours` hours: `-` if nothing was told, else the first letter of what happened.
    fn daily(&mut self, runs: &str) -> String {
        let letter = |told: &[Message]| match told {
            [] => '-',
            [message] => match message.watch.as_ref().expect("a message of its kind").event {
                EventKind::Triggered => 'T',
                EventKind::Escalated => 'E',
                EventKind::Reminded => 'R',
                EventKind::Resolved => 'O',
            },
            _ => '!',
        };
        let mut told = String::new();
        for what in runs.chars() {
            told.push(letter(&self.run(what)));
            self.now += Duration::hours(24);
        }
        told
    }
}

#[test]
fn trouble_is_told_once_it_lasts_and_again_when_it_is_over() {
    let table = [
        ("gggg", "----"),
        // Failed once is told, and not with every run.
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
        // A failure does not break a row of incomplete runs, and does not count in it.
        ("ifiig", "-T--O"),
        // It got worse, and that is told once.
        ("iiiffig", "--TE--O"),
        ("eeffeeg", "T-E---O"),
        // Only a good run ends it: else each of these would be news.
        ("fififig", "T-----O"),
        // Told again after a week, and after another.
        ("ffffffffffffffffg", "T------R------R-O"),
        ("fgfg", "TOTO"),
    ];
    for (runs, expected) in table {
        assert_eq!(Bench::new().daily(runs), expected, "{runs}");
    }
}

#[test]
fn thresholds_are_runs_in_a_row_and_nought_is_never() {
    let with = |failed_runs, empty_runs, incomplete_runs, runs| {
        let mut bench = Bench::new();
        bench.terms = WatchSettings { failed_runs, empty_runs, incomplete_runs, ..WatchSettings::default() };
        bench.daily(runs)
    };
    assert_eq!(with(3, 1, 3, "ffgfff"), "-----T");
    assert_eq!(with(3, 1, 3, "ffifff"), "-----T", "an incomplete run is no failed one");
    assert_eq!(with(0, 1, 3, "ffffffffff"), "----------");
    assert_eq!(with(1, 0, 3, "eeee"), "----");
    assert_eq!(with(1, 2, 3, "eeg"), "-TO");
    // Nothing was found because nothing could be seen: that is incomplete at the least.
    assert_eq!(with(1, 0, 2, "ddg"), "-TO");
    // Whoever never wants to hear of incomplete runs takes them for good ones.
    assert_eq!(with(1, 1, 0, "fiiii"), "TO---");
}

#[test]
fn a_run_that_was_outrun_or_noted_already_is_no_news() {
    let mut bench = Bench::new();
    bench.daily("g");
    let late = Observed { at: bench.now - Duration::days(2), run_id: "late".to_owned(), ..bench.observed('f') };
    bench.watch.note(&late, &bench.terms);
    assert_eq!((bench.watch.trouble, bench.watch.rows.len()), (None, 0));
    bench.runs += 1;
    let run = bench.observed('i');
    bench.note(&run);
    let once = bench.watch.clone();
    assert!(bench.note(&run).is_empty() && bench.watch == once);
}

#[test]
fn what_is_told_says_since_when_how_often_and_what_cannot_be_seen() {
    let mut bench = Bench::new();
    assert_eq!(bench.daily("gii"), "---");
    let told = bench.run('i').remove(0);
    let watch = told.watch.expect("its fields");
    assert_eq!((watch.trouble, watch.runs), (Trouble::Incomplete, 3));
    assert_eq!(watch.since.to_string(), "2026-11-03 09:00:00 UTC");
    assert_eq!(watch.errors[0].since, watch.since, "account 1 was not seen from then on");
    assert_eq!(watch.last_good_at.expect("a good run").to_string(), "2026-11-02 09:00:00 UTC");
    assert_eq!((told.severity, told.complete, told.owner), (Severity::High, false, None));
    assert!(told.report.is_some());
    // A failed run has no report of its own, and does not know better what cannot be seen.
    bench.now += Duration::days(1);
    let told = bench.run('f').remove(0);
    assert_eq!((told.report, told.watch.map(|watch| watch.runs)), (None, Some(1)));
    assert_eq!(bench.watch.unseen["account 1"], watch.since);
    bench.now += Duration::days(1);
    let over = bench.run('g').remove(0).watch.expect("its fields");
    assert_eq!(
        (over.event, over.trouble, over.runs, over.since),
        (EventKind::Resolved, Trouble::Failed, 4, watch.since)
    );
    assert!(bench.watch.unseen.is_empty());
}

#[test]
fn many_and_long_errors_are_cut_and_counted() {
    let mut bench = Bench::new();
    let error = RunError::new(&"é".repeat(10_000), "unreachable", &"\u{1b}x".repeat(10_000), bench.now);
    assert!(error.scope.chars().count() <= 201 && error.message.chars().count() <= 501);
    let run = Observed { errors: vec![error; 1000], ..bench.observed('f') };
    let told = bench.note(&run).remove(0).watch.expect("its fields");
    assert_eq!((told.errors.len(), told.errors_left_out), (5, 995));
    let scopes = (0..1000).map(|number| RunError::new(&format!("account {number}"), "x", "y", bench.now));
    let run = Observed { run_id: "wide".to_owned(), errors: scopes.collect(), ..bench.observed('i') };
    bench.watch.note(&run, &bench.terms);
    assert!(bench.watch.unseen.len() <= 200, "{}", bench.watch.unseen.len());
}

#[test]
fn those_are_told_who_care_for_everything() {
    let owners = |owners: &[&str]| owners.iter().map(|owner| owner.parse().expect("a pattern")).collect::<Vec<_>>();
    let ids = |settings: &Settings, names: &[&str]| {
        let receivers = names.iter().map(|name| (*name).to_owned()).collect();
        let terms = WatchSettings { receivers, ..WatchSettings::default() };
        addressed(settings, &terms).iter().map(|receiver| receiver.id.clone()).collect::<Vec<_>>().join(" ")
    };
    let mut settings = Settings::default();
    assert_eq!(ids(&settings, &[]), "");
    settings.receivers = vec![
        receiver("all"),
        Receiver { owners: owners(&["payments"]), ..receiver("payments") },
        Receiver { threshold: Some(Severity::Critical), ..receiver("on-call") },
    ];
    assert_eq!(ids(&settings, &[]), "all");
    assert_eq!(ids(&settings, &["on-call", "payments"]), "payments on-call");
    settings.receivers.remove(0);
    assert_eq!(ids(&settings, &[]), "payments", "somebody has to hear it");
    settings.threshold = Severity::Critical;
    assert_eq!(ids(&settings, &[]), "");
}

#[test]
fn at_night_nobody_is_woken_and_what_ended_by_morning_is_not_told() {
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
    let told = bench.run('f').remove(0).watch.expect("its fields");
    assert_eq!((told.runs, told.since), (2, night));
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
fn who_does_not_want_to_hear_of_the_end_does_not() {
    let mut bench = Bench::new();
    bench.settings.receivers[0].resolved = false;
    assert_eq!(bench.daily("fgfg"), "T-T-");
    bench.settings.remind_every = None;
    assert_eq!(bench.daily("ffffffffffffffff"), "T---------------");
}

#[test]
fn what_was_given_up_is_told_anew() {
    let mut bench = Bench::new();
    bench.runs += 1;
    let first = bench.note(&bench.observed('f')).remove(0);
    bench.watch.outbox[0].failed(bench.now, "503", None);
    bench.now += Duration::from_std(bench.settings.keep_trying + Span::from_secs(1)).expect("a span");
    assert_eq!(give_up(&mut bench.watch, &bench.settings, bench.now), 1);
    assert!(bench.watch.told.is_empty() && bench.watch.outbox.is_empty());
    bench.runs += 1;
    let second = bench.note(&bench.observed('f')).remove(0);
    assert_ne!(first.dedup_key, second.dedup_key);
    assert_eq!(second.watch.map(|watch| (watch.event, watch.runs)), Some((EventKind::Triggered, 2)));
}

#[test]
fn the_memory_reads_as_it_was_written() {
    let mut bench = Bench::new();
    bench.daily("giifg");
    bench.runs += 1;
    bench.note(&bench.observed('f'));
    let written = serde_json::to_string(&bench.watch).expect("JSON");
    assert_eq!(serde_json::from_str::<Watch>(&written).expect("the same"), bench.watch);
    assert_eq!(serde_json::from_str::<Watch>("{}").expect("an empty one"), Watch::default());
}

proptest! {
    #[test]
    fn an_alert_is_triggered_goes_on_and_ends_whatever_runs_come_to(
        runs in vec((select(vec!['g', 'g', 'i', 'i', 'b', 'e', 'd', 'f']), 1_i64..72), 1..60),
        failed_runs in 0_u32..4, empty_runs in 0_u32..4, incomplete_runs in 0_u32..4,
    ) {
        let mut bench = Bench::new();
        bench.terms = WatchSettings { failed_runs, empty_runs, incomplete_runs, ..WatchSettings::default() };
        let (mut keys, mut is_open) = (std::collections::BTreeSet::new(), false);
        for (what, hours) in runs {
            bench.now += Duration::hours(hours);
            let told = bench.run(what);
            prop_assert!(told.len() <= 1, "one message for each run at the most");
            for message in told {
                let event = message.watch.as_ref().expect("its fields").event;
                prop_assert_eq!(is_open, event != EventKind::Triggered);
                is_open = event != EventKind::Resolved;
                prop_assert!(keys.insert(message.dedup_key.clone()), "no two are told alike");
                prop_assert_eq!(message.severity, Severity::High);
            }
            if what == 'g' {
                prop_assert!(!is_open, "a good run ends it");
            }
            // Once delivered, the same again is nothing: not the run, and not the answer.
            let settled = bench.watch.clone();
            prop_assert!(settled.outbox.is_empty());
            let again = bench.observed(what);
            prop_assert!(bench.note(&again).is_empty());
            bench.acknowledge();
            prop_assert_eq!(&bench.watch, &settled);
        }
    }
}
