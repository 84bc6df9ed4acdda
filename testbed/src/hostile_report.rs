//! A report with hostile text in every field.

use basewatch::report::Report;
use serde_json::Value;

/// Hostile text.
pub const TEXT: &str = "<script>alert(1)</script>\"' onload=x javascript:alert(2)\u{1b}[2J\u{202e}\r\n</style>&lt;";

/// Replaces every free text of `value` by a hostile one.
fn poison(key: &str, value: &mut Value) {
    const MEANT: [&str; 22] = [
        "about",
        "account",
        "arn",
        "digest",
        "platform",
        "kind",
        "verdict",
        "severity",
        "action",
        "digest_kind",
        "published_source",
        "region",
        "schema",
        "architecture",
        "deprecation_date",
        "block_update_date",
        "until",
        "platform_digest",
        "generated_at",
        "published_at",
        "created_at",
        "pushed_at",
    ];
    match value {
        Value::String(text) if !MEANT.contains(&key) && key != "since" => TEXT.clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(|value| poison(key, value)),
        // Counts by verdict have verdicts for keys; those by owner have texts.
        Value::Object(values) => values.iter_mut().for_each(|(key, value)| poison(key, value)),
        _ => {}
    }
}

/// The sample with all of its texts hostile.
pub fn report() -> Report {
    let mut value = serde_json::to_value(crate::sample::report()).unwrap();
    poison("", &mut value);
    serde_json::from_value(value).unwrap()
}
