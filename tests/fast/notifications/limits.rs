//! Laws that hold for any message: nothing is over a limit, and everything is valid.

use std::collections::BTreeMap;

use basewatch::{
    judge::{Action, Severity, Verdict},
    notify::{AlertItem, EventKind, Message, MessageFormat, MessageKind, run_health::RunHealth},
    report::ReasonFields,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::notifications::{
    TOPIC,
    schema::{assert_alert, assert_card},
    sent, sent_as, settings,
};
use testbed::messages::{self, HOSTILE};

/// What SNS takes of one message, attributes included.
const MOST_BYTES: usize = 262_144;

const FORMATS: [MessageFormat; 3] = [MessageFormat::Text, MessageFormat::Json, MessageFormat::Chatbot];

/// Any text: short, long, hostile, all of it what takes most room.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        any::<String>(),
        select(&HOSTILE[..]).prop_map(str::to_owned),
        (select(vec!["\u{1}", "\"", "\u{202e}", "é", "`", "&", "x", "x "]), 0_usize..4000)
            .prop_map(|(part, count)| part.repeat(count)),
    ]
}

fn item() -> impl Strategy<Value = AlertItem> {
    let kinds = (
        select(vec![EventKind::Triggered, EventKind::Escalated, EventKind::Reminded, EventKind::Resolved]),
        select(&Verdict::ALL[..]),
        select(&Severity::ALL[..]),
        option::of(select(&Severity::ALL[..])),
        select(vec![
            Action::None,
            Action::Rebuild,
            Action::Redeploy,
            Action::Upgrade,
            Action::Restore,
            Action::Investigate,
        ]),
    );
    (kinds, vec(text(), 12), vec(option::of(text()), 6), vec((text(), text()), 0..3)).prop_map(
        |((event, verdict, severity, previous_severity, action), texts, options, reasons)| {
            let [alert, finding, name, account, region, image, repository, age, behind, base, line, current] =
                texts.try_into().unwrap();
            let [owner, arn, replacement, runtime, ended, rebuild]: [Option<String>; 6] = options.try_into().unwrap();
            let reasons = reasons.into_iter().map(|(code, message)| ReasonFields { code, message }).collect();
            AlertItem {
                event,
                verdict,
                severity,
                previous_severity,
                action,
                alert,
                finding,
                name,
                image,
                repository,
                age,
                behind,
                owner,
                arn,
                replacement,
                runtime,
                ended,
                rebuild,
                reasons,
                account: Some(account),
                region: Some(region),
                base: Some(base),
                line: Some(line),
                current: Some(current),
                ..messages::stale("any")
            }
        },
    )
}

/// A few findings of any texts, or thousands.
fn items() -> impl Strategy<Value = Vec<AlertItem>> {
    let name =
        |(number, name): (usize, &str)| AlertItem { name: name.to_owned(), ..messages::stale(&number.to_string()) };
    let many = (select(&HOSTILE[..]), 1000_usize..2000)
        .prop_map(move |(text, count)| (0..count).map(|number| name((number, text))).collect());
    prop_oneof![5 => vec(item(), 0..6), 1 => many]
}

fn message() -> impl Strategy<Value = Message> {
    let kinds =
        vec![MessageKind::Findings, MessageKind::Backlog, MessageKind::Rebuilds, MessageKind::Watch, MessageKind::Test];
    let shape = (select(kinds), option::of(text()), text(), option::of(text()), 0_u64..100_000);
    (shape, items(), vec(text(), 0..200)).prop_map(|(shape, items, names)| {
        let (kind, owner, because, report, left_out) = shape;
        let is_watch = kind == MessageKind::Watch;
        let mut message = messages::message(kind, if is_watch { Vec::new() } else { items });
        let errors: Vec<_> = names.iter().take(5).map(|name| (name.as_str(), "x", name.as_str())).collect();
        message.watch =
            messages::watch(EventKind::Escalated, RunHealth::Incomplete, 3, &errors).watch.filter(|_| is_watch);
        message.left_out = left_out;
        message.owner = owner;
        message.subscription_reason = because;
        message.report = report;
        message.accounts.extend(names.iter().cloned());
        message.repositories.extend(names.iter().cloned());
        message.owners = names.into_iter().map(|name| (name, 7)).collect();
        message
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_message_is_within_the_limits_and_valid_in_every_format(message in message()) {
        for format in FORMATS {
            let (subject, body) = sent_as(&message, format);
            prop_assert!(!subject.is_empty() && subject.len() <= 99, "{}", subject.len());
            prop_assert!(subject.chars().all(|c| matches!(c, ' '..='~')), "{subject:?}");
            prop_assert!(subject.starts_with(|c: char| c.is_ascii_alphanumeric()), "{subject:?}");
            prop_assert!(!body.is_empty() && body.len() + subject.len() <= MOST_BYTES, "{}", body.len());
            match format {
                MessageFormat::Text => {}
                MessageFormat::Json => {
                    assert_alert(&body);
                    let read: Message = serde_json::from_str(&body).unwrap();
                    prop_assert_eq!(&read.dedup_key, &message.dedup_key);
                    let count = |message: &Message| message.items.len() as u64 + message.left_out;
                    prop_assert!(count(&read) == count(&message) || read.left_out == message.count());
                }
                MessageFormat::Chatbot => assert_card(&body),
            }
        }
    }

    #[test]
    fn all_formats_at_once_are_within_the_limits(message in message()) {
        let protocols = ["email", "email-json", "http", "https", "lambda", "sqs", "sms", "firehose"];
        let mut settings = settings(TOPIC, MessageFormat::Text);
        settings.formats = protocols.into_iter().map(str::to_owned).zip(FORMATS.into_iter().cycle()).collect();
        let (subject, body) = sent(&message, settings);
        prop_assert!(body.len() + subject.len() <= MOST_BYTES, "{}", body.len());
        let bodies: BTreeMap<String, String> = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(bodies.len(), protocols.len() + 1);
        prop_assert!(!bodies["default"].is_empty());
        for protocol in ["email-json", "lambda", "firehose"] {
            let format = FORMATS[protocols.iter().position(|known| *known == protocol).unwrap() % 3];
            if format == MessageFormat::Json { assert_alert(&bodies[protocol]) }
        }
    }
}

#[test]
fn only_items_that_do_not_fit_are_omitted_and_counted() {
    let items: Vec<_> = (0..2000).map(|number| messages::stale(&format!("orders-{number}"))).collect();
    let message = messages::message(MessageKind::Findings, items);
    let (_, body) = sent_as(&message, MessageFormat::Json);
    let read: Message = serde_json::from_str(&body).unwrap();
    assert_eq!(read.items.len() as u64 + read.left_out, 2000);
    let one = serde_json::to_string(&read.items[0]).unwrap().len() + 20;
    assert!(body.len() + 20_000 + one > MOST_BYTES, "{} bytes, though one more takes {one}", body.len());
}
