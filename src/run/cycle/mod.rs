//! `basewatch run`: audit, record, alert, rebuild: one cycle.

mod heartbeat;
mod outcome;
mod part;
mod rebuilds;
mod rehearsal;
mod show;
mod until;
mod watch;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

pub use self::{
    outcome::{MessageOutcome, RUN_SCHEMA, RebuildOutcome, RunReport},
    part::tell_part,
    until::{Unfinished, Until, within},
    watch::{failed, push_failed, watch_over},
};
use super::{
    Console, Exit, Instants, World,
    audit::{exit, nothing_to_audit, report, stopped_before_it_began},
    output::{self, Sink},
    progress::Bar,
};
use crate::{
    audit::Progress,
    cli::{Format, RunArgs},
    config::Settings,
    judge::Verdict,
    notify::{
        self, Keeper, Ledger,
        select::{self, News, Planned},
    },
    rebuild,
    report::{ExitReason, Report, json},
    store::{self, Ages, Day, Store},
};

/// How long a run waits for others to end their turn with the store.
pub(super) const TURN_WAIT: Duration = Duration::from_mins(5);

/// Runs one cycle, and prints what it did.
///
/// # Errors
///
/// When there is nothing to audit or no store, no credentials, or a ledger that cannot be read: before anything was
/// sent.
pub async fn run(settings: &Settings, args: &RunArgs, console: Console) -> Result<Exit> {
    if let Some(why) = nothing_to_audit(settings) {
        bail!("{why}");
    }
    let instants = Instants::new(args.as_of);
    if !args.dry_run && instants.now > instants.clock {
        bail!("--as-of names an instant that is still to come: rehearse it with --dry-run");
    }
    let sinks = Sink::open(&args.output, args.format.into())?;
    let bar = Bar::new(console.has_progress);
    let progress = |progress| bar.show(progress);
    let cycle = if args.dry_run {
        rehearsal::rehearse(settings, &World::for_rehearsal(settings).await?, instants, &progress).await
    } else {
        once(settings, &World::open(settings).await?, instants, &progress).await
    };
    bar.clear();
    let Cycle { report, outcome } = cycle?;
    print(sinks, &outcome, &report, args, console)?;
    Ok(exit(&outcome.summary))
}

/// One cycle: what it found, and what it did.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// What was found.
    pub report: Report,
    /// What was done.
    pub outcome: RunReport,
}

impl Cycle {
    /// The same once nothing more is done: problems make a run no success, however good the audit was.
    fn settled(mut self) -> Self {
        let reason = &mut self.outcome.summary.exit_reason;
        if *reason == Some(ExitReason::Clean) && !self.outcome.problems.is_empty() {
            *reason = Some(ExitReason::Problems);
        }
        self
    }
}

