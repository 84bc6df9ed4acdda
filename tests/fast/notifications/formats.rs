//! Each sample in each format, and hostile text from outside.

use std::collections::BTreeMap;

use basewatch::{
    notify::{EventKind, Message, MessageFormat, run_health::RunHealth},
    report::is_visible,
};
use serde_json::Value;

use crate::notifications::{TOPIC, schema::assert_card, sent, sent_as, settings};
use testbed::messages::{self, HOSTILE};

fn pretty(json: &str) -> String {
    basewatch::report::json::render(&serde_json::from_str::<Value>(json).unwrap())
}

#[test]
fn every_sample_as_text() {
    for (name, message) in messages::all() {
        let (subject, body) = sent_as(&message, MessageFormat::Text);
        insta::assert_snapshot!(format!("{name}_text"), format!("Subject: {subject}\n\n{body}"));
    }
}

#[test]
fn every_sample_as_a_chat_card() {
    for (name, message) in messages::all() {
        let (_, body) = sent_as(&message, MessageFormat::Chatbot);
        assert_card(&body);
        let card: Value = serde_json::from_str(&body).unwrap();
        let shown = format!("{}\n{}", pretty(&body), card["content"]["description"].as_str().unwrap());
        insta::assert_snapshot!(format!("{name}_chat"), shown);
    }
}

#[test]
fn every_sample_as_json() {
    for (name, message) in messages::all().into_iter().filter(|(name, _)| !name.ends_with("hostile")) {
        let (_, body) = sent_as(&message, MessageFormat::Json);
        insta::assert_snapshot!(format!("{name}_json"), pretty(&body));
    }
}

#[test]
fn json_contains_the_whole_message() {
    for (name, mut message) in messages::all() {
        // The last of the hostile ones have more in them than SNS takes.
        message.items.truncate(12);
        let (_, body) = sent_as(&message, MessageFormat::Json);
        let read: Message = serde_json::from_str(&body).unwrap();
        assert_eq!((read.items.len(), read.left_out), (message.items.len(), message.left_out), "{name}");
        assert!(read == message, "{name}: {body}");
        assert!(body.chars().all(is_visible), "{name}");
    }
}

#[test]
fn text_from_outside_is_inert_in_mail() {
    let of_basewatch =
        HOSTILE.map(|text| messages::watch(EventKind::Triggered, RunHealth::Failed, 3, &[(text, text, text)]));
    for message in of_basewatch.into_iter().chain([messages::hostile(), messages::watch_hostile()]) {
        let (subject, body) = sent_as(&message, MessageFormat::Text);
        assert!(subject.chars().all(|c| matches!(c, ' '..='~')), "{subject}");
        assert!(body.chars().all(|c| c == '\n' || is_visible(c)), "{body}");
        assert!(!body.lines().any(|line| line.starts_with("Subject:")), "{body}");
    }
}

#[test]
fn text_from_outside_is_not_markup_in_chat() {
    let of_owner = |text: &str| {
        let mut message = messages::hostile();
        message.items.truncate(8);
        message.owner = Some(text.to_owned());
        message.subscription_reason = text.to_owned();
        message
    };
    let of_basewatch = |text| messages::watch(EventKind::Triggered, RunHealth::Incomplete, 3, &[(text, text, text)]);
    for message in HOSTILE.into_iter().flat_map(|text| [of_owner(text), of_basewatch(text)]) {
        let (_, body) = sent_as(&message, MessageFormat::Chatbot);
        assert_card(&body);
        let card: Value = serde_json::from_str(&body).unwrap();
        let content = &card["content"];
        let steps = content["nextSteps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap());
        let keywords = content["keywords"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let texts = ["title", "description"].into_iter().map(|name| content[name].as_str().unwrap());
        for text in texts.chain(steps).chain(keywords) {
            assert!(!text.contains(['<', '>']), "Slack takes it for a link or a mention: {text}");
            for line in text.lines() {
                assert_eq!(line.matches('`').count() % 2, 0, "code does not end: {line}");
                let prose: String = line.split('`').step_by(2).collect();
                let prose = prose.strip_prefix('*').and_then(|rest| rest.strip_suffix('*')).unwrap_or(&prose);
                assert!(!prose.contains(['*', '~', '@', '#', '[', ']', '|', '&', '\\']), "{prose} in {line}");
                assert!(!prose.contains("://"), "{prose} in {line}");
            }
        }
    }
}

#[test]
fn commands_to_copy_contain_no_text_from_outside() {
    for text in HOSTILE.into_iter().filter(|text| !text.starts_with("{\"default")) {
        let mut message = messages::small();
        message.owner = Some(text.to_owned());
        message.items[0].alert = text.to_owned();
        message.left_out = 3;
        let (_, body) = sent_as(&message, MessageFormat::Text);
        assert!(body.contains("3 more: basewatch alerts list, or"), "{body}");
        assert!(!body.contains("basewatch alerts snooze"), "{body}");
    }
}

#[test]
fn each_protocol_gets_its_own_format() {
    let mut settings = settings(TOPIC, MessageFormat::Text);
    settings.formats = BTreeMap::from([
        ("sqs".to_owned(), MessageFormat::Json),
        ("https".to_owned(), MessageFormat::Chatbot),
        ("email".to_owned(), MessageFormat::Text),
    ]);
    for (name, message) in messages::all() {
        let (_, body) = sent(&message, settings.clone());
        let bodies: BTreeMap<String, String> = serde_json::from_str(&body).unwrap();
        assert_eq!(bodies.keys().collect::<Vec<_>>(), ["default", "email", "https", "sqs"], "{name}");
        assert_eq!(bodies["default"], bodies["email"]);
        assert_card(&bodies["https"]);
        assert!(serde_json::from_str::<Message>(&bodies["sqs"]).is_ok(), "{name}");
    }
}

#[test]
fn a_backlog_of_ten_thousand_is_one_short_page() {
    let (_, body) = sent_as(&messages::backlog(), MessageFormat::Text);
    assert!(body.lines().count() < 130, "{}", body.lines().count());
    assert!(body.contains("… and 9990 more: basewatch alerts list, or the report\n"), "{body}");
}

#[test]
fn items_with_equal_causes_are_one_paragraph() {
    let (_, body) = sent_as(&messages::events(), MessageFormat::Text);
    let paragraphs = body.split("\n\n").filter(|paragraph| paragraph.contains("orders-01:live"));
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let [paragraph] = &paragraphs.map(in_one_line).collect::<Vec<_>>()[..] else { panic!("{body}") };
    assert!(paragraph.contains("orders-08:live and 7 more (lambda in eu-west-1, account 123456789012)"), "{paragraph}");
    assert!(paragraph.contains("rebuild orders-01, orders-02, orders-03 and 12 more on"), "{paragraph}");
}

#[test]
fn with_a_held_moving_tag_the_release_to_build_on_is_named() {
    let pinned = "public.ecr.aws/lambda/java:21.2026.11.18.13@sha256:7c61";
    let mut message = messages::small();
    message.items[0].pinned = Some(pinned.to_owned());
    let (_, body) = sent_as(&message, MessageFormat::Text);
    assert!(
        body.split_whitespace().collect::<Vec<_>>().join(" ").contains(&format!(" on {pinned}, then deploy")),
        "{body}"
    );
}
