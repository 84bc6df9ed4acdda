//! Audits the inventory of a configuration.

use std::collections::BTreeSet;

use super::{AppClients, ExitStatus, RunInstants, releases, sources};
use crate::{
    audit::{AuditOptions, AuditProgress, AuditSources, audit},
    aws::AccountSelection,
    config::Settings,
    image::{AccountId, ErrorCode, Region},
    report::{ErrorEntry, ExitReason, Report, RunMetadata, SearchBudget, Summary},
};

/// The error if there is nothing to audit.
pub(crate) fn nothing_to_audit(settings: &Settings) -> Option<String> {
    let nothing = || {
        let how = "give an image, as in `basewatch audit REGISTRY/REPOSITORY:TAG`, or create a configuration with \
        `basewatch config init`";
        settings.kinds().is_empty().then(|| format!("nothing to audit: {how}"))
    };
    nothing_left(settings).or_else(nothing)
}

/// The error if the filters exclude the whole inventory: a typo must not result in a successful empty audit.
fn nothing_left(settings: &Settings) -> Option<String> {
    let kinds = settings.kinds();
    if !kinds.is_empty() && !kinds.iter().any(|kind| settings.filter.admits_kind(*kind)) {
        return Some("--kind excludes everything: the configuration has no such inventory".to_owned());
    }
    let tables = settings.regions();
    let listed: BTreeSet<_> = tables.iter().filter_map(|regions| regions.as_listed()).flatten().collect();
    let is_all_listed = !tables.is_empty() && tables.iter().all(|regions| regions.as_listed().is_some());
    // Images by reference have no region, and are excluded as well.
    if is_all_listed && !listed.iter().any(|region| settings.filter.admits_region(region)) {
        let listed: Vec<_> = listed.into_iter().map(Region::as_str).collect();
        return Some(format!("--region excludes everything: the configuration has the regions {}", listed.join(", ")));
    }
    let members = settings.accounts.as_ref().map(|accounts| &accounts.members);
    if let Some(AccountSelection::Listed(accounts)) = members
        && !accounts.iter().any(|account| settings.filter.admits_account(account))
    {
        let accounts: Vec<_> = accounts.iter().map(AccountId::as_str).collect();
        return Some(format!(
            "--account excludes everything: the configuration has the accounts {}",
            accounts.join(", ")
        ));
    }
    None
}

/// The exit status for `summary`.
#[must_use]
pub fn exit(summary: &Summary) -> ExitStatus {
    match summary.exit_reason {
        Some(ExitReason::Clean) => ExitStatus::Clean,
        Some(ExitReason::FailOn) => ExitStatus::Failed,
        // Reports of earlier versions have no exit reason, which must not count as success.
        Some(ExitReason::Incomplete | ExitReason::MostUnknown | ExitReason::Problems) | None => ExitStatus::Incomplete,
    }
}

/// The error if the audit has no findings because credentials are missing.
pub(crate) fn stopped_before_it_began(report: &Report) -> Option<&str> {
    let is_about_all = |error: &&ErrorEntry| error.code == ErrorCode::Credentials.as_str() || error.scope == "aws";
    let missing = report.errors.iter().find(is_about_all)?;
    report.findings.is_empty().then_some(&missing.message)
}

/// The options of the pipeline for `settings`, as of `instants`.
#[must_use]
pub fn options(settings: &Settings, instants: RunInstants) -> AuditOptions {
    AuditOptions {
        policy: settings.policy.clone(),
        identify: settings.identify.clone(),
        resolve: settings.resolve.clone(),
        owners: settings.owners.clone(),
        filter: settings.filter.clone(),
        is_part: settings.is_part,
        concurrency: settings.concurrency.0,
        now: instants.now,
        seen_at: instants.clock,
    }
}

/// Audits the inventory of `settings`. Errors are part of the report.
pub async fn report(
    settings: &Settings,
    clients: &AppClients,
    instants: RunInstants,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Report {
    report_of(&sources(settings, clients, instants), settings, clients, instants, progress).await
}

/// Audits the inventory of `sources` with `settings`. Errors are part of the report.
pub async fn report_of(
    sources: &AuditSources,
    settings: &Settings,
    clients: &AppClients,
    instants: RunInstants,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Report {
    let options = options(settings, instants);
    let loaded = Box::pin(releases::load(settings, clients)).await;
    let audit = audit(sources, &clients.images, &options, progress).await;
    let (findings, notes) = audit.judge(&options);
    let lines = audit.lines(&findings);
    let run = RunMetadata {
        id: ulid::Ulid::generate().to_string(),
        now: instants.now,
        requests: clients.requests.snapshot(),
        search: SearchBudget::new(audit.search_request_count(), settings.identify.search, &findings),
        authentication: clients.authentication(),
        caches: clients.client.caches(),
        notes: loaded.into_iter().chain(notes).collect(),
        fail_on: settings.fail_on,
        labels: settings.identify.labels.clone(),
    };
    Report::new(findings, audit.errors(), audit.is_complete(), &options.policy, run).with_lines(lines)
}
