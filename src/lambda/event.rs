//! Parsing of invocation events: EventBridge events and direct invocations.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::{
    cli,
    image::{AccountId, AwsPartition, Region, Repository, is_tag},
    inventory::{ImagePush, ImageSource},
};

/// The hint for invalid events.
const ACCEPTED: &str = "send {} or an EventBridge scheduled event for a run, an EventBridge \"ECR Image Action\" event \
                        for a pushed image, or {\"images\": [\"REGISTRY/REPOSITORY:TAG\", …], \"as_of\": \
                        \"2026-11-20\"} for a report";
/// The maximum number of images of one invocation.
const MOST_IMAGES: usize = 1_000;
/// The maximum length of quoted input, in characters.
const QUOTED_CHARS: usize = 80;

/// The request of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InvocationEvent {
    /// A run.
    Run,
    /// An audit of a pushed image.
    Pushed(ImagePush),
    /// A report on given images.
    Direct(DirectInvocation),
    /// Ignored, for this reason.
    Ignored(String),
}

/// A direct invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectInvocation {
    /// The images.
    pub(crate) images: Vec<ImageSource>,
    /// The time to judge by; `None` for the current time.
    pub(crate) as_of: Option<DateTime<Utc>>,
}

impl InvocationEvent {
    /// Parses `payload`.
    ///
    /// # Errors
    ///
    /// When the payload is not a supported event; the message describes the supported ones.
    pub(crate) fn read(payload: &Value) -> Result<Self, String> {
        let event = match payload {
            Value::Null => Ok(Self::Run),
            Value::Object(fields) => read(fields),
            other => Err(format!("it is {}, not a JSON object", quoted(other))),
        };
        event.map_err(|why| format!("unsupported event: {why}; {ACCEPTED}"))
    }
}

fn read(fields: &Map<String, Value>) -> Result<InvocationEvent, String> {
    if fields.contains_key("images") {
        return direct(fields).map(InvocationEvent::Direct);
    }
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    match (text("source"), text("detail-type")) {
        _ if fields.is_empty() => Ok(InvocationEvent::Run),
        // EventBridge scheduled rules and EventBridge Scheduler.
        (Some("aws.events" | "aws.scheduler"), _) | (_, Some("Scheduled Event")) => Ok(InvocationEvent::Run),
        (Some("aws.ecr"), Some("ECR Image Action")) => image_action(fields),
        (Some("aws.ecr"), other) => {
            let what = other.map_or_else(|| "without a detail-type".to_owned(), quoted);
            Ok(InvocationEvent::Ignored(format!("the ECR event {what} is not an image push")))
        }
        (Some(source), _) => Err(format!("its source is {}", quoted(source))),
        (None, _) => {
            let keys: Vec<_> = fields.keys().take(5).collect();
            Err(format!("its keys are {}", quoted(&keys)))
        }
    }
}

fn direct(fields: &Map<String, Value>) -> Result<DirectInvocation, String> {
    if let Some(key) = fields.keys().find(|key| !matches!(key.as_str(), "images" | "as_of")) {
        return Err(format!("unknown key {}; only \"images\" and \"as_of\" are allowed", quoted(key)));
    }
    let named = fields.get("images").and_then(Value::as_array);
    let named = named.filter(|named| !named.is_empty()).ok_or("\"images\" must be a list of image references")?;
    if named.len() > MOST_IMAGES {
        return Err(format!("\"images\" has {} elements; the maximum is {MOST_IMAGES}", named.len()));
    }
    let images = named.iter().map(image).collect::<Result<_, _>>()?;
    let as_of = match fields.get("as_of") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(cli::instant(text).map_err(|why| format!("as_of {}: {why}", quoted(text)))?),
        Some(other) => return Err(format!("as_of is {}, not a string", quoted(other))),
    };
    Ok(DirectInvocation { images, as_of })
}

