//! SNS calls and their outcomes, against recorded responses.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    notify::{Message, MessageFormat, MessageKind, Notifier as _, SnsNotifier, SnsSettings},
    outbox::{DeliveryError, DeliveryReceipt, DeliveryTarget as _},
    secret::Secret,
};
use testbed::{
    allowed::assert_allowed,
    aws::{Answer, Call, Cloud},
    messages,
};

use crate::notifications::{TOPIC, settings};

type Outcome = Result<DeliveryReceipt, DeliveryError>;

/// SNS that gives these answers. The policies that ship must allow every call.
fn sns(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Cloud {
    Cloud::answering(move |call| {
        call.permission().iter().for_each(|action| assert_allowed(action));
        answer(call)
    })
}

fn topic(cloud: &Cloud, settings: SnsSettings) -> SnsNotifier {
    let aws = Aws::new(Arc::new(RequestCounter::default()))
        .with_transport(cloud.transport())
        .with_access_key("AKIDEXAMPLE", &Secret::new("secret".to_owned()))
        .with_first_backoff(Duration::from_millis(1));
    SnsNotifier::new(Arc::new(aws), settings)
}

fn text(arn: &str) -> SnsSettings {
    settings(arn, MessageFormat::Text)
}

async fn deliver(topic: &SnsNotifier, messages: &[Message]) -> Vec<Outcome> {
    let messages: Vec<_> = messages.iter().collect();
    tokio::time::timeout(Duration::from_mins(1), topic.deliver(&messages)).await.unwrap()
}

/// So many different messages.
fn several(count: usize) -> Vec<Message> {
    let one = |number: usize| Message { dedup_key: format!("{number:064}"), ..messages::small() };
    (0..count).map(one).collect()
}

fn published(id: &str) -> Answer {
    Answer::Xml(
        200,
        format!("<PublishResponse><PublishResult><MessageId>{id}</MessageId></PublishResult></PublishResponse>"),
    )
}

fn error_response(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::Xml(status, format!("<ErrorResponse>{error}<RequestId>req-1</RequestId></ErrorResponse>"))
}

/// How many entries a batch has.
fn entries(call: &Call) -> usize {
    (1..=10)
        .take_while(|number| call.body.get(format!("PublishBatchRequestEntries.member.{number}.Id")).is_some())
        .count()
}

fn entry<'a>(call: &'a Call, number: usize, field: &str) -> &'a str {
    call.body[format!("PublishBatchRequestEntries.member.{number}.{field}")].as_str().unwrap_or_default()
}

/// Accepts all entries but those of `failed`: index, code and whether the sender is at fault.
fn batch(call: &Call, failed: &[(usize, &str, bool)]) -> Answer {
    let (mut successful, mut failed_entries) = (String::new(), String::new());
    for number in 0..entries(call) {
        match failed.iter().find(|(index, ..)| *index == number) {
            Some((_, code, is_sender)) => {
                let fields = format!("<Id>{number}</Id><Code>{code}</Code><Message>said so</Message>");
                write!(failed_entries, "<member>{fields}<SenderFault>{is_sender}</SenderFault></member>").unwrap();
            }
            None => {
                write!(successful, "<member><Id>{number}</Id><MessageId>m-{number}</MessageId></member>").unwrap();
            }
        }
    }
    let result = format!("<Successful>{successful}</Successful><Failed>{failed_entries}</Failed>");
    Answer::Xml(
        200,
        format!("<PublishBatchResponse><PublishBatchResult>{result}</PublishBatchResult></PublishBatchResponse>"),
    )
}

/// The attributes of a call that publishes one message: type and value by name.
fn attributes(call: &Call) -> BTreeMap<String, (String, String)> {
    let field = |number: usize, name: &str| {
        call.body[format!("MessageAttributes.entry.{number}.{name}")].as_str().map(str::to_owned)
    };
    (1..)
        .map_while(|number| {
            Some((field(number, "Name")?, (field(number, "Value.DataType")?, field(number, "Value.StringValue")?)))
        })
        .collect()
}

