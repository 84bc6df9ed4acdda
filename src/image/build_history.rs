//! The build history of an image: bases in builder comments, package updates, and dates of layers.
//!
//! Entries are read one by one. Commands may hold secrets and are never kept. Dates are hints, because builders clamp,
//! omit and misplace them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    ImageProfile, PackageManager, PackageUpdate, Reference, RootFileSystem, VALUE_BYTES,
    lenient::{self, LenientEntry},
    package_update, profile, shell,
};

/// The most bases in builder comments that are kept: the outermost ones.
const BUILDER_BASES: usize = 8;
/// The most package updates that are kept: the latest ones.
const PACKAGE_UPDATES: usize = 16;
/// The most dates of layers that are kept, from the lowest layer up.
const LAYER_DATES: usize = 256;

/// The comment of `BuildKit` for layers without an instruction.
const EXPORTER: &str = "buildkit.exporter.image.";

/// A base in a builder comment: buildah and podman write `FROM public.ecr.aws/lambda/python:3.12` into a history entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderBase {
    /// The reference in the comment.
    pub reference: Reference,
    /// The number of layers that belong to the base; `None` if unknown, as in a squashed image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_count: Option<usize>,
}

/// The date of a layer and those above it, up to the next entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerDate {
    /// The lowest layer with this date, counted from 0.
    #[serde(rename = "from")]
    pub layer: usize,
    /// The date; `None` if the history has none.
    #[serde(with = "chrono::serde::ts_seconds_option", default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

/// What the history of an image shows about its build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildHistory {
    /// The bases in builder comments, innermost first. Images that exist only on the builder, such as build stages, are
    /// left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builder_bases: Vec<BuilderBase>,
    /// The steps that updated packages, oldest first, including those of the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub package_updates: Vec<PackageUpdate>,
    /// The dates of its layers, lowest first; each entry applies up to the next one. See [`BuildHistory::made_at`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layer_dates: Vec<LayerDate>,
}

impl BuildHistory {
    /// The date of `layer`, counted from 0, as recorded; it may be implausible.
    #[must_use]
    pub fn made_at(&self, layer: usize) -> Option<DateTime<Utc>> {
        self.layer_dates.iter().take_while(|date| date.layer <= layer).last()?.at
    }

    /// Whether there is nothing to keep of it.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A history as read, before the number of layers is known.
#[derive(Clone, Debug, Default)]
pub(super) struct RawHistory {
    /// The latest `created` of all entries.
    pub(super) youngest: Option<DateTime<Utc>>,
    /// The number of entries with a layer.
    layer_entries: usize,
    /// The number of those written by `BuildKit`'s exporter.
    exporter_entries: usize,
    bases: Vec<(EntryPosition, Reference)>,
    updates: Vec<(EntryPosition, PackageUpdate)>,
    dates: Vec<LayerDate>,
    profile: RawProfile,
}

/// The position of an entry.
#[derive(Clone, Copy, Debug)]
struct EntryPosition {
    /// The number of earlier entries with a layer.
    below: usize,
    /// The number of those written by the exporter.
    exported: usize,
}

/// What the entries show about the profile.
#[derive(Clone, Copy, Debug, Default)]
struct RawProfile {
    distribution: Option<RootFileSystem>,
    /// The kind of the first entry with a layer.
    first: Option<EntryStep>,
    manager: Option<PackageManager>,
    has_step_without_layer: bool,
    has_runtime_client: bool,
}

/// One entry of a history.
#[derive(Deserialize)]
struct RawEntry {
    #[serde(default, rename = "created", deserialize_with = "lenient::instant")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, rename = "created_by")]
    command: EntryCommand,
    #[serde(default)]
    comment: EntryComment,
    #[serde(default, rename = "empty_layer", deserialize_with = "lenient::flag")]
    is_empty: bool,
}

/// The meaning of an entry's comment.
#[derive(Default)]
enum EntryComment {
    /// The base of the build.
    From(Reference),
    /// An entry of `BuildKit`'s exporter.
    Exporter,
    /// The base of Debian.
    Debian,
    /// A file system that was imported.
    Imported,
    #[default]
    Other,
}

/// The kind of step of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryStep {
    /// Runs a command.
    Run,
    /// Copies files into the image.
    Copy,
    /// Copies a whole file system into the image.
    CopyAll,
    /// Unpacks an archive at the root of the image.
    AddRoot,
    Other,
}

