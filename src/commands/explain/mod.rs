//! `basewatch explain`: audits one deployment or image and shows every step.

mod lookup;

use anyhow::{Context as _, Result, bail};

use self::lookup::{DeploymentQuery, searched};
use crate::{
    app::{
        AppClients, Console, ExitStatus, RunInstants,
        audit::{nothing_to_audit, options},
        latest_report,
        output::{self, ReportSink},
        releases, sources,
    },
    audit::{AuditOptions, AuditResult, AuditedDeployment, audit},
    cli::{ExplainArgs, ExplainTarget, OutputFormat, ReportFormat, invalid_layout},
    config::Settings,
    identify::{Base, EvidenceKind, PrefixCheck, SearchCompletion},
    image::{MatchedPrefix, Provenance},
    report::{EXPLAIN_SCHEMA, Explanation, Finding, RenderOptions, explain, format, json},
    resolve::{ExplanationStep, StepOutcome},
    store,
};

/// Maximum number of releases of equal content to list, and of tags per release.
const NAMED: usize = 3;

/// Explains each platform of a deployment or an image.
///
/// # Errors
///
/// When there is no such deployment, or its image does not have the requested platform.
pub async fn run(settings: &Settings, args: &ExplainArgs, console: Console) -> Result<ExitStatus> {
    let sinks = ReportSink::open(&args.output, args.format.into())?;
    let clients = AppClients::open(settings)?;
    let instants = RunInstants::new(args.as_of);
    let (mut explanations, what) = match &args.target {
        ExplainTarget::Image(image) => {
            if let Some(why) = invalid_layout(std::slice::from_ref(image)) {
                bail!("{why}");
            }
            (explanations(settings, &clients, instants).await, image.to_string())
        }
        ExplainTarget::Deployment(name) => {
            (Box::pin(deployed(settings, &clients, instants, name)).await?, name.clone())
        }
    };
    let platforms: Vec<_> = explanations.iter().filter_map(|explanation| explanation.platform.clone()).collect();
    if let Some(selected) = args.platform.as_ref().map(ToString::to_string) {
        explanations.retain(|explanation| explanation.platform.as_ref().is_none_or(|platform| *platform == selected));
        if explanations.is_empty() {
            bail!("{what} has no image for {selected}; its platforms are {}", platforms.join(", "));
        }
    }
    output::write_rendered(sinks, &console.style(), |format, style| {
        let format = if format == ReportFormat::Json { OutputFormat::Json } else { OutputFormat::Table };
        render(&explanations, format, style)
    })?;
    let is_readable = explanations.iter().all(|explanation| explanation.platform.is_some());
    Ok(if is_readable { ExitStatus::Clean } else { ExitStatus::Incomplete })
}

/// Renders the explanations; JSON is a list with one entry per platform.
pub(super) fn render(explanations: &[Explanation], format: OutputFormat, style: &RenderOptions) -> String {
    match format {
        OutputFormat::Json => json::render(explanations),
        OutputFormat::Table => explanations.iter().map(|it| explain::render(it, style)).collect::<Vec<_>>().join("\n"),
    }
}

/// Explains each platform of the images in `settings`.
pub async fn explanations(settings: &Settings, clients: &AppClients, instants: RunInstants) -> Vec<Explanation> {
    let (audit, options) = read(settings, clients, instants).await;
    audit.audited_deployments().map(|audited| explanation(audited, settings, &options)).collect()
}

/// Explains the deployment `name` of the inventory. Its account and region are taken from the last report, if a store
/// has one with that name; everything else is read again.
///
/// # Errors
///
/// When there is none, or several with different images.
async fn deployed(
    settings: &Settings,
    clients: &AppClients,
    instants: RunInstants,
    name: &str,
) -> Result<Vec<Explanation>> {
    if nothing_to_audit(settings).is_some() {
        bail!(
            "no inventory is configured to look {name:?} up in: create one with `basewatch config init`, or write an image \
             with its registry, as in public.ecr.aws/lambda/java:21"
        );
    }
    let query = DeploymentQuery::new(name)?;
    let stored = stored_findings(settings, clients).await;
    let searched = searched(settings);
    let mut narrowed = settings.clone();
    query.restrict(&mut narrowed, &stored);
    let (audit, options) = read(&narrowed, clients, instants).await;
    let chosen = query.choose(&audit, &searched, &stored)?;
    let explained = chosen.into_iter().map(|audited| {
        let mut explanation = explanation(audited, settings, &options);
        let detail = format!("{} runs {}", explanation.finding.id, explanation.reference);
        explanation
            .steps
            .insert(0, ExplanationStep { title: "deployment".into(), detail, outcome: StepOutcome::Found });
        explanation
    });
    Ok(explained.collect())
}