#[tokio::test]
async fn one_message_is_published_in_the_region_of_its_topic_with_filter_attributes() {
    let cloud = sns(|_| published("m-1"));
    let message = messages::events();
    let outcomes = deliver(&topic(&cloud, text(TOPIC)), std::slice::from_ref(&message)).await;
    assert_eq!(outcomes, [Ok(DeliveryReceipt { message_id: Some("m-1".to_owned()) })]);
    let [call] = &cloud.recorded_calls("Publish")[..] else { panic!("{:?}", cloud.recorded()) };
    assert_eq!(call.host, "sns.eu-west-1.amazonaws.com");
    assert_eq!(call.body["TopicArn"], TOPIC);
    let preview = topic(&cloud, text(TOPIC)).preview(&message);
    assert_eq!(call.body["Subject"].as_str(), preview.subject.as_deref());
    assert_eq!(call.body["Message"], preview.body);
    assert!(call.body.get("MessageGroupId").is_none() && call.body.get("MessageStructure").is_none());
    let attributes = attributes(call);
    assert_eq!(attributes.len(), 10, "{attributes:#?}");
    let one = |name: &str| (attributes[name].0.as_str(), attributes[name].1.as_str());
    assert_eq!(one("severity"), ("String", "critical"));
    assert_eq!(one("owner"), ("String", "payments"));
    assert_eq!(one("kind"), ("String", "findings"));
    assert_eq!(one("severities"), ("String.Array", r#"["low","medium","high","critical"]"#));
    assert_eq!(one("events"), ("String.Array", r#"["triggered","escalated","reminded","resolved"]"#));
    assert_eq!(one("verdicts"), ("String.Array", r#"["out-of-date","stale","deprecated"]"#));
    assert_eq!(one("accounts"), ("String.Array", r#"["123456789012"]"#));
}

#[tokio::test]
async fn attributes_are_never_empty_too_many_or_too_long() {
    for (name, message) in messages::all() {
        let cloud = sns(|_| published("m-1"));
        deliver(&topic(&cloud, text(TOPIC)), &[message]).await;
        let attributes = attributes(&cloud.recorded_calls("Publish")[0]);
        assert!(attributes.len() <= 10, "{name}: raw delivery to SQS takes ten");
        for (key, (data_type, value)) in &attributes {
            assert!(!value.is_empty() && !value.contains(char::is_control), "{name} {key}: {value:?}");
            assert!(value.len() <= 4096, "{name} {key}: {}", value.len());
            if data_type == "String.Array" {
                assert!(!serde_json::from_str::<Vec<String>>(value).unwrap().is_empty(), "{name} {key}");
            }
        }
    }
}

#[tokio::test]
async fn topics_in_other_partitions_use_their_endpoints() {
    let table = [
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:basewatch", "sns.us-gov-west-1.amazonaws.com"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:basewatch", "sns.cn-north-1.amazonaws.com.cn"),
    ];
    for (arn, host) in table {
        let cloud = sns(|_| published("m-1"));
        assert!(deliver(&topic(&cloud, text(arn)), &several(1)).await[0].is_ok());
        assert_eq!(cloud.recorded()[0].host, host);
    }
}

#[tokio::test]
async fn a_throttled_topic_is_retried_and_notified_once() {
    let cloud = sns(|call| match call.nth {
        0 | 1 => error_response(429, "Throttled", "Rate exceeded"),
        _ => published("m-1"),
    });
    let outcomes = deliver(&topic(&cloud, text(TOPIC)), &several(1)).await;
    assert_eq!(outcomes, [Ok(DeliveryReceipt { message_id: Some("m-1".to_owned()) })]);
    assert_eq!(cloud.recorded().len(), 3);
}

#[tokio::test]
async fn messages_are_published_in_batches_of_ten_with_individual_failures() {
    let cloud = sns(|call| batch(call, &[(3, "InvalidParameter", true)]));
    let outcomes = deliver(&topic(&cloud, text(TOPIC)), &several(25)).await;
    assert_eq!(cloud.recorded_calls("PublishBatch").iter().map(entries).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(outcomes.len(), 25);
    for (index, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(receipt) => assert_eq!(receipt.message_id, Some(format!("m-{}", index % 10))),
            Err(error) => {
                assert_eq!(index % 10, 3);
                assert!(error.is_about_entry, "{error:?}");
                assert!(error.why.contains("InvalidParameter: said so"), "{error:?}");
            }
        }
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 3);
}

#[tokio::test]
async fn after_a_failure_of_sns_a_message_and_those_after_it_are_retried_later() {
    let cloud = sns(|call| batch(call, &[(9, "InternalError", false)]));
    let outcomes = deliver(&topic(&cloud, text(TOPIC)), &several(20)).await;
    assert_eq!(cloud.recorded().len(), 1, "a failing topic gets no further calls");
    assert!(outcomes[..9].iter().all(Result::is_ok));
    assert!(outcomes[9..].iter().all(|outcome| outcome.as_ref().is_err_and(|failure| !failure.is_about_entry)));
}

#[tokio::test]
async fn a_message_missing_from_the_response_is_not_acknowledged() {
    let cloud = sns(|_| {
        let one = "<Successful><member><Id>0</Id><MessageId>m-0</MessageId></member></Successful><Failed/>";
        Answer::Xml(
            200,
            format!("<PublishBatchResponse><PublishBatchResult>{one}</PublishBatchResult></PublishBatchResponse>"),
        )
    });
    let outcomes = deliver(&topic(&cloud, text(TOPIC)), &several(2)).await;
    assert!(outcomes[0].is_ok());
    assert!(outcomes[1].as_ref().is_err_and(|failure| !failure.is_about_entry), "{outcomes:?}");
}

#[tokio::test]
async fn an_invalid_message_does_not_hold_up_its_batch() {
    let cloud = sns(|call| match call.operation.as_str() {
        "PublishBatch" => error_response(400, "InvalidParameter", "Invalid parameter: Message too long"),
        _ if call.body["Message"].as_str().unwrap().contains("BAD") => {
            error_response(400, "InvalidParameter", "Invalid parameter: Message too long")
        }
        _ => published("m-1"),
    });
    let mut messages = several(4);
    messages[2].subscription_reason = "BAD".to_owned();
    let outcomes = deliver(&topic(&cloud, text(TOPIC)), &messages).await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true]);
    assert!(outcomes[2].as_ref().unwrap_err().is_about_entry);
}

#[tokio::test]
async fn an_error_has_advice_and_says_whether_the_topic_is_at_fault() {
    let table = [
        (403, "AuthorizationError", "not authorized to perform: SNS:Publish", false, "sns:Publish on the topic"),
        (404, "NotFound", "Topic does not exist", false, "correct topic_arn"),
        (400, "KMSAccessDenied", "The ciphertext refers to a key", false, "kms:GenerateDataKey"),
        (400, "KMSDisabled", "key is disabled", false, "enable the key"),
        (
            400,
            "InvalidParameter",
            "Invalid parameter: TopicArn",
            false,
            "InvalidParameter: Invalid parameter: TopicArn",
        ),
        (400, "InvalidParameter", "Invalid parameter: Message too long", true, "Message too long"),
        (403, "ExpiredToken", "The security token is expired", false, "sign in again"),
        (403, "SignatureDoesNotMatch", "token was hunter2", false, "signature of the request was rejected"),
    ];
    for (status, code, said, is_about_message, advice) in table {
        for count in [1, 2] {
            let cloud = sns(move |_| error_response(status, code, said));
            let outcomes = deliver(&topic(&cloud, text(TOPIC)), &several(count)).await;
            assert_eq!(outcomes.len(), count);
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                assert_eq!(error.is_about_entry, is_about_message, "{error:?}");
                assert!(error.why.contains(advice) && error.why.contains(TOPIC), "{}", error.why);
                assert!(!error.why.contains("hunter2") && !error.why.contains('\n'), "{}", error.why);
            }
        }
    }
}

#[tokio::test]
async fn a_topic_that_is_down_is_skipped_for_the_rest_of_the_run() {
    let topics = [
        sns(|_| Answer::Xml(500, "<html>oops</html>".to_owned())),
        sns(|_| Answer::Refused),
        sns(|_| error_response(429, "Throttled", "Rate exceeded")),
    ];
    for cloud in topics {
        let outcomes = deliver(&topic(&cloud, text(TOPIC)), &several(30)).await;
        assert_eq!(outcomes.len(), 30);
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|failure| !failure.is_about_entry)));
        let calls = cloud.recorded_calls("PublishBatch").len();
        assert!((2..=5).contains(&calls), "{calls}");
    }
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let cloud = sns(|_| Answer::Refused);
    let aws = Aws::new(Arc::new(RequestCounter::default())).with_transport(cloud.transport()).with_max_attempts(1);
    let topic = SnsNotifier::new(Arc::new(aws), text(TOPIC));
    let outcomes = deliver(&topic, &several(2)).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|failure| !failure.is_about_entry)));
    assert!(cloud.recorded_calls("PublishBatch").is_empty());
}

