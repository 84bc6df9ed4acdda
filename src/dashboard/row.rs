//! A row of the findings table, and its details.

use askama::{Template, filters::HtmlSafe};

use super::{
    PageMode, links,
    task::{explain, without_registry},
    verdict_style::{VerdictStyle, shown, shown_or, urgency},
};
use crate::{
    judge::Action,
    report::{CurrentRelease, Finding, format, page_path},
};

/// The cells of a finding's row.
pub(super) struct FindingRow {
    pub(super) anchor: String,
    /// The page of the deployment, or the anchor of the row.
    pub(super) link: String,
    pub(super) name: String,
    pub(super) qualifier: String,
    pub(super) image: String,
    pub(super) style: VerdictStyle,
    pub(super) severity: &'static str,
    pub(super) owner: String,
    pub(super) base: String,
    pub(super) age: String,
    pub(super) behind: String,
    pub(super) action: &'static str,
    pub(super) is_exempted: bool,
}

impl FindingRow {
    /// The row of `finding`; `qualifier` distinguishes deployments of the same name.
    pub(super) fn new(finding: &Finding, qualifier: &str, mode: PageMode<'_>) -> Self {
        let deployment = &finding.deployment;
        Self {
            link: match mode {
                PageMode::Served(_) => links::deployment(&finding.id),
                PageMode::SelfContained => format!("#{}", links::anchor(finding)),
            },
            anchor: links::anchor(finding),
            name: shown(&format::deployment_name(deployment)),
            qualifier: shown(qualifier.trim()),
            image: match without_registry(&finding.image.reference) {
                image if image == format::deployment_name(deployment) => String::new(),
                image => shown(image),
            },
            style: VerdictStyle::new(finding.verdict),
            severity: finding.severity.as_str(),
            owner: shown_or(deployment.owner.as_deref(), format::NOTHING).into_owned(),
            base: finding
                .base
                .as_ref()
                .map_or_else(|| format::NOTHING.to_owned(), |base| shown(&format::base_in_use(base))),
            age: format::base_age(finding),
            behind: format::distance(finding.behind.as_ref()),
            action: if finding.action == Action::None { format::NOTHING } else { finding.action.as_str() },
            is_exempted: finding.exemption.is_some(),
        }
    }
}

/// A name and value in a list of details.
pub(super) struct DetailItem {
    name: &'static str,
    value: String,
    /// Whether to show a copy button.
    is_copied: bool,
}

fn fact(name: &'static str, value: Option<impl AsRef<str>>) -> Option<DetailItem> {
    Some(DetailItem { name, value: shown(value?.as_ref()), is_copied: false })
}

fn copied(name: &'static str, value: Option<impl AsRef<str>>) -> Option<DetailItem> {
    Some(DetailItem { is_copied: true, ..fact(name, value)? })
}

/// The explanation of a verdict, which several findings may share.
#[derive(Template)]
#[template(path = "verdict_details.html")]
pub(super) struct VerdictDetails {
    /// The codes, the messages and the links to the documentation, which a file does not have.
    reasons: Vec<(String, String, Option<String>)>,
    facts: Vec<DetailItem>,
}

impl HtmlSafe for VerdictDetails {}

impl VerdictDetails {
    pub(super) fn new(finding: &Finding) -> Self {
        let reason = |reason: &crate::report::ReasonFields| (shown(&reason.code), shown(&reason.message), None);
        let facts = [
            fact("Severity", Some(format!("{}: {}", finding.severity.as_str(), urgency(finding.severity)))),
            copied("Newer image", finding.replacement.as_ref().map(|image| &image.reference)),
            copied("Base in use", finding.base.as_ref().map(|base| &base.reference)),
            finding.base.as_ref().and_then(|base| fact("Mirror", base.mirror.as_deref())),
            fact("Identified by", finding.base.as_ref().map(identified)),
            fact(
                "Equal releases",
                finding.base.as_ref().map(|base| base.equal_releases.join(", ")).filter(|it| !it.is_empty()),
            ),
            fact("Built on", finding.base.as_ref().and_then(format::chain)),
            fact("Release", finding.base.as_ref().and_then(release_in_use)),
            fact("Line", finding.base.as_ref().and_then(line)),
            copied("Current", finding.current.as_ref().map(CurrentRelease::build_on_pinned)),
            fact("Behind since", behind(finding)),
            fact("Runtime", finding.runtime.as_ref().map(runtime)),
            fact("Policy", finding.policy_rule.as_deref()),
            fact("Exempted", finding.exemption.as_ref().map(format::exempted)),
        ];
        Self { reasons: finding.reasons.iter().map(reason).collect(), facts: facts.into_iter().flatten().collect() }
    }

