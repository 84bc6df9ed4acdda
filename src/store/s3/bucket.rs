//! S3 calls: objects are read and written as a whole.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
    operation::get_object::GetObjectOutput,
    primitives::{ByteStream, DateTime, DateTimeFormat},
};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use tokio::{sync::OnceCell, time::timeout};
use ulid::Ulid;

use super::refusal::S3Refusal;
use crate::{
    aws::{Aws, AwsSession},
    image::Region,
    store::{Error, ObjectVersion, Result, WriteCondition, limit::ObjectSizeLimit},
};

/// Timeout of the body of an object.
const BODY_WAIT: Duration = Duration::from_mins(2);
/// Maximum attempts if a body ends early: the SDK retries only until the body begins.
const BODY_ATTEMPTS: u32 = 3;
/// Maximum number of pages listed, of a thousand keys each.
const MOST_PAGES: usize = 1_000;
/// Metadata key with the id of the write that created an object.
const WRITE: &str = "basewatch-write";

/// The objects of a bucket below a prefix.
pub(super) struct StoreBucket {
    aws: Arc<Aws>,
    name: String,
    prefix: String,
    limit: ObjectSizeLimit,
    hint: &'static str,
    client: OnceCell<Client>,
}

/// An object.
pub(super) struct BucketObject {
    pub(super) bytes: Vec<u8>,
    pub(super) version: ObjectVersion,
    /// Time since it was written, by the clock of S3.
    pub(super) age: Duration,
}

impl StoreBucket {
    /// The bucket `name`, for a store.
    pub(super) fn new(aws: Arc<Aws>, name: String, prefix: String) -> Self {
        let hint = "a store needs the permissions that docs/store.md lists";
        Self { aws, name, prefix, limit: ObjectSizeLimit::default(), hint, client: OnceCell::new() }
    }

    /// For reading single objects of at most `most_bytes`. `hint` names the required permissions.
    pub(super) fn for_reading(self, most_bytes: u64, hint: &'static str) -> Self {
        Self { limit: ObjectSizeLimit::new(most_bytes), hint, ..self }
    }

    /// With a size limit of `most_bytes` per object.
    pub(super) fn limited(self, most_bytes: u64) -> Self {
        Self { limit: ObjectSizeLimit::new(most_bytes), ..self }
    }

    pub(super) fn location(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("s3://{}", self.name),
            prefix => format!("s3://{}/{prefix}", self.name),
        }
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    fn cannot(&self, what: &str, name: &str) -> String {
        format!("cannot {what} {}/{name}", self.location())
    }

    /// A client in the region of the bucket.
    async fn client(&self) -> Result<&Client> {
        let open = || async {
            let failed = || self.cannot("open", "");
            self.aws
                .require_credentials()
                .await
                .map_err(|failure| Error::Denied { what: failed(), why: failure.to_string() })?;
            let session = self.aws.own().await;
            let region = self.region(&session).await.map_err(|refusal| refusal.into_error(failed(), self.hint))?;
            Ok(session.s3(region.as_deref().unwrap_or(session.region())))
        };
        self.client.get_or_try_init(open).await
    }

