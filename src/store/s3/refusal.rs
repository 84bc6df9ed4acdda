//! S3 errors, and their meaning for a store.

use std::error::Error as StdError;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;

use crate::{
    aws::AwsError,
    image::{ErrorCode, Region},
    store::{Error, WriteCondition},
};

/// A failed S3 call.
pub(super) struct S3Refusal {
    /// The HTTP status; 0 without a response.
    pub(super) status: u16,
    /// The S3 error code; empty if there is none.
    pub(super) code: String,
    /// The region of the bucket, if S3 returned it.
    pub(super) region: Option<Region>,
    failure: AwsError,
}

impl S3Refusal {
    /// The failure of `action`, such as `s3:GetObject`.
    pub(super) fn from_sdk_error<E>(action: &str, error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let response = error.raw_response();
        let header = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
        Self {
            status: response.map_or(0, |response| response.status().as_u16()),
            code: error.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default().to_owned(),
            region: header.and_then(|region| region.parse().ok()),
            failure: AwsError::from_sdk(action, error),
        }
    }

    /// Whether the object does not exist. A missing bucket answers with 404 as well.
    pub(super) fn is_no_object(&self) -> bool {
        self.status == 404 && self.code != "NoSuchBucket"
    }

    /// Whether the condition of a write failed. S3 answers 409 to concurrent writes, and 404 to the replacement of a missing
    /// object
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>).
    pub(super) fn is_conflict(&self, only_if: &WriteCondition) -> bool {
        match only_if {
            WriteCondition::Always => false,
            WriteCondition::Absent => matches!(self.status, 409 | 412),
            WriteCondition::Unchanged(_) => matches!(self.status, 409 | 412) || self.is_no_object(),
        }
    }

    /// Whether the call may have succeeded nonetheless: there was no response, or a server error.
    pub(super) fn is_silent(&self) -> bool {
        self.status < 400 || self.status >= 500
    }

    /// The error of the operation `what`. `hint` names the required permissions.
    pub(super) fn into_error(self, what: String, hint: &str) -> Error {
        let Self { status, code, region, failure } = self;
        let why = match region {
            Some(region) if status == 301 => format!("{failure}; the bucket is in {region}"),
            _ if code == "NoSuchBucket" => format!("{failure}: create it first"),
            // Without s3:ListBucket, S3 answers 403 for missing objects too.
            _ if status == 403 => format!("{failure}; {hint}"),
            _ => failure.to_string(),
        };
        match failure.code {
            ErrorCode::AccessDenied | ErrorCode::Credentials => Error::Denied { what, why },
            _ if status == 403 => Error::Denied { what, why },
            _ => Error::Unavailable { what, why },
        }
    }
}
