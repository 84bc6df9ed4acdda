//! An image was pushed: was it built on an old base? Looked at alone, at once, and told alone.

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
    judge::Verdict,
    report::{Finding, Report},
    run::{
        Instants, World,
        audit::report_of,
        cycle::{self, Until, keep_catalog, within},
        inventories::estate,
    },
};

/// Reasons of an image that could not be read, for which another try is worth it.
const PASSING: [&str; 2] = ["registry-unreachable", "registry-throttled"];

/// Reasons of an image that could not be read, for which another try does not help until the cause is removed.
const LASTING: [&str; 3] = ["registry-denied", "registry-malformed", "image-malformed"];

/// What came of a push.
#[derive(Serialize)]
struct Answer {
    /// What was pushed: `orders:421`.
    image: String,
    /// Its digest.
    digest: String,
    /// What was concluded of each of its platforms.
    findings: Vec<Concluded>,
    /// How many messages were sent.
    messages: usize,
    /// Why nothing was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
}

#[derive(Serialize)]
struct Concluded {
    id: String,
    verdict: Verdict,
}

/// Audits what `push` brought, and tells who has to know if it was built on an old base.
pub(super) async fn audit(settings: &Settings, aws: &Aws, push: Push, until: Until, metrics: &mut Metrics) -> Done {
    let settings = narrowed(settings, &push)?;
    let world = open(&settings, aws, until).await?;
    let done = Box::pin(look(&settings, &world, push, until, metrics)).await;
    metrics.count("Requests", world.ports.requests.total());
    done
}

async fn look(settings: &Settings, world: &World, push: Push, until: Until, metrics: &mut Metrics) -> Done {
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
        tracing::info!("ignored: {} was pushed, and {}", answer.image, why.as_str());
        answer.ignored = Some(why.as_str().to_owned());
        keep_catalog(world, until).await;
        return Ok(serde_json::to_value(answer).unwrap_or_default());
    }
    if let Some(why) = passing(&report) {
        keep_catalog(world, until).await;
        return Err(Failure::new(Kind::Failed, format!("{} could not be looked at: {why}", answer.image)));
    }
    let told = cycle::notify_part(settings, world, &report, is_unlisted, until).await;
    let told = told.map_err(|error| Failure::new(Kind::Failed, format!("nobody was told: {error}")))?;
    let Some(outcome) = told else { return Err(Failure::unfinished("everybody was told")) };
    metrics.told(&outcome);
    answer.messages = outcome.messages.iter().filter(|message| message.sent).count();
    answer.findings = report.findings.iter().map(Concluded::of).collect();
    // An image whose base could not be read is audited: that is what its finding says.
    if let Some(why) = unknown_for(&report, &LASTING, |finding| finding.base.is_none()) {
        let why = format!("{} was pushed and could not be audited: {why}", answer.image);
        let sent = cycle::push_failed(settings, world, instants.now, &answer.image, &why).await;
        let sent =
            sent.map_err(|error| Failure::new(Kind::Failed, format!("{why}; no receiver was notified: {error}")))?;
        if sent == 0 {
            return Err(Failure::new(Kind::Failed, why));
        }
        tracing::warn!("{why}");
        answer.messages += sent;
    }
    outcome.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    tracing::info!("{} was pushed; {} messages sent", answer.image, answer.messages);
    Ok(serde_json::to_value(answer).unwrap_or_default())
}

impl Concluded {
    fn of(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), verdict: finding.verdict }
    }
}

/// `settings` for the account and region of `push` alone: no other account's role is assumed.
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

/// What is looked at where no table of the inventory says which images of ECR are.
fn everything() -> EcrSettings {
    let all = Choice::default();
    EcrSettings { regions: Regions::Enabled, tags: all.include.clone(), choice: all, newest: None, untagged: false }
}

/// Why it is worth to try again: something was not seen that may be seen in a minute.
fn passing(report: &Report) -> Option<String> {
    if let Some(error) = report.errors.first() {
        return Some(error.message.clone());
    }
    unknown_for(report, &PASSING, |_| true)
}

/// The first reason whose code is one of `codes`, of an unknown finding that is meant.
fn unknown_for(report: &Report, codes: &[&str], is_meant: impl Fn(&Finding) -> bool) -> Option<String> {
    let unknown = report.findings.iter().filter(|finding| finding.verdict == Verdict::Unknown && is_meant(finding));
    let mut reasons = unknown.flat_map(|finding| &finding.reasons);
    reasons.find(|reason| codes.contains(&reason.code.as_str())).map(|reason| reason.message.clone())
}
