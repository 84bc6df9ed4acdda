//! Number and size of messages for thousands of findings. `cargo bench --bench audit -- alerts` measures the time for ten
//! thousand.

use std::{sync::Arc, time::Instant};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    notify::{Message, MessageFormat, MessageKind, Notifier as _, SnsNotifier, SnsSettings},
};
use chrono::{DateTime, Duration, Utc};

use testbed::{alerts_rig::Rig, many::report};

const FINDINGS: usize = 2_000;
/// The size limit of an SNS message.
const SNS_BYTES: usize = 262_144;

/// The largest body of `messages` in each format, in bytes.
fn largest(messages: &[Message]) -> Vec<(MessageFormat, usize)> {
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    let formats = [MessageFormat::Text, MessageFormat::Json, MessageFormat::Chatbot];
    let size = |format| {
        let topic = SnsSettings {
            topic_arn: "arn:aws:sns:eu-west-1:123456789012:basewatch".parse().unwrap(),
            format,
            formats: [].into(),
        };
        let topic = SnsNotifier::new(Arc::clone(&aws), topic);
        messages.iter().map(|message| topic.preview(message).body.len()).max().unwrap_or_default()
    };
    formats.into_iter().map(|format| (format, size(format))).collect()
}

#[tokio::test]
async fn thousands_of_findings_are_one_summary_at_first_and_one_message_per_owner_later() {
    let first: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let backlog = Rig::new();
    let begun = Instant::now();
    let outcome = backlog.run(&report(first, FINDINGS, "out-of-date", "medium")).await;
    let took = begun.elapsed();
    let messages = backlog.mailboxes[0].take();
    println!("first run: {} message, {:?} bytes, {took:?}", messages.len(), largest(&messages));
    assert_eq!(outcome.problems, Vec::<String>::new());
    assert_eq!((messages.len(), messages[0].kind, messages[0].count()), (1, MessageKind::Backlog, FINDINGS as u64));
    assert_eq!((messages[0].items.len(), messages[0].left_out), (20, FINDINGS as u64 - 20));

    let known = Rig::new();
    known.run(&report(first, FINDINGS, "superseded", "info")).await;
    assert_eq!(known.mailboxes[0].take().len(), 0);
    let begun = Instant::now();
    let outcome = known.run(&report(first + Duration::days(1), FINDINGS, "out-of-date", "medium")).await;
    let took = begun.elapsed();
    let messages = known.mailboxes[0].take();
    let ledger = known.folder.path().join("ledger.json").metadata().unwrap().len();
    println!(
        "all at once: {} messages, {:?} bytes, {took:?}; ledger {ledger} bytes",
        messages.len(),
        largest(&messages)
    );
    assert_eq!(outcome.problems, Vec::<String>::new());
    assert_eq!(messages.len(), 40);
    assert_eq!(messages.iter().map(Message::count).sum::<u64>(), FINDINGS as u64);
    assert!(messages.iter().all(|message| message.items.len() == 20 && message.left_out == 30));
    assert!(largest(&messages).iter().all(|(_, bytes)| *bytes <= SNS_BYTES));

    known.run(&report(first + Duration::days(2), FINDINGS, "out-of-date", "medium")).await;
    assert_eq!(known.mailboxes[0].take().len(), 0);
}