fn image(named: &Value) -> Result<ImageSource, String> {
    let text = named.as_str().ok_or_else(|| format!("the image {} is not a string", quoted(named)))?;
    match text.parse::<ImageSource>()? {
        source @ ImageSource::Reference(_) => Ok(source),
        // Permission to invoke the function does not include access to its file system.
        _ => Err(format!("the image {} is in a folder; only images in registries are allowed", quoted(named))),
    }
}

/// Parses an ECR event (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>).
fn image_action(fields: &Map<String, Value>) -> Result<InvocationEvent, String> {
    let empty = Map::new();
    let detail = fields.get("detail").and_then(Value::as_object).unwrap_or(&empty);
    let needed = |of: &Map<String, Value>, key: &str| {
        let text = of.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| format!("the ECR event has no {key:?}"))
    };
    let (action, result) = (needed(detail, "action-type")?, needed(detail, "result")?);
    if (action.as_str(), result.as_str()) != ("PUSH", "SUCCESS") {
        return Ok(InvocationEvent::Ignored(format!(
            "{} with result {} is not a push",
            quoted(&action),
            quoted(&result)
        )));
    }
    let (account, region) = (needed(fields, "account")?, needed(fields, "region")?);
    let (Ok(account), Ok(region)) = (account.parse::<AccountId>(), region.parse::<Region>()) else {
        return Err(format!("the ECR event has account {} and region {}", quoted(&account), quoted(&region)));
    };
    let repository = needed(detail, "repository-name")?;
    let domain = AwsPartition::from_region(&region).domain();
    let named = format!("{account}.dkr.ecr.{region}.{domain}/{repository}").parse::<Repository>();
    named.map_err(|why| format!("the ECR event has repository {}: {why}", quoted(&repository)))?;
    let digest = needed(detail, "image-digest")?;
    let digest = digest.parse().map_err(|why| format!("the ECR event has digest {}: {why}", quoted(&digest)))?;
    // The platform manifests of an index are pushed first and without a tag.
    let Ok(tag) = needed(detail, "image-tag") else {
        return Ok(InvocationEvent::Ignored(format!(
            "the image pushed to {repository} has no tag; runs audit it if it is selected"
        )));
    };
    if !is_tag(&tag) {
        return Err(format!("the ECR event has tag {}", quoted(&tag)));
    }
    Ok(InvocationEvent::Pushed(ImagePush { account, region, repository, digest, tag }))
}

