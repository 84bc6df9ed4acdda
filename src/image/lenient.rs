//! Fields that documents get wrong and that an image does not depend on: what has another type counts as absent.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Annotations;

/// A text; null or a value of another type is none.
pub(super) fn text<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(field)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// An instant as RFC 3339 writes it; anything else is none.
pub(super) fn instant<'de, D: Deserializer<'de>>(field: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(text(field)?.and_then(|text| DateTime::parse_from_rfc3339(&text).ok()).map(|at| at.to_utc()))
}

/// Labels or annotations: the values that are texts.
pub(super) fn texts<'de, D: Deserializer<'de>>(field: D) -> Result<Annotations, D::Error> {
    let fields = Option::<Map<String, Value>>::deserialize(field)?.unwrap_or_default();
    let texts = fields.into_iter().filter_map(|(key, value)| match value {
        Value::String(text) => Some((key, text)),
        _ => None,
    });
    Ok(texts.collect())
}
