//! One alert as a finding in the AWS Security Finding Format
//! (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html>).

use serde_json::{Value, json};

use super::super::{AlertItem, EventKind, Message, chatbot::cut, phrases, text};
use crate::{
    image::{ArnParts, AwsPartition},
    inventory::DeploymentKind,
    judge::Severity,
};

/// Maximum lengths, in characters
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>).
const TITLE_CHARS: usize = 256;
const DESCRIPTION_CHARS: usize = 1024;
const REMEDIATION_CHARS: usize = 512;
const RESOURCE_ID_CHARS: usize = 512;
/// Maximum length of other texts.
const TEXT_CHARS: usize = 256;
/// The type, by the taxonomy
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html>).
const TYPE: &str = "Software and Configuration Checks/Patch Management";
/// The explanation of each action.
const DOCUMENTATION: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/verdicts.md#actions");

/// The account and region that a finding belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FindingScope {
    pub(super) account: String,
    pub(super) region: String,
}

/// The id of the finding about `item`, the same for all its events.
fn id(scope: &FindingScope, alert: &str) -> String {
    format!("basewatch/{}/{}/{alert}", scope.region, scope.account)
}

/// The finding for `message`, which is about one alert, or a test.
pub(super) fn finding(message: &Message, scope: &FindingScope) -> Value {
    let partition = AwsPartition::from_region(&scope.region);
    let FindingScope { account, region } = scope;
    let item = message.items.first();
    let at = timestamp(message.at);
    let is_over = item.is_none_or(|item| item.event == EventKind::Resolved);
    let alert = item.map_or("test", |item| item.alert.as_str());
    let severity = json!({ "Label": label(message.severity), "Original": message.severity.as_str() });
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": cut(phrases::clean(&id(scope, alert)), RESOURCE_ID_CHARS),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "ProductName": "basewatch",
        "CompanyName": "basewatch",
        "GeneratorId": item.map_or_else(|| "basewatch/test".to_owned(), generator),
        "AwsAccountId": account,
        "Region": region,
        "Types": [TYPE],
        "FirstObservedAt": item.and_then(|item| item.first_notified_at).map_or_else(|| at.clone(), timestamp),
        "LastObservedAt": at,
        "CreatedAt": item.and_then(|item| item.first_notified_at).map_or_else(|| at.clone(), timestamp),
        "UpdatedAt": at,
        "Severity": severity,
        "FindingProviderFields": { "Severity": severity, "Types": [TYPE] },
        "Title": cut(text::subject(message), TITLE_CHARS),
        "Description": cut(description(message, item), DESCRIPTION_CHARS),
        "Remediation": { "Recommendation": recommendation(message, item) },
        "ProductFields": fields(item),
        "Resources": [resource(item, scope, partition)],
        "RecordState": if is_over { "ARCHIVED" } else { "ACTIVE" },
    })
}

/// The account and region of the alert that `message` is about; `None` if it has none, as a base, which may be used in many.
pub(super) fn scope(message: &Message) -> Option<FindingScope> {
    let item = message.items.first()?;
    let is_account = |account: &&String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let account = item.account.as_ref().filter(is_account)?.clone();
    Some(FindingScope { account, region: item.region.clone()? })
}

fn generator(item: &AlertItem) -> String {
    let reason = item.reasons.first().map_or(item.verdict.as_str(), |reason| reason.code.as_str());
    cut(format!("basewatch/{}", phrases::clean(reason)), TEXT_CHARS)
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
        Severity::Info | Severity::None => "INFORMATIONAL",
    }
}

fn timestamp(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn description(message: &Message, item: Option<&AlertItem>) -> String {
    let Some(item) = item else { return "A test of basewatch. Nothing needs to be done.".to_owned() };
    if let Some(ended) = &item.ended {
        return format!("{}: {}.", phrases::locations(&[item], phrases::clean), phrases::clean(ended));
    }
    let base = phrases::base(item, phrases::clean).map(|base| format!(" Base: {base}.")).unwrap_or_default();
    let reasons: Vec<_> = item.reasons.iter().map(|reason| format!(" {}.", phrases::clean(&reason.message))).collect();
    let reasons = reasons.concat();
    let owner = message.owner.as_deref().map(|owner| format!(" Owner: {}.", phrases::clean(owner))).unwrap_or_default();
    format!("{}: {}.{base}{reasons}{owner}", phrases::locations(&[item], phrases::clean), phrases::verdict(item))
}

fn recommendation(message: &Message, item: Option<&AlertItem>) -> Value {
    let text = match item {
        Some(item) if item.event != EventKind::Resolved => phrases::advice(&[item], message.at, phrases::clean),
        _ => "Nothing needs to be done.".to_owned(),
    };
    json!({ "Text": cut(text, REMEDIATION_CHARS), "Url": DOCUMENTATION })
}

/// Further facts, by names that begin with the product's.
fn fields(item: Option<&AlertItem>) -> Value {
    let Some(item) = item else { return json!({}) };
    let facts = [
        ("Alert", Some(item.alert.as_str())),
        ("Owner", item.owner.as_deref()),
        ("Image", Some(item.image.as_str())),
        ("Base", item.base.as_deref()),
        ("ReleaseLine", item.line.as_deref()),
        ("CurrentRelease", item.current.as_deref()),
        ("PinnedReference", item.pinned.as_deref()),
        ("Verdict", Some(item.verdict.as_str())),
    ];
    let shown = facts.into_iter().filter_map(|(name, fact)| Some((name, fact.filter(|fact| !fact.is_empty())?)));
    shown
        .map(|(name, fact)| (format!("basewatch/{name}"), Value::from(cut(phrases::clean(fact), TEXT_CHARS))))
        .collect()
}

fn resource(item: Option<&AlertItem>, scope: &FindingScope, partition: AwsPartition) -> Value {
    let text = |text: &str| cut(phrases::clean(text), RESOURCE_ID_CHARS);
    let account = || ("AwsAccount", format!("AWS::::Account:{}", scope.account), Value::Null);
    let (kind, id, details) = match item {
        None => account(),
        Some(item) => match (item.kind, &item.arn) {
            (DeploymentKind::Lambda, Some(arn)) => {
                let name = ArnParts::parse(arn).and_then(|parts| parts.resource.split(':').nth(1)).map(text);
                let runtime = item.runtime.as_deref().map(text);
                let function = without_null(json!({ "FunctionName": name, "Runtime": runtime }));
                ("AwsLambdaFunction", text(arn), json!({ "AwsLambdaFunction": function }))
            }
            (DeploymentKind::Ecs, Some(arn)) => ("AwsEcsService", text(arn), Value::Null),
            (DeploymentKind::Ecr, _) => {
                let tags: Vec<_> = item.tags.iter().map(|tag| text(tag)).collect();
                let details = json!({
                    "AwsEcrContainerImage": { "RepositoryName": text(&item.repository), "ImageTags": tags },
                });
                ("AwsEcrContainerImage", text(&item.image), details)
            }
            _ => ("Other", text(&item.finding), Value::Null),
        },
    };
    let resource = json!({
        "Type": kind,
        "Id": id,
        "Partition": partition.to_string(),
        "Region": scope.region,
        "Details": details,
    });
    without_null(resource)
}

fn without_null(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    object
}