/// Quotes a part of the input as JSON, escaped for logs.
fn quoted(value: &(impl serde::Serialize + ?Sized)) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let shown: String = text.chars().take(QUOTED_CHARS).flat_map(escaped).collect();
    if text.chars().count() > QUOTED_CHARS { format!("{shown}…") } else { shown }
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let is_plain = !c.is_control() && (c.is_ascii() || c.is_alphanumeric() || c == '…');
    if is_plain { vec![c] } else { c.escape_default().collect() }.into_iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn push() -> Value {
        json!({
            "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": "2026-11-20T06:00:00Z", "region": "eu-west-1",
            "resources": [],
            "detail": {
                "result": "SUCCESS", "repository-name": "shop/orders", "image-digest": format!("sha256:{HEX}"),
                "action-type": "PUSH", "image-tag": "421",
            },
        })
    }

    fn with(pointer: &str, value: impl Into<Value>) -> Value {
        let mut event = push();
        *event.pointer_mut(pointer).unwrap() = value.into();
        event
    }

    #[test]
    fn scheduled_events_start_a_run() {
        let rule = json!({
            "version": "0", "id": "x", "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "123456789012", "time": "2026-11-20T06:00:00Z", "region": "eu-west-1",
            "resources": ["arn:aws:events:eu-west-1:123456789012:rule/daily"], "detail": {},
        });
        for event in [rule, json!({ "source": "aws.scheduler" }), json!({}), Value::Null] {
            assert_eq!(InvocationEvent::read(&event), Ok(InvocationEvent::Run), "{event}");
        }
    }

    #[test]
    fn a_push_event_is_parsed() {
        let expected = ImagePush {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            repository: "shop/orders".into(),
            digest: format!("sha256:{HEX}").parse().unwrap(),
            tag: "421".into(),
        };
        assert_eq!(InvocationEvent::read(&push()), Ok(InvocationEvent::Pushed(expected)));
    }

    #[test]
    fn other_ecr_events_are_ignored() {
        let mut untagged = push();
        untagged["detail"].as_object_mut().unwrap().remove("image-tag");
        for event in [
            with("/detail/action-type", "DELETE"),
            with("/detail/result", "FAILURE"),
            with("/detail-type", "ECR Image Scan"),
            with("/detail/image-tag", ""),
            untagged,
        ] {
            assert!(matches!(InvocationEvent::read(&event), Ok(InvocationEvent::Ignored(_))), "{event}");
        }
    }

    #[test]
    fn a_direct_invocation_lists_references() {
        let images = ["public.ecr.aws/lambda/python:3.12", "registry.test/orders:1"];
        let event = InvocationEvent::read(&json!({ "images": images, "as_of": "2026-11-20" })).unwrap();
        let InvocationEvent::Direct(direct) = event else { panic!("{event:?}") };
        assert_eq!(direct.images.iter().map(ToString::to_string).collect::<Vec<_>>(), images);
        assert_eq!(direct.as_of, Some("2026-11-20T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn invalid_events_are_rejected_with_a_hint() {
        let many = vec!["registry.test/orders:1"; 1_001];
        let table = [
            (json!("run"), "not a JSON object"),
            (json!([1]), "not a JSON object"),
            (json!({ "image": "x" }), "its keys are [\"image\"]"),
            (json!({ "key1": "v", "key2": "v" }), "its keys are"),
            (json!({ "Records": [] }), "its keys are [\"Records\"]"),
            (json!({ "source": "aws.s3", "detail-type": "Object Created" }), "\"aws.s3\""),
            (json!({ "images": [] }), "must be a list"),
            (json!({ "images": "x" }), "must be a list"),
            (json!({ "images": [1] }), "is not a string"),
            (json!({ "images": ["python"] }), "python"),
            (json!({ "images": ["oci:/etc"] }), "is in a folder"),
            (json!({ "images": many }), "the maximum is 1000"),
            (json!({ "images": ["registry.test/orders:1"], "max_age": "1d" }), "\"max_age\""),
            (json!({ "images": ["registry.test/orders:1"], "as_of": "soon" }), "as_of \"soon\""),
            (json!({ "images": ["registry.test/orders:1"], "as_of": 3 }), "not a string"),
            (with("/detail", json!({})), "no \"action-type\""),
            (with("/account", "12"), "account \"12\""),
            (with("/region", "EU WEST"), "EU WEST"),
            (with("/detail/repository-name", "../x"), "../x"),
            (with("/detail/image-digest", "sha256:12"), "sha256:12"),
            (with("/detail/image-tag", "a\nb"), "has tag \"a\\nb\""),
            (with("/detail/image-tag", "t".repeat(129)), "has tag \"ttt"),
        ];
        for (event, expected) in table {
            let why = InvocationEvent::read(&event).unwrap_err();
            assert!(why.contains(expected), "{event}: {why}");
            assert!(why.ends_with("for a report") && why.contains("\"images\""), "{why}");
        }
    }

    #[test]
    fn quoted_input_is_escaped_and_truncated() {
        let hostile = format!("\u{1b}[31m\n\u{202e}{}", "x".repeat(500));
        let why = InvocationEvent::read(&json!({ hostile: 1 })).unwrap_err();
        assert!(!why.contains(['\u{1b}', '\n', '\u{202e}']) && why.len() < 600, "{why}");
        for image in [hostile_image("oci:"), hostile_image("registry.test/"), hostile_image("")] {
            let why = InvocationEvent::read(&json!({ "images": [image] })).unwrap_err();
            assert!(!why.contains(['\u{1b}', '\n', '\u{202e}']) && why.len() < 3000, "{} bytes", why.len());
        }
    }

    fn hostile_image(start: &str) -> String {
        format!("{start}{}", "\u{1b}[31m\n\u{202e}".repeat(100_000))
    }
}