/// What an entry's command shows.
#[derive(Default)]
struct EntryCommand {
    step: Option<EntryStep>,
    update: Option<(PackageManager, bool)>,
    manager: Option<PackageManager>,
    distribution: Option<RootFileSystem>,
    has_runtime_client: bool,
}

impl RawHistory {
    /// Reads `history` of a configuration; any other type counts as an empty list.
    pub(super) fn read<'de, D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        let mut history = Self::default();
        lenient::each_entry_or_none(field, |LenientEntry(entry): LenientEntry<RawEntry>| {
            if let Some(entry) = entry {
                history.add(entry);
            }
        })?;
        Ok(history)
    }

    fn add(&mut self, entry: RawEntry) {
        let position = EntryPosition { below: self.layer_entries, exported: self.exporter_entries };
        self.youngest = self.youngest.max(entry.created_at);
        self.profile.add(&entry);
        // Whole seconds, as stored.
        let at = entry.created_at.and_then(|at| DateTime::from_timestamp(at.timestamp(), 0));
        let is_exported = matches!(entry.comment, EntryComment::Exporter);
        if let EntryComment::From(reference) = entry.comment {
            push_latest(&mut self.bases, (position, reference), BUILDER_BASES);
        }
        if let Some((manager, is_partial)) = entry.command.update {
            let update = PackageUpdate { manager, at, layer: None, is_partial };
            push_latest(&mut self.updates, (position, update), PACKAGE_UPDATES);
        }
        if entry.is_empty {
            return;
        }
        let is_new = self.dates.last().is_none_or(|last| last.at != at);
        if is_new && self.dates.len() < LAYER_DATES {
            self.dates.push(LayerDate { layer: position.below, at });
        }
        self.layer_entries += 1;
        self.exporter_entries += usize::from(is_exported);
    }

    /// The build history of an image with `layer_count` layers.
    pub(super) fn build(self, layer_count: usize) -> BuildHistory {
        let Some(missing) = layer_count.checked_sub(self.layer_entries) else {
            return BuildHistory {
                builder_bases: self.bases.into_iter().map(|(_, base)| BuilderBase::new(base, None)).collect(),
                package_updates: self.updates.into_iter().map(|(_, update)| update).collect(),
                layer_dates: Vec::new(),
            };
        };
        // A base without history is below all entries. `BuildKit` appends missing entries after its own, with the dates
        // in the order of the layers (exporter/containerimage/writer.go, `normalizeLayersAndHistory`).
        let layer = |position: EntryPosition| position.below + missing + (self.exporter_entries - position.exported);
        let dated = BuildHistory {
            layer_dates: self.dates.into_iter().map(|date| LayerDate { layer: date.layer + missing, ..date }).collect(),
            ..BuildHistory::default()
        };
        let base = |(position, reference): (EntryPosition, Reference)| {
            BuilderBase::new(reference, Some(layer(position)).filter(|count| *count > 0))
        };
        let update = |(position, update): (EntryPosition, PackageUpdate)| {
            let layer = layer(position);
            let at = if layer == position.below + missing { update.at } else { dated.made_at(layer) };
            PackageUpdate { at, layer: Some(layer).filter(|layer| *layer < layer_count), ..update }
        };
        BuildHistory {
            builder_bases: self.bases.into_iter().map(base).collect(),
            package_updates: self.updates.into_iter().map(update).collect(),
            ..dated
        }
    }

    /// The profile of an image with `layer_count` layers and this history.
    pub(super) fn profile(&self, layer_count: usize) -> ImageProfile {
        let RawProfile { distribution, first, manager, has_step_without_layer, has_runtime_client } = self.profile;
        let copied = first.filter(|_| self.layer_entries == layer_count && self.exporter_entries == 0);
        let copied = copied.and_then(|step| match step {
            EntryStep::Copy => Some(RootFileSystem::Scratch),
            EntryStep::CopyAll => Some(RootFileSystem::Flattened),
            EntryStep::Run | EntryStep::AddRoot | EntryStep::Other => None,
        });
        ImageProfile {
            root: distribution.or_else(|| manager.map(profile::managed_by)).or(copied),
            is_squashed: layer_count == 1 && has_step_without_layer,
            has_runtime_client,
        }
    }
}

