//! Errors of an audit, and the deployments that may be missing because of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorEntry, Report};
use crate::inventory::DeploymentKind;

/// The subject of an error. Both make a report incomplete; only inventory errors hide deployments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorAbout {
    /// A part of the inventory could not be read; deployments may be missing.
    #[default]
    Inventory,
    /// The base line of a finding could not be resolved completely.
    Line,
}

/// The location of a deployment. `None` matches any value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentLocation<'a> {
    /// The kind of deployment.
    pub kind: Option<DeploymentKind>,
    /// The AWS account.
    pub account: Option<&'a str>,
    /// The AWS region.
    pub region: Option<&'a str>,
    /// The AWS account of the image registry.
    pub registry_account: Option<&'a str>,
    /// The AWS region of the image registry.
    pub registry_region: Option<&'a str>,
    /// The image repository, without the registry.
    pub repository: Option<&'a str>,
}

impl ErrorEntry {
    /// Whether a deployment at `location` may be missing from the report because of this error.
    #[must_use]
    pub fn may_hide(&self, location: &DeploymentLocation<'_>) -> bool {
        let may_be = |only: Option<&str>, at: Option<&str>| only.is_none() || at.is_none() || only == at;
        let kind = self.kind.is_none() || location.kind.is_none() || self.kind == location.kind;
        let (account, region) = match self.repository {
            Some(_) => (location.registry_account, location.registry_region),
            None => (location.account, location.region),
        };
        self.about == ErrorAbout::Inventory
            && kind
            && may_be(self.account.as_deref(), account)
            && may_be(self.region.as_deref(), region)
            && may_be(self.repository.as_deref(), location.repository)
    }
}

impl Report {
    /// Whether a deployment at `location` without a finding does not exist, because its inventory was read completely.
    #[must_use]
    pub fn proves_absence(&self, location: &DeploymentLocation<'_>) -> bool {
        !self.errors.iter().any(|error| error.may_hide(location))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Option<DeploymentKind>, account: &str, region: &str, repository: &str) -> ErrorEntry {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ErrorEntry {
            kind,
            account: account.parse().ok(),
            region: region.parse().ok(),
            repository: some(repository),
            ..ErrorEntry::default()
        }
    }

    #[test]
    fn an_inventory_error_hides_only_deployments_of_its_kind_account_region_and_repository() {
        let function = DeploymentLocation {
            kind: Some(DeploymentKind::Lambda),
            account: Some("111111111111"),
            region: Some("eu-west-1"),
            registry_account: Some("999999999999"),
            registry_region: Some("eu-central-1"),
            repository: Some("team/orders"),
        };
        let lambda = Some(DeploymentKind::Lambda);
        for (error, hides) in [
            (error(None, "", "", ""), true),
            (error(None, "111111111111", "", ""), true),
            (error(None, "999999999999", "", ""), false),
            (error(None, "", "eu-west-1", ""), true),
            (error(None, "", "eu-central-1", ""), false),
            (error(lambda, "111111111111", "eu-west-1", ""), true),
            (error(Some(DeploymentKind::Ecs), "111111111111", "eu-west-1", ""), false),
            (error(None, "999999999999", "eu-central-1", "team/orders"), true),
            (error(None, "999999999999", "eu-central-1", "orders"), false),
            (error(None, "111111111111", "eu-central-1", "team/orders"), false),
            (error(Some(DeploymentKind::Ecr), "999999999999", "eu-central-1", "team/orders"), false),
            (ErrorEntry { about: ErrorAbout::Line, ..error(None, "", "", "") }, false),
        ] {
            assert_eq!(error.may_hide(&function), hides, "{error:?}");
            let about_inventory = error.about == ErrorAbout::Inventory;
            assert_eq!(error.may_hide(&DeploymentLocation::default()), about_inventory, "unknown location: {error:?}");
        }
    }

    #[test]
    fn an_error_without_a_subject_may_hide_any_deployment() {
        let old = r#"{ "scope": "registry public.ecr.aws", "code": "throttled", "message": "429" }"#;
        let error: ErrorEntry = serde_json::from_str(old).unwrap();
        assert!(error.may_hide(&DeploymentLocation { account: Some("111111111111"), ..DeploymentLocation::default() }));
    }
}
