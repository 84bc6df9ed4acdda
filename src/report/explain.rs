//! The output of `basewatch explain`: each step with its evidence, then the verdict. The JSON contract
//! `basewatch.explain/v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Finding, Style,
    style::{Page, Paint},
    words,
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

fn paint(outcome: StepOutcome) -> Paint {
    match outcome {
        StepOutcome::Found => Paint::Severity(Severity::None),
        StepOutcome::NotFound | StepOutcome::Note => Paint::Dim,
        StepOutcome::Contradiction => Paint::Severity(Severity::Medium),
    }
}

/// Renders an explanation for a terminal.
#[must_use]
pub fn render(explanation: &Explanation, style: &Style) -> String {
    let mut page = Page::new(style);
    let platform = explanation.platform.as_ref().map(|platform| format!(" on {platform}")).unwrap_or_default();
    page.evidence(Paint::Bold, 0, format!("{}{platform}", explanation.reference));
    page.end();
    for (number, step) in explanation.steps.iter().enumerate() {
        page.put(Paint::Dim, format!("{:>2}", number + 1));
        page.skip(2);
        page.put(paint(step.outcome), step.outcome.as_str());
        page.skip("contradiction  ".len() - step.outcome.as_str().len());
        page.line(Paint::Plain, step.title.as_ref());
        if !step.detail.is_empty() {
            page.evidence(Paint::Dim, 4, step.detail.as_str());
        }
    }
    page.end();
    verdict(&mut page, &explanation.finding);
    page.into_text()
}

fn verdict(page: &mut Page, finding: &Finding) {
    page.put(Paint::Severity(finding.severity), finding.verdict.as_str());
    let mut parts = vec![format!("severity {}", finding.severity), format!("action {}", finding.action)];
    let age = words::base_age(finding);
    if age != words::NOTHING {
        parts.push(format!("{age} old"));
    }
    if finding.behind.is_some() {
        parts.push(format!("behind: {}", words::distance(finding.behind.as_ref())));
    }
    page.line(Paint::Plain, format!(": {}", parts.join(", ")));
    for reason in &finding.reasons {
        page.evidence(Paint::Plain, 4, format!("{}: {}", reason.code, reason.message));
    }
    if let Some(rule) = &finding.policy_rule {
        page.evidence(Paint::Plain, 4, format!("policy {rule}"));
    }
    if let Some(exemption) = &finding.exemption {
        page.evidence(Paint::Plain, 4, words::exempted(exemption));
    }
}
