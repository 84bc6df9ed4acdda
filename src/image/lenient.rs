//! Fields that documents get wrong and that an image does not depend on: what has another type counts as absent.
//!
//! Nothing here keeps more than it has a use for: a document of a few megabytes can hold millions of entries, each of
//! which takes many times its own length in memory.

use std::{fmt, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    Annotations,
    bounds::{VALUE_BYTES, kept},
};

/// The longest key of a label or an annotation that is kept, in bytes.
const KEY_BYTES: usize = 256;
/// How much the labels or the annotations of one document take in memory at most, in bytes; what follows a cut value is
/// not counted.
const TEXTS_BYTES: usize = 64 * 1024;
/// What an entry takes besides its texts.
const ENTRY_BYTES: usize = 64;

/// A text; null or a value of another type is none.
pub(super) fn text<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    Text::deserialize(field).map(|text| text.0)
}

/// An instant as RFC 3339 writes it; anything else is none.
pub(super) fn instant<'de, D: Deserializer<'de>>(field: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(text(field)?.and_then(|text| DateTime::parse_from_rfc3339(&text).ok()).map(|at| at.to_utc()))
}

/// Labels or annotations: the values that are texts, each cut by [`kept`].
///
/// Fails when all together are larger than any real ones: which of them are used depends on the configuration, so that
/// none may be missing.
pub(super) fn texts<'de, D: Deserializer<'de>>(field: D) -> Result<Annotations, D::Error> {
    field.deserialize_any(Texts { is_wanted: |_| true })
}

/// The same, without those that no standard names: what an index says of its entries is read by standard keys alone.
pub(super) fn standard_texts<'de, D: Deserializer<'de>>(field: D) -> Result<Annotations, D::Error> {
    let is_standard =
        |key: &str| key.starts_with("org.opencontainers.image.") || key.starts_with("vnd.docker.reference.");
    field.deserialize_any(Texts { is_wanted: is_standard })
}

/// The first entries of a list, and how many it has; null is an empty list.
#[derive(Debug)]
pub(super) struct First<T> {
    pub(super) entries: Vec<T>,
    pub(super) count: usize,
}

impl<T> Default for First<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), count: 0 }
    }
}

impl<T> First<T> {
    /// Whether these are all.
    pub(super) fn is_whole(&self) -> bool {
        self.entries.len() == self.count
    }
}

/// The first `MOST` entries of a list.
pub(super) fn first<'de, D, T, const MOST: usize>(field: D) -> Result<First<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let mut first = First::default();
    let push = |entry: T| {
        first.count += 1;
        if first.entries.len() < MOST {
            first.entries.push(entry);
        }
    };
    field.deserialize_any(Each { visit: push, entry: PhantomData })?;
    Ok(first)
}

/// Calls `visit` with each entry of a list, and keeps none; null is an empty list.
pub(crate) fn each_entry<'de, D, T>(field: D, visit: impl FnMut(T)) -> Result<(), D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    field.deserialize_any(Each { visit, entry: PhantomData })
}

/// A text that may be something else.
#[derive(Debug)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        field.deserialize_any(AnyValue).map(Self)
    }
}

/// Reads a text and skips everything else.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(kept(text, VALUE_BYTES)))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// A key, if it is not too long to be kept.
struct Key(Option<String>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        struct OfKey;

        impl Visitor<'_> for OfKey {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
                Ok(Key((text.len() <= KEY_BYTES).then(|| text.to_owned())))
            }
        }

        field.deserialize_str(OfKey)
    }
}

/// Reads labels or annotations.
struct Texts {
    is_wanted: fn(&str) -> bool,
}

impl<'de> Visitor<'de> for Texts {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels or annotations")
    }

    fn visit_unit<E: Error>(self) -> Result<Annotations, E> {
        Ok(Annotations::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Annotations, A::Error> {
        let mut texts = Annotations::new();
        let mut bytes = 0;
        while let Some(Key(key)) = entries.next_key()? {
            let Some(key) = key.filter(|key| (self.is_wanted)(key)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let Text(Some(value)) = entries.next_value()? else { continue };
            bytes += key.len() + value.len() + ENTRY_BYTES;
            if bytes > TEXTS_BYTES {
                let why = format!("its labels or annotations take more than {} KiB", TEXTS_BYTES >> 10);
                return Err(A::Error::custom(why));
            }
            texts.insert(key, value);
        }
        Ok(texts)
    }
}

/// Visits the entries of a list one by one.
struct Each<F, T> {
    visit: F,
    entry: PhantomData<T>,
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for Each<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            (self.visit)(entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Document {
        #[serde(default, deserialize_with = "texts")]
        texts: Annotations,
        #[serde(default, deserialize_with = "standard_texts")]
        standard: Annotations,
        #[serde(default, deserialize_with = "instant")]
        at: Option<DateTime<Utc>>,
        #[serde(default, deserialize_with = "first::<_, _, 2>")]
        list: First<Text>,
    }

    fn read(json: &str) -> Result<Document, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_long_value_is_cut_and_the_others_are_kept() {
        let long = "a".repeat(100_000);
        let document = read(&format!(r#"{{"texts":{{"x":"{long}","y":"z","{long}":"w","n":null,"l":["{long}"]}}}}"#));
        let texts = document.unwrap().texts;
        assert_eq!(texts.keys().collect::<Vec<_>>(), ["x", "y"]);
        assert!(texts["x"].starts_with("aaa") && texts["x"].ends_with("… (100000 bytes)"), "{}", texts["x"]);
        assert_eq!(texts["y"], "z");
    }

    #[test]
    fn more_labels_than_any_image_has_are_refused_and_not_read_in_part() {
        let many = |count: usize| {
            let labels: Vec<_> = (0..count).map(|number| format!(r#""label-{number}":"x""#)).collect();
            read(&format!(r#"{{"texts":{{{}}}}}"#, labels.join(",")))
        };
        assert_eq!(many(700).unwrap().texts.len(), 700);
        let error = many(1000).err().unwrap().to_string();
        assert!(error.contains("more than 64 KiB"), "{error}");
    }

    #[test]
    fn of_entries_only_standard_annotations_are_kept() {
        let many: Vec<_> = (0..10_000).map(|number| format!(r#""x{number}":"y""#)).collect();
        let json = format!(r#"{{"standard":{{{},"org.opencontainers.image.created":"z"}}}}"#, many.join(","));
        assert_eq!(read(&json).unwrap().standard.keys().collect::<Vec<_>>(), ["org.opencontainers.image.created"]);
    }

    #[test]
    fn values_of_another_type_are_skipped_and_lists_counted() {
        let document = read(r#"{"at":{"a":[1,{"b":2.5}]},"list":["x",null,{"y":[]},true,-1],"texts":null}"#).unwrap();
        assert!(document.at.is_none() && document.texts.is_empty());
        assert_eq!((document.list.entries.len(), document.list.count), (2, 5));
        assert!(!document.list.is_whole() && read(r#"{"list":null}"#).unwrap().list.is_whole());
        assert_eq!(document.list.entries[0].0.as_deref(), Some("x"));
        assert!(read(r#"{"texts":[]}"#).is_err() && read(r#"{"at":1e9999}"#).is_err());
    }
}
