//! A single S3 object outside of a store.

use std::{fmt, str::FromStr, sync::Arc};

use super::bucket::StoreBucket;
use crate::{
    aws::Aws,
    store::{Error, InvalidStoreLocation, ObjectVersion, Result, StoreLocation, StoredObject, WriteCondition},
};

/// Permissions needed to read one.
const HINT: &str = "s3:GetObject is required; without s3:ListBucket, S3 answers the same for a missing object";

/// Location of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLocation {
    bucket: String,
    key: String,
}

impl ObjectLocation {
    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key in the bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Reads the object through `aws`, up to `most_bytes`.
    ///
    /// # Errors
    ///
    /// When it does not exist, or cannot be read.
    pub async fn read(&self, aws: Arc<Aws>, most_bytes: u64) -> Result<Vec<u8>> {
        let (bucket, name) = self.open(aws);
        let object = bucket.for_reading(most_bytes, HINT).get(name).await?;
        object.map(|object| object.bytes).ok_or_else(|| self.missing())
    }

    /// Like [`ObjectLocation::read`], with the version.
    ///
    /// # Errors
    ///
    /// As [`ObjectLocation::read`].
    pub async fn read_versioned(&self, aws: Arc<Aws>, most_bytes: u64) -> Result<StoredObject> {
        let (bucket, name) = self.open(aws);
        let object = bucket.for_reading(most_bytes, HINT).get(name).await?;
        object.map(|object| StoredObject { bytes: object.bytes, version: object.version }).ok_or_else(|| self.missing())
    }

    /// The version of the object.
    ///
    /// # Errors
    ///
    /// As [`ObjectLocation::read`].
    pub async fn version(&self, aws: Arc<Aws>) -> Result<ObjectVersion> {
        let (bucket, name) = self.open(aws);
        bucket.for_reading(0, HINT).version_of(name).await?.ok_or_else(|| self.missing())
    }

    /// Replaces the object by `bytes`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn write(&self, aws: Arc<Aws>, bytes: Vec<u8>) -> Result<ObjectVersion> {
        let (bucket, name) = self.open(aws);
        let bucket = bucket.for_reading(bytes.len() as u64, "s3:PutObject is required");
        bucket.put(name, bytes, &WriteCondition::Always).await
    }

    /// The object of the same bucket with `suffix` appended to the key.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self { bucket: self.bucket.clone(), key: format!("{}{suffix}", self.key) }
    }

    /// The bucket below the prefix of the key, and the rest of the key.
    fn open(&self, aws: Arc<Aws>) -> (StoreBucket, &str) {
        let (prefix, name) = self.key.rsplit_once('/').unwrap_or(("", &self.key));
        (StoreBucket::new(aws, self.bucket.clone(), prefix.to_owned()), name)
    }

    fn missing(&self) -> Error {
        Error::Unavailable { what: format!("cannot read {self}"), why: "the object does not exist".to_owned() }
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for ObjectLocation {
    type Err = String;

    /// Parses `s3://BUCKET/KEY`, by the rules for store locations.
    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = |why: &dyn fmt::Display| format!("{text:?} is not an S3 object: {why}; write s3://BUCKET/KEY");
        if text.ends_with('/') {
            return Err(invalid(&"the key is missing, or ends with a '/'"));
        }
        match text.parse::<StoreLocation>().map_err(|error: InvalidStoreLocation| invalid(&error))? {
            StoreLocation::S3 { bucket, prefix: key } if !key.is_empty() => Ok(Self { bucket, key }),
            StoreLocation::S3 { .. } => Err(invalid(&"the key is missing")),
            StoreLocation::Folder(_) => Err(invalid(&"it does not begin with s3://")),
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
            let location: ObjectLocation = text.parse().unwrap();
            assert_eq!((location.bucket(), location.key(), location.to_string().as_str()), (bucket, key, text));
        }
        for text in ["s3://audits", "s3://audits/", "s3://audits/x/", "basewatch.toml", "s3://AUDITS/x", "s3://", ""] {
            let why = text.parse::<ObjectLocation>().unwrap_err();
            assert!(why.contains("s3://BUCKET/KEY"), "{text}: {why}");
        }
    }
}
