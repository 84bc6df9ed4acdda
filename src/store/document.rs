//! Documents in a store: JSON with a format, read whole or not at all, and never written over what somebody else
//! wrote in the meantime.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Error, OnlyIf, Result, Store, Version};

/// A document with a format of its own.
pub trait Document: Serialize + DeserializeOwned + Default {
    /// What `schema` in it says: `basewatch.ledger/v1`.
    const SCHEMA: &'static str;
    /// What it is kept under: `ledger.json`.
    const NAME: &'static str;
}

/// A document, and which version of it was read.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// The document; empty if there was none.
    pub document: T,
    version: Option<Version>,
}

#[derive(Deserialize)]
struct Tag {
    schema: String,
}

#[derive(Serialize)]
struct Tagged<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    document: &'a T,
}

/// Reads the document of `store`; an empty one if there is none.
///
/// # Errors
///
/// [`Error::Newer`] and [`Error::Unreadable`] if it is not what this basewatch writes.
pub async fn load<T: Document>(store: &dyn Store) -> Result<Kept<T>> {
    let Some(stored) = store.read(T::NAME).await? else {
        return Ok(Kept { document: T::default(), version: None });
    };
    let place = || format!("{}/{}", store.place(), T::NAME);
    let unreadable = |error: serde_json::Error| Error::Unreadable { place: place(), why: error.to_string() };
    let tag: Tag = serde_json::from_slice(&stored.bytes).map_err(unreadable)?;
    if tag.schema != T::SCHEMA {
        return Err(match tag.schema.split_once('/').zip(T::SCHEMA.split_once('/')) {
            Some(((found, _), (known, _))) if found == known => {
                Error::Newer { place: place(), found: tag.schema, known: T::SCHEMA.to_owned() }
            }
            _ => Error::Unreadable { place: place(), why: format!("it is no {} but {:?}", T::SCHEMA, tag.schema) },
        });
    }
    let document = serde_json::from_slice(&stored.bytes).map_err(unreadable)?;
    Ok(Kept { document, version: Some(stored.version) })
}

impl<T: Document> Kept<T> {
    /// Writes the document, if nobody else has since it was read or last saved.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if somebody has.
    pub async fn save(&mut self, store: &dyn Store) -> Result<()> {
        let only_if = self.version.clone().map_or(OnlyIf::Absent, OnlyIf::Unchanged);
        let tagged = Tagged { schema: T::SCHEMA, document: &self.document };
        let bytes = serde_json::to_vec(&tagged)
            .map_err(|error| Error::Unreadable { place: T::NAME.to_owned(), why: error.to_string() })?;
        self.version = Some(store.write(T::NAME, bytes, only_if).await?);
        Ok(())
    }
}
