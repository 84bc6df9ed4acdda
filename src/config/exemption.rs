//! `[[policy.exemption]]`: findings that are accepted until a date.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, problem::did_you_mean, scope::RawScope, tree::KeyPath, values::DayText};
use crate::judge::{Exemption, ReasonCode};

/// Accepts findings until a date. Exempted findings stay in the report and are marked, but do not count for `--fail-on`
/// and open no alerts. At least one pattern is required, and all patterns must match. The first matching exemption that
/// has not expired applies. The report notes expired ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawExemption {
    /// The reason, shown on findings.
    #[schemars(required, example = &"vendor image, replaced in Q1")]
    reason: Option<String>,
    /// The person or team responsible for the exemption; not a pattern.
    #[schemars(required, example = &"payments")]
    owner: Option<String>,
    /// The last day, in UTC.
    #[schemars(required, example = &"2027-01-31")]
    until: Option<DayText>,
    #[serde(flatten)]
    scope: RawScope,
    /// Pattern of the line or repository of the base, including the registry.
    #[schemars(example = &"public.ecr.aws/lambda/java:*")]
    base: Option<String>,
    /// Pattern of the deployment's owner.
    #[schemars(example = &"payments")]
    deployment_owner: Option<String>,
    /// Only findings whose first reason has one of these codes. Without it, all.
    #[schemars(example = &["runtime-deprecated"])]
    codes: Option<Vec<String>>,
}

pub(super) fn validate(raw: &[RawExemption], at: &KeyPath, check: &mut ConfigValidator<'_>) -> Vec<Exemption> {
    let numbered = raw.iter().enumerate();
    numbered.filter_map(|(index, raw)| exemption(raw, &at.index(index), check)).collect()
}

fn exemption(raw: &RawExemption, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<Exemption> {
    let reason = raw.reason.as_deref().and_then(|text| {
        let why = (!text.trim().is_empty()).then(|| text.trim().to_owned());
        check.accept(&at.key("reason"), why.ok_or("is empty: write why the findings are accepted"))
    });
    let owner = raw.owner.as_deref().and_then(|text| check.accept(&at.key("owner"), person(text)));
    let until = raw.until.as_ref().and_then(|day| check.accept(&at.key("until"), day.parse()));
    let owner_pattern = ("deployment_owner", raw.deployment_owner.as_ref());
    let (scope, is_bounded) = raw.scope.validate_with(raw.base.as_ref(), owner_pattern, at, check);
    if !is_bounded {
        let names = "set deployment, deployment_owner, repository, account or base";
        check.refuse(at, format!("exempts everything: {names}; owner is the person responsible"));
    }
    let listed = at.key("codes");
    if raw.codes.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&listed, "is empty: list reason codes, or remove it to match all");
    }
    let codes = check.each(&listed, raw.codes.as_deref().unwrap_or_default(), code);
    Some(Exemption { reason: reason?, owner: owner?, until: until?, scope, codes })
}

/// Parses a responsible person or team. Unlike `owner` of an override, it is not a pattern.
fn person(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("is empty: write who is responsible for the exemption".to_owned()),
        name if name.contains(['*', '?', '[', '{']) => Err(format!(
            "{name:?} is a pattern: write who is responsible for the exemption; use deployment_owner to match owners"
        )),
        name => Ok(name.to_owned()),
    }
}

fn code(text: &str) -> Result<ReasonCode, String> {
    text.parse::<ReasonCode>().map_err(|error| {
        let hint = did_you_mean(text, ReasonCode::ALL.iter().map(|code| code.as_str()));
        format!("{error}{}", if hint.is_empty() { ": docs/verdicts.md lists them" } else { &hint })
    })
}
