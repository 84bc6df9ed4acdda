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

    /// Gives up some of what it can do without; `false` if there is nothing of that kind. Done again and again while it
    /// is larger than the store writes.
    fn shed(&mut self) -> bool {
        false
    }
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

/// A document with its schema in front.
#[derive(Serialize)]
pub(super) struct Tagged<'a, T> {
    pub(super) schema: &'static str,
    #[serde(flatten)]
    pub(super) document: &'a T,
}

/// Reads the document of `store`; an empty one if there is none.
///
/// # Errors
///
/// [`Error::Newer`] and [`Error::Unreadable`] if it is not what this basewatch writes.
pub async fn load<T: Document>(store: &dyn Store) -> Result<Kept<T>> {
    let Some(stored) = store.read_clipped(T::NAME).await? else {
        return Ok(Kept { document: T::default(), version: None });
    };
    let place = format!("{}/{}", store.place(), T::NAME);
    let document = parse(&stored.bytes, T::SCHEMA, &place)?;
    Ok(Kept { document, version: Some(stored.version) })
}

/// The document that a store reads in `stored`, for the fuzz targets.
#[cfg(test)]
pub(crate) fn read_stored<T: Document>(stored: &[u8]) -> Result<T> {
    let mut clipper = super::clipped::Clipper::default();
    clipper.push(stored);
    parse(&clipper.into_bytes(), T::SCHEMA, T::NAME)
}

/// What is written into a store of `document`, for the fuzz targets.
#[cfg(test)]
pub(crate) fn to_stored<T: Document>(document: &T) -> Vec<u8> {
    serde_json::to_vec(&Tagged { schema: T::SCHEMA, document }).expect("a document has a JSON form")
}

/// What the document at `place` holds, if it is of the format `known`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], known: &str, place: &str) -> Result<T> {
    let unreadable = |error: serde_json::Error| Error::Unreadable { place: place.to_owned(), why: error.to_string() };
    let tag: Tag = serde_json::from_slice(bytes).map_err(unreadable)?;
    if tag.schema == known {
        return serde_json::from_slice(bytes).map_err(unreadable);
    }
    let format = |schema: &str| schema.split_once("/v").map(|(name, _)| name.to_owned());
    Err(if format(&tag.schema).is_some() && format(&tag.schema) == format(known) {
        Error::Newer { place: place.to_owned(), found: tag.schema, known: known.to_owned() }
    } else {
        Error::Unreadable { place: place.to_owned(), why: format!("it is no {known} but {:?}", tag.schema) }
    })
}

impl<T: Document> Kept<T> {
    /// Writes the document, if nobody else has since it was read or last saved; without what it can do without, where
    /// it is too large.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if somebody has, [`Error::TooLarge`] if it cannot be made small enough.
    pub async fn save(&mut self, store: &dyn Store) -> Result<()> {
        let only_if = self.version.clone().map_or(OnlyIf::Absent, OnlyIf::Unchanged);
        loop {
            let tagged = Tagged { schema: T::SCHEMA, document: &self.document };
            let bytes = serde_json::to_vec(&tagged)
                .map_err(|error| Error::Unreadable { place: T::NAME.to_owned(), why: error.to_string() })?;
            match store.write(T::NAME, bytes, only_if.clone()).await {
                Err(error @ Error::TooLarge { .. }) if self.document.shed() => {
                    tracing::warn!("{error}: it is written with less text");
                }
                written => {
                    self.version = Some(written?);
                    return Ok(());
                }
            }
        }
    }
}
