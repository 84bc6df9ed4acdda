//! Alerts through the SNS that others wrote, as queues behind it receive them.

use std::{collections::BTreeMap, sync::Arc};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sns::config::SharedCredentialsProvider;
use aws_sdk_sqs::types::QueueAttributeName;
use basewatch::{
    aws::Aws,
    http::RequestCounter,
    judge::Severity,
    notify::{Message, MessageFormat, MessageKind, SnsNotifier, SnsSettings},
    outbox::{DeliveryError, DeliveryReceipt, DeliveryTarget as _},
    secret::Secret,
};
use serde_json::{Value, json};

use crate::account::{REGION, owner};
use testbed::{
    messages,
    peers::{self, Peer},
};

/// SNS and SQS, and topics and queues in them.
struct Post {
    moto: Peer,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

/// One received message.
struct Received {
    body: String,
    /// Message attributes: type and value by name; of raw delivery only.
    attributes: BTreeMap<String, (String, String)>,
    /// The group, of a FIFO queue.
    group: Option<String>,
}

impl Received {
    /// The envelope of SNS messages without raw delivery.
    fn envelope(&self) -> Value {
        serde_json::from_str(&self.body).expect("an envelope")
    }
}

impl Post {
    fn start() -> Self {
        let moto = peers::moto();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(moto.http())
            .credentials_provider(SharedCredentialsProvider::new(owner()))
            .build();
        Self { sns: aws_sdk_sns::Client::new(&config), sqs: aws_sdk_sqs::Client::new(&config), moto }
    }

    /// A new topic; its ARN.
    async fn topic(&self, name: &str) -> String {
        let is_fifo = is_fifo(name).then(|| "true".to_owned());
        let attributes = is_fifo.map(|is| [("FifoTopic".to_owned(), is)].into());
        let made = self.sns.create_topic().name(name).set_attributes(attributes).send().await;
        made.expect("a topic made").topic_arn.expect("its ARN")
    }

    /// A new queue subscribed to `topic` with `filter`; returns its URL.
    async fn queue(&self, topic: &str, name: &str, is_raw: bool, filter: Option<Value>) -> String {
        let mut made = self.sqs.create_queue().queue_name(name);
        if is_fifo(name) {
            made = made.attributes(QueueAttributeName::FifoQueue, "true");
        }
        let url = made.send().await.expect("a queue made").queue_url.expect("its address");
        let arn = format!("arn:aws:sqs:{REGION}:123456789012:{name}");
        let mut request = self.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn);
        if is_raw {
            request = request.attributes("RawMessageDelivery", "true");
        }
        if let Some(filter) = filter {
            request = request.attributes("FilterPolicy", filter.to_string());
        }
        request.send().await.expect("a subscription");
        url
    }

    /// All that waits in the queue at `url`.
    async fn received(&self, url: &str) -> Vec<Received> {
        let mut all = Vec::new();
        for _ in 0..20 {
            let request = self.sqs.receive_message().queue_url(url).max_number_of_messages(10);
            let request = request.message_attribute_names("All").message_system_attribute_names("All".into());
            let messages = request.send().await.expect("a response of SQS").messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let handle = message.receipt_handle.expect("a handle");
                self.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.expect("deleted");
                let attributes = message.message_attributes.unwrap_or_default().into_iter();
                let attributes =
                    attributes.map(|(name, value)| (name, (value.data_type, value.string_value.unwrap_or_default())));
                let system = message.attributes.unwrap_or_default();
                let group = system.into_iter().find(|(name, _)| name.as_str() == "MessageGroupId");
                all.push(Received {
                    body: message.body.expect("a body"),
                    attributes: attributes.collect(),
                    group: group.map(|(_, group)| group),
                });
            }
        }
        all
    }

    async fn send(&self, settings: SnsSettings, messages: &[Message]) -> Vec<Result<DeliveryReceipt, DeliveryError>> {
        let aws = Aws::new(Arc::new(RequestCounter::default()))
            .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
            .with_endpoint(self.moto.http());
        let notifier = SnsNotifier::new(Arc::new(aws), settings);
        notifier.deliver(&messages.iter().collect::<Vec<_>>()).await
    }
}

fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

fn settings(topic_arn: &str, format: MessageFormat) -> SnsSettings {
    SnsSettings { topic_arn: topic_arn.parse().expect("an ARN"), format, formats: BTreeMap::new() }
}

#[track_caller]
fn assert_all_acknowledged(outcomes: &[Result<DeliveryReceipt, DeliveryError>]) {
    for outcome in outcomes {
        assert!(outcome.as_ref().is_ok_and(|receipt| receipt.message_id.is_some()), "{outcome:?}");
    }
}

#[tokio::test]
async fn queues_receive_what_was_sent_raw_and_in_an_envelope() {
    let post = Post::start();
    let topic = post.topic("alerts").await;
    let raw = post.queue(&topic, "raw", true, None).await;
    let wrapped = post.queue(&topic, "wrapped", false, None).await;
    let messages: Vec<_> = messages::all().into_iter().map(|(_, message)| message).collect();
    let settings = settings(&topic, MessageFormat::Json);
    assert_all_acknowledged(&post.send(settings, &messages).await);
    let raw = post.received(&raw).await;
    let wrapped = post.received(&wrapped).await;
    assert_eq!((raw.len(), wrapped.len()), (messages.len(), messages.len()));
    for message in &messages {
        let body = |body: &str| serde_json::from_str::<Message>(body).expect("an alert");
        let found = raw.iter().find(|raw| body(&raw.body).dedup_key == message.dedup_key).expect("delivered raw");
        assert_eq!(found.attributes["dedup_key"], ("String".to_owned(), message.dedup_key.clone()));
        assert!(found.attributes.len() <= 10, "{:?}", found.attributes);
        let is_same = |wrapped: &&Received| wrapped.envelope()["Message"] == found.body;
        let envelope = wrapped.iter().find(is_same).expect("delivered in an envelope").envelope();
        let subject = envelope["Subject"].as_str().expect("a subject");
        assert!(subject.len() <= 99 && subject.is_ascii(), "{subject}");
        assert_eq!(envelope["MessageAttributes"]["kind"]["Value"], message.kind.as_str());
    }
}

#[tokio::test]
async fn filter_policies_let_through_what_they_name() {
    let post = Post::start();
    let topic = post.topic("alerts").await;
    let filters = [
        ("payments", json!({ "owner": ["payments"] })),
        ("search", json!({ "owner": ["search"] })),
        ("no-owner", json!({ "owner": [{ "exists": false }] })),
        ("urgent", json!({ "severity": ["high", "critical"] })),
        ("critical", json!({ "severity": ["critical"] })),
        ("ended", json!({ "verdicts": ["deprecated"] })),
        ("unknown", json!({ "verdicts": ["unknown"] })),
        ("both", json!({ "owner": ["payments"], "verdicts": ["stale", "out-of-date"], "events": ["triggered"] })),
        ("orders", json!({ "repositories": ["orders"] })),
        ("rebuilds", json!({ "kind": ["rebuilds"] })),
    ];
    let mut queues = Vec::new();
    for (name, filter) in filters {
        queues.push((name, post.queue(&topic, name, true, Some(filter)).await));
    }
    let of_search = Message {
        owner: Some("search".to_owned()),
        severity: Severity::Medium,
        dedup_key: "5".repeat(64),
        ..messages::small()
    };
    let messages = [messages::small(), messages::events(), messages::rebuilds(), messages::test(), of_search];
    assert_all_acknowledged(&post.send(settings(&topic, MessageFormat::Json), &messages).await);
    let mut received = BTreeMap::new();
    for (name, queue) in &queues {
        received.insert(*name, post.received(queue).await.len());
    }
    let expected = [
        ("payments", 3),
        ("search", 1),
        ("no-owner", 1),
        ("urgent", 3),
        ("critical", 1),
        ("ended", 1),
        ("unknown", 0),
        ("both", 3),
        ("orders", 3),
        ("rebuilds", 1),
    ];
    assert_eq!(received, expected.into());
}