/// Adds `entry`, and drops the oldest one if there are too many.
fn push_latest<T>(entries: &mut Vec<T>, entry: T, most: usize) {
    if entries.len() == most {
        entries.remove(0);
    }
    entries.push(entry);
}

impl BuilderBase {
    fn new(reference: Reference, layer_count: Option<usize>) -> Self {
        Self { reference, layer_count }
    }
}

impl RawProfile {
    fn add(&mut self, entry: &RawEntry) {
        let command = &entry.command;
        let commented = match entry.comment {
            EntryComment::Debian => Some(RootFileSystem::Debian),
            EntryComment::Imported => Some(RootFileSystem::Flattened),
            EntryComment::From(_) | EntryComment::Exporter | EntryComment::Other => None,
        };
        self.distribution = self.distribution.or(commented).or(command.distribution);
        self.manager = self.manager.or(command.manager);
        self.has_runtime_client |= command.has_runtime_client;
        let makes_layer = command.step.is_some_and(|step| step != EntryStep::Other);
        self.has_step_without_layer |= entry.is_empty && makes_layer;
        if !entry.is_empty && self.first.is_none() {
            self.first = Some(command.step.unwrap_or(EntryStep::Other));
        }
    }
}

impl<'de> Deserialize<'de> for EntryComment {
    fn deserialize<D: Deserializer<'de>>(comment: D) -> Result<Self, D::Error> {
        lenient::derived(comment, Self::new)
    }
}

