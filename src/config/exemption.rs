//! `[[policy.exemption]]`: what is put up with, why, and until when.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, problem::did_you_mean, scope::RawScope, tree::KeyPath, values::DayText};
use crate::judge::{Exemption, ReasonCode};

/// Findings that are put up with for a while. They are reported as what they are, and marked; `--fail-on` does not
/// count them, and nobody is alerted. At least one pattern is needed, and all that are given have to match. Tried in
/// order, the first that holds wins. One whose last day is over changes nothing, and the report says so.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawExemption {
    /// Why. Findings show it.
    #[schemars(required, example = &"vendor image, replaced in Q1")]
    reason: Option<String>,
    /// Who answers for the exemption: a person or a team, not a pattern.
    #[schemars(required, example = &"payments")]
    owner: Option<String>,
    /// The last day on which it holds, in UTC.
    #[schemars(required, example = &"2027-01-31")]
    until: Option<DayText>,
    #[serde(flatten)]
    scope: RawScope,
    /// A pattern of the deployment's owner, as findings have it.
    #[schemars(example = &"payments")]
    deployment_owner: Option<String>,
    /// Only findings whose first reason has one of these codes; without it, all. A finding that gets another first
    /// reason is not exempted any more.
    #[schemars(example = &["runtime-deprecated"])]
    codes: Option<Vec<String>>,
}

pub(super) fn validate(raw: &[RawExemption], at: &KeyPath, check: &mut Check<'_>) -> Vec<Exemption> {
    let numbered = raw.iter().enumerate();
    numbered.filter_map(|(index, raw)| exemption(raw, &at.index(index), check)).collect()
}

fn exemption(raw: &RawExemption, at: &KeyPath, check: &mut Check<'_>) -> Option<Exemption> {
    let reason = raw.reason.as_deref().and_then(|text| {
        let why = (!text.trim().is_empty()).then(|| text.trim().to_owned());
        check.accept(&at.key("reason"), why.ok_or("says nothing: write why this is put up with"))
    });
    let owner = raw.owner.as_deref().and_then(|text| check.accept(&at.key("owner"), person(text)));
    let until = raw.until.as_ref().and_then(|day| check.accept(&at.key("until"), day.parse()));
    let (scope, is_bounded) = raw.scope.validate("deployment_owner", raw.deployment_owner.as_ref(), at, check);
    if !is_bounded {
        let names = "name a deployment, deployment_owner, repository, account or base";
        check.refuse(at, format!("exempts everything: {names}; owner is who answers for it"));
    }
    let listed = at.key("codes");
    if raw.codes.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&listed, "exempts nothing: name reason codes, or leave it out for all");
    }
    let codes = check.each(&listed, raw.codes.as_deref().unwrap_or_default(), code);
    Some(Exemption { reason: reason?, owner: owner?, until: until?, scope, codes })
}

/// Somebody who answers for something: no pattern, as the key of the same name in an override is.
fn person(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("is nobody: write who answers for the exemption".to_owned()),
        name if name.contains(['*', '?', '[', '{']) => {
            Err(format!("{name:?} is a pattern: write who answers for the exemption; deployment_owner is matched"))
        }
        name => Ok(name.to_owned()),
    }
}

fn code(text: &str) -> Result<ReasonCode, String> {
    text.parse::<ReasonCode>().map_err(|error| {
        let hint = did_you_mean(text, ReasonCode::ALL.iter().map(|code| code.as_str()));
        format!("{error}{}", if hint.is_empty() { ": docs/verdicts.md lists them" } else { &hint })
    })
}
