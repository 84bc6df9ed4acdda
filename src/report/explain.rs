//! The output of `basewatch explain`: each step with its evidence, then the verdict. The JSON contract
//! `basewatch.explain/v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Finding, RenderOptions, format,
    style::{TextPage, TextStyle},
};
use crate::{
    judge::Severity,
    resolve::{ExplanationStep, StepOutcome},
};

/// The value of `schema` in every explanation.
pub const EXPLAIN_SCHEMA: &str = "basewatch.explain/v1";

/// How the base of an image on one platform was identified, dated and judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch explain", extend("$id" = EXPLAIN_SCHEMA))]
pub struct Explanation {
    /// Always `basewatch.explain/v1`.
    pub schema: String,
    /// The requested image.
    pub reference: String,
    /// The platform; null if the image could not be read.
    pub platform: Option<String>,
    /// The steps, in order.
    pub steps: Vec<ExplanationStep>,
    /// The resulting finding.
    pub finding: Finding,
}

fn paint(outcome: StepOutcome) -> TextStyle {
    match outcome {
        StepOutcome::Found => TextStyle::Severity(Severity::None),
        StepOutcome::NotFound | StepOutcome::Note => TextStyle::Dim,
        StepOutcome::Contradiction => TextStyle::Severity(Severity::Medium),
    }
}

/// Renders an explanation for a terminal.
#[must_use]
pub fn render(explanation: &Explanation, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    let platform = explanation.platform.as_ref().map(|platform| format!(" on {platform}")).unwrap_or_default();
    page.evidence(TextStyle::Bold, 0, format!("{}{platform}", explanation.reference));
    page.end();
    for (number, step) in explanation.steps.iter().enumerate() {
        page.put(TextStyle::Dim, format!("{:>2}", number + 1));
        page.skip(2);
        page.put(paint(step.outcome), step.outcome.as_str());
        page.skip("contradiction  ".len() - step.outcome.as_str().len());
        page.hanging(TextStyle::Plain, 4 + "contradiction  ".len(), step.title.as_ref());
        if !step.detail.is_empty() {
            page.evidence(TextStyle::Dim, 4, step.detail.as_str());
        }
    }
    page.end();
    verdict(&mut page, &explanation.finding);
    page.into_text()
}

fn verdict(page: &mut TextPage, finding: &Finding) {
    let verdict = finding.verdict.as_str();
    page.put(TextStyle::Severity(finding.severity), verdict);
    page.put(TextStyle::Plain, ":");
    page.skip(1);
    let mut parts = vec![format!("severity {}", finding.severity), format!("action {}", finding.action)];
    let age = format::base_age(finding);
    if age != format::NOTHING {
        parts.push(format!("{age} old"));
    }
    if finding.behind.is_some() {
        parts.push(format!("behind: {}", format::distance(finding.behind.as_ref())));
    }
    page.hanging(TextStyle::Plain, verdict.len() + ": ".len(), parts.join(", "));
    for reason in &finding.reasons {
        page.evidence(TextStyle::Plain, 4, format!("{}: {}", reason.code, reason.message));
    }
    if let Some(rule) = &finding.policy_rule {
        page.evidence(TextStyle::Plain, 4, format!("policy {rule}"));
    }
    if let Some(exemption) = &finding.exemption {
        page.evidence(TextStyle::Plain, 4, format::exempted(exemption));
    }
}