/// The findings of the last report; none without a store or a readable report.
async fn stored_findings(settings: &Settings, clients: &AppClients) -> Vec<Finding> {
    let Some(location) = &settings.store else { return Vec::new() };
    let store = store::open(location, std::sync::Arc::clone(&clients.aws));
    match latest_report(&*store).await.context("cannot read the last report") {
        Ok(report) => report.map(|report| report.findings).unwrap_or_default(),
        Err(error) => {
            tracing::info!("{error:#}");
            Vec::new()
        }
    }
}

/// Audits the inventory of `settings`.
async fn read(settings: &Settings, clients: &AppClients, instants: RunInstants) -> (AuditResult, AuditOptions) {
    let options = options(settings, instants);
    for note in Box::pin(releases::load(settings, clients)).await {
        tracing::warn!("{}", note.message);
    }
    let audit = audit(&sources(settings, clients, instants), &clients.images, &options, &|_| {}).await;
    (audit, options)
}

fn explanation(audited: AuditedDeployment<'_>, settings: &Settings, options: &AuditOptions) -> Explanation {
    let finding = audited.judge(options);
    Explanation {
        schema: EXPLAIN_SCHEMA.to_owned(),
        reference: audited.deployment.reference.to_string(),
        platform: finding.image.platform.as_ref().map(ToString::to_string),
        steps: steps(audited, settings),
        finding,
    }
}

fn steps(audited: AuditedDeployment<'_>, settings: &Settings) -> Vec<ExplanationStep> {
    let mut steps = vec![image(audited)];
    if audited.deployment.image.is_ok() {
        steps.extend(evidence(audited, &settings.identify.labels));
        steps.extend(builder_comment(audited));
        steps.extend(provenance(audited));
        steps.extend(layers(audited));
    }
    for (index, (base, resolution)) in audited.identification.chain.iter().zip(audited.resolutions).enumerate() {
        if audited.identification.chain.len() > 1 {
            let title = if index == 0 { "base of the image" } else { "base of the previous base" };
            steps.push(ExplanationStep {
                title: title.into(),
                detail: base.base.reference().to_string(),
                outcome: StepOutcome::Note,
            });
        }
        steps.extend(resolution.steps.iter().cloned());
    }
    steps
}

fn image(audited: AuditedDeployment<'_>) -> ExplanationStep {
    let (detail, outcome) = match &audited.deployment.image {
        Ok(image) => {
            let created = image.facts.created_at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("{at}"));
            let layers = image.facts.diff_ids.len();
            (
                format!("{} for {}, {layers} layers, created {created}", image.digest, image.facts.platform),
                StepOutcome::Found,
            )
        }
        Err(unreadable) => (unreadable.message.clone(), StepOutcome::NotFound),
    };
    ExplanationStep { title: "image".into(), detail, outcome }
}

/// The configured labels, then the OCI annotations.
fn evidence(audited: AuditedDeployment<'_>, labels: &[String]) -> Vec<ExplanationStep> {
    let (identification, resolution) = (audited.identification, audited.resolution());
    let is_contradicted = |base: &Base| resolution.is_some_and(|resolution| resolution.contradicts(base));
    let best = identification.base().and_then(|base| base.position);
    let absent = |label: &&String| !identification.records.iter().any(|reading| reading.key == **label);
    let missing = labels.iter().filter(absent).map(|label| ExplanationStep {
        title: format!("label {label}").into(),
        detail: "not set".to_owned(),
        outcome: StepOutcome::NotFound,
    });
    let read = identification.records.iter().enumerate().map(|(position, reading)| {
        let is_dissent = identification.dissenting(is_contradicted).any(|(dissenting, _)| dissenting == reading);
        let (detail, outcome) = match &reading.base {
            Err(error) => (format!("{:?} is malformed: {error}", reading.value), StepOutcome::Contradiction),
            Ok(_) if is_dissent => (format!("{} (different base)", reading.value), StepOutcome::Contradiction),
            Ok(_) if identification.contradicted.contains(&position) => {
                let why = compared(identification.layers.checks.get(&position));
                (format!("{}{why}", reading.value), StepOutcome::Contradiction)
            }
            Ok(_) => {
                let why = compared(identification.layers.checks.get(&position));
                match (best == Some(position), reading.kind.is_candidate()) {
                    (true, _) => (format!("{}{why}", reading.value), StepOutcome::Found),
                    (false, true) => (format!("{}{why} (used in the build)", reading.value), StepOutcome::Note),
                    (false, false) => (format!("{}{why} (agrees)", reading.value), StepOutcome::Note),
                }
            }
        };
        ExplanationStep { title: format!("{} {}", reading.kind.as_str(), reading.key).into(), detail, outcome }
    });
    let mut steps: Vec<_> = missing.chain(read).collect();
    if !identification.records.iter().any(|reading| reading.key.starts_with("org.opencontainers.image.base.")) {
        steps.push(ExplanationStep {
            title: "org.opencontainers.image.base.*".into(),
            detail: "neither annotations nor labels are set".to_owned(),
            outcome: StepOutcome::NotFound,
        });
    }
    steps
}

