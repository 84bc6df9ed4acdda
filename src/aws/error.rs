//! Errors of AWS calls: SDK errors as a stable code and a message without secrets.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use aws_smithy_runtime_api::{
    client::result::{ConnectorError, SdkError},
    http::Response,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    http::{WANTS_LOGIN, proxy_failure},
    image::ErrorCode,
    registry::{CredentialsErrorKind, LoginError},
};

/// The longest quoted part of a service's message, in characters.
const QUOTED_CHARS: usize = 400;

/// The SDK's wrapper of a failed connection.
const SAYS_NOTHING: [&str; 3] = ["dispatch failure", "io error", "other"];

/// Why an AWS call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AwsError {
    /// A stable code: `access-denied`, `throttled`, `unreachable`, `not-found`, `credentials` or `failed`.
    pub code: ErrorCode,
    /// The call, the error of AWS, and the request id.
    pub message: String,
}

impl AwsError {
    /// Credentials are missing or unusable.
    pub(super) fn credentials(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Credentials, message: message.into() }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self.code, ErrorCode::AccessDenied | ErrorCode::Credentials | ErrorCode::NotFound)
    }

    /// The failure of `call`, such as `ecr:DescribeImages in eu-west-1`.
    pub(crate) fn from_sdk<E>(call: &str, error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        if status == 407 {
            return Self { code: ErrorCode::Unreachable, message: format!("{call}: {WANTS_LOGIN}") };
        }
        let Some(response) = error.as_service_error() else {
            return Self::without_answer(call, error, status);
        };
        let meta = response.meta();
        let (code, advice) = classify(meta.code().unwrap_or_default(), status);
        let mut message = format!("{call}: {}", describe(meta.code(), meta.message(), status));
        if let Some(advice) = advice {
            message = format!("{message}; {advice}");
        }
        if let Some(request_id) = meta.extra("aws_request_id") {
            message = format!("{message} (request {})", shorten(request_id));
        }
        Self { code, message }
    }

    /// The failure of `call`, which requested credentials.
    pub(super) fn from_credentials(call: &str, error: &CredentialsError) -> Self {
        let response = causes(error).find_map(|cause| cause.downcast_ref::<AssumeRoleError>());
        let Some(response) = response.filter(|response| response.code().is_some()) else {
            return Self { code: code_of_credentials(error), message: format!("{call}: {}", chain(error)) };
        };
        let (code, advice) = classify(response.code().unwrap_or_default(), 0);
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        Self { code, message: format!("{call}: {}{advice}", describe(response.code(), response.message(), 0)) }
    }

    fn without_answer<E: Error + 'static>(call: &str, error: &SdkError<E, Response>, status: u16) -> Self {
        let code = match error {
            _ if is_about_credentials(error) => code_of_credentials(error),
            _ if status == 429 => ErrorCode::Throttled,
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => ErrorCode::Unreachable,
            _ => ErrorCode::Failed,
        };
        Self { code, message: format!("{call}: {}", chain(error)) }
    }
}

impl From<AwsError> for LoginError {
    fn from(failure: AwsError) -> Self {
        let kind = match failure.code {
            ErrorCode::Throttled => CredentialsErrorKind::Throttled,
            _ if failure.is_transient() => CredentialsErrorKind::Unreachable,
            _ => CredentialsErrorKind::Denied,
        };
        Self { kind, message: failure.message }
    }
}

/// The message of the service. Messages about a wrong signature quote the signed request with the session token, so
/// they are left out.
fn describe(code: Option<&str>, message: Option<&str>, status: u16) -> String {
    match (code, message) {
        (Some(code), _) if code.contains("Signature") => format!("{code}: the signature of the request was rejected"),
        (Some(code), Some(message)) => format!("{code}: {}", shorten(message)),
        (Some(code), None) => code.to_owned(),
        (None, Some(message)) => shorten(message),
        (None, None) => format!("HTTP status {status}"),
    }
}

/// The code for a service's error code, and optional advice.
///
/// The codes: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>, and those the
/// SDKs retry as throttling. SNS has names of its own for the same:
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
fn classify(code: &str, status: u16) -> (ErrorCode, Option<&'static str>) {
    match code {
        "AccessDeniedException"
        | "AccessDenied"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired"
        | "AuthorizationError"
        | "KMSAccessDenied" => (ErrorCode::AccessDenied, None),
        "ExpiredTokenException" | "ExpiredToken" => {
            (ErrorCode::Credentials, Some("the AWS credentials have expired: sign in again"))
        }
        // https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and the common errors of the others
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => {
            (ErrorCode::Credentials, Some("the clock of this machine is wrong: set it, and try again"))
        }
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" | "AuthFailure" => (
            ErrorCode::Credentials,
            Some(
                "the AWS credentials are not valid there: check that they belong to this partition (set AWS_REGION to \
                 one of its regions) and that the region is enabled",
            ),
        ),
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => (ErrorCode::Credentials, None),
        _ if code.contains("Signature") => {
            (ErrorCode::Credentials, Some("check the secret access key and this machine's clock"))
        }
        "ResourceNotFoundException"
        | "ClusterNotFoundException"
        | "ServiceNotFoundException"
        | "RepositoryNotFoundException"
        | "RegistryNotFoundException"
        | "ImageNotFoundException"
        | "NotFound" => (ErrorCode::NotFound, None),
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "Throttled"
        | "KMSThrottling"
        | "SlowDown" => (ErrorCode::Throttled, None),
        _ if status == 429 => (ErrorCode::Throttled, None),
        _ => (ErrorCode::Failed, None),
    }
}

