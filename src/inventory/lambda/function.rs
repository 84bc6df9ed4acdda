//! `GetFunction` responses: the image of a version, its reference, and the state of the function.

use std::sync::Arc;

use aws_sdk_lambda::{
    error::SdkError,
    operation::get_function::{GetFunctionError, GetFunctionOutput},
    types::{Architecture, FunctionCodeLocation, FunctionConfiguration, LastUpdateStatus, State},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::version::FunctionVersion;
use crate::{
    aws::{AwsError, LambdaClient},
    image::{Digest, LambdaArch, Reference},
    inventory::{ImageError, ImageErrorCode, ImageSource, ResourceTags, Workload},
};

/// The parts of a `GetFunction` response that are cached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FunctionDetails {
    /// The image URI that it was deployed with: `…/orders:421`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) named: Option<String>,
    /// The image that Lambda resolved it to: `…/orders@sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resolved: Option<String>,
    /// The error code and message of an image that Lambda cannot resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// State and configuration of the function.
    pub(super) workload: Arc<Workload>,
    /// The tags of the function; `None` without permission to read them.
    pub(super) tags: Option<ResourceTags>,
    /// The error of reading its tags.
    #[serde(skip)]
    pub(super) tags_error: Option<String>,
    /// Whether it is being created or updated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_changing: bool,
    /// Whether it runs on Lambda Managed Instances.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_managed: bool,
}

/// Why a version could not be read.
#[derive(Debug)]
pub(super) enum FunctionReadError {
    /// It was deleted meanwhile.
    Gone,
    /// Any other error.
    Failed(AwsError),
}

/// Reads `version` of `function`.
pub(super) async fn get(
    lambda: &LambdaClient,
    region: &str,
    function: &str,
    version: &FunctionVersion,
) -> Result<FunctionDetails, FunctionReadError> {
    let request = lambda.for_get_function().await.get_function().function_name(function);
    // With a qualifier, the response may omit the tags of the function.
    let qualifier = (*version != FunctionVersion::Latest).then(|| version.to_string());
    let response = request.set_qualifier(qualifier).send().await;
    response.map(|response| FunctionDetails::from_sdk(version, response)).map_err(|error| {
        let is_gone = matches!(&error, SdkError::ServiceError(response)
            if matches!(response.err(), GetFunctionError::ResourceNotFoundException(_)));
        let call = || format!("lambda:GetFunction of {function}:{version} in {region}");
        if is_gone { FunctionReadError::Gone } else { FunctionReadError::Failed(AwsError::from_sdk(&call(), &error)) }
    })
}

impl FunctionDetails {
    fn from_sdk(version: &FunctionVersion, response: GetFunctionOutput) -> Self {
        let configuration = response.configuration.unwrap_or_else(|| FunctionConfiguration::builder().build());
        let code = response.code.unwrap_or_else(|| FunctionCodeLocation::builder().build());
        let error = code.error.map(|error| {
            let reported = [error.error_code, error.message];
            reported.into_iter().flatten().collect::<Vec<_>>().join(": ")
        });
        let is_updating = configuration.last_update_status == Some(LastUpdateStatus::InProgress);
        Self {
            named: code.image_uri,
            resolved: code.resolved_image_uri,
            error,
            is_changing: is_updating || configuration.state == Some(State::Pending),
            is_managed: configuration.capacity_provider_config.is_some(),
            workload: Arc::new(workload(version, configuration)),
            tags: match &response.tags_error {
                Some(_) => None,
                None => Some(response.tags.unwrap_or_default().into_iter().collect()),
            },
            tags_error: response.tags_error.map(|error| format!("{}: {}", error.error_code, error.message)),
        }
    }