#[tokio::test]
async fn calls_and_messages_are_within_the_limits() {
    let items = |number: usize| (0..400).map(move |nth| messages::stale(&format!("orders-{number}-{nth}"))).collect();
    let large = |number| Message {
        dedup_key: format!("{number:064}"),
        ..messages::message(MessageKind::Findings, items(number))
    };
    let mut messages = vec![messages::hostile()];
    messages.extend((0..3).map(large));
    messages.extend(several(12));
    let cloud = sns(|call| if entries(call) > 0 { batch(call, &[]) } else { published("m-1") });
    let outcomes = deliver(&topic(&cloud, settings(TOPIC, MessageFormat::Json)), &messages).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let mut published_count = 0;
    for call in cloud.recorded() {
        // Every text of the call, names of parameters aside: no less than what SNS counts.
        let counted = |(key, value): (&String, &serde_json::Value)| {
            let is_counted = key.contains("Message") || key.contains("Value.") || key.ends_with("Name");
            if is_counted { value.as_str().map_or(0, str::len) } else { 0 }
        };
        let bytes: usize = call.body.as_object().unwrap().iter().map(counted).sum();
        assert!(bytes <= 262_144, "{bytes}");
        published_count += entries(&call).max(1);
    }
    assert_eq!(published_count, messages.len());
}

