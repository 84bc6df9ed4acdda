//! Audits of pushed images.

use std::sync::Arc;

use serde::Serialize;

use super::{
    context::open,
    failure::{InvocationFailure, InvocationFailureKind, InvocationResult},
    metrics::LambdaMetrics,
};
use crate::{
    app::{AppContext, RunInstants, audit::report_of, aws_scope},
    audit::AuditSources,
    aws::Aws,
    config::Settings,
    glob::Glob,
    inventory::{DeploymentKind, EcrSettings, ImagePush, InventoryFilter, PushedInventory, RegionSelection, Selector},
    judge::{ReasonCode, Verdict},
    report::{Finding, Report},
    run::{self, Deadlines, keep_catalog, within},
};

/// Reasons of unreadable images for which a retry may help.
const TRANSIENT: [ReasonCode; 2] = [ReasonCode::RegistryUnreachable, ReasonCode::RegistryThrottled];

/// Reasons of unreadable images for which a retry does not help.
const PERMANENT: [ReasonCode; 3] =
    [ReasonCode::RegistryDenied, ReasonCode::RegistryMalformed, ReasonCode::ImageMalformed];

/// The response to a push event.
#[derive(Serialize)]
struct PushResult {
    /// The pushed image: `orders:421`.
    image: String,
    /// Its digest.
    digest: String,
    /// The verdict for each of its platforms.
    findings: Vec<PushedFinding>,
    /// The number of notifications sent.
    messages: usize,
    /// Why the push was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
}

#[derive(Serialize)]
struct PushedFinding {
    id: String,
    verdict: Verdict,
}

/// Audits a pushed image, and sends an alert if its base is outdated.
pub(super) async fn audit(
    settings: &Settings,
    aws: &Aws,
    push: ImagePush,
    deadlines: Deadlines,
    metrics: &mut LambdaMetrics,
) -> InvocationResult {
    let settings = narrowed(settings, &push)?;
    let context = open(&settings, aws, deadlines).await?;
    let done = Box::pin(audit_image(&settings, &context, push, deadlines, metrics)).await;
    metrics.count("Requests", context.clients.requests.total());
    done
}

async fn audit_image(
    settings: &Settings,
    context: &AppContext,
    push: ImagePush,
    deadlines: Deadlines,
    metrics: &mut LambdaMetrics,
) -> InvocationResult {
    let name = format!("{}:{}", push.repository, push.tag);
    let mut response =
        PushResult { image: name, digest: push.digest.to_string(), findings: Vec::new(), messages: 0, ignored: None };
    let is_unlisted = settings.ecr.is_empty();
    let tables = if is_unlisted { vec![everything()] } else { settings.ecr.clone() };
    let instants = RunInstants::new(None);
    let aws_scope = aws_scope(settings, &context.clients, instants);
    let inventory = PushedInventory::new(push, &tables, Arc::clone(&aws_scope));
    let inventory = Arc::new(inventory);
    let sources = AuditSources { inventories: vec![Box::new(Arc::clone(&inventory))], aws_scope: Some(aws_scope) };
    let report = report_of(&sources, settings, &context.clients, instants, &|_| ());
    let Some(report) = within(deadlines.audit, report).await else {
        keep_catalog(context, deadlines).await;
        return Err(InvocationFailure::timed_out("the image was audited"));
    };
    if let Some(why) = inventory.ignored() {
        tracing::info!("ignored: {} was pushed, but {}", response.image, why.as_str());
        response.ignored = Some(why.as_str().to_owned());
        keep_catalog(context, deadlines).await;
        return Ok(serde_json::to_value(response).unwrap_or_default());
    }
    if let Some(why) = transient_failure(&report) {
        keep_catalog(context, deadlines).await;
        return Err(InvocationFailure::new(
            InvocationFailureKind::Failed,
            format!("cannot audit {}: {why}", response.image),
        ));
    }
    let outcome = run::notify_part(settings, context, &report, is_unlisted, deadlines).await;
    let outcome = outcome.map_err(|error| {
        InvocationFailure::new(InvocationFailureKind::Failed, format!("no notification was sent: {error}"))
    })?;
    let Some(outcome) = outcome else { return Err(InvocationFailure::timed_out("all notifications were sent")) };
    metrics.notified(&outcome);
    response.messages = outcome.messages.iter().filter(|message| message.sent).count();
    response.findings = report.findings.iter().map(PushedFinding::new).collect();
    // If only the base is unreadable, the finding covers it.
    if let Some(why) = unknown_for(&report, &PERMANENT, |finding| finding.base.is_none()) {
        let why = format!("the pushed image {} cannot be audited: {why}", response.image);
        let sent = run::push_failed(settings, context, instants.now, &response.image, &why).await;
        let sent = sent.map_err(|error| {
            InvocationFailure::new(InvocationFailureKind::Failed, format!("{why}; no channel was notified: {error}"))
        })?;
        if sent == 0 {
            return Err(InvocationFailure::new(InvocationFailureKind::Failed, why));
        }
        tracing::warn!("{why}");
        response.messages += sent;
    }
    outcome.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    tracing::info!("audited the pushed image {}; {} messages sent", response.image, response.messages);
    Ok(serde_json::to_value(response).unwrap_or_default())
}

impl PushedFinding {
    fn new(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), verdict: finding.verdict }
    }
}

/// `settings` limited to the account and region of `push`, so that no other role is assumed.
fn narrowed(settings: &Settings, push: &ImagePush) -> Result<Settings, InvocationFailure> {
    let only = |text: &str| {
        let glob = text.parse::<Glob>();
        glob.map(|glob| vec![glob]).map_err(|why| InvocationFailure::new(InvocationFailureKind::UnknownEvent, why))
    };
    let (accounts, regions) = (only(&push.account)?, only(&push.region)?);
    let mut settings = settings.clone();
    if let Some(of) = &mut settings.accounts {
        of.only.clone_from(&accounts);
    }
    settings.filter =
        InventoryFilter { accounts, regions, kinds: vec![DeploymentKind::Ecr], ..InventoryFilter::default() };
    settings.is_part = true;
    Ok(settings)
}

/// The selection without `[[inventory.ecr]]`: all images.
fn everything() -> EcrSettings {
    let all = Selector::default();
    EcrSettings {
        regions: RegionSelection::Enabled,
        tags: all.include.clone(),
        selector: all,
        newest: None,
        untagged: false,
    }
}

/// The error of a transient failure, for which a retry may help.
fn transient_failure(report: &Report) -> Option<String> {
    if let Some(error) = report.errors.first() {
        return Some(error.message.clone());
    }
    unknown_for(report, &TRANSIENT, |_| true)
}

/// The first reason with one of `codes`, among the `unknown` findings that `is_meant` selects.
fn unknown_for(report: &Report, codes: &[ReasonCode], is_selected: impl Fn(&Finding) -> bool) -> Option<String> {
    let unknown = report.findings.iter().filter(|finding| finding.verdict == Verdict::Unknown && is_selected(finding));
    let mut reasons = unknown.flat_map(|finding| &finding.reasons);
    reasons.find(|reason| codes.iter().any(|code| code.as_str() == reason.code)).map(|reason| reason.message.clone())
}
