//! `basewatch stamp --check` and `--fix`: checks the bases of Dockerfiles, and pins them.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    files::{self, SourceFile},
    judged::{BaseJudge, JudgedBase},
};
use crate::{
    app::{AppClients, Console, ExitStatus, RunInstants, output},
    cli::{StampArgs, StampFormat},
    config::Settings,
    dockerfile::{
        ArgumentSource, BaseImage, BuildOptions, BuildPlan, Dockerfile, DockerfileEdits, FromInstruction, ImagePin,
        LabelState,
    },
    image::{ErrorCode, Reference},
    judge::{ReasonCode, Severity, Verdict},
    report::{
        ErrorEntry, ReasonFields, RenderOptions,
        dockerfiles::{
            ArgumentValue, BuildsOn, DockerfileFields, DockerfileReport, FixFields, FromFields, LabelRecord, table,
        },
        json, sarif,
    },
};

/// Reasons that follow from a base written as a tag without a digest.
const MOVING: [ReasonCode; 2] = [ReasonCode::BaseDigestUnrecorded, ReasonCode::PublishDateUnknown];

pub(super) async fn run(
    settings: &Settings,
    args: &StampArgs,
    format: StampFormat,
    instants: RunInstants,
    console: Console,
) -> Result<ExitStatus> {
    let sources = files::read(&args.subjects)?;
    let clients = AppClients::open(settings)?;
    let arguments = args.build_arguments();
    let mut check = DockerfileCheck {
        keys: &settings.identify.labels,
        options: BuildOptions { arguments: Some(&arguments), target: args.target.as_deref() },
        judge: BaseJudge::new(settings, &clients, instants),
        errors: Vec::new(),
    };
    let mut files = Vec::new();
    let mut standard_output = None;
    for source in &sources {
        let mut checked = check.file(source).await;
        if let (true, Some(text)) = (args.fix, &checked.fixed) {
            if source.is_stdin() {
                standard_output = Some(text.clone());
            } else {
                source.write(text)?;
            }
            let fixed = SourceFile { path: source.path.clone(), text: Ok(text.clone()) };
            let again = check.file(&fixed).await;
            checked.fields = DockerfileFields { fixed: true, ..again.fields };
        } else if args.fix && source.is_stdin() {
            standard_output = source.text.as_ref().ok().cloned();
        }
        files.push(checked.fields);
    }
    let mut errors = check.judge.errors();
    errors.extend(check.errors);
    let report = DockerfileReport::new(instants.now, files, errors);
    match standard_output {
        // Standard output is only the fixed file.
        Some(text) => {
            output::print(&text)?;
            output::print_stderr(table::render(&report, &RenderOptions::default()).trim_end());
        }
        None => output::print(&render(&report, format, console))?,
    }
    Ok(match settings.fail_on {
        Some(threshold) if report.fails(threshold) => ExitStatus::Failed,
        _ if !report.complete => ExitStatus::Incomplete,
        _ => ExitStatus::Clean,
    })
}

fn render(report: &DockerfileReport, format: StampFormat, console: Console) -> String {
    match format {
        StampFormat::Json => json::render(report),
        StampFormat::Sarif => sarif::render_dockerfiles(report),
        _ => table::render(report, &console.style()),
    }
}

/// A check under way.
struct DockerfileCheck<'a> {
    keys: &'a [String],
    options: BuildOptions<'a>,
    judge: BaseJudge<'a>,
    errors: Vec<ErrorEntry>,
}

/// The result for one file.
struct CheckedFile {
    fields: DockerfileFields,
    /// The fixed text; `None` if nothing needs or can be fixed.
    fixed: Option<String>,
}

impl DockerfileCheck<'_> {
    async fn file(&mut self, source: &SourceFile) -> CheckedFile {
        let fields = |froms| DockerfileFields { path: source.path.clone(), fixed: false, froms };
        let checked = match &source.text {
            Ok(text) => self.text(text).await,
            Err(problem) => Err(problem.clone()),
        };
        match checked {
            Ok((froms, fixed)) => CheckedFile { fields: fields(froms), fixed },
            Err(message) => {
                self.errors.push(ErrorEntry {
                    scope: format!("file {}", source.path),
                    code: ErrorCode::Malformed.to_string(),
                    message,
                    ..ErrorEntry::default()
                });
                CheckedFile { fields: fields(Vec::new()), fixed: None }
            }
        }
    }

    async fn text(&mut self, text: &str) -> Result<(Vec<FromFields>, Option<String>), String> {
        let dockerfile = Dockerfile::parse(text).map_err(|error| error.to_string())?;
        let plan = dockerfile.plan(self.options).map_err(|error| error.message)?;
        let mut bases = BTreeMap::new();
        for (position, from) in plan.froms.iter().enumerate() {
            if let BaseImage::Reference(reference) = &from.image
                && self.judge.is_tracked(reference)
            {
                bases.insert(position, self.judge.judged(reference, from.known_platform.as_ref()).await);
            }
        }
        let pins: BTreeMap<usize, ImagePin> =
            bases.iter().filter_map(|(position, base)| Some((*position, base.pin.clone()?))).collect();
        let ships = plan.froms.iter().position(|from| from.ships);
        // Only configured bases are pinned and recorded.
        let keys = if ships.is_some_and(|ships| bases.contains_key(&ships)) { self.keys } else { &[] };
        let edits = plan.edits(&pins, keys);
        let from_context = FromContext { text, plan: &plan, keys: self.keys, edits: &edits };
        let froms = plan
            .froms
            .iter()
            .enumerate()
            .map(|(position, from)| from_context.fields(position, from, bases.get(&position).map(AsRef::as_ref)));
        let froms = froms.collect();
        Ok((froms, (!edits.is_empty()).then(|| edits.apply(text))))
    }
}