/// The code of an `error` that prevented credentials: the issuer denied, throttled or timed out.
pub(super) fn code_of_credentials(error: &(dyn Error + 'static)) -> ErrorCode {
    let code_of = |cause: &(dyn Error + 'static)| {
        let is_late = matches!(cause.downcast_ref(), Some(CredentialsError::ProviderTimedOut(_)));
        if is_late || cause.downcast_ref::<ConnectorError>().is_some() {
            return Some(ErrorCode::Unreachable);
        }
        passing::<AssumeRoleError>(cause).or_else(|| passing::<AssumeRoleWithWebIdentityError>(cause))
    };
    causes(error).find_map(code_of).unwrap_or(ErrorCode::Credentials)
}

/// The code of `cause` if it is a temporary failure of STS.
fn passing<E>(cause: &(dyn Error + 'static)) -> Option<ErrorCode>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let error = cause.downcast_ref::<SdkError<E, Response>>()?;
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.as_service_error().and_then(|response| response.meta().code()).unwrap_or_default();
    match error {
        SdkError::TimeoutError(_) => Some(ErrorCode::Unreachable),
        _ if classify(code, status).0 == ErrorCode::Throttled => Some(ErrorCode::Throttled),
        // STS could not reach the identity provider.
        _ if status >= 500 || status == 407 || code == "IDPCommunicationError" => Some(ErrorCode::Unreachable),
        _ => None,
    }
}

fn is_about_credentials(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<CredentialsError>().is_some())
}

/// The messages of `error` and its causes, each once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    if let Some(why) = proxy_failure(error) {
        return why;
    }
    let mut parts: Vec<String> = Vec::new();
    for part in causes(error).map(|cause| in_words(&cause.to_string())) {
        let says_nothing = SAYS_NOTHING.contains(&part.as_str()) || part.starts_with("client error (");
        if !says_nothing && !parts.iter().any(|known| known.contains(&part)) {
            parts.push(part);
        }
    }
    shorten(&parts.join(": "))
}

/// `error` and its causes, outermost first.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source()).take(16)
}

/// One line of `text`, without the request that some errors of the SDK append.
fn in_words(text: &str) -> String {
    let words = text.split(" to request `Request {").next().unwrap_or(text);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_signature_is_reported_without_the_quoted_request() {
        let quoted = "The Canonical String should have been 'x-amz-security-token:FwoGsecret'";
        assert!(!describe(Some("InvalidSignatureException"), Some(quoted), 403).contains("FwoGsecret"));
        assert_eq!(classify("SignatureDoesNotMatch", 403).0, ErrorCode::Credentials);
    }

    #[test]
    fn a_wrong_clock_is_reported_instead_of_expired_credentials() {
        for code in ["RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch"] {
            let (kind, advice) = classify(code, 403);
            assert_eq!(kind, ErrorCode::Credentials, "{code}");
            assert!(advice.is_some_and(|advice| advice.contains("clock")), "{code}: {advice:?}");
        }
        assert!(classify("ExpiredTokenException", 403).1.is_some_and(|advice| advice.contains("sign in")));
    }

    #[test]
    fn temporary_failures_are_distinguished_from_refusals() {
        for (code, kind) in [
            (ErrorCode::Throttled, CredentialsErrorKind::Throttled),
            (ErrorCode::Unreachable, CredentialsErrorKind::Unreachable),
            (ErrorCode::Failed, CredentialsErrorKind::Unreachable),
            (ErrorCode::AccessDenied, CredentialsErrorKind::Denied),
            (ErrorCode::Credentials, CredentialsErrorKind::Denied),
            (ErrorCode::NotFound, CredentialsErrorKind::Denied),
        ] {
            assert_eq!(LoginError::from(AwsError { code, message: String::new() }).kind, kind, "{code}");
        }
    }

    #[test]
    fn an_unusable_endpoint_is_reported_without_the_request() {
        let raw = "failed to apply endpoint `garbage` to request `Request { body: SdkBody { inner: Once";
        assert_eq!(in_words(raw), "failed to apply endpoint `garbage`");
        assert_eq!(in_words("none found. Attempted:\n  Environment: no"), "none found. Attempted: Environment: no");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let text = "é".repeat(QUOTED_CHARS + 1);
        assert_eq!(shorten(&text).chars().count(), QUOTED_CHARS + 1);
        assert!(shorten(&text).ends_with('…'));
    }
}
