//! Audits of pushed images.

use std::sync::Arc;

use serde::Serialize;

use super::{
    failure::{Failure, Kind},
    handler::{Done, open},
    metrics::Metrics,
};
use crate::{
    audit::Sources,
    aws::Aws,
    config::Settings,
    glob::Glob,
    inventory::{Choice, DeploymentKind, EcrSettings, Filter, Push, PushedInventory, Regions},
    judge::{ReasonCode, Verdict},
    report::{Finding, Report},
    run::{
        Instants, World,
        audit::report_of,
        cycle::{self, Until, keep_catalog, within},
        inventories::estate,
    },
};

/// Reasons of unreadable images for which a retry may help.
const TRANSIENT: [ReasonCode; 2] = [ReasonCode::RegistryUnreachable, ReasonCode::RegistryThrottled];

/// Reasons of unreadable images for which a retry does not help.
const PERMANENT: [ReasonCode; 3] =
    [ReasonCode::RegistryDenied, ReasonCode::RegistryMalformed, ReasonCode::ImageMalformed];

/// The response to a push event.
#[derive(Serialize)]
struct Answer {
    /// The pushed image: `orders:421`.
    image: String,
    /// Its digest.
    digest: String,
    /// The verdict for each of its platforms.
    findings: Vec<Concluded>,
    /// The number of notifications sent.
    messages: usize,
    /// Why the push was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
}

#[derive(Serialize)]
struct Concluded {
    id: String,
    verdict: Verdict,
}

/// Audits a pushed image, and sends an alert if its base is outdated.
pub(super) async fn audit(settings: &Settings, aws: &Aws, push: Push, until: Until, metrics: &mut Metrics) -> Done {
    let settings = narrowed(settings, &push)?;
    let world = open(&settings, aws, until).await?;
    let done = Box::pin(audit_image(&settings, &world, push, until, metrics)).await;
    metrics.count("Requests", world.ports.requests.total());
    done
}

async fn audit_image(settings: &Settings, world: &World, push: Push, until: Until, metrics: &mut Metrics) -> Done {
    let name = format!("{}:{}", push.repository, push.tag);
    let mut answer =
        Answer { image: name, digest: push.digest.to_string(), findings: Vec::new(), messages: 0, ignored: None };
    let is_unlisted = settings.ecr.is_empty();
    let tables = if is_unlisted { vec![everything()] } else { settings.ecr.clone() };
    let instants = Instants::new(None);
    let estate = estate(settings, &world.ports, instants);
    let inventory = PushedInventory::new(push, &tables, Arc::clone(&estate));
    let inventory = Arc::new(inventory);
    let sources = Sources { inventories: vec![Box::new(Arc::clone(&inventory))], estate: Some(estate) };
    let report = report_of(&sources, settings, &world.ports, instants, &|_| ());
    let Some(report) = within(until.audit, report).await else {
        keep_catalog(world, until).await;
        return Err(Failure::unfinished("the image was audited"));
    };
    if let Some(why) = inventory.not_meant() {
        tracing::info!("ignored: {} was pushed, but {}", answer.image, why.as_str());
        answer.ignored = Some(why.as_str().to_owned());
        keep_catalog(world, until).await;
        return Ok(serde_json::to_value(answer).unwrap_or_default());
    }
    if let Some(why) = transient_failure(&report) {
        keep_catalog(world, until).await;
        return Err(Failure::new(Kind::Failed, format!("cannot audit {}: {why}", answer.image)));
    }
    let outcome = cycle::notify_part(settings, world, &report, is_unlisted, until).await;
    let outcome = outcome.map_err(|error| Failure::new(Kind::Failed, format!("no notification was sent: {error}")))?;
    let Some(outcome) = outcome else { return Err(Failure::unfinished("all notifications were sent")) };
    metrics.notified(&outcome);
    answer.messages = outcome.messages.iter().filter(|message| message.sent).count();
    answer.findings = report.findings.iter().map(Concluded::of).collect();
    // If only the base is unreadable, the finding covers it.
    if let Some(why) = unknown_for(&report, &PERMANENT, |finding| finding.base.is_none()) {
        let why = format!("the pushed image {} cannot be audited: {why}", answer.image);
        let sent = cycle::push_failed(settings, world, instants.now, &answer.image, &why).await;
        let sent =
            sent.map_err(|error| Failure::new(Kind::Failed, format!("{why}; no channel was notified: {error}")))?;
        if sent == 0 {
            return Err(Failure::new(Kind::Failed, why));
        }
        tracing::warn!("{why}");
        answer.messages += sent;
    }
    outcome.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    tracing::info!("audited the pushed image {}; {} messages sent", answer.image, answer.messages);
    Ok(serde_json::to_value(answer).unwrap_or_default())
}

impl Concluded {
    fn of(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), verdict: finding.verdict }
    }
}

/// `settings` limited to the account and region of `push`, so that no other role is assumed.
fn narrowed(settings: &Settings, push: &Push) -> Result<Settings, Failure> {
    let only = |text: &str| {
        let glob = text.parse::<Glob>();
        glob.map(|glob| vec![glob]).map_err(|why| Failure::new(Kind::UnknownEvent, why))
    };
    let (accounts, regions) = (only(&push.account)?, only(&push.region)?);
    let mut settings = settings.clone();
    if let Some(of) = &mut settings.accounts {
        of.only.clone_from(&accounts);
    }
    settings.filter = Filter { accounts, regions, kinds: vec![DeploymentKind::Ecr], ..Filter::default() };
    settings.is_part = true;
    Ok(settings)
}

/// The selection without `[[inventory.ecr]]`: all images.
fn everything() -> EcrSettings {
    let all = Choice::default();
    EcrSettings { regions: Regions::Enabled, tags: all.include.clone(), choice: all, newest: None, untagged: false }
}

/// The error of a transient failure, for which a retry may help.
fn transient_failure(report: &Report) -> Option<String> {
    if let Some(error) = report.errors.first() {
        return Some(error.message.clone());
    }
    unknown_for(report, &TRANSIENT, |_| true)
}

/// The first reason with one of `codes`, among the `unknown` findings that `is_meant` selects.
fn unknown_for(report: &Report, codes: &[ReasonCode], is_meant: impl Fn(&Finding) -> bool) -> Option<String> {
    let unknown = report.findings.iter().filter(|finding| finding.verdict == Verdict::Unknown && is_meant(finding));
    let mut reasons = unknown.flat_map(|finding| &finding.reasons);
    reasons.find(|reason| codes.iter().any(|code| code.as_str() == reason.code)).map(|reason| reason.message.clone())
}
