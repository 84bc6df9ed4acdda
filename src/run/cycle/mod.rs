//! `basewatch run`: audit, record, alert, rebuild: one cycle.

mod outcome;
mod rebuilds;
mod rehearsal;
mod show;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

pub use self::outcome::{MessageOutcome, PreviewFields, RUN_SCHEMA, RebuildOutcome, RunReport};
use super::{
    Console, Exit, Instants, World,
    audit::{exit, nothing_to_audit, report, stopped_before_it_began},
    output::{self, Sink},
    progress::Bar,
};
use crate::{
    cli::{Format, RunArgs},
    config::Settings,
    judge::Verdict,
    notify::{
        self, Keeper, Ledger,
        select::{self, News, Planned},
    },
    rebuild,
    report::{Report, json},
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
    let sinks = Sink::open(&args.output, args.format)?;
    let world = if args.dry_run { World::for_rehearsal(settings).await? } else { World::open(settings).await? };
    // What is wrong with it is found before an audit is spent on it.
    notify::read(&*world.store).await.context("the ledger cannot be used")?;
    let bar = Bar::new(console.has_progress);
    let report = report(settings, &world.ports, instants, &|progress| bar.show(progress)).await;
    bar.clear();
    if let Some(why) = stopped_before_it_began(&report) {
        bail!("{why}");
    }
    let outcome = if args.dry_run {
        rehearsal::rehearse(settings, &world, &report).await?
    } else {
        complete(settings, &world, &report, instants.now).await
    };
    print(sinks, &outcome, &report, args, console)?;
    Ok(match exit(&report, args.fail_on.threshold()) {
        Exit::Clean if !outcome.problems.is_empty() => Exit::Incomplete,
        exit => exit,
    })
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
pub async fn complete(settings: &Settings, world: &World, report: &Report, now: DateTime<Utc>) -> RunReport {
    let mut outcome = RunReport::of(report, world.store.place());
    if let Err(error) = record(settings, world, report).await {
        outcome.problems.push(format!("the report was not kept: {error}"));
    }
    if let Err(error) = tell(settings, world, report, now, &mut outcome).await {
        outcome.problems.push(format!("nobody, or not everybody, was told: {error}; the next run goes on with it"));
    }
    let sent = outcome.messages.iter().filter(|message| message.sent).count() as u64;
    if sent > 0
        && let Err(error) = store::add_alerts(&*world.store, report.generated_at.date_naive(), sent).await
    {
        tracing::warn!("the history does not say how many alerts were sent: {error}");
    }
    if world.keeps_catalog
        && let Err(error) = world.ports.images.catalog().save(&*world.store).await
    {
        outcome.problems.push(format!("the catalog was not kept, so that the next run asks again: {error}"));
    }
    outcome
}

/// Tells who has to know, and asks for rebuilds, while no other run does.
async fn tell(
    settings: &Settings,
    world: &World,
    report: &Report,
    now: DateTime<Utc>,
    outcome: &mut RunReport,
) -> store::Result<()> {
    let turn = world.store.turn(&report.run_id, TURN_WAIT).await?;
    let keeper = Keeper::open(Arc::clone(&world.store), turn).await?;
    let told = tell_in_turn(settings, world, report, now, &keeper, outcome).await;
    keeper.close().await;
    told
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
async fn record(settings: &Settings, world: &World, report: &Report) -> store::Result<()> {
    store::record(&*world.store, json::render(report).as_bytes(), day(report), Utc::now(), settings.retention).await
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
    fn of(report: &Report, store: String) -> Self {
        Self {
            schema: RUN_SCHEMA.to_owned(),
            run_id: report.run_id.clone(),
            at: report.generated_at,
            dry_run: false,
            store,
            complete: report.complete,
            summary: report.summary.clone(),
            errors: report.errors.clone(),
            messages: Vec::new(),
            findings_waiting: 0,
            waiting: 0,
            given_up: 0,
            rebuilds: Vec::new(),
            rebuilds_waiting: 0,
            problems: Vec::new(),
        }
    }

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
        self.messages.extend(delivered.tried.into_iter().map(MessageOutcome::from));
        let failed = self.messages.iter().filter_map(|message| Some((&message.receiver, message.error.as_ref()?)));
        let mut problems: Vec<_> = failed.map(|(receiver, why)| format!("{receiver} was not told: {why}")).collect();
        problems.dedup();
        self.problems.extend(problems);
    }
}
