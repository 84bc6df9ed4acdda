//! A store in an S3 bucket. One S3 object per object.
//!
//! Concurrent runs are isolated by conditional writes
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>): a document overwrites only the version
//! that was read, and so does the lease that is the store lock. S3 is strongly consistent
//! (<https://aws.amazon.com/s3/consistency/>).

mod bucket;
mod lease;
mod object;
mod refusal;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};

pub use self::object::ObjectLocation;
use self::{bucket::StoreBucket, lease::LeaseTerms};
use super::{ObjectVersion, Result, Store, StoreLock, StoredObject, WriteCondition, name};
use crate::aws::Aws;

/// A store in an S3 bucket.
#[derive(Clone)]
pub struct S3Store {
    bucket: Arc<StoreBucket>,
    terms: LeaseTerms,
}

impl S3Store {
    /// A store in the objects of `bucket` below `prefix`; in all objects if `prefix` is empty. Sends no request yet.
    #[must_use]
    pub fn new(aws: Arc<Aws>, bucket: String, prefix: String) -> Self {
        Self { bucket: Arc::new(StoreBucket::new(aws, bucket, prefix)), terms: LeaseTerms::default() }
    }

    /// With a size limit of `most_bytes` per object instead of 32 MiB.
    #[must_use]
    pub fn limited(aws: Arc<Aws>, bucket: String, prefix: String, most_bytes: u64) -> Self {
        let bucket = StoreBucket::new(aws, bucket, prefix).limited(most_bytes);
        Self { bucket: Arc::new(bucket), terms: LeaseTerms::default() }
    }

    /// With leases of `lasts` instead of a minute; at least half a second.
    #[must_use]
    pub fn with_lease(self, lasts: Duration) -> Self {
        Self { terms: LeaseTerms::lasting(lasts), ..self }
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({})", self.location())
    }
}

impl Store for S3Store {
    fn location(&self) -> String {
        self.bucket.location()
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>>> {
        async move {
            name::check(name)?;
            let object = self.bucket.get(name).await?;
            Ok(object.map(|object| StoredObject { bytes: object.bytes, version: object.version }))
        }
        .boxed()
    }

    fn most_bytes(&self) -> u64 {
        self.bucket.most_bytes()
    }

    fn write<'a>(
        &'a self,
        name: &'a str,
        bytes: Vec<u8>,
        only_if: WriteCondition,
    ) -> BoxFuture<'a, Result<ObjectVersion>> {
        async move {
            name::check(name)?;
            self.bucket.put(name, bytes, &only_if).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        async move {
            name::check_prefix(prefix)?;
            let mut names = self.bucket.list(prefix).await?;
            // Other objects in the bucket are ignored.
            names.retain(|name| name::is_name(name));
            names.sort_unstable();
            Ok(names)
        }
        .boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            name::check(name)?;
            self.bucket.delete(name).await
        }
        .boxed()
    }

    fn lock<'a>(&'a self, holder: &'a str, wait: Duration) -> BoxFuture<'a, Result<Box<dyn StoreLock>>> {
        lease::take(&self.bucket, self.terms, holder, wait).boxed()
    }
}
