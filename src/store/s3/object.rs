//! One object of S3 that is no store's: read and written as a whole.

use std::{fmt, str::FromStr, sync::Arc};

use super::bucket::Bucket;
use crate::{
    aws::Aws,
    store::{Error, InvalidPlace, OnlyIf, Place, Result, Stored, Version},
};

/// What it takes to read one.
const HINT: &str = "it takes s3:GetObject on it; S3 says the same of what is not there to those who may not list the \
                    bucket";

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    bucket: String,
    key: String,
}

impl ObjectPlace {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key in the bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is there, read as `aws`; nothing of more than `most_bytes` is.
    ///
    /// # Errors
    ///
    /// When there is nothing, or it may not or cannot be read.
    pub async fn read(&self, aws: Arc<Aws>, most_bytes: u64) -> Result<Vec<u8>> {
        let (bucket, name) = self.open(aws);
        let object = bucket.for_reading(most_bytes, HINT).get(name).await?;
        object.map(|object| object.bytes).ok_or_else(|| self.missing())
    }

    /// What is there with its version, read like [`ObjectPlace::read`].
    ///
    /// # Errors
    ///
    /// As [`ObjectPlace::read`].
    pub async fn read_versioned(&self, aws: Arc<Aws>, most_bytes: u64) -> Result<Stored> {
        let (bucket, name) = self.open(aws);
        let object = bucket.for_reading(most_bytes, HINT).get(name).await?;
        object.map(|object| Stored { bytes: object.bytes, version: object.version }).ok_or_else(|| self.missing())
    }

    /// The version of what is there, read as `aws`.
    ///
    /// # Errors
    ///
    /// As [`ObjectPlace::read`].
    pub async fn version(&self, aws: Arc<Aws>) -> Result<Version> {
        let (bucket, name) = self.open(aws);
        bucket.for_reading(0, HINT).version_of(name).await?.ok_or_else(|| self.missing())
    }

    /// Replaces what is there by `bytes`, as `aws`.
    ///
    /// # Errors
    ///
    /// When it may not or cannot be written.
    pub async fn write(&self, aws: Arc<Aws>, bytes: Vec<u8>) -> Result<Version> {
        let (bucket, name) = self.open(aws);
        let bucket = bucket.for_reading(bytes.len() as u64, "it takes s3:PutObject on it");
        bucket.put(name, bytes, &OnlyIf::Always).await
    }

    /// The object of the same bucket whose key has `suffix` behind that of this one.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self { bucket: self.bucket.clone(), key: format!("{}{suffix}", self.key) }
    }

    /// Its bucket, below its prefix, and its name there.
    fn open(&self, aws: Arc<Aws>) -> (Bucket, &str) {
        let (prefix, name) = self.key.rsplit_once('/').unwrap_or(("", &self.key));
        (Bucket::new(aws, self.bucket.clone(), prefix.to_owned()), name)
    }

    fn missing(&self) -> Error {
        Error::Unavailable {
            what: format!("cannot read {self}"),
            why: "there is no such object in the bucket".to_owned(),
        }
    }
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for ObjectPlace {
    type Err = String;

    /// `s3://BUCKET/KEY`, by the rules for the place of a store.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &dyn fmt::Display| format!("{text:?} names no object: {why}; write s3://BUCKET/KEY");
        if text.ends_with('/') {
            return Err(refused(&"the key is missing, or ends with a '/'"));
        }
        match text.parse::<Place>().map_err(|error: InvalidPlace| refused(&error))? {
            Place::S3 { bucket, prefix: key } if !key.is_empty() => Ok(Self { bucket, key }),
            Place::S3 { .. } => Err(refused(&"the key is missing")),
            Place::Folder(_) => Err(refused(&"it does not begin with s3://")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_bucket_and_a_key() {
        for (text, bucket, key) in [
            ("s3://audits/basewatch.toml", "audits", "basewatch.toml"),
            ("s3://a.b-c/x/y/z.toml", "a.b-c", "x/y/z.toml"),
        ] {
            let place: ObjectPlace = text.parse().unwrap();
            assert_eq!((place.bucket(), place.key(), place.to_string().as_str()), (bucket, key, text));
        }
        for text in ["s3://audits", "s3://audits/", "s3://audits/x/", "basewatch.toml", "s3://AUDITS/x", "s3://", ""] {
            let why = text.parse::<ObjectPlace>().unwrap_err();
            assert!(why.contains("s3://BUCKET/KEY"), "{text}: {why}");
        }
    }
}