    /// With links to the documentation of the reasons.
    pub(super) fn served(finding: &Finding) -> Self {
        let mut details = Self::new(finding);
        for ((.., link), reason) in details.reasons.iter_mut().zip(&finding.reasons) {
            *link = Some(page_path::reason_page(&reason.code));
        }
        details
    }

    /// The message of the first reason.
    pub(super) fn summary(finding: &Finding) -> String {
        finding.reasons.first().map_or_else(|| "Details".to_owned(), |reason| shown(&reason.message))
    }
}

fn identified(base: &crate::report::BaseInUse) -> String {
    let confidence = base.confidence.as_ref().map(|confidence| format!(", {confidence}")).unwrap_or_default();
    format!("{} {}{confidence}", base.identified_by, base.evidence)
}

fn release_in_use(base: &crate::report::BaseInUse) -> Option<String> {
    let published = base.published_at.zip(base.published_source);
    let published = published
        .map(|(at, source)| format!("{} {} ({})", format::dated(source), format::instant(at), source.as_str()));
    let parts: Vec<_> = base.release.iter().cloned().chain(published).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn line(base: &crate::report::BaseInUse) -> Option<String> {
    let source = base.line_source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    base.line.as_ref().map(|line| format!("{line}{source}"))
}

fn behind(finding: &Finding) -> Option<String> {
    let behind = finding.behind.as_ref()?;
    let since = behind.since.map(format::instant)?;
    Some(if behind.exact { since } else { format!("{since} or earlier") })
}

fn runtime(runtime: &crate::report::RuntimeFields) -> String {
    let on =
        |what: &str, date: Option<chrono::NaiveDate>| date.map(|date| format!(", {what} {date}")).unwrap_or_default();
    format!(
        "{}: {}{}{}",
        runtime.name,
        runtime.status,
        on("deprecation", runtime.deprecation_date),
        on("last update", runtime.block_update_date)
    )
}

/// The details of a single deployment.
#[derive(Template)]
#[template(path = "deployment_details.html")]
pub(super) struct DeploymentDetails {
    facts: Vec<DetailItem>,
}

impl HtmlSafe for DeploymentDetails {}

impl DeploymentDetails {
    pub(super) fn new(finding: &Finding) -> Self {
        let (deployment, image) = (&finding.deployment, &finding.image);
        let with_reason = |status: &Option<String>, code: &Option<String>, reason: &Option<String>| {
            let parts = [status, code, reason].map(Option::as_deref).into_iter().flatten();
            status.is_some().then(|| parts.collect::<Vec<_>>().join(", "))
        };
        let state = with_reason(&deployment.state, &deployment.state_reason_code, &deployment.state_reason);
        let last_update = with_reason(
            &deployment.last_update_status,
            &deployment.last_update_status_reason_code,
            &deployment.last_update_status_reason,
        );
        let location = [Some(deployment.kind.as_str()), deployment.account.as_deref(), deployment.region.as_deref()];
        let platform = image.platform.as_ref().map(ToString::to_string);
        let facts = [
            copied("Image", Some(&image.reference)),
            fact("Digest", image.digest.as_ref().map(ToString::to_string)),
            fact("Platform", platform),
            fact("Built", image.created_at.map(format::instant)),
            fact("Pushed", image.pushed_at.map(format::instant)),
            fact("In its repository", image.holding.as_deref()),
            fact("Location", Some(location.into_iter().flatten().collect::<Vec<_>>().join(", "))),
            fact("State", state),
            fact("Last update", last_update),
            copied("ARN", deployment.arn.as_deref()),
            copied("Explain", Some(explain(&image.reference))),
        ];
        Self { facts: facts.into_iter().flatten().collect() }
    }
}
