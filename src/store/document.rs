//! Versioned JSON documents in a store. Writes are conditional: they never overwrite a concurrent change.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Error, ObjectVersion, Result, Store, WriteCondition,
    parts::{self, ReadDocument},
};

/// A document with a schema. If it is large, its entries are stored in parts, `ledger/….jsonl.gz` for `ledger.json`.
pub trait StoredDocument: Serialize + DeserializeOwned + Default + Send + Sync {
    /// The value of `schema`: `basewatch.ledger/v1`.
    const SCHEMA: &'static str;
    /// The name in the store: `ledger.json`.
    const NAME: &'static str;

    /// The entries, as JSON, in a stable order. A document that is always small has none.
    fn entries(&self) -> impl Iterator<Item = Vec<u8>> + Send {
        std::iter::empty()
    }

    /// The document without its entries.
    fn without_entries(&self) -> impl Serialize {
        self
    }

    /// Adds one of its [`entries`](Self::entries). `texts` has those of earlier entries.
    ///
    /// # Errors
    ///
    /// When it is not an entry of this document.
    fn add_entry(&mut self, json: &[u8], texts: &mut SharedTexts) -> serde_json::Result<()> {
        let _ = texts;
        Err(serde::de::Error::custom(format!("{} has no parts, but an entry of {} bytes", Self::NAME, json.len())))
    }
}

/// Texts that are in memory once, however many entries of a document have them.
#[derive(Debug, Default)]
pub struct SharedTexts(HashSet<Arc<str>>);

impl SharedTexts {
    /// Replaces `text` by an equal one that is in memory already.
    pub fn share(&mut self, text: &mut Arc<str>) {
        match self.0.get(text) {
            Some(known) => text.clone_from(known),
            None => drop(self.0.insert(Arc::clone(text))),
        }
    }
}

/// A document and the version that was read.
#[derive(Clone, Debug)]
pub struct VersionedDocument<T> {
    /// The document; the default if it does not exist.
    pub document: T,
    /// The names of its parts.
    parts: Vec<String>,
    version: Option<ObjectVersion>,
}

#[derive(Deserialize)]
struct SchemaTag {
    schema: String,
}

/// A document with its schema.
#[derive(Serialize)]
pub(super) struct TaggedDocument<'a, T> {
    pub(super) schema: &'static str,
    #[serde(flatten)]
    pub(super) document: &'a T,
}

/// A document without its entries, with the names of its parts.
#[derive(Serialize)]
struct DocumentInParts<'a, T> {
    #[serde(flatten)]
    document: TaggedDocument<'a, T>,
    parts: &'a [String],
}

/// Reads the document from `store`; the default if it does not exist.
///
/// # Errors
///
/// [`Error::Newer`] and [`Error::Unreadable`] if it does not have the supported format.
pub async fn load<T: StoredDocument>(store: &dyn Store) -> Result<VersionedDocument<T>> {
    let location = format!("{}/{}", store.location(), T::NAME);
    let parse = |bytes: &[u8]| parse::<T>(bytes, T::SCHEMA, &location);
    let mut texts = SharedTexts::default();
    let add = |document: &mut T, json: &[u8]| document.add_entry(json, &mut texts);
    Ok(match parts::read(store, T::NAME, parse, add).await? {
        Some(ReadDocument { document, parts, version }) => {
            VersionedDocument { document, parts, version: Some(version) }
        }
        None => VersionedDocument { document: T::default(), parts: Vec::new(), version: None },
    })
}

/// Parses a document as a store does, for the fuzz targets.
#[cfg(test)]
pub(crate) fn read_stored<T: StoredDocument>(stored: &[u8]) -> Result<T> {
    parse(stored, T::SCHEMA, T::NAME)
}

/// Serializes a document as a store does, for the fuzz targets.
#[cfg(test)]
pub(crate) fn to_stored<T: StoredDocument>(document: &T) -> Vec<u8> {
    serde_json::to_vec(&TaggedDocument { schema: T::SCHEMA, document }).expect("a document has a JSON form")
}

/// Parses the document at `location`, if it has the format `known`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], known: &str, location: &str) -> Result<T> {
    let unreadable =
        |error: serde_json::Error| Error::Unreadable { location: location.to_owned(), why: error.to_string() };
    let tag: SchemaTag = serde_json::from_slice(bytes).map_err(unreadable)?;
    if tag.schema == known {
        return serde_json::from_slice(bytes).map_err(unreadable);
    }
    let format = |schema: &str| schema.split_once("/v").map(|(name, _)| name.to_owned());
    Err(if format(&tag.schema).is_some() && format(&tag.schema) == format(known) {
        Error::Newer { location: location.to_owned(), found: tag.schema, known: known.to_owned() }
    } else {
        Error::Unreadable { location: location.to_owned(), why: format!("its format is {:?}, not {known}", tag.schema) }
    })
}

impl<T: StoredDocument> VersionedDocument<T> {
    /// Writes the document, unless another process has changed it since it was read. A large one is written in parts:
    /// those that have changed, and then the document that lists them.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if it was changed, [`Error::TooLarge`] if it is too large even without its entries.
    pub async fn save(&mut self, store: &dyn Store) -> Result<()> {
        let folder = T::NAME.trim_end_matches(".json");
        let whole = TaggedDocument { schema: T::SCHEMA, document: &self.document };
        let whole = parts::within(parts::most_part_bytes(store), |left| Ok(serde_json::to_writer(left, &whole)?));
        let (bytes, parts) = if let Some(bytes) = whole.map_err(|error| unwritable::<T>(&error))? {
            (bytes, Vec::new())
        } else {
            let parts = parts::write_parts(store, folder, self.document.entries(), &self.parts).await?;
            let document = TaggedDocument { schema: T::SCHEMA, document: &self.document.without_entries() };
            let bytes = serde_json::to_vec(&DocumentInParts { document, parts: &parts });
            (bytes.map_err(|error| unwritable::<T>(&error))?, parts)
        };
        let only_if = self.version.clone().map_or(WriteCondition::Absent, WriteCondition::Unchanged);
        self.version = Some(store.write(T::NAME, bytes, only_if).await?);
        let replaced = std::mem::replace(&mut self.parts, parts);
        if !(replaced.is_empty() && self.parts.is_empty())
            && let Err(error) = parts::sweep(store, folder, &self.parts, &replaced).await
        {
            tracing::warn!("cannot remove replaced parts of {}: {error}", T::NAME);
        }
        Ok(())
    }
}

fn unwritable<T: StoredDocument>(error: &dyn std::fmt::Display) -> Error {
    Error::Unreadable { location: T::NAME.to_owned(), why: error.to_string() }
}
