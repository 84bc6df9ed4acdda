//! Lenient deserialization: optional fields with a wrong type count as absent.
//!
//! Only used values are kept: a document of a few megabytes can have millions of entries, each of which would take many
//! times its length in memory.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::bounds::{VALUE_BYTES, kept};

/// Annotations or labels: untrusted text by key.
pub type Annotations = BTreeMap<String, String>;

/// The longest key of a label or annotation that is kept, in bytes.
const KEY_BYTES: usize = 256;
/// The largest total size of the labels or annotations of one document in memory, in bytes; cut values count with their
/// cut length.
const TEXTS_BYTES: usize = 64 * 1024;
/// The overhead of an entry, in bytes.
const ENTRY_BYTES: usize = 64;

/// A text; `None` for null or another type.
pub(super) fn text<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    LenientText::deserialize(field).map(|text| text.0)
}

/// The result of `read` for a text, which is not kept; the default for another type.
pub(super) fn derived<'de, D, T>(field: D, read: impl FnOnce(&str) -> T) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default,
{
    field.deserialize_any(AnyShape(ReadDerived(read, PhantomData)))
}

/// A non-negative integer; `None` for anything else.
pub(super) fn number<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u64>, D::Error> {
    field.deserialize_any(AnyShape(ReadNumber))
}

/// Whether the value is `true`.
pub(super) fn flag<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    field.deserialize_any(AnyShape(ReadFlag))
}

/// An RFC 3339 instant; `None` for anything else.
pub(super) fn instant<'de, D: Deserializer<'de>>(field: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(text(field)?.and_then(|text| DateTime::parse_from_rfc3339(&text).ok()).map(|at| at.to_utc()))
}

/// An object; `None` for another type.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<T>, D::Error> {
    field.deserialize_any(AnyShape(ReadObject(PhantomData)))
}

/// A list entry; `None` if it has another type, which does not affect other entries.
#[derive(Debug)]
pub(super) struct LenientEntry<T>(pub(super) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for LenientEntry<T> {
    fn deserialize<D: Deserializer<'de>>(entry: D) -> Result<Self, D::Error> {
        object(entry).map(Self)
    }
}

/// Whether the field is present, even if it is null.
pub(super) fn is_there<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(field).map(|_| true)
}

/// Labels or annotations: the text values, each cut by [`kept`].
///
/// Fails if the total is too large: any of them may be used by the configuration, so none may be left out.
pub(super) fn texts<'de, D: Deserializer<'de>>(field: D) -> Result<Annotations, D::Error> {
    field.deserialize_any(AnyShape(ReadTexts { is_wanted: |_| true }))
}

/// The same, limited to standard keys: only those are used in index entries.
pub(super) fn standard_texts<'de, D: Deserializer<'de>>(field: D) -> Result<Annotations, D::Error> {
    let is_standard = |key: &str| {
        let beginnings = [
            "org.opencontainers.image.",
            "vnd.docker.reference.",
            "in-toto.io/",
            "dev.sigstore.bundle.",
            "predicateType",
        ];
        beginnings.iter().any(|it| key.starts_with(it))
    };
    field.deserialize_any(AnyShape(ReadTexts { is_wanted: is_standard }))
}

/// The first entries of a list, and its length; null counts as an empty list.
#[derive(Debug)]
pub(super) struct FirstEntries<T> {
    pub(super) entries: Vec<T>,
    pub(super) count: usize,
}

impl<T> Default for FirstEntries<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), count: 0 }
    }
}

impl<T> FirstEntries<T> {
    /// Whether these are all entries.
    pub(super) fn is_whole(&self) -> bool {
        self.entries.len() == self.count
    }

    fn push(&mut self, entry: T, most: usize) {
        self.count += 1;
        if self.entries.len() < most {
            self.entries.push(entry);
        }
    }
}

/// The first `MOST` entries of a list.
pub(super) fn first<'de, D, T, const MOST: usize>(field: D) -> Result<FirstEntries<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let mut first = FirstEntries::default();
    each_entry(field, |entry| first.push(entry, MOST))?;
    Ok(first)
}

/// The first `MOST` entries of a list; another type counts as an empty list.
pub(super) fn first_or_none<'de, D, T, const MOST: usize>(field: D) -> Result<FirstEntries<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let mut first = FirstEntries::default();
    each_entry_or_none(field, |entry| first.push(entry, MOST))?;
    Ok(first)
}

/// Calls `visit` with each entry of a list without keeping it; null counts as an empty list.
pub(crate) fn each_entry<'de, D, T>(field: D, visit: impl FnMut(T)) -> Result<(), D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    field.deserialize_any(ReadEach { visit, entry: PhantomData })
}

/// The same; another type counts as an empty list.
pub(super) fn each_entry_or_none<'de, D, T>(field: D, visit: impl FnMut(T)) -> Result<(), D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    field.deserialize_any(AnyShape(ReadEach { visit, entry: PhantomData }))
}

/// A text, or `None` for another type.
#[derive(Debug)]
pub(super) struct LenientText(pub(super) Option<String>);

impl<'de> Deserialize<'de> for LenientText {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        field.deserialize_any(AnyShape(ReadText)).map(Self)
    }
}