    /// The reference of its image, and the digest that runs.
    pub(super) fn image(&self) -> (ImageSource, Result<Digest, ImageError>) {
        let named: Option<Reference> = self.named.as_deref().and_then(|named| named.parse().ok());
        let Some(resolved) = self.resolved.as_deref().filter(|text| !text.is_empty()) else {
            return (source(named), Err(self.nothing_resolved()));
        };
        let reference: Option<Reference> = resolved.parse().ok();
        let pinned = reference.and_then(|reference| Some((reference.repository, reference.digest?)));
        let Some((repository, digest)) = pinned else {
            let message = format!("Lambda reports the resolved image {resolved:?}, which has no valid digest");
            return (source(named), Err(ImageError::new(ImageErrorCode::RegistryMalformed, message)));
        };
        let tag = named.filter(|named| named.repository == repository).and_then(|named| named.tag);
        let pinned = tag.is_none().then(|| digest.clone());
        (ImageSource::Reference(Reference { repository, tag, digest: pinned }), Ok(digest))
    }

    /// Whether it has a resolved image.
    pub(super) fn is_resolved(&self) -> bool {
        self.resolved.is_some()
    }

    fn nothing_resolved(&self) -> ImageError {
        let Workload { state, state_reason_code, state_reason, .. } = &*self.workload;
        if let Some(error) = &self.error {
            let code = if error.contains("AccessDenied") {
                ImageErrorCode::RegistryDenied
            } else {
                ImageErrorCode::ImageMissing
            };
            return ImageError::new(code, format!("Lambda does not report the running image: {error}"));
        }
        let reported: Vec<_> =
            [state, state_reason_code, state_reason].into_iter().flatten().map(String::as_str).collect();
        ImageError::new(
            ImageErrorCode::ImageMissing,
            format!("Lambda does not report the running image: {}", reported.join(": ")),
        )
    }
}

#[cfg(test)]
impl FunctionDetails {
    /// A function with the resolved image `resolved`.
    pub(super) fn resolved(resolved: &str) -> Self {
        Self { resolved: Some(resolved.to_owned()), ..Self::default() }
    }
}

fn source(named: Option<Reference>) -> ImageSource {
    named.map_or(ImageSource::Unknown, ImageSource::Reference)
}

fn workload(version: &FunctionVersion, configuration: FunctionConfiguration) -> Workload {
    let last_update = configuration.last_update_status.filter(|status| *status != LastUpdateStatus::Successful);
    let last_update_code = configuration.last_update_status_reason_code;
    let architecture = configuration.architectures.unwrap_or_default().into_iter().next();
    let command = configuration.image_config_response.and_then(|response| response.image_config?.command);
    Workload {
        version: (*version != FunctionVersion::Latest).then(|| version.to_string()),
        state: configuration.state.map(|state| state.as_str().to_owned()),
        state_reason_code: configuration.state_reason_code.map(|code| code.as_str().to_owned()),
        state_reason: configuration.state_reason,
        last_update_status_reason_code: last_update_code.map(|code| code.as_str().to_owned()),
        last_update_status_reason: configuration.last_update_status_reason,
        last_update_status: last_update.map(|status| status.as_str().to_owned()),
        architecture: architecture.and_then(|architecture| match architecture {
            Architecture::Arm64 => Some(LambdaArch::Arm64),
            Architecture::X8664 => Some(LambdaArch::X86_64),
            _ => None,
        }),
        memory_mb: configuration.memory_size.and_then(|size| size.try_into().ok()),
        command: command.unwrap_or_default(),
        modified_at: configuration.last_modified.as_deref().and_then(instant),
    }
}