/// A step for an image without a base in its build history. A recorded base is a reading instead.
fn builder_comment(AuditedDeployment { identification, .. }: AuditedDeployment<'_>) -> Option<ExplanationStep> {
    let is_noted = identification.records.iter().any(|reading| reading.kind == EvidenceKind::BuilderComment);
    (!is_noted).then(|| ExplanationStep {
        title: EvidenceKind::BuilderComment.as_str().into(),
        detail: "the image history has no FROM of buildah or podman".to_owned(),
        outcome: StepOutcome::NotFound,
    })
}

/// The search for provenance attestations, and why some are unusable. Bases in attestations are readings instead.
fn provenance(AuditedDeployment { identification, .. }: AuditedDeployment<'_>) -> Vec<ExplanationStep> {
    let step =
        |detail: String, outcome| ExplanationStep { title: EvidenceKind::Provenance.as_str().into(), detail, outcome };
    let Some(Provenance { materials, attestation_count, unusable, unlisted }) = identification.provenance.as_deref()
    else {
        return vec![step("not read: other evidence is sufficient".to_owned(), StepOutcome::Note)];
    };
    let usable_count = attestation_count.saturating_sub(unusable.len());
    let mut steps = Vec::new();
    if materials.is_empty() && usable_count > 0 {
        let attestations = format::count(usable_count as u64, "attestation");
        steps.push(step(format!("{attestations} without a pulled image"), StepOutcome::NotFound));
    }
    let unusable = unusable.iter().map(|it| format!("attestation {} is unusable: {}", it.digest, it.why));
    steps.extend(unusable.map(|why| step(why, StepOutcome::NotFound)));
    let unlisted = unlisted.iter().map(|why| format!("referrers cannot be listed: {why}"));
    steps.extend(unlisted.map(|why| step(why, StepOutcome::NotFound)));
    if steps.is_empty() && materials.is_empty() {
        steps.push(step("the image has no build attestation".to_owned(), StepOutcome::NotFound));
    }
    steps
}

/// The result of comparing a recorded base with the image layers.
fn compared(check: Option<&PrefixCheck>) -> String {
    match check {
        None => String::new(),
        Some(PrefixCheck::Prefix { layer_count }) => format!("; the first {layer_count} layers match"),
        Some(PrefixCheck::Different) => "; the image layers do not match".to_owned(),
        Some(PrefixCheck::Fewer) => "; the image has fewer layers than this base".to_owned(),
        Some(PrefixCheck::Unread) => "; the layers of this base cannot be read".to_owned(),
    }
}

/// The releases that match the first layers, and the search for them.
fn layers(AuditedDeployment { identification, .. }: AuditedDeployment<'_>) -> Vec<ExplanationStep> {
    let evidence = &*identification.layers;
    let names = |prefix: &MatchedPrefix| {
        let names = prefix.releases.iter().take(NAMED).map(|known| {
            let tags = known.release.tags.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let tags = if tags.is_empty() { known.release.manifest.to_string() } else { tags };
            format!("{} {tags}", known.repository)
        });
        names.collect::<Vec<_>>().join("; ")
    };
    let step = |detail: String, outcome| ExplanationStep { title: "layers".into(), detail, outcome };
    let mut steps: Vec<_> = evidence
        .prefixes
        .iter()
        .map(|prefix| step(format!("the first {} match {}", prefix.layer_count, names(prefix)), StepOutcome::Found))
        .collect();
    if steps.is_empty() {
        steps.push(step("no known release matches the first layers".to_owned(), StepOutcome::NotFound));
    }
    let cost = format::count(u64::try_from(evidence.request_count).unwrap_or(u64::MAX), "request");
    let (detail, outcome) = match &evidence.search {
        SearchCompletion::Idle if evidence.request_count == 0 => ("not needed".to_owned(), StepOutcome::Note),
        SearchCompletion::Idle => (format!("found the release, {cost}"), StepOutcome::Found),
        SearchCompletion::Complete { lines } => {
            (format!("compared all releases of {}, {cost}", lines.join(", ")), StepOutcome::Found)
        }
        SearchCompletion::Unfinished { compared_count, left_count } => {
            let left = format!("compared {compared_count} releases; {left_count} remain for the next run");
            (format!("{left}, {cost}"), StepOutcome::NotFound)
        }
        SearchCompletion::Failed { why } => (format!("cannot read releases: {why}, {cost}"), StepOutcome::NotFound),
    };
    steps.push(ExplanationStep { title: "search".into(), detail, outcome });
    steps.extend(identification.base().map(|base| {
        let how = format!("{}, by {} ({})", base.base.reference(), base.evidence.kind.as_str(), base.evidence.key);
        let detail = format!("{how}, {}", base.confidence.as_str());
        ExplanationStep { title: "base".into(), detail, outcome: StepOutcome::Found }
    }));
    steps
}
