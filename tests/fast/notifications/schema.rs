//! The contracts that machines rely on: `schema/alert.schema.json`, and the shape that chat takes.

use std::{fs, path::Path, sync::LazyLock};

use basewatch::notify::{Message, MessageFormat, SCHEMA};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::notifications::sent_as;
use testbed::messages;

/// The schema of the output: a field that is always present is required, even if nullable.
fn alert_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Message>().to_value();
    let whole = schema.as_object_mut().unwrap();
    let mut ordered = serde_json::Map::new();
    for key in ["$schema", "$id", "title", "description"] {
        ordered.extend(whole.remove_entry(key));
    }
    ordered.append(whole);
    Value::Object(ordered)
}

/// The custom notification of Amazon Q Developer in chat applications
/// (<https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>), as strict as its table reads.
fn card_schema() -> Value {
    let text = |most: usize| json!({ "type": "string", "minLength": 1, "maxLength": most });
    let texts = json!({ "type": "array", "items": text(8000), "minItems": 1, "maxItems": 10 });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "source", "content"],
        "properties": {
            "version": { "const": "1.0" },
            "source": { "const": "custom" },
            "id": text(250),
            "content": {
                "type": "object",
                "additionalProperties": false,
                "required": ["description"],
                "properties": {
                    "textType": { "const": "client-markdown" },
                    "title": text(250),
                    "description": text(8000),
                    "nextSteps": texts,
                    "keywords": texts,
                },
            },
            "metadata": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "threadId": text(250),
                    "summary": text(8000),
                    "eventType": text(250),
                    "relatedResources": texts,
                    "additionalContext": { "type": "object", "additionalProperties": { "type": "string" } },
                },
            },
        },
    })
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(schema).unwrap()
}

static CARD: LazyLock<jsonschema::Validator> = LazyLock::new(|| validator(&card_schema()));
static ALERT: LazyLock<jsonschema::Validator> = LazyLock::new(|| validator(&alert_schema()));

#[track_caller]
fn assert_valid(validator: &jsonschema::Validator, body: &str) {
    let document: Value = serde_json::from_str(body).unwrap();
    let problems: Vec<_> =
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Fails unless chat would show `body`.
#[track_caller]
pub(crate) fn assert_card(body: &str) {
    assert_valid(&CARD, body);
}

/// Fails unless `body` is a `basewatch.alert/v1`.
#[track_caller]
pub(crate) fn assert_alert(body: &str) {
    assert_valid(&ALERT, body);
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/alert.schema.json");
    let expected = alert_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&expected).unwrap() + "\n").unwrap();
    }
    // As values: the order of keys depends on the features that other crates switch on in serde_json.
    let actual: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap_or_default()).unwrap_or_default();
    assert!(actual == expected, "schema/alert.schema.json differs from the types; UPDATE_SCHEMA=1 writes it");
    assert_eq!(actual["$id"], SCHEMA);
    assert_eq!(actual["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn every_sample_is_valid() {
    for (_, message) in messages::all() {
        assert_alert(&sent_as(&message, MessageFormat::Json).1);
        assert_card(&sent_as(&message, MessageFormat::Chatbot).1);
    }
}

#[test]
fn the_schema_rejects_invalid_alerts() {
    let message = || serde_json::to_value(messages::small()).unwrap();
    let without = |name: &str| {
        let mut message = message();
        message.as_object_mut().unwrap().remove(name).unwrap();
        message
    };
    let mut documents: Vec<_> =
        ["dedup_key", "items", "subscription_reason", "severity", "left_out"].map(without).into();
    for (pointer, value) in [("/kind", json!("gossip")), ("/at", json!("today")), ("/items/0/event", json!("seen"))] {
        let mut message = message();
        *message.pointer_mut(pointer).unwrap() = value;
        documents.push(message);
    }
    assert!(ALERT.is_valid(&message()));
    for document in documents {
        assert!(!ALERT.is_valid(&document), "{document}");
    }
}

#[test]
fn readers_accept_the_fields_of_later_versions() {
    let mut document = serde_json::to_value(messages::small()).unwrap();
    document["later"] = json!({ "much": "later" });
    document["items"][0]["later"] = json!(1);
    assert!(ALERT.is_valid(&document));
    assert_eq!(serde_json::from_value::<Message>(document).unwrap(), messages::small());
}

/// `page` with `text` in the fenced block after the comment `<!-- marker -->`.
fn with_block(page: &str, marker: &str, text: &str) -> String {
    let comment = format!("<!-- {marker} -->\n");
    let (before, after) = page.split_once(&comment).unwrap();
    let (fence, rest) = after.split_once('\n').unwrap();
    let rest = rest.strip_prefix("```").unwrap_or_else(|| rest.split_once("\n```").unwrap().1);
    format!("{before}{comment}{fence}\n{}\n```{rest}", text.trim_end())
}

#[test]
fn the_documentation_shows_messages_as_they_are_sent() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/notifications.md");
    let page = fs::read_to_string(&path).unwrap();
    let pretty = |body: &str| basewatch::report::json::render(&serde_json::from_str::<Value>(body).unwrap());
    let (subject, body) = sent_as(&messages::small(), MessageFormat::Text);
    let mut expected = with_block(&page, "text", &format!("Subject: {subject}\n\n{body}"));
    let (subject, body) = sent_as(&messages::watch_incomplete(), MessageFormat::Text);
    expected = with_block(&expected, "watch", &format!("Subject: {subject}\n\n{body}"));
    for (marker, format) in [("json", MessageFormat::Json), ("chatbot", MessageFormat::Chatbot)] {
        expected = with_block(&expected, marker, &pretty(&sent_as(&messages::small(), format).1));
    }
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let shown = fs::read_to_string(&path).unwrap();
    assert!(
        shown == expected,
        "UPDATE_SCHEMA=1 cargo nextest run --test fast notifications writes docs/notifications.md"
    );
}