#[tokio::test]
async fn a_fifo_topic_drops_repeats_and_groups_by_owner() {
    let post = Post::start();
    let topic = post.topic("alerts.fifo").await;
    let queue = post.queue(&topic, "alerts.fifo", true, None).await;
    let of = |owner: &str, key: &str| Message {
        owner: Some(owner.to_owned()),
        dedup_key: key.repeat(64),
        ..messages::small()
    };
    let messages = [of("payments", "1"), of("Grüße", "2"), of("payments", "3")];
    for _ in 0..2 {
        assert_all_acknowledged(&post.send(settings(&topic, MessageFormat::Text), &messages).await);
        // Alone is another call than in a batch.
        assert_all_acknowledged(&post.send(settings(&topic, MessageFormat::Text), &messages[..1]).await);
    }
    let received = post.received(&queue).await;
    let groups: Vec<_> = received.iter().map(|received| received.group.clone().unwrap_or_default()).collect();
    assert_eq!(received.len(), 3, "{groups:?}");
    assert_eq!(groups.iter().filter(|group| *group == "owner-payments").count(), 2, "{groups:?}");
}

#[tokio::test]
async fn each_protocol_gets_its_format() {
    let post = Post::start();
    let topic = post.topic("alerts").await;
    let queue = post.queue(&topic, "alerts", true, None).await;
    let message = messages::events();
    let formats =
        BTreeMap::from([("sqs".to_owned(), MessageFormat::Json), ("https".to_owned(), MessageFormat::Chatbot)]);
    let settings = SnsSettings { formats, ..settings(&topic, MessageFormat::Text) };
    assert_all_acknowledged(&post.send(settings, std::slice::from_ref(&message)).await);
    let [received] = &post.received(&queue).await[..] else { panic!("one message") };
    assert_eq!(serde_json::from_str::<Message>(&received.body).expect("the variant of SQS"), message);
}

#[tokio::test]
async fn a_missing_topic_is_distinguished_from_an_invalid_message() {
    let post = Post::start();
    let nowhere = "arn:aws:sns:us-east-1:123456789012:nowhere";
    for count in [1, 3] {
        let messages = vec![messages::small(); count];
        let outcomes = post.send(settings(nowhere, MessageFormat::Text), &messages).await;
        assert_eq!(outcomes.len(), count);
        for outcome in outcomes {
            let error = outcome.expect_err("the topic does not exist");
            assert!(!error.is_about_entry, "{error:?}");
            assert!(error.why.contains("NotFound") && error.why.contains("topic_arn"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn large_messages_go_into_as_many_calls_as_they_need() {
    let post = Post::start();
    let topic = post.topic("alerts").await;
    let queue = post.queue(&topic, "alerts", true, None).await;
    let large = |number: usize| {
        let items: Vec<_> = (0..75).map(|nth| messages::stale(&format!("orders-{number}-{nth}"))).collect();
        Message { dedup_key: format!("{number:064}"), ..messages::message(MessageKind::Findings, items) }
    };
    let messages: Vec<_> = (0..25).map(large).collect();
    assert_all_acknowledged(&post.send(settings(&topic, MessageFormat::Json), &messages).await);
    let received = post.received(&queue).await;
    let sizes: Vec<_> = received.iter().map(|received| received.body.len()).collect();
    assert!(sizes.iter().all(|size| (58_000..64_000).contains(size)), "{sizes:?}");
    let mut keys: Vec<_> = received.iter().map(|received| received.attributes["dedup_key"].1.clone()).collect();
    keys.sort();
    assert_eq!(keys, messages.iter().map(|message| message.dedup_key.clone()).collect::<Vec<_>>());
}