#[tokio::test]
async fn a_fifo_topic_keeps_each_owner_in_order_and_drops_repeats() {
    let cloud = sns(|call| batch(call, &[]));
    let owners = [Some("payments"), Some("Grüße & <Küsse>"), None, Some(""), Some("payments")];
    let of = |(number, owner): (usize, Option<&str>)| Message {
        dedup_key: format!("{number:064}"),
        owner: owner.map(str::to_owned),
        ..messages::small()
    };
    let messages: Vec<_> = owners.into_iter().enumerate().map(of).collect();
    let fifo = "arn:aws:sns:eu-west-1:123456789012:basewatch.fifo";
    assert!(deliver(&topic(&cloud, text(fifo)), &messages).await.iter().all(Result::is_ok));
    let call = &cloud.recorded()[0];
    let groups: Vec<_> = (1..=5).map(|number| entry(call, number, "MessageGroupId")).collect();
    assert_eq!((groups[0], groups[0]), ("owner-payments", groups[4]));
    assert_eq!((groups[2], groups[3]), ("no-owner", "no-owner"));
    assert_ne!(groups[1], groups[2]);
    for (number, group) in groups.iter().enumerate() {
        assert!((1..=128).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_graphic()), "{group}");
        assert_eq!(entry(call, number + 1, "MessageDeduplicationId"), format!("{number:064}"));
    }
}

#[tokio::test]
async fn formats_by_protocol_are_one_message_with_json_structure() {
    let cloud = sns(|call| if entries(call) > 0 { batch(call, &[]) } else { published("m-1") });
    let formats = BTreeMap::from([("sqs".to_owned(), MessageFormat::Json)]);
    let topic = topic(&cloud, SnsSettings { formats, ..text(TOPIC) });
    for count in [1, 2] {
        deliver(&topic, &several(count)).await;
    }
    let calls = cloud.recorded();
    assert_eq!(calls[0].body["MessageStructure"], "json");
    assert_eq!(entry(&calls[1], 1, "MessageStructure"), "json");
    let bodies: BTreeMap<String, String> = serde_json::from_str(calls[0].body["Message"].as_str().unwrap()).unwrap();
    assert_eq!(bodies.keys().collect::<Vec<_>>(), ["default", "sqs"]);
}