/// Parses `LastModified`: `2026-11-20T06:00:00.000+0000`.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::LastUpdateStatusReasonCode;

    use super::*;

    const REPOSITORY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders";

    fn digest() -> Digest {
        Digest::sha256(b"x")
    }

    fn function(named: &str, resolved: &str) -> FunctionDetails {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        FunctionDetails { named: some(named), resolved: some(resolved), ..FunctionDetails::default() }
    }

    #[test]
    fn the_reference_of_an_image_has_its_tag_or_else_its_digest() {
        let pinned = format!("{REPOSITORY}@{}", digest());
        for (named, expected) in [
            (format!("{REPOSITORY}:421"), format!("{REPOSITORY}:421")),
            (format!("{REPOSITORY}:421@{}", digest()), format!("{REPOSITORY}:421")),
            (pinned.clone(), pinned.clone()),
            (String::new(), pinned.clone()),
            ("not a reference".to_owned(), pinned.clone()),
            ("public.ecr.aws/other/orders:421".to_owned(), pinned.clone()),
        ] {
            let (source, found) = function(&named, &pinned).image();
            assert_eq!((source.to_string(), found), (expected, Ok(digest())), "{named}");
        }
    }

    #[test]
    fn an_unresolved_image_is_reported_with_the_error_of_aws() {
        let named = format!("{REPOSITORY}:421");
        let (source, found) = function(&named, &format!("{REPOSITORY}@sha256@sha256:0")).image();
        assert_eq!((source.to_string(), found.unwrap_err().code), (named.clone(), ImageErrorCode::RegistryMalformed));
        let gone = FunctionDetails { error: Some("ImageNotFound: it is gone".into()), ..function(&named, "") };
        let why = gone.image().1.unwrap_err();
        assert_eq!(why.code, ImageErrorCode::ImageMissing);
        assert!(why.message.ends_with(": ImageNotFound: it is gone"), "{}", why.message);
        let denied = FunctionDetails { error: Some("AccessDeniedException: no".into()), ..function(&named, "") };
        assert_eq!(denied.image().1.unwrap_err().code, ImageErrorCode::RegistryDenied);
        let workload = Workload {
            state: Some("Failed".into()),
            state_reason_code: Some("ImageDeleted".into()),
            ..Workload::default()
        };
        let deleted = FunctionDetails { workload: Arc::new(workload), ..function("", "") };
        let (source, found) = deleted.image();
        assert_eq!(source, ImageSource::Unknown);
        assert!(found.unwrap_err().message.ends_with(": Failed: ImageDeleted"));
    }

    #[test]
    fn the_last_update_is_kept_only_if_it_did_not_succeed() {
        let configuration = |status: LastUpdateStatus| {
            let configuration = FunctionConfiguration::builder().last_update_status(status);
            let code = LastUpdateStatusReasonCode::ImageAccessDenied;
            configuration.last_update_status_reason_code(code).last_update_status_reason("no permission").build()
        };
        let failed = workload(&FunctionVersion::Latest, configuration(LastUpdateStatus::Failed));
        assert_eq!(failed.last_update_status.as_deref(), Some("Failed"));
        assert_eq!(failed.last_update_status_reason_code.as_deref(), Some("ImageAccessDenied"));
        assert_eq!(failed.last_update_status_reason.as_deref(), Some("no permission"));
        let successful = workload(&FunctionVersion::Latest, configuration(LastUpdateStatus::Successful));
        assert_eq!(successful.last_update_status, None);
    }

    #[test]
    fn a_cache_entry_of_an_earlier_release_is_still_read() {
        let text = r#"{"named":"a","resolved":"b","workload":{"version":"7","state":"Active","state_reason_code":null,
            "state_reason":null,"architecture":"arm64","memory_mb":128,"command":[]},"tags":null}"#;
        let function = serde_json::from_str::<FunctionDetails>(text).unwrap();
        assert_eq!((function.workload.version.as_deref(), function.is_managed), (Some("7"), false));
        assert_eq!(function.workload.last_update_status, None);
    }

    #[test]
    fn a_cache_entry_survives_a_round_trip() {
        let function = FunctionDetails {
            is_managed: true,
            tags: Some(ResourceTags::from([("team".into(), "payments".into())])),
            is_changing: true,
            ..function("a", "b")
        };
        let text = serde_json::to_string(&function).unwrap();
        assert_eq!(serde_json::from_str::<FunctionDetails>(&text).unwrap(), function);
    }
}
