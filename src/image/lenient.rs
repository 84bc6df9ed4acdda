//! Fields that documents get wrong and that an image does not depend on: what has another type counts as absent.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

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

/// A value that is none where it has another shape.
pub(super) fn or_none<'de, D: Deserializer<'de>, T: DeserializeOwned>(field: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(field)?).unwrap_or_default())
}

/// The same for the items of a list, of which one that is wrong takes nothing from the others.
pub(super) struct OrNone<T>(pub(super) Option<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(item: D) -> Result<Self, D::Error> {
        or_none(item).map(Self)
    }
}

/// Whether the field is there, even if it is null.
pub(super) fn is_there<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(field).map(|_| true)
}

/// Labels or annotations: the values that are texts.
pub(super) fn texts<'de, D: Deserializer<'de>>(field: D) -> Result<Annotations, D::Error> {
    let Value::Object(fields) = Value::deserialize(field)? else { return Ok(Annotations::new()) };
    let texts = fields.into_iter().filter_map(|(key, value)| match value {
        Value::String(text) => Some((key, text)),
        _ => None,
    });
    Ok(texts.collect())
}
