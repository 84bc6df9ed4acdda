//! Lists of Lambda: versions of image functions, and aliases.

use std::sync::Arc;

use aws_sdk_lambda::types::{self, AliasConfiguration, FunctionConfiguration, PackageType};
use serde::{Deserialize, Serialize};

use super::version::FunctionVersion;
use crate::{
    aws::{AwsError, LambdaClient},
    image::{Arn, ArnParts, ErrorCode},
};

/// The page size of versions: the maximum of `ListFunctions`.
const PAGE: i32 = 50;
/// The most pages of the list of a region: half a million versions. It ends a list that never ends.
const PAGES: usize = 10_000;
/// The page size of aliases: the maximum of `ListAliases`.
const ALIAS_PAGE: i32 = 10_000;
/// The most pages of the aliases of one function.
const ALIAS_PAGES: usize = 1_000;

/// The fields of a listed version that show a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VersionFingerprint {
    /// `CodeSha256`, which changes with the image only.
    pub(super) code: Box<str>,
    /// `RevisionId`, which changes with every update.
    pub(super) revision: Box<str>,
}

/// A listed version of an image function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedVersion {
    /// The name of the function.
    pub(super) function: Arc<str>,
    /// The ARN of the function, without a qualifier.
    pub(super) arn: Arn,
    /// The version number.
    pub(super) number: FunctionVersion,
    /// Whether the function runs on Lambda Managed Instances.
    pub(super) is_managed: bool,
    /// Its change fields.
    pub(super) fingerprint: VersionFingerprint,
}

/// An alias of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FunctionAlias {
    /// Its name.
    pub(super) name: String,
    /// The version that it points to.
    pub(super) version: FunctionVersion,
    /// The versions that get a part of its traffic.
    pub(super) others: Vec<FunctionVersion>,
}

/// A page of versions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VersionPage {
    pub(super) versions: Vec<ListedVersion>,
    /// The error of a malformed entry, if there is one.
    pub(super) malformed: Option<String>,
    pub(super) next: Option<ListMarker>,
}

/// The marker of the next page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListMarker {
    marker: Option<String>,
    page: usize,
}

impl ListMarker {
    /// The next page after one with `marker`; `None` after the last page.
    fn after(&self, marker: Option<String>, pages: usize) -> Result<Option<Self>, AwsError> {
        let malformed = |message: String| Err(AwsError { code: ErrorCode::Malformed, message });
        let Some(marker) = marker.filter(|marker| !marker.is_empty()) else { return Ok(None) };
        if self.marker.as_ref() == Some(&marker) {
            return malformed("the list repeats its marker".to_owned());
        }
        if self.page + 1 >= pages {
            return malformed(format!("the list exceeds {pages} pages"));
        }
        Ok(Some(Self { marker: Some(marker), page: self.page + 1 }))
    }
}

/// One page of the list of all versions in `region`. If the list cannot continue, the versions of the page come with
/// the failure.
pub(super) async fn versions(lambda: &LambdaClient, region: &str, at: ListMarker) -> (VersionPage, Option<AwsError>) {
    let request = lambda.for_others().await.list_functions();
    let request = request.function_version(types::FunctionVersion::All).max_items(PAGE).set_marker(at.marker.clone());
    let call = format!("lambda:ListFunctions in {region}");
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (VersionPage::default(), Some(AwsError::from_sdk(&call, &error))),
    };
    let mut page = VersionPage::default();
    for listed in response.functions.unwrap_or_default() {
        match version(listed) {
            Ok(version) => page.versions.extend(version),
            Err(why) => page.malformed = Some(format!("{call}: {why}")),
        }
    }
    match at.after(response.next_marker, PAGES) {
        Ok(next) => (VersionPage { next, ..page }, None),
        Err(failure) => (page, Some(AwsError { message: format!("{call}: {}", failure.message), ..failure })),
    }
}

/// The aliases of `function`.
pub(super) async fn aliases(
    lambda: &LambdaClient,
    region: &str,
    function: &str,
) -> Result<Vec<FunctionAlias>, AwsError> {
    let call = format!("lambda:ListAliases of {function} in {region}");
    let mut aliases = Vec::new();
    let mut next = Some(ListMarker::default());
    while let Some(at) = next {
        let request = lambda.for_others().await.list_aliases().function_name(function);
        let response = request.max_items(ALIAS_PAGE).set_marker(at.marker.clone()).send().await;
        let response = response.map_err(|error| AwsError::from_sdk(&call, &error))?;
        aliases.extend(response.aliases.unwrap_or_default().into_iter().filter_map(alias));
        next = at
            .after(response.next_marker, ALIAS_PAGES)
            .map_err(|failure| AwsError { message: format!("{call}: {}", failure.message), ..failure })?;
    }
    Ok(aliases)
}

