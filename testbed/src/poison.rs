//! Puts one text into every field of a document, so that every shown field has it.

use serde::{Serialize, de::DeserializeOwned};

/// Puts `text` into every field of `document` that is text.
pub fn poisoned<T: Serialize + DeserializeOwned>(document: &T, text: &str) -> T {
    fn poison(value: &mut serde_json::Value, key: &str, text: &str) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    poison(value, &key.clone(), text);
                }
                if matches!(key, "requests" | "authentication" | "by_owner") {
                    *map = map.values().take(1).map(|value| (text.to_owned(), value.clone())).collect();
                }
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(|value| poison(value, key, text)),
            serde_json::Value::String(old) => {
                const TYPED: [&str; 18] = [
                    "about",
                    "account",
                    "arn",
                    "architecture",
                    "outcome",
                    "digest",
                    "digest_kind",
                    "platform",
                    "platform_digest",
                    "kind",
                    "verdict",
                    "severity",
                    "action",
                    "published_source",
                    "region",
                    "deprecation_date",
                    "block_update_date",
                    "until",
                ];
                if !TYPED.contains(&key) && !key.ends_with("_at") && key != "since" {
                    text.clone_into(old);
                }
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(document).expect("a document has a JSON form");
    poison(&mut value, "", text);
    serde_json::from_value(value).expect("a document comes back from its JSON form")
}
