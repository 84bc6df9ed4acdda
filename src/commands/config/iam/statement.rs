//! Statements of IAM policies.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{config::Settings, image::AwsPartition};

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IamStatement {
    pub(super) sid: &'static str,
    pub(super) effect: &'static str,
    pub(super) action: Vec<&'static str>,
    pub(super) resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) condition: Option<IamCondition>,
}

/// A condition block: the values of keys, by operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct IamCondition(pub(super) BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>);

/// The partition of the ARNs in a policy.
pub(super) fn partition(settings: &Settings) -> AwsPartition {
    settings.partition().unwrap_or(AwsPartition::COMMERCIAL)
}

/// A statement that allows `actions` on `resource`.
pub(super) fn statement(sid: &'static str, actions: &[&'static str], resource: Vec<String>) -> IamStatement {
    IamStatement { sid, effect: "Allow", action: actions.to_vec(), resource, condition: None }
}
