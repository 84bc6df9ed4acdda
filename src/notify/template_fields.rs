//! A message for templates.

use serde_json::Value;

use super::{Message, text};

/// Maximum length of `text` in templates, in bytes. Slack and Teams take more, but chat readers do not.
const TEXT_BYTES: usize = 16 * 1024;

/// Fields that are absent from the JSON if empty. Templates see them as null.
const OPTIONAL: [&str; 4] = ["owner", "page", "report", "watch"];
/// The same for items.
const OPTIONAL_OF_ITEM: [&str; 19] = [
    "account",
    "age_days",
    "arn",
    "base",
    "block_update_date",
    "current",
    "deprecation_date",
    "ended",
    "first_notified_at",
    "group",
    "group_size",
    "line",
    "owner",
    "page",
    "previous_severity",
    "rebuild",
    "region",
    "replacement",
    "runtime",
];

impl Message {
    /// All fields for templates, absent ones as null, with the `subject` and `text` of the mail format.
    #[must_use]
    pub fn fields(&self) -> Value {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        fill(&mut fields, &OPTIONAL);
        if let Some(fields) = fields.as_object_mut() {
            for counts in ["owners", "subjects"] {
                fields.entry(counts).or_insert_with(|| Value::Object(serde_json::Map::new()));
            }
            fields.insert("subject".to_owned(), Value::String(text::subject(self)));
            fields.insert("text".to_owned(), Value::String(text::render(self, TEXT_BYTES)));
        }
        for item in fields["items"].as_array_mut().into_iter().flatten() {
            fill(item, &OPTIONAL_OF_ITEM);
            if let Some(item) = item.as_object_mut() {
                item.entry("tags").or_insert_with(|| Value::Array(Vec::new()));
            }
        }
        fields
    }
}

fn fill(object: &mut Value, names: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    for name in names {
        object.entry(*name).or_insert(Value::Null);
    }
}