/// Reads a value by its shape; shapes without an implementation give the default.
trait ReadShape<'de>: Sized {
    type Value: Default;

    fn text(self, _: &str) -> Self::Value {
        Self::Value::default()
    }

    fn number(self, _: u64) -> Self::Value {
        Self::Value::default()
    }

    fn flag(self, _: bool) -> Self::Value {
        Self::Value::default()
    }

    fn list<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }

    fn object<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
}

/// A visitor that accepts any shape.
struct AnyShape<R>(R);

impl<'de, R: ReadShape<'de>> Visitor<'de> for AnyShape<R> {
    type Value = R::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.text(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.0.number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(R::Value::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(R::Value::default())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(self.0.flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(R::Value::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        self.0.list(entries)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        self.0.object(entries)
    }
}

struct ReadText;

impl ReadShape<'_> for ReadText {
    type Value = Option<String>;

    fn text(self, text: &str) -> Self::Value {
        Some(kept(text, VALUE_BYTES))
    }
}

struct ReadDerived<F, T>(F, PhantomData<T>);

impl<F: FnOnce(&str) -> T, T: Default> ReadShape<'_> for ReadDerived<F, T> {
    type Value = T;

    fn text(self, text: &str) -> T {
        (self.0)(text)
    }
}

struct ReadFlag;

impl ReadShape<'_> for ReadFlag {
    type Value = bool;

    fn flag(self, flag: bool) -> bool {
        flag
    }
}

struct ReadNumber;

impl ReadShape<'_> for ReadNumber {
    type Value = Option<u64>;

    fn number(self, number: u64) -> Self::Value {
        Some(number)
    }
}

struct ReadObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> ReadShape<'de> for ReadObject<T> {
    type Value = Option<T>;

    fn object<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(Some)
    }
}

/// Reads labels or annotations.
struct ReadTexts {
    is_wanted: fn(&str) -> bool,
}

impl<'de> ReadShape<'de> for ReadTexts {
    type Value = Annotations;

    fn object<A: MapAccess<'de>>(self, mut entries: A) -> Result<Annotations, A::Error> {
        let mut texts = Annotations::new();
        let mut bytes = 0;
        while let Some(BoundedKey(key)) = entries.next_key()? {
            let Some(key) = key.filter(|key| (self.is_wanted)(key)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let LenientText(Some(value)) = entries.next_value()? else { continue };
            bytes += key.len() + value.len() + ENTRY_BYTES;
            if bytes > TEXTS_BYTES {
                let why = format!("its labels or annotations exceed {} KiB", TEXTS_BYTES >> 10);
                return Err(A::Error::custom(why));
            }
            texts.insert(key, value);
        }
        Ok(texts)
    }
}

/// A key; `None` if it is too long.
struct BoundedKey(Option<String>);

impl<'de> Deserialize<'de> for BoundedKey {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        struct BoundedKeyVisitor;

        impl Visitor<'_> for BoundedKeyVisitor {
            type Value = BoundedKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<BoundedKey, E> {
                Ok(BoundedKey((text.len() <= KEY_BYTES).then(|| text.to_owned())))
            }
        }

        field.deserialize_str(BoundedKeyVisitor)
    }
}

/// Visits the entries of a list one by one.
struct ReadEach<F, T> {
    visit: F,
    entry: PhantomData<T>,
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> ReadShape<'de> for ReadEach<F, T> {
    type Value = ();

    fn list<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            (self.visit)(entry);
        }
        Ok(())
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for ReadEach<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.list(entries)
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
        list: FirstEntries<LenientText>,
        #[serde(default, deserialize_with = "first_or_none::<_, _, 1>")]
        lenient: FirstEntries<LenientEntry<Document>>,
        #[serde(default, deserialize_with = "object")]
        object: Option<Box<Document>>,
        #[serde(default, deserialize_with = "number")]
        number: Option<u64>,
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
    fn too_many_labels_are_rejected_instead_of_cut() {
        let many = |count: usize| {
            let labels: Vec<_> = (0..count).map(|number| format!(r#""label-{number}":"x""#)).collect();
            read(&format!(r#"{{"texts":{{{}}}}}"#, labels.join(",")))
        };
        assert_eq!(many(700).unwrap().texts.len(), 700);
        let error = many(1000).err().unwrap().to_string();
        assert!(error.contains("exceed 64 KiB"), "{error}");
    }

    #[test]
    fn only_standard_annotations_of_entries_are_kept() {
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
        assert!(read(r#"{"list":"x"}"#).is_err() && read(r#"{"at":1e9999}"#).is_err());
        for other in ["null", "true", "-1", "2.5", r#""x""#, "[]", r#"[{"a":[]}]"#, r#"{"x":["y"]}"#] {
            let json = format!(r#"{{"texts":{other},"lenient":{other},"object":{other},"number":{other}}}"#);
            let document = read(&json).expect(other);
            assert!(document.texts.is_empty() && document.number.is_none(), "{other}");
            assert_eq!(document.object.is_some(), other.starts_with('{'), "{other}");
            assert_eq!(document.lenient.count, usize::from(other.starts_with("[{")), "{other}");
        }
        let document = read(r#"{"lenient":[[],{"number":7}],"object":{"texts":{"a":"b"}}}"#).unwrap();
        assert_eq!((document.lenient.entries.len(), document.lenient.count), (1, 2));
        assert!(document.lenient.entries[0].0.is_none());
        assert_eq!(document.object.unwrap().texts["a"], "b");
    }
}