/// The context of a `FROM` instruction.
struct FromContext<'a> {
    text: &'a str,
    plan: &'a BuildPlan<'a>,
    keys: &'a [String],
    edits: &'a DockerfileEdits,
}

impl FromContext<'_> {
    fn fields(&self, position: usize, from: &FromInstruction, base: Option<&JudgedBase>) -> FromFields {
        let reference = match &from.image {
            BaseImage::Reference(reference) => Some(reference),
            BaseImage::Stage(_) | BaseImage::Scratch | BaseImage::Unresolved(_) => None,
        };
        let (image_line, column, end_column) = region(self.text, &from.span);
        let label = reference.filter(|_| from.ships && base.is_some()).and_then(|reference| self.label(reference));
        let mut fields = FromFields {
            line: from.line as u64,
            image_line,
            column,
            end_column,
            written: from.written.clone(),
            stage: from.stage.clone(),
            platform: from.platform.clone(),
            builds_on: builds_on(&from.image),
            reference: reference.map(ToString::to_string),
            parent: match &from.image {
                BaseImage::Stage(parent) => self.plan.froms[*parent].stage.clone(),
                _ => None,
            },
            arguments: from.arguments.iter().map(|(name, source)| (name.clone(), argument(*source))).collect(),
            ships: from.ships,
            tracked: base.is_some(),
            pinned: reference.map(|_| from.is_pinned()),
            label,
            base: base.map(|base| base.fields.clone()),
            verdict: base.and_then(JudgedBase::verdict),
            severity: None,
            action: None,
            reasons: Vec::new(),
            fix: None,
        };
        if let Some(judgement) = base.map(|base| &base.judgement).filter(|_| fields.verdict.is_some()) {
            (fields.severity, fields.action) = (Some(judgement.severity), Some(judgement.action));
        }
        if let (Some(base), Some(reference)) = (base, reference) {
            fields.fix = base.pin.as_ref().map(|pin| FixFields {
                reference: pin.applied_to(reference).to_string(),
                refused: self.edits.refused.get(&position).cloned(),
            });
            fields.reasons = self.reasons(&fields, base);
        }
        if let BaseImage::Unresolved(why) = &from.image {
            if from.ships {
                (fields.verdict, fields.severity) = (Some(Verdict::Unknown), Some(Severity::Low));
            }
            fields.reasons = vec![reason(ReasonCode::BaseUnresolved, why.clone())];
        }
        fields
    }

    /// Whether labels record the final base.
    fn label(&self, reference: &Reference) -> Option<LabelRecord> {
        let state = BuildPlan::label_state(&self.plan.labels(self.keys, reference));
        match state {
            LabelState::Recorded => Some(LabelRecord::Recorded),
            LabelState::Differs => Some(LabelRecord::Differs),
            LabelState::Unresolved => Some(LabelRecord::Unresolved),
            // Without configured labels, none is missing.
            LabelState::Missing => (!self.keys.is_empty()).then_some(LabelRecord::Missing),
        }
    }

    /// The reasons of the verdict, then missing pins and labels.
    fn reasons(&self, fields: &FromFields, base: &JudgedBase) -> Vec<ReasonFields> {
        let is_moving = base.fields.digest.is_none() && base.fields.current.is_some();
        let judged = base.judgement.reasons.iter().filter(|reason| !(is_moving && MOVING.contains(&reason.code)));
        let mut reasons: Vec<_> = judged.map(|judged| reason(judged.code, judged.message.clone())).collect();
        if !fields.ships {
            return reasons;
        }
        if fields.pinned == Some(false) {
            let message = "not pinned by digest: each build may use a different release";
            reasons.push(reason(ReasonCode::BaseNotPinned, message.to_owned()));
        }
        let key = self.keys.first().map_or("org.opencontainers.image.base.digest", String::as_str);
        let message = match fields.label {
            Some(LabelRecord::Missing) => Some(format!("the label {key} does not record the base")),
            Some(LabelRecord::Differs) => Some("a label records a different base than FROM, or no digest".to_owned()),
            Some(LabelRecord::Recorded | LabelRecord::Unresolved) | None => None,
        };
        let refused = self.edits.label_refused.as_ref();
        let message = message.map(|message| match refused {
            Some(why) => format!("{message}; --fix cannot change this: {why}"),
            None => message,
        });
        reasons.extend(message.map(|message| reason(ReasonCode::BaseNotRecorded, message)));
        reasons
    }
}

fn reason(code: ReasonCode, message: String) -> ReasonFields {
    ReasonFields { code: code.as_str().to_owned(), message }
}

fn builds_on(image: &BaseImage) -> BuildsOn {
    match image {
        BaseImage::Reference(_) => BuildsOn::Image,
        BaseImage::Stage(_) => BuildsOn::Stage,
        BaseImage::Scratch => BuildsOn::Scratch,
        BaseImage::Unresolved(_) => BuildsOn::Unresolved,
    }
}

fn argument(source: ArgumentSource) -> ArgumentValue {
    match source {
        ArgumentSource::Default => ArgumentValue::Default,
        ArgumentSource::BuildArgument => ArgumentValue::BuildArg,
        ArgumentSource::Unset => ArgumentValue::Unset,
        ArgumentSource::Builder => ArgumentValue::Builder,
    }
}

/// The line of the start of `span`, and its start and end column on that line.
fn region(text: &str, span: &std::ops::Range<usize>) -> (u64, u64, u64) {
    let before = &text[..span.start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let units = |text: &str| text.trim_start_matches('\u{feff}').encode_utf16().count() as u64;
    let first_line = text[span.clone()].lines().next().unwrap_or_default();
    let column = units(&before[line_start..]) + 1;
    (before.matches('\n').count() as u64 + 1, column, column + units(first_line))
}
