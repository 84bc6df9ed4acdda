//! The subset of the SARIF 2.1.0 format that basewatch writes
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use std::collections::BTreeMap;

use serde::Serialize;

/// A SARIF file (section 3.13).
#[derive(Serialize)]
pub(super) struct SarifLog {
    #[serde(rename = "$schema")]
    pub(super) schema: &'static str,
    pub(super) version: &'static str,
    pub(super) runs: [SarifRun; 1],
}

impl SarifLog {
    /// A log with one run.
    pub(super) fn new(
        rules: Vec<ReportingDescriptor>,
        invocation: SarifInvocation,
        results: Vec<SarifResult>,
        properties: BTreeMap<&'static str, String>,
    ) -> Self {
        let driver = ToolComponent {
            name: env!("CARGO_PKG_NAME"),
            semantic_version: env!("CARGO_PKG_VERSION"),
            information_uri: env!("CARGO_PKG_REPOSITORY"),
            rules,
        };
        Self {
            schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            version: "2.1.0",
            runs: [SarifRun { tool: SarifTool { driver }, invocations: [invocation], results, properties }],
        }
    }
}

/// A `run` (section 3.14).
#[derive(Serialize)]
pub(super) struct SarifRun {
    pub(super) tool: SarifTool,
    pub(super) invocations: [SarifInvocation; 1],
    pub(super) results: Vec<SarifResult>,
    pub(super) properties: BTreeMap<&'static str, String>,
}

/// A `tool` (section 3.18).
#[derive(Serialize)]
pub(super) struct SarifTool {
    pub(super) driver: ToolComponent,
}

/// A `toolComponent` (section 3.19).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolComponent {
    pub(super) name: &'static str,
    pub(super) semantic_version: &'static str,
    pub(super) information_uri: &'static str,
    pub(super) rules: Vec<ReportingDescriptor>,
}

/// A `reportingDescriptor` (section 3.49).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReportingDescriptor {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) short_description: SarifMessage,
    pub(super) full_description: SarifMessage,
    pub(super) help: MultiformatMessage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help_uri: Option<String>,
    pub(super) default_configuration: ReportingConfiguration,
    pub(super) properties: RuleProperties,
}

/// A `message` (section 3.11).
#[derive(Serialize)]
pub(super) struct SarifMessage {
    pub(super) text: String,
}

/// A `multiformatMessageString` (section 3.12).
#[derive(Serialize)]
pub(super) struct MultiformatMessage {
    pub(super) text: String,
    pub(super) markdown: String,
}

/// A `reportingConfiguration` (section 3.50).
#[derive(Serialize)]
pub(super) struct ReportingConfiguration {
    pub(super) level: SarifLevel,
}

/// The rule properties that GitHub sorts and filters by.
#[derive(Serialize)]
pub(super) struct RuleProperties {
    pub(super) tags: [&'static str; 2],
    pub(super) precision: &'static str,
}

/// A `level` (section 3.27.10).
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SarifLevel {
    None,
    Note,
    Warning,
    Error,
}

/// An `invocation` (section 3.20).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifInvocation {
    pub(super) execution_successful: bool,
    pub(super) end_time_utc: String,
    pub(super) tool_execution_notifications: Vec<SarifNotification>,
}

/// A `notification` (section 3.58).
#[derive(Serialize)]
pub(super) struct SarifNotification {
    pub(super) descriptor: DescriptorReference,
    pub(super) level: SarifLevel,
    pub(super) message: SarifMessage,
}

/// A `reportingDescriptorReference` (section 3.52).
#[derive(Serialize)]
pub(super) struct DescriptorReference {
    pub(super) id: String,
}

/// A `result` (section 3.27).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifResult {
    pub(super) rule_id: String,
    pub(super) rule_index: usize,
    pub(super) level: SarifLevel,
    pub(super) message: SarifMessage,
    pub(super) locations: [SarifLocation; 1],
    pub(super) partial_fingerprints: PartialFingerprints,
    pub(super) suppressions: Vec<SarifSuppression>,
    pub(super) properties: BTreeMap<&'static str, String>,
}

/// A `location` (section 3.28).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifLocation {
    pub(super) physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) logical_locations: Vec<LogicalLocation>,
}

/// A `physicalLocation` (section 3.29).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub(super) artifact_location: ArtifactLocation,
    pub(super) region: SarifRegion,
}

/// An `artifactLocation` (section 3.4).
#[derive(Serialize)]
pub(super) struct ArtifactLocation {
    pub(super) uri: String,
}

/// A `region` (section 3.30). GitHub requires all four properties.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifRegion {
    pub(super) start_line: u64,
    pub(super) start_column: u64,
    pub(super) end_line: u64,
    pub(super) end_column: u64,
}

/// A `logicalLocation` (section 3.33), for the deployment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation {
    pub(super) name: String,
    pub(super) fully_qualified_name: String,
    pub(super) kind: &'static str,
}

/// `partialFingerprints` (section 3.27.17), which are stable across runs.
#[derive(Serialize)]
pub(super) struct PartialFingerprints {
    /// The only fingerprint that GitHub uses.
    #[serde(rename = "primaryLocationLineHash")]
    pub(super) line_hash: String,
    /// The hash of the finding ID.
    #[serde(rename = "basewatchFinding/v1")]
    pub(super) finding: String,
}

/// A `suppression` (section 3.35), for an exemption.
#[derive(Serialize)]
pub(super) struct SarifSuppression {
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) justification: String,
}