/// The listed version; `None` for a zip function.
fn version(listed: FunctionConfiguration) -> Result<Option<ListedVersion>, String> {
    if listed.package_type != Some(PackageType::Image) {
        return Ok(None);
    }
    let function = listed.function_name.ok_or("a function without a name")?;
    let arn = listed.function_arn.unwrap_or_default();
    let arn = unqualified(&arn).ok_or_else(|| format!("{function} has the ARN {arn:?}"))?;
    let number = listed.version.ok_or_else(|| format!("{function} has no version"))?.into();
    let is_managed = listed.capacity_provider_config.is_some();
    let fingerprint = VersionFingerprint {
        code: listed.code_sha256.unwrap_or_default().into(),
        revision: listed.revision_id.unwrap_or_default().into(),
    };
    Ok(Some(ListedVersion { function: function.into(), arn, number, is_managed, fingerprint }))
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, from an ARN with or without a qualifier.
fn unqualified(arn: &str) -> Option<Arn> {
    let ArnParts { service, region, account, resource, .. } = ArnParts::parse(arn)?;
    let (name, qualifier) = resource.strip_prefix("function:").map(|function| {
        function.split_once(':').map_or((function, 0), |(name, qualifier)| (name, qualifier.len() + 1))
    })?;
    let is_whole = service == "lambda" && ![region, account, name].contains(&"");
    is_whole.then(|| arn[..arn.len() - qualifier].parse().ok()).flatten()
}

/// A version with a traffic weight of 0 does not run.
fn alias(listed: AliasConfiguration) -> Option<FunctionAlias> {
    let weights = listed.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
    let weighted = weights.into_iter().filter(|(_, weight)| *weight > 0.0);
    let mut others: Vec<FunctionVersion> = weighted.map(|(version, _)| version.into()).collect();
    others.sort();
    Some(FunctionAlias { name: listed.name?, version: listed.function_version?.into(), others })
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::AliasRoutingConfiguration;

    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:orders";

    fn image() -> aws_sdk_lambda::types::builders::FunctionConfigurationBuilder {
        FunctionConfiguration::builder().package_type(PackageType::Image).function_name("orders").version("$LATEST")
    }

    #[test]
    fn arns_lose_their_qualifier_only() {
        for (arn, expected) in [
            (ARN.to_owned(), Some(ARN)),
            (format!("{ARN}:$LATEST"), Some(ARN)),
            (format!("{ARN}:12"), Some(ARN)),
            ("arn:aws:lambda:eu-west-1::function:orders".to_owned(), None),
            ("arn:aws:lambda:eu-west-1:123456789012:layer:orders".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(unqualified(&arn).as_deref(), expected, "{arn}");
        }
    }

    #[test]
    fn zip_functions_are_ignored_and_an_image_without_an_arn_is_an_error() {
        assert_eq!(version(FunctionConfiguration::builder().package_type(PackageType::Zip).build()), Ok(None));
        assert_eq!(version(FunctionConfiguration::builder().function_name("old").build()), Ok(None));
        let found = version(image().function_arn(format!("{ARN}:$LATEST")).build()).unwrap().unwrap();
        assert_eq!((&*found.function, &*found.arn, &found.number), ("orders", ARN, &FunctionVersion::Latest));
        assert!(!found.is_managed);
        assert_eq!(version(image().build()), Err("orders has the ARN \"\"".to_owned()));
    }

    #[test]
    fn a_function_with_a_capacity_provider_runs_on_managed_instances() {
        let provider = types::CapacityProviderConfig::builder().build();
        let listed = image().function_arn(format!("{ARN}:$LATEST.PUBLISHED")).version("$LATEST.PUBLISHED");
        let found = version(listed.capacity_provider_config(provider).build()).unwrap().unwrap();
        assert_eq!((&*found.arn, found.number, found.is_managed), (ARN, FunctionVersion::LatestPublished, true));
    }

    #[test]
    fn an_alias_has_the_versions_that_get_traffic() {
        let routing = AliasRoutingConfiguration::builder()
            .additional_version_weights("9", 0.1)
            .additional_version_weights("10", 0.0)
            .build();
        let listed = AliasConfiguration::builder().name("live").function_version("8").routing_config(routing).build();
        let (version, others) = (FunctionVersion::Number(8), vec![FunctionVersion::Number(9)]);
        let expected = FunctionAlias { name: "live".into(), version, others };
        assert_eq!(alias(listed), Some(expected));
        assert_eq!(alias(AliasConfiguration::builder().name("live").build()), None);
    }

    #[test]
    fn a_list_ends_where_its_marker_repeats_or_after_the_last_page() {
        let first = ListMarker::default();
        assert_eq!(first.after(None, 9), Ok(None));
        assert_eq!(first.after(Some(String::new()), 9), Ok(None));
        let second = first.after(Some("a".into()), 9).unwrap().unwrap();
        assert!(second.after(Some("a".into()), 9).unwrap_err().message.contains("repeats"));
        assert!(second.after(Some("b".into()), 2).unwrap_err().message.contains("exceeds 2 pages"));
        assert!(second.after(Some("b".into()), 3).is_ok());
    }
}