/// Audits what `settings` name, records it, tells who has to know and asks for rebuilds; and watches over itself while
/// it does.
///
/// # Errors
///
/// When the ledger cannot be read or there are no credentials: before anything was sent.
pub async fn once(
    settings: &Settings,
    world: &World,
    instants: Instants,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Cycle> {
    let mut cycle = unwatched(settings, world, instants, progress).await;
    watch_over(settings, world, instants.now, &mut cycle).await;
    cycle.map(Cycle::settled)
}

async fn unwatched(
    settings: &Settings,
    world: &World,
    instants: Instants,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Cycle> {
    let report = audited(settings, world, instants, progress).await?;
    let outcome = complete(settings, world, &report, instants).await;
    Ok(Cycle { report, outcome })
}

/// The same with only so much time. What was learned by its end is kept, so that the next one goes on from there; of an
/// audit that did not end nothing else is.
///
/// # Errors
///
/// As [`once`].
pub async fn once_until(
    settings: &Settings,
    world: &World,
    instants: Instants,
    until: Until,
) -> Result<Result<Cycle, Unfinished>> {
    let mut cycle = match unwatched_until(settings, world, instants, until).await {
        Ok(Ok(cycle)) => Ok(cycle),
        // It is tried again at once, and whether that works is what counts.
        Ok(Err(unfinished)) => return Ok(Err(unfinished)),
        Err(error) => Err(error),
    };
    let watched = Box::pin(watch_over(settings, world, instants.now, &mut cycle));
    if within(until.end, watched).await.is_none() {
        tracing::warn!("there was no time left to note what the run came to");
    }
    cycle.map(|cycle| Ok(cycle.settled()))
}

async fn unwatched_until(
    settings: &Settings,
    world: &World,
    instants: Instants,
    until: Until,
) -> Result<Result<Cycle, Unfinished>> {
    let Some(report) = within(until.audit, audited(settings, world, instants, &|_| ())).await else {
        keep_catalog(world, until).await;
        return Ok(Err(Unfinished::Audit));
    };
    let report = report?;
    let completed = complete_until(settings, world, &report, instants, until).await;
    let cycle = Cycle { report, outcome: completed.outcome };
    match completed.broken {
        Some(why) => bail!("{why}"),
        None if completed.is_told => Ok(Ok(cycle)),
        None => Ok(Err(Unfinished::Telling(Box::new(cycle)))),
    }
}

/// What came of completing a cycle.
struct Completed {
    outcome: RunReport,
    /// Whether the time sufficed for telling all.
    is_told: bool,
    /// What the store did not do, so that trying again is worth it.
    broken: Option<String>,
}

/// The report, once it is certain that it can be told.
pub(super) async fn audited(
    settings: &Settings,
    world: &World,
    instants: Instants,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    // What is wrong with it is found before an audit is spent on it.
    notify::read(&*world.store).await.context("the ledger cannot be used")?;
    let report = world.keeping_catalog(Box::pin(report(settings, &world.ports, instants, progress))).await;
    if let Some(why) = stopped_before_it_began(&report) {
        bail!("{why}");
    }
    Ok(report)
}

/// Standard output is what was done; the report goes into files.
fn print(sinks: Vec<Sink>, outcome: &RunReport, report: &Report, args: &RunArgs, console: Console) -> Result<()> {
    let (stdout, files): (Vec<_>, Vec<_>) = sinks.into_iter().partition(Sink::is_stdout);
    output::write(files, &console.style(), report)?;
    if stdout.is_empty() && !args.dry_run {
        return Ok(());
    }
    output::print(&match args.format {
        Format::Json => json::render(outcome),
        Format::Table => show::render(outcome, &console.style()),
    })
}

/// Records `report`, tells who has to know and asks for rebuilds. What fails is in the outcome: one thing that does
/// not work keeps no other from being done.
pub async fn complete(settings: &Settings, world: &World, report: &Report, instants: Instants) -> RunReport {
    complete_until(settings, world, report, instants, Until::default()).await.outcome
}

/// The same with only so much time.
async fn complete_until(
    settings: &Settings,
    world: &World,
    report: &Report,
    instants: Instants,
    until: Until,
) -> Completed {
    let mut outcome = RunReport::of(report, world.store.place());
    let recorded = within(until.tell, record(settings, world, report, instants)).await;
    let unkept = recorded.and_then(Result::err).map(|error| format!("the report was not kept: {error}"));
    let told = tell(settings, world, report, instants.now, until, &mut outcome).await;
    let is_told = !matches!(told, Ok(false));
    let untold = told.err().map(|error| error.to_string());
    let untold = untold.or_else(|| (!is_told).then(|| "there was no time left".to_owned()));
    let untold = untold.map(|why| format!("nobody, or not everybody, was told: {why}; the next run goes on with it"));
    let broken = unkept.clone().or_else(|| untold.clone().filter(|_| is_told));
    outcome.problems.extend(unkept.into_iter().chain(untold));
    let sent = outcome.messages.iter().filter(|message| message.sent).count() as u64;
    if sent > 0
        && let Err(error) = store::add_alerts(&*world.store, report.generated_at.date_naive(), sent).await
    {
        tracing::warn!("the history does not say how many alerts were sent: {error}");
    }
    outcome.problems.extend(keep_catalog(world, until).await);
    Completed { outcome, is_told, broken }
}

/// Keeps what was learned, where that is not done meanwhile; what kept it from being kept.
pub async fn keep_catalog(world: &World, until: Until) -> Option<String> {
    let why = match within(until.end, world.keep_catalog()).await {
        Some(Ok(())) => return None,
        Some(Err(error)) => error.to_string(),
        None => "there was no time left".to_owned(),
    };
    Some(format!("the catalog was not kept, so that the next run asks again: {why}"))
}

/// Tells who has to know, and asks for rebuilds, while no other run does; whether there was time for all of it.
async fn tell(
    settings: &Settings,
    world: &World,
    report: &Report,
    now: DateTime<Utc>,
    until: Until,
    outcome: &mut RunReport,
) -> store::Result<bool> {
    let keeper = async {
        let turn = world.store.turn(&report.run_id, TURN_WAIT).await?;
        Keeper::open(Arc::clone(&world.store), turn).await
    };
    let Some(keeper) = within(until.tell, keeper).await.transpose()? else { return Ok(false) };
    let told = Box::pin(tell_in_turn(settings, world, report, now, &keeper, outcome));
    let told = within(until.tell, told).await;
    keeper.close().await;
    told.transpose().map(|told| told.is_some())
}

async fn tell_in_turn(
    settings: &Settings,
    world: &World,
    report: &Report,
    now: DateTime<Utc>,
    keeper: &Keeper,
    outcome: &mut RunReport,
) -> store::Result<()> {
    let place = report_place(&*world.store);
    let news = News { report, place: Some(&place) };
    let planned = keeper.change(|ledger| plan_all(ledger, news, settings)).await?;
    outcome.note(&planned);
    let delivered = notify::deliver(keeper, &world.receivers.notifiers, &settings.notify, now).await?;
    outcome.delivered(delivered);
    let asked = rebuilds::ask(settings, world, keeper, &planned.rebuilds, now).await?;
    outcome.asked(asked);
    Ok(())
}

/// What one run is to do.
struct Due {
    alerts: Planned,
    rebuilds: rebuild::Planned,
}

/// Records all that `news` make due. That people are told what became of rebuilds is recorded along with it.
fn plan_all(ledger: &mut Ledger, news: News<'_>, settings: &Settings) -> Due {
    let alerts = select::plan(ledger, news, &settings.notify);
    if alerts.is_outrun {
        return Due { alerts, rebuilds: rebuild::Planned::default() };
    }
    let Report { run_id, generated_at, .. } = news.report;
    let rebuilds = rebuild::plan(news.report, &mut ledger.rebuilds, &settings.rebuild, run_id, *generated_at);
    let told = rebuild::told(&rebuilds, &ledger.rebuilds, *generated_at);
    select::tell_of_rebuilds(ledger, &told, news, &settings.notify);
    Due { alerts, rebuilds }
}

/// Where people find the latest report.
fn report_place(store: &dyn Store) -> String {
    format!("{}/{}", store.place(), store::LATEST)
}

/// Keeps the report, and its figures in the history.
async fn record(settings: &Settings, world: &World, report: &Report, instants: Instants) -> store::Result<()> {
    let keep = async |json: String| {
        store::record(&*world.store, json.as_bytes(), day(report), instants.clock, settings.retention).await
    };
    match keep(json::render(report)).await {
        Err(error @ store::Error::TooLarge { most_bytes, .. }) => {
            tracing::warn!("{error}: the report is kept as far as it fits");
            keep(report.fitting(usize::try_from(most_bytes).unwrap_or(usize::MAX))).await
        }
        kept => kept,
    }
}

/// The figures of `report` for the history.
fn day(report: &Report) -> Day {
    let mut by_severity = BTreeMap::new();
    let mut by_owner = BTreeMap::new();
    for finding in &report.findings {
        *by_severity.entry(finding.severity.as_str().to_owned()).or_default() += 1;
        if finding.verdict != Verdict::Fresh {
            *by_owner.entry(finding.deployment.owner.clone().unwrap_or_default()).or_default() += 1;
        }
    }
    let days = |days: i64| u64::try_from(days).unwrap_or_default();
    let by_verdict = report.summary.by_verdict.iter();
    Day {
        date: report.generated_at.date_naive(),
        at: report.generated_at,
        run_id: report.run_id.clone(),
        complete: report.complete,
        deployments: report.summary.deployments,
        by_verdict: by_verdict.map(|(verdict, count)| (verdict.as_str().to_owned(), *count)).collect(),
        by_severity,
        by_owner,
        other_owners: 0,
        age_days: report.summary.base_age_days.map(|age| Ages {
            p50: days(age.p50),
            p90: days(age.p90),
            max: days(age.max),
        }),
        alerts_sent: 0,
        runs: 1,
    }
}

impl RunReport {
    fn note(&mut self, due: &Due) {
        if due.alerts.is_outrun {
            self.problems.push("a later run has told already, so that this one told nothing new".to_owned());
        }
        self.findings_waiting += due.alerts.waiting as u64;
        self.rebuilds_waiting += due.rebuilds.waiting;
    }

    fn asked(&mut self, asked: Vec<RebuildOutcome>) {
        let failed = asked.iter().filter_map(|rebuild| Some((&rebuild.rule, rebuild.error.as_ref()?)));
        self.problems.extend(failed.map(|(rule, why)| format!("{rule} was not asked to rebuild: {why}")));
        self.rebuilds.extend(asked);
    }

    fn delivered(&mut self, delivered: notify::Delivered) {
        self.waiting += delivered.waiting as u64;
        self.given_up += delivered.given_up as u64;
        for message in delivered.tried.into_iter().map(MessageOutcome::from) {
            let problem = message.error.as_ref().map(|why| format!("{} was not told: {why}", message.receiver));
            self.problems.extend(problem.filter(|problem| !self.problems.contains(problem)));
            self.messages.push(message);
        }
    }
}
