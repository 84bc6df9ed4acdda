//! The list of recommended actions: one item per action, regardless of the number of deployments.

use std::collections::HashMap;

use super::{
    super::{
        CurrentRelease, Finding, Report,
        format::{self, count},
        group::DeploymentNames,
    },
    NAME, list,
    text::{TextPosition, code, prose},
};
use crate::judge::Action;

/// Maximum number of deployments to list per action.
const NAMED: usize = 3;

/// Renders the list, most urgent first.
pub(super) fn render(report: &Report) -> String {
    let is_open = |finding: &&Finding| {
        finding.exemption.is_none() && (finding.action != Action::None || finding.awaited_base().is_some())
    };
    // In the order of the first finding of each action.
    let mut indexes = HashMap::new();
    let mut actions: Vec<(String, Vec<&Finding>)> = Vec::new();
    for finding in report.findings.iter().filter(is_open) {
        let index = *indexes.entry((finding.action, subject(finding))).or_insert_with(|| {
            actions.push((advice(finding), Vec::new()));
            actions.len() - 1
        });
        if let Some((_, findings)) = actions.get_mut(index) {
            findings.push(finding);
        }
    }
    let names = DeploymentNames::new(&report.findings);
    let items = actions.iter().map(|(advice, findings)| format!("{advice}: {}", whom(findings, &names)));
    let items: Vec<_> = items.collect();
    list("What to do", &items)
}

/// The object of the action, which is equal for findings with the same action.
fn subject(finding: &Finding) -> Option<String> {
    match finding.action {
        Action::Rebuild => finding.current.as_ref().map(CurrentRelease::build_on_pinned),
        Action::Redeploy => finding.replacement.as_ref().map(|image| image.reference.to_string()),
        Action::Upgrade => finding.runtime.as_ref().map(|runtime| runtime.name.clone()),
        Action::Restore => Some(finding.image.reference.to_string()),
        Action::Repair => finding.deployment.state_reason_code.clone(),
        Action::Investigate => finding.reasons.first().map(|reason| reason.code.clone()),
        Action::None => {
            finding.awaited_base().map(|(outer, link)| format!("{} on {}", outer.reference, link.base.reference))
        }
    }
}

fn advice(finding: &Finding) -> String {
    let named = |otherwise: &str| {
        // References must be copyable, and are not shortened like names.
        subject(finding).map_or_else(|| otherwise.to_owned(), |subject| code(&subject, TextPosition::Line, 2 * NAME))
    };
    match finding.action {
        Action::Rebuild => format!("**Rebuild** on {} and deploy", named("the current release of the base")),
        Action::Redeploy => format!("**Redeploy** with {}", named("the newer image in the repository")),
        Action::Upgrade => format!("**Upgrade** from {} to a supported runtime", named("the runtime")),
        Action::Restore => format!("**Restore** {} or deploy another image", named("the deployed image")),
        Action::Repair => {
            format!("**Repair** the function, which cannot be invoked ({})", named("unknown reason"))
        }
        Action::Investigate => {
            format!("**Investigate** {} with `basewatch explain IMAGE`", named("the unknown verdict"))
        }
        Action::None => finding.awaited_base().map_or_else(String::new, |(outer, link)| {
            let outer = code(&outer.reference, TextPosition::Line, 2 * NAME);
            let line = code(link.base.line.as_deref().unwrap_or_default(), TextPosition::Line, 2 * NAME);
            format!("**Rebuild** the base {outer} on {line} first")
        }),
    }
}

/// `orders:421`, `orders:420`, `orders:419` and 10 more deployments.
fn whom(findings: &[&Finding], names: &DeploymentNames<'_>) -> String {
    let name = |finding: &&Finding| {
        let name = code(&format::deployment_name(&finding.deployment), TextPosition::Line, NAME);
        let lacking = prose(&names.qualifier(finding), TextPosition::Line, NAME);
        if lacking.is_empty() { name } else { format!("{name} {lacking}") }
    };
    let names: Vec<_> = findings.iter().take(NAMED).map(name).collect();
    let more = match findings.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {} more", count(more as u64, "deployment")),
    };
    format!("{}{more}", names.join(", "))
}