impl EntryComment {
    fn new(text: &str) -> Self {
        // Build stages and `scratch` have no registry and are not references.
        let base = text.strip_prefix("FROM ").filter(|base| base.len() <= VALUE_BYTES);
        match base.and_then(|base| base.trim().parse::<Reference>().ok()) {
            // The registry of images that buildah never pushed.
            Some(reference) if &*reference.repository.registry == "localhost" => Self::Other,
            Some(reference) => Self::From(reference),
            None if text.starts_with(EXPORTER) => Self::Exporter,
            None if text.starts_with("debuerreotype") => Self::Debian,
            None if text.starts_with("Imported from") => Self::Imported,
            None => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for EntryCommand {
    fn deserialize<D: Deserializer<'de>>(command: D) -> Result<Self, D::Error> {
        lenient::derived(command, Self::new)
    }
}

impl EntryCommand {
    fn new(text: &str) -> Self {
        let text = text.trim();
        let (step, arguments) = step(text);
        let mut command = Self {
            step: Some(step),
            distribution: profile::distribution(text),
            has_runtime_client: profile::names_runtime_client(text),
            ..Self::default()
        };
        if step == EntryStep::Run {
            shell::each_command(arguments, |words| {
                command.update = command.update.or_else(|| package_update::update(words));
                let manager = words.first().and_then(|program| PackageManager::from_program(program));
                command.manager = command.manager.or(manager);
            });
        }
        command
    }
}

/// The instruction of an entry, and its arguments. Builders write the instruction itself, `#(nop)` and the instruction,
/// or the shell command.
fn step(text: &str) -> (EntryStep, &str) {
    let nop = text.strip_prefix("/bin/sh -c #(nop)").map(str::trim_start);
    let (instruction, arguments) = nop.unwrap_or(text).split_once(' ').unwrap_or((nop.unwrap_or(text), ""));
    let is_instruction = !instruction.is_empty() && instruction.bytes().all(|byte| byte.is_ascii_uppercase());
    let step = match instruction {
        "RUN" => EntryStep::Run,
        "COPY" | "ADD" => copied(instruction, arguments),
        _ if is_instruction || nop.is_some() => EntryStep::Other,
        _ if text.starts_with(['/', '|', '[']) => return (EntryStep::Run, text),
        _ => EntryStep::Other,
    };
    (step, arguments)
}

/// The kind of copy of `ADD` or `COPY`, by its target: `rootfs.tar.gz / # buildkit`, `file:4bf7… in /`, `/ /`.
fn copied(instruction: &str, arguments: &str) -> EntryStep {
    let arguments = arguments.split(" # ").next().unwrap_or_default();
    let words: Vec<_> = arguments.split_whitespace().filter(|word| !word.starts_with("--")).take(4).collect();
    match (instruction, &words[..]) {
        ("ADD", [_, "/"] | [_, "in", "/"]) => EntryStep::AddRoot,
        ("COPY", ["/" | "/.", "/"]) => EntryStep::CopyAll,
        _ => EntryStep::Copy,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(history: &Value) -> RawHistory {
        RawHistory::read(history).expect("reads")
    }

    fn build(history: &Value, layer_count: usize) -> BuildHistory {
        read(history).build(layer_count)
    }

    fn bases(history: &Value, layer_count: usize) -> Vec<(String, Option<usize>)> {
        let base = |base: BuilderBase| (base.reference.to_string(), base.layer_count);
        build(history, layer_count).builder_bases.into_iter().map(base).collect()
    }

    const PYTHON: &str = "public.ecr.aws/lambda/python:3.12";

    /// The history of a base of two layers.
    fn base_entries() -> Vec<Value> {
        vec![
            json!({"created": "2026-10-03T13:00:00Z", "created_by": "COPY os / # buildkit"}),
            json!({"created": "2026-10-03T13:00:00Z", "created_by": "ENV LANG=en_US.UTF-8", "empty_layer": true}),
            json!({"created": "2026-10-03T13:00:00Z", "created_by": "COPY runtime / # buildkit"}),
        ]
    }

    fn on_base(own: &[Value]) -> Value {
        Value::Array([&base_entries()[..], own].concat())
    }

    #[test]
    fn the_base_in_a_comment_of_buildah_is_read_with_its_layers() {
        // What buildah 1.28 writes: without `--layers` one layer, and the comment at the last entry …
        let one_layer = on_base(&[
            json!({"created_by": "/bin/sh -c #(nop) ENV TZ=UTC", "empty_layer": true}),
            json!({"created_by": "/bin/sh -c #(nop) COPY file:79 in /var/task/app ", "empty_layer": true}),
            json!({"created_by": "/bin/sh -c #(nop) CMD [\"app.handler\"]", "comment": format!("FROM {PYTHON}")}),
        ]);
        assert_eq!(bases(&one_layer, 3), [(PYTHON.to_owned(), Some(2))]);
        // … with it a layer for each step, and the comments of the others name the image of the step before.
        let layers = on_base(&[
            json!({"created_by": "/bin/sh -c #(nop) ENV TZ=UTC", "comment": format!("FROM {PYTHON}"), "empty_layer": true}),
            json!({"created_by": "/bin/sh -c #(nop) COPY file:79 in /var/task/app ", "comment": "FROM 20af36793e93"}),
            json!({"created_by": "/bin/sh -c dnf -y update", "comment": "FROM 2401395321fb"}),
        ]);
        assert_eq!(bases(&layers, 4), [(PYTHON.to_owned(), Some(2))]);
    }

    #[test]
    fn the_layers_of_a_base_without_history_are_counted_from_the_end() {
        let own = json!([
            {"created_by": "/bin/sh -c #(nop) ENV TZ=UTC", "empty_layer": true},
            {"created_by": "/bin/sh -c #(nop) COPY file:89 in /b ", "comment": format!("FROM {PYTHON}")},
        ]);
        assert_eq!(bases(&own, 7), [(PYTHON.to_owned(), Some(6))]);
        assert_eq!(bases(&own, 1), [(PYTHON.to_owned(), None)], "squashed: its layers are in the one that is left");
        assert_eq!(bases(&own, 0), [(PYTHON.to_owned(), None)]);
    }

    #[test]
    fn with_a_company_base_between_both_bases_are_read() {
        let history = on_base(&[
            json!({"comment": format!("FROM {PYTHON}")}),
            json!({"comment": "FROM 123456789012.dkr.ecr.eu-west-1.amazonaws.com/base@sha256:00"}),
            json!({"comment": "FROM 123456789012.dkr.ecr.eu-west-1.amazonaws.com/base:7"}),
        ]);
        let company = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/base:7".to_owned();
        assert_eq!(bases(&history, 5), [(PYTHON.to_owned(), Some(2)), (company, Some(4))]);
    }

    #[test]
    fn a_comment_without_a_reference_names_no_base() {
        for comment in [
            "FROM scratch",
            "FROM 24a5949c1be7",
            "FROM localhost/app:1",
            "FROM ",
            "FROM python:3.12",
            "buildkit.dockerfile.v0",
        ] {
            assert!(bases(&json!([{"comment": comment}]), 1).is_empty(), "{comment}");
        }
        let long = format!("FROM public.ecr.aws/{}", "a/".repeat(1 << 20));
        assert!(bases(&json!([{"comment": long}, {"comment": 7}, null, 7]), 1).is_empty());
    }

    #[test]
    fn entries_appended_by_buildkit_belong_to_the_lowest_layers() {
        let base = "2026-10-03T13:00:00Z";
        let history = json!([
            {"created": base, "created_by": "COPY app / # buildkit", "comment": "buildkit.dockerfile.v0"},
            {"created": base, "created_by": "RUN /bin/sh -c dnf -y update # buildkit", "comment": "buildkit.dockerfile.v0"},
            {"created": "2026-11-01T00:00:00Z", "comment": "buildkit.exporter.image.v0"},
            {"created": "2026-11-02T00:00:00Z", "comment": "buildkit.exporter.image.v0"},
        ]);
        let update = &build(&history, 4).package_updates[0];
        assert_eq!((update.layer, update.at), (Some(3), "2026-11-02T00:00:00Z".parse().ok()));
        assert!(update.is_after(2));
    }

    #[test]
    fn package_updates_are_found_with_their_layers() {
        let history = on_base(&[
            json!({"created": "2026-11-01T00:00:00Z", "created_by": "RUN /bin/sh -c TOKEN=hush dnf -y update # buildkit"}),
            json!({"created_by": "COPY dnf update / # buildkit"}),
            json!({"created_by": "RUN /bin/sh -c apt-get update && apt-get install -y curl # buildkit"}),
            json!({"created_by": "/bin/sh -c yum update -y openssl", "empty_layer": true}),
            json!({"created_by": "CMD [\"app\"]", "comment": format!("FROM {PYTHON}")}),
        ]);
        let build = build(&history, 6);
        let found: Vec<_> = build.package_updates.iter().map(|it| (it.manager, it.layer, it.is_partial)).collect();
        assert_eq!(found, [(PackageManager::Dnf, Some(2), false), (PackageManager::Yum, Some(5), true)]);
        assert_eq!(build.package_updates[0].at, "2026-11-01T00:00:00Z".parse().ok());
        assert!(!serde_json::to_string(&build).expect("has a JSON form").contains("hush"));
    }

    #[test]
    fn the_layers_of_a_history_that_does_not_fit_the_image_are_unknown() {
        let history = on_base(&[json!({"created_by": "RUN dnf update", "comment": format!("FROM {PYTHON}")})]);
        let build = build(&history, 2);
        assert_eq!((build.builder_bases[0].layer_count, build.package_updates[0].layer), (None, None));
        assert!(build.layer_dates.is_empty() && !build.package_updates[0].is_after(0));
    }

    #[test]
    fn dates_are_kept_where_they_change() {
        let build = build(&on_base(&[json!({}), json!({"created": "2026-11-01T00:00:00.7Z"})]), 4);
        assert_eq!(build.layer_dates.len(), 3);
        let at = |layer| build.made_at(layer).map(|at| at.to_string());
        assert_eq!(at(1).as_deref(), Some("2026-10-03 13:00:00 UTC"));
        assert_eq!(at(2), None);
        assert!(at(3).is_some() && at(1000) == at(3));
        let json = serde_json::to_value(&build).expect("has a JSON form");
        let again: BuildHistory = serde_json::from_value(json.clone()).expect("reads");
        assert_eq!(serde_json::to_value(&again).expect("has a JSON form"), json);
        assert_eq!(BuildHistory::default().made_at(0), None);
    }

    #[test]
    fn a_long_history_is_cut() {
        let entry = |number: usize| {
            let at = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(i64::try_from(number).expect("small"));
            json!({"created": at, "created_by": "RUN dnf update", "comment": format!("FROM r.corp/base:{number}")})
        };
        let build = build(&(0..1000).map(entry).collect(), 1000);
        assert_eq!(build.layer_dates.len(), LAYER_DATES);
        assert_eq!(build.package_updates.len(), PACKAGE_UPDATES);
        assert_eq!(build.builder_bases.len(), BUILDER_BASES);
        assert_eq!(build.builder_bases[BUILDER_BASES - 1].reference.tag.as_deref(), Some("999"));
    }

    #[test]
    fn the_profile_of_an_image_is_read_from_its_steps() {
        use RootFileSystem as R;
        for (entry, root) in [
            (json!({"created_by": "COPY bootstrap /bootstrap # buildkit"}), Some(R::Scratch)),
            (json!({"created_by": "COPY / / # buildkit"}), Some(R::Flattened)),
            (json!({"created_by": "", "comment": "Imported from -"}), Some(R::Flattened)),
            (json!({"created_by": "bazel build //base:static"}), Some(R::Distroless)),
            (json!({"created_by": "# debian.sh --arch 'arm64' out/ 'trixie' '@1763337600'"}), Some(R::Debian)),
            (
                json!({"created_by": "/bin/sh -c #(nop)  LABEL org.opencontainers.image.ref.name=ubuntu"}),
                Some(R::Ubuntu),
            ),
            (json!({"created_by": "ADD alpine-minirootfs-3.20.3-aarch64.tar.gz / # buildkit"}), Some(R::Alpine)),
            (json!({"created_by": "RUN /bin/sh -c apt-get install -y curl # buildkit"}), Some(R::Debian)),
            (json!({"created_by": "RUN /bin/sh -c dnf install -y gcc # buildkit"}), Some(R::Rpm)),
            (json!({"created_by": "COPY /rootfs/ / # buildkit"}), Some(R::AmazonLinux)),
            (json!({"created_by": "ADD file:4bf7 in / "}), None),
            (json!({"created_by": "/bin/sh -c #(nop) ADD file:4bf7 in / "}), None),
            (json!({"created_by": "/bin/sh"}), None),
            (json!({}), None),
        ] {
            let profile = read(&json!([entry])).profile(1);
            assert_eq!(
                (profile.root, profile.is_squashed, profile.has_runtime_client),
                (root, false, false),
                "{entry}"
            );
        }
        let client = json!([{"created_by": "RUN /bin/sh -c pip install awslambdaric # buildkit"}]);
        assert!(read(&client).profile(2).has_runtime_client);
        let copied = json!([{"created_by": "COPY app /app # buildkit"}]);
        assert_eq!(read(&copied).profile(7).root, None, "the layers below have no history");
        let squashed = json!([
            {"created_by": "/bin/sh -c #(nop) COPY file:79 in /app ", "empty_layer": true},
            {"created_by": "/bin/sh -c #(nop) CMD [\"app\"]", "comment": format!("FROM {PYTHON}")},
        ]);
        assert!(read(&squashed).profile(1).is_squashed && !read(&squashed).profile(7).is_squashed);
    }
}
