//! SNS errors, with advice.

use std::error::Error;

use aws_sdk_sns::types::BatchResultErrorEntry;
use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{aws::AwsError, outbox::DeliveryError, report::sanitize};

/// Why `call` failed.
pub(super) fn of_call<E>(call: &str, error: &SdkError<E, Response>) -> DeliveryError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let response = error.as_service_error();
    let (code, message) =
        (response.and_then(E::code).unwrap_or_default(), response.and_then(E::message).unwrap_or_default());
    let advice = advice(code).map(|advice| format!("; {advice}")).unwrap_or_default();
    DeliveryError {
        why: format!("{}{advice}", AwsError::from_sdk(call, error).message),
        retry_after: None,
        is_about_entry: is_about_message(code, message),
        may_have_arrived: false,
    }
}

/// Why one message of a batch was rejected; others may have been accepted.
pub(super) fn of_entry(call: &str, failed: &BatchResultErrorEntry) -> DeliveryError {
    let message = failed.message().map(|message| format!(": {}", sanitize(message))).unwrap_or_default();
    let advice = advice(failed.code()).map(|advice| format!("; {advice}")).unwrap_or_default();
    DeliveryError {
        why: format!("{call}: {}{message}{advice}", sanitize(failed.code())),
        retry_after: None,
        // SNS reports errors of the topic as sender faults too; they affect every message.
        is_about_entry: failed.sender_fault() && advice.is_empty(),
        may_have_arrived: false,
    }
}

/// Advice for operators (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>, Errors).
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "AuthorizationError" | "AuthorizationErrorException" | "AccessDenied" | "AccessDeniedException" => {
            "allow sns:Publish on the topic in the policy of the basewatch role and, for a topic in another account, in \
             the topic policy too"
        }
        "KMSAccessDenied" | "KMSAccessDeniedException" => {
            "the topic is encrypted: allow the basewatch role kms:GenerateDataKey and kms:Decrypt on its key"
        }
        "KMSDisabled"
        | "KMSDisabledException"
        | "KMSInvalidState"
        | "KMSInvalidStateException"
        | "KMSNotFound"
        | "KMSNotFoundException" => {
            "the topic is encrypted with a key that cannot be used: enable the key or change it"
        }
        "NotFound" | "NotFoundException" => "the topic does not exist: correct topic_arn or create it",
        _ => return None,
    })
}

/// Whether the error is about the message and not the topic.
fn is_about_message(code: &str, message: &str) -> bool {
    let is_about_content = matches!(
        code,
        "InvalidParameter"
            | "InvalidParameterException"
            | "InvalidParameterValue"
            | "ParameterValueInvalid"
            | "ValidationException"
            | "BatchRequestTooLong"
            | "InvalidBatchEntryId"
    );
    is_about_content && !message.contains("TopicArn")
}
