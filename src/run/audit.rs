//! `basewatch audit`: walk the pipeline once and report; write nothing, tell nobody.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{Ports, inventories};
use crate::{
    audit::{Progress, Terms, audit},
    config::Settings,
    report::{Report, Run},
};

/// The instants of a run.
#[derive(Clone, Copy, Debug)]
pub struct Instants {
    /// What counts as now: the clock's, or that of `--as-of`.
    pub now: DateTime<Utc>,
    /// The clock's own.
    pub clock: DateTime<Utc>,
}

/// What the pipeline is told by `settings`, as of `instants`.
#[must_use]
pub fn terms(settings: &Settings, instants: Instants) -> Terms {
    Terms {
        policy: settings.policy.clone(),
        identify: settings.identify.clone(),
        resolve: settings.resolve.clone(),
        concurrency: settings.concurrency.0,
        now: instants.now,
        seen_at: instants.clock,
    }
}

/// Audits what `settings` name and reports it.
///
/// # Errors
///
/// When the ports cannot be opened; everything else is in the report.
pub async fn report(
    settings: &Settings,
    ports: &Ports,
    instants: Instants,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let terms = terms(settings, instants);
    let audit = audit(&inventories(settings, ports), &ports.images, &terms, progress).await;
    let run = Run {
        id: ulid::Ulid::generate().to_string(),
        now: instants.now,
        requests: ports.requests.snapshot(),
        authentication: ports.authentication(),
    };
    Ok(Report::new(audit.findings(&terms), audit.errors(), audit.is_complete(), &terms.policy, run))
}