    /// The region of the bucket. S3 returns it even with an access error
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>).
    async fn region(&self, session: &AwsSession) -> Result<Option<Region>, S3Refusal> {
        let response = session.s3(session.region()).head_bucket().bucket(&self.name).send().await;
        Ok(match response {
            Ok(output) => output.bucket_region.and_then(|region| region.parse().ok()),
            Err(error) => {
                let mut refusal = S3Refusal::from_sdk_error("s3:ListBucket", &error);
                // A response to HEAD has no body with the code.
                if refusal.status == 404 {
                    "NoSuchBucket".clone_into(&mut refusal.code);
                }
                match refusal.region.take() {
                    Some(region) => Some(region),
                    // The next call fails again, with a reason.
                    None if matches!(refusal.status, 301 | 400 | 403) => None,
                    None => return Err(refusal),
                }
            }
        })
    }

    /// Maximum size of an object.
    pub(super) fn most_bytes(&self) -> u64 {
        self.limit.most_bytes()
    }

    /// The object `name`.
    pub(super) async fn get(&self, name: &str) -> Result<Option<BucketObject>> {
        let client = self.client().await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let date = DateHeader::default();
            let call = client.get_object().bucket(&self.name).key(self.key(name));
            let output = match call.customize().interceptor(date.clone()).send().await {
                Ok(output) => output,
                Err(error) => {
                    let refusal = S3Refusal::from_sdk_error("s3:GetObject", &error);
                    return if refusal.is_no_object() {
                        Ok(None)
                    } else {
                        Err(refusal.into_error(self.cannot("read", name), self.hint))
                    };
                }
            };
            let age = date.since(output.last_modified);
            let version = output.e_tag.clone();
            let unavailable = |why| Error::Unavailable { what: self.cannot("read", name), why };
            let most_bytes = self.limit.most_bytes();
            let read = timeout(BODY_WAIT, body(output, most_bytes)).await;
            match read.unwrap_or_else(|_| Err("it did not end".to_owned())) {
                Ok(Some(bytes)) => return Ok(Some(BucketObject { bytes, version: self.version(name, version)?, age })),
                Ok(None) => {
                    let what = self.cannot("read", name);
                    return Err(Error::TooLarge { what, most_bytes });
                }
                Err(why) if attempt >= BODY_ATTEMPTS => return Err(unavailable(why)),
                Err(_) => {}
            }
        }
    }

    /// The version of the object `name`; `None` if it does not exist.
    pub(super) async fn version_of(&self, name: &str) -> Result<Option<ObjectVersion>> {
        let client = self.client().await?;
        match client.head_object().bucket(&self.name).key(self.key(name)).send().await {
            Ok(output) => self.version(name, output.e_tag).map(Some),
            Err(error) => match S3Refusal::from_sdk_error("s3:GetObject", &error) {
                refusal if refusal.status == 404 => Ok(None),
                refusal => Err(refusal.into_error(self.cannot("read", name), self.hint)),
            },
        }
    }

    /// Writes an object.
    ///
    /// Each write carries an id. After a missing response or a conflict, which a retry of the SDK can cause by itself,
    /// the object is checked for that id.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>, only_if: &WriteCondition) -> Result<ObjectVersion> {
        self.limit.check(bytes.len() as u64, || self.cannot("write", name))?;
        let client = self.client().await?;
        let write = Ulid::generate().to_string();
        let call = client.put_object().bucket(&self.name).key(self.key(name)).body(ByteStream::from(bytes));
        let is_json = Path::new(name).extension().is_some_and(|extension| extension == "json");
        let content_type = if is_json { "application/json" } else { "application/octet-stream" };
        let call = call.content_type(content_type).metadata(WRITE, &write);
        let call = match only_if {
            WriteCondition::Always => call,
            WriteCondition::Absent => call.if_none_match("*"),
            WriteCondition::Unchanged(ObjectVersion(tag)) => call.if_match(tag),
        };
        let refusal = match call.send().await {
            Ok(output) => return self.version(name, output.e_tag),
            Err(error) => S3Refusal::from_sdk_error("s3:PutObject", &error),
        };
        let is_conflict = refusal.is_conflict(only_if);
        if (is_conflict || refusal.is_silent())
            && let Some(version) = self.written_by(client, name, &write).await
        {
            return Ok(version);
        }
        Err(if is_conflict {
            Error::Conflict { name: name.to_owned() }
        } else {
            refusal.into_error(self.cannot("write", name), self.hint)
        })
    }

    /// The version of the object `name`, if the write `write` created it.
    async fn written_by(&self, client: &Client, name: &str, write: &str) -> Option<ObjectVersion> {
        let found = client.head_object().bucket(&self.name).key(self.key(name)).send().await.ok()?;
        let is_ours = found.metadata.as_ref()?.get(WRITE).is_some_and(|mark| mark == write);
        is_ours.then_some(found.e_tag).flatten().map(ObjectVersion)
    }

    fn version(&self, name: &str, tag: Option<String>) -> Result<ObjectVersion> {
        tag.filter(|tag| !tag.is_empty()).map(ObjectVersion).ok_or_else(|| Error::Unavailable {
            what: self.cannot("use", name),
            why: "it has no ETag, so changes cannot be detected".to_owned(),
        })
    }

    /// The names with `prefix`.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let client = self.client().await?;
        let above = self.key("");
        let call = client.list_objects_v2().bucket(&self.name).prefix(self.key(prefix));
        let mut pages = call.into_paginator().send();
        let mut names = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = pages.next().await else { return Ok(names) };
            let failed = |error| {
                S3Refusal::from_sdk_error("s3:ListBucket", &error).into_error(self.cannot("list", prefix), self.hint)
            };
            let page = page.map_err(failed)?;
            let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            names.extend(keys.filter_map(|key| key.strip_prefix(&above).map(str::to_owned)));
        }
        let why = format!("there are more than {MOST_PAGES} pages of keys");
        Err(Error::Unavailable { what: self.cannot("list", prefix), why })
    }

    /// Removes an object, if it exists.
    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let client = self.client().await?;
        match client.delete_object().bucket(&self.name).key(self.key(name)).send().await {
            Ok(_) => Ok(()),
            Err(error) => match S3Refusal::from_sdk_error("s3:DeleteObject", &error) {
                refusal if refusal.is_no_object() => Ok(()),
                refusal => Err(refusal.into_error(self.cannot("remove", name), self.hint)),
            },
        }
    }
}

/// The body of a response; `None` if it has more than `most_bytes`.
async fn body(mut output: GetObjectOutput, most_bytes: u64) -> Result<Option<Vec<u8>>, String> {
    let announced = output.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
    if announced > most_bytes {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    while let Some(part) = output.body.try_next().await.map_err(|error| error.to_string())? {
        bytes.extend_from_slice(&part);
        if bytes.len() as u64 > most_bytes {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// The `Date` header of a response: the clock of S3.
#[derive(Clone, Default)]
struct DateHeader(Arc<Mutex<Option<String>>>);

impl DateHeader {
    /// The time from `changed_at` to the response; by the local clock if the header is missing.
    fn since(&self, changed_at: Option<DateTime>) -> Duration {
        let header = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let date = header.and_then(|date| DateTime::from_str(&date, DateTimeFormat::HttpDate).ok());
        let now = date.unwrap_or_else(|| DateTime::from(std::time::SystemTime::now()));
        let seconds = changed_at.map_or(0, |at| now.secs().saturating_sub(at.secs()));
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }
}

impl fmt::Debug for DateHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateHeader")
    }
}

#[dyn_dispatch_hint]
impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
