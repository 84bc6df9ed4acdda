//! `basewatch base`: the current state of a base image on all its platforms.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};

use crate::{
    app::{
        AppClients, Console, ExitStatus, RunInstants,
        output::{self, ReportSink},
    },
    cli::{BaseArgs, ReportFormat},
    config::Settings,
    identify::Base,
    image::{LambdaTag, Platform, Reference},
    report::{BASE_SCHEMA, BaseReport, HoldFields, PlatformBase, ReleaseRow, RuntimeFields, base_table, json},
    resolve::{BaseQuery, BaseResolver, ImageAge, LineHistory, ResolutionProblem},
};

/// Resolves a base and prints it.
///
/// # Errors
///
/// As [`report`], and when the base does not have the requested platform.
pub async fn run(settings: &Settings, args: &BaseArgs, console: Console) -> Result<ExitStatus> {
    let sinks = ReportSink::open(&args.output, args.format.into())?;
    let clients = AppClients::open(settings)?;
    let mut report = report(settings, &clients, &args.reference, args.history, RunInstants::new(args.as_of)).await?;
    if let Some(selected) = &args.platform {
        let platforms: Vec<_> = report.platforms.iter().map(|platform| platform.platform.to_string()).collect();
        report.platforms.retain(|platform| platform.platform == *selected);
        if report.platforms.is_empty() {
            bail!("{} has no image for {selected}; its platforms are {}", args.reference, platforms.join(", "));
        }
    }
    output::write_rendered(sinks, &console.style(), |format, style| match format {
        ReportFormat::Json => json::render(&report),
        _ => base_table::render(&report, style),
    })?;
    Ok(ExitStatus::Clean)
}

/// Resolves `reference`; with `has_history`, also lists the releases of its line.
///
/// # Errors
///
/// When the reference or its history does not exist or cannot be read.
pub async fn report(
    settings: &Settings,
    clients: &AppClients,
    reference: &Reference,
    has_history: bool,
    instants: RunInstants,
) -> Result<BaseReport> {
    let resolver =
        BaseResolver::new(Arc::clone(&clients.images), settings.resolve.clone(), instants.now, instants.clock);
    let (digest, content) = resolver.look_up(reference).await.map_err(failed)?;
    let mut report = BaseReport {
        schema: BASE_SCHEMA.to_owned(),
        generated_at: instants.now,
        reference: reference.to_string(),
        digest_kind: content.kind(),
        hold: None,
        line: None,
        line_source: None,
        runtime: None,
        platforms: Vec::new(),
        history: None,
        history_complete: None,
        digest,
    };
    let mut family = None;
    let platforms = resolver.platforms(&reference.repository, &report.digest, &content).await.map_err(failed)?;
    for (platform, platform_digest) in platforms {
        let row = platform_base(&resolver, reference, &platform, &mut report, &mut family, instants).await?;
        report.platforms.push(PlatformBase { digest: platform_digest, ..row });
    }
    let known = family.clone().or_else(|| Some(LambdaTag::parse(reference.tag.as_deref()?)?.family));
    report.runtime = known.and_then(|family| {
        let policy = &settings.policy;
        let warning = policy.thresholds.runtime_warning;
        let support = policy.calendar.support(&reference.repository, &family, instants.now, warning)?;
        Some(RuntimeFields::new(&support))
    });
    if has_history {
        let family = family.or_else(|| Some(LambdaTag::parse(reference.tag.as_deref()?)?.family));
        let family = family.ok_or_else(|| anyhow!("{reference} has no dated tags, and therefore no history"))?;
        let history = resolver.history(&reference.repository, &family).await.map_err(failed)?;
        list(&history, &mut report);
    }
    Ok(report)
}

async fn platform_base(
    resolver: &BaseResolver,
    reference: &Reference,
    platform: &Platform,
    report: &mut BaseReport,
    family: &mut Option<String>,
    instants: RunInstants,
) -> Result<PlatformBase> {
    let (release, published, hold) = if let Some(line) = resolver.line_of(reference) {
        report.line = Some(line.to_string());
        let current = resolver.current(&line, platform).await.map_err(failed)?;
        (current.release, current.published, current.hold)
    } else {
        let base = Base {
            repository: reference.repository.clone(),
            mirror: None,
            tag: reference.tag.clone(),
            digest: reference.digest.clone(),
            further_digests: Vec::new(),
            further_tag: None,
            configured_tag: None,
            default_tag: None,
        };
        let query = BaseQuery { base, platform: platform.clone(), built_at: None };
        let resolution = resolver.resolve(&query, ImageAge::default()).await;
        if let Some((line, source)) = &resolution.line {
            report.line = Some(line.to_string());
            report.line_source = Some(source.as_str().to_owned());
        }
        (resolution.base.release, resolution.base.published, resolution.base.hold)
    };
    report.hold = report.hold.take().or_else(|| hold.as_deref().map(HoldFields::from));
    if let Some(release) = &release {
        *family = Some(release.family.clone());
    }
    Ok(PlatformBase {
        platform: platform.clone(),
        digest: report.digest.clone(),
        release: release.map(|release| release.to_string()),
        published_at: published.map(|published| published.at),
        published_source: published.map(|published| published.source),
        estimated: published.is_some_and(|published| published.is_estimated),
        age_days: published.map(|published| (instants.now - published.at).num_days().max(0)),
    })
}

fn list(history: &LineHistory, report: &mut BaseReport) {
    let current = report.platforms.first().and_then(|platform| platform.release.clone());
    let is_moving = report.line_source.is_none();
    let row = |release: &crate::resolve::PastRelease| {
        let text = release.tag.to_string();
        ReleaseRow {
            current: is_moving && current.as_ref() == Some(&text),
            release: text,
            published_at: release.built_at,
            architectures: release.architectures.iter().map(ToString::to_string).collect(),
            digest: release.digest.clone(),
            hold: release.hold.as_deref().map(HoldFields::from),
        }
    };
    report.history = Some(history.releases.iter().map(row).collect());
    report.history_complete = Some(history.is_complete);
}

fn failed(problem: ResolutionProblem) -> anyhow::Error {
    anyhow!(problem.message)
}
