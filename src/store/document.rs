//! Versioned JSON documents in a store. Writes are conditional: they never overwrite a concurrent change.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Error, ObjectVersion, Result, Store, WriteCondition};

/// A document with a schema.
pub trait StoredDocument: Serialize + DeserializeOwned + Default {
    /// The value of `schema`: `basewatch.ledger/v1`.
    const SCHEMA: &'static str;
    /// The name in the store: `ledger.json`.
    const NAME: &'static str;

    /// Drops dispensable details; `false` if there are none left. Called repeatedly while the document exceeds the limit of
    /// the store.
    fn shed(&mut self) -> bool {
        false
    }
}

/// A document and the version that was read.
#[derive(Clone, Debug)]
pub struct VersionedDocument<T> {
    /// The document; the default if it does not exist.
    pub document: T,
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

/// Reads the document from `store`; the default if it does not exist.
///
/// # Errors
///
/// [`Error::Newer`] and [`Error::Unreadable`] if it does not have the supported format.
pub async fn load<T: StoredDocument>(store: &dyn Store) -> Result<VersionedDocument<T>> {
    let Some(stored) = store.read_clipped(T::NAME).await? else {
        return Ok(VersionedDocument { document: T::default(), version: None });
    };
    let location = format!("{}/{}", store.location(), T::NAME);
    let document = parse(&stored.bytes, T::SCHEMA, &location)?;
    Ok(VersionedDocument { document, version: Some(stored.version) })
}

/// Parses a document as a store does, for the fuzz targets.
#[cfg(test)]
pub(crate) fn read_stored<T: StoredDocument>(stored: &[u8]) -> Result<T> {
    let mut clipper = super::clipped::JsonClipper::default();
    clipper.push(stored);
    parse(&clipper.into_bytes(), T::SCHEMA, T::NAME)
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
    /// Writes the document, unless another process has changed it since it was read. Drops details if it is too large.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if it was changed, [`Error::TooLarge`] if it cannot be made small enough.
    pub async fn save(&mut self, store: &dyn Store) -> Result<()> {
        let only_if = self.version.clone().map_or(WriteCondition::Absent, WriteCondition::Unchanged);
        loop {
            let tagged = TaggedDocument { schema: T::SCHEMA, document: &self.document };
            let bytes = serde_json::to_vec(&tagged)
                .map_err(|error| Error::Unreadable { location: T::NAME.to_owned(), why: error.to_string() })?;
            match store.write(T::NAME, bytes, only_if.clone()).await {
                Err(error @ Error::TooLarge { .. }) if self.document.shed() => {
                    tracing::warn!("{error}: writing it without some details");
                }
                written => {
                    self.version = Some(written?);
                    return Ok(());
                }
            }
        }
    }
}
