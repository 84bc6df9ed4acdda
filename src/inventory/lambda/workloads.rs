//! Observed workloads of a function: the version that unqualified calls reach, and those of aliases.

use std::sync::Arc;

use super::{
    function::FunctionDetails,
    selected_function::{SelectedFunction, VersionOutcome},
    version::FunctionVersion,
};
use crate::inventory::{
    Deployment, DeploymentKind, ImageError, ImageSource, ResourceTags, account_region::AccountRegion,
    read::ObservedWorkload,
};

/// The workloads of the function `name` at `account_region`, with those tags that `matters` selects.
pub(super) fn workloads(
    account_region: &AccountRegion,
    name: &str,
    selected: &SelectedFunction,
    matters: &impl Fn(&str) -> bool,
) -> Vec<ObservedWorkload> {
    let tags = |function: &FunctionDetails| -> ResourceTags {
        // Tags belong to the function; with a qualifier, AWS may omit them.
        let latest = match selected.found(&FunctionVersion::Latest) {
            Some(VersionOutcome::Known(latest, _)) => latest.tags.as_ref(),
            _ => None,
        };
        let tags = latest.or(function.tags.as_ref()).into_iter().flatten();
        tags.filter(|(key, _)| matters(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let workload = |qualifier: &str, part: &str, version: &FunctionVersion| {
        let (function, source, digest) = match selected.found(version)? {
            VersionOutcome::Gone | VersionOutcome::Requested => return None,
            VersionOutcome::Failed(failure) => (None, ImageSource::Unknown, Err(ImageError::from_aws(failure))),
            VersionOutcome::Known(function, _) => {
                let (source, digest) = function.image();
                (Some(function), source, digest)
            }
        };
        let account = selected.arn.account();
        let id = format!("lambda:{}:{}:{name}:{part}", account_region.region, account.as_deref().unwrap_or_default());
        let deployment = Deployment {
            account,
            region: Some(account_region.region.clone()),
            arn: format!("{}:{qualifier}", selected.arn).parse().ok(),
            qualifier: Some(qualifier.to_owned()),
            workload: function.map(|function| Arc::clone(&function.workload)),
            ..Deployment::unread(DeploymentKind::Lambda, id, name.to_owned(), source)
        };
        let tags = function.map(|function| tags(function)).unwrap_or_default();
        Some(ObservedWorkload { draft: deployment.into(), digest, tags, session: Arc::clone(&account_region.session) })
    };
    let unqualified = selected.unqualified().into_iter().filter_map(|version| {
        let qualifier = version.to_string();
        workload(&qualifier, &qualifier, version)
    });
    let mut workloads: Vec<_> = unqualified.collect();
    for alias in &selected.aliases {
        workloads.extend(workload(&alias.name, &alias.name, &alias.version));
        for version in &alias.others {
            workloads.extend(workload(&alias.name, &format!("{}/{version}", alias.name), version));
        }
    }
    workloads
}
