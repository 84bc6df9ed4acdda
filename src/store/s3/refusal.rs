//! What did S3 refuse, and what does that mean for a store?

use std::error::Error as StdError;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;

use crate::{
    aws::Failure,
    image::{ErrorCode, Region},
    store::{Error, OnlyIf},
};

/// A call to S3 that failed.
pub(super) struct Refusal {
    /// The HTTP status; 0 without an answer.
    pub(super) status: u16,
    /// S3's error code; empty without one.
    pub(super) code: String,
    /// The region of the bucket, where S3 told.
    pub(super) region: Option<Region>,
    failure: Failure,
}

impl Refusal {
    /// The failure of `action`, such as `s3:GetObject`.
    pub(super) fn of<E>(action: &str, error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let response = error.raw_response();
        let header = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
        Self {
            status: response.map_or(0, |response| response.status().as_u16()),
            code: error.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default().to_owned(),
            region: header.and_then(|region| region.parse().ok()),
            failure: Failure::of(action, error),
        }
    }

    /// Whether there is no such object. A bucket that is not there answers with 404 as well.
    pub(super) fn is_no_object(&self) -> bool {
        self.status == 404 && self.code != "NoSuchBucket"
    }

    /// Whether a write under this condition was refused for the condition. Two that meet are told 409 by S3, and one
    /// that is to replace what is no longer there 404
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>).
    pub(super) fn is_conflict(&self, only_if: &OnlyIf) -> bool {
        match only_if {
            OnlyIf::Always => false,
            OnlyIf::Absent => matches!(self.status, 409 | 412),
            OnlyIf::Unchanged(_) => matches!(self.status, 409 | 412) || self.is_no_object(),
        }
    }

    /// Whether S3 may have done nonetheless what it was asked: it did not say, or was not heard.
    pub(super) fn is_silent(&self) -> bool {
        self.status < 400 || self.status >= 500
    }

    /// What to report, where `what` was tried; `hint` says what it takes to be let.
    pub(super) fn into_error(self, what: String, hint: &str) -> Error {
        let Self { status, code, region, failure } = self;
        let why = match region {
            Some(region) if status == 301 => format!("{failure}; the bucket is in {region}"),
            _ if code == "NoSuchBucket" => format!("{failure}: make it first"),
            // S3 tells only those who may list a bucket that something is not there.
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
