//! Edits of a Dockerfile that pin its bases and record the base of the built image. All other bytes stay unchanged.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    BaseImage, BuildPlan, FromInstruction, LabelState, RecordedLabel, SourceText,
    build::is_set_by_builder,
    expand::VariableValue,
    image_name::{self, ReferenceSpans},
    label::{OCI_DIGEST, OCI_NAME},
};
use crate::image::{Digest, Reference};

/// The tag and digest to pin a `FROM` to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePin {
    /// The tag that replaces the present one; `None` keeps it.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Digest,
}

impl ImagePin {
    /// `reference`, pinned.
    #[must_use]
    pub fn applied_to(&self, reference: &Reference) -> Reference {
        let tag = reference.tag.as_ref().map(|tag| self.tag.as_ref().unwrap_or(tag).clone());
        Reference { tag, digest: Some(self.digest.clone()), repository: reference.repository.clone() }
    }
}

/// Bytes to replace; an empty range inserts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TextEdit {
    start: usize,
    /// Whole lines are inserted after other insertions at the same position.
    is_line: bool,
    end: usize,
    text: String,
}

impl TextEdit {
    fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { start: range.start, is_line: false, end: range.end, text: text.into() }
    }

    /// The bytes that it replaces, or the one before an insertion.
    fn touched(&self) -> Range<usize> {
        if self.start == self.end { self.start.saturating_sub(1)..self.start } else { self.start..self.end }
    }

    fn touches(&self, text: &SourceText) -> bool {
        let touched = self.touched();
        text.offsets().any(|offset| touched.contains(&offset))
    }
}

/// The edits of a Dockerfile, and the ones that are impossible.
#[derive(Clone, Debug, Default)]
pub struct DockerfileEdits {
    all: BTreeSet<TextEdit>,
    /// Why a `FROM` cannot be pinned, by its position.
    pub refused: BTreeMap<usize, String>,
    /// Why the base cannot be recorded in a label, if it cannot.
    pub label_refused: Option<String>,
}

impl DockerfileEdits {
    /// Whether there are no edits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Applies the edits to `text`, from which they were made.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut edited = String::with_capacity(text.len());
        let mut at = 0;
        for edit in &self.all {
            edited.push_str(&text[at..edit.start]);
            edited.push_str(&edit.text);
            at = edit.end;
        }
        edited.push_str(&text[at..]);
        edited
    }
}

impl BuildPlan<'_> {
    /// The edits that pin the `FROM` instructions at these positions, and record the base in the label `key` and in all
    /// labels of `keys` that name it already.
    #[must_use]
    pub fn edits(&self, pins: &BTreeMap<usize, ImagePin>, keys: &[String]) -> DockerfileEdits {
        let mut edits_by_from: BTreeMap<usize, BTreeSet<TextEdit>> = BTreeMap::new();
        let mut edits = DockerfileEdits::default();
        for (position, pin) in pins {
            match self.froms.get(*position).map(|from| pinned(&from.resolved, &from.parts, pin)) {
                Some(Ok(needed)) => drop(edits_by_from.insert(*position, needed)),
                Some(Err(why)) => drop(edits.refused.insert(*position, why.to_owned())),
                None => {}
            }
        }
        // Refusing one may remove an edit that others need. Each round refuses at least one, so this terminates.
        loop {
            let shared = self.shared(&edits_by_from);
            if shared.is_empty() {
                break;
            }
            edits_by_from.retain(|position, _| !shared.contains_key(position));
            edits.refused.extend(shared);
        }
        edits.all.extend(edits_by_from.values().flatten().cloned());
        if let Some(ships) = self.froms.iter().position(|from| from.ships) {
            let pin = pins.get(&ships).filter(|_| edits_by_from.contains_key(&ships));
            self.record(ships, pin, keys, &mut edits);
        }
        edits
    }

    /// The `FROM` instructions whose edits would have side effects, with the reasons.
    fn shared(&self, edits_by_from: &BTreeMap<usize, BTreeSet<TextEdit>>) -> BTreeMap<usize, String> {
        let shared = edits_by_from.iter().filter_map(|(position, edits)| {
            let why = edits.iter().find_map(|edit| self.also_changed(*position, edit, edits_by_from))?;
            Some((*position, why))
        });
        shared.collect()
    }

    fn also_changed(
        &self,
        position: usize,
        edit: &TextEdit,
        edits_by_from: &BTreeMap<usize, BTreeSet<TextEdit>>,
    ) -> Option<String> {
        for (other, from) in self.froms.iter().enumerate().filter(|(other, _)| *other != position) {
            let agrees = edits_by_from.get(&other).is_some_and(|edits| edits.contains(edit));
            if edit.touches(&from.resolved) && !agrees {
                return Some(format!("the FROM in line {} uses the same ARG", from.line));
            }
        }
        let resolved = self.froms[position].resolved.as_str();
        let is_part = |(name, value): (&String, &SourceText)| {
            edit.touches(value) && value.as_str() != resolved && self.dockerfile.is_declared_in_a_stage(name)
        };
        let known = self.global.iter().filter_map(|(name, value)| match value {
            VariableValue::Known(value) => Some((name, value)),
            _ => None,
        });
        known.into_iter().find(|global| is_part(*global)).map(|(name, _)| {
            format!("ARG {name} is a part of the image and is used in a stage: put the whole image into one ARG")
        })
    }

    /// Adds the edits that record the base in the labels.
    fn record(&self, ships: usize, pin: Option<&ImagePin>, keys: &[String], edits: &mut DockerfileEdits) {
        let from = &self.froms[ships];
        let BaseImage::Reference(reference) = &from.image else { return };
        let target = pin.map_or_else(|| reference.clone(), |pin| pin.applied_to(reference));
        let Some(digest) = target.digest.clone() else { return };
        let mut has_record = false;
        for label in self.labels(keys, reference) {
            has_record |= label.key != OCI_NAME;
            if label.state == LabelState::Recorded && pin.is_none() {
                continue;
            }
            let pin = ImagePin { tag: target.tag.clone(), digest: digest.clone() };
            let needed = corrected(&label, &target, &pin).and_then(|needed| self.without_side_effect(needed, edits));
            match needed {
                Ok(needed) => edits.all.extend(needed),
                Err(why) => drop(edits.label_refused.get_or_insert_with(|| format!("line {}: {why}", label.line))),
            }
        }
        if let Some(key) = keys.first().filter(|_| !has_record && !self.is_left_open()) {
            let insertion = self.insertion(from, &target, key, edits);
            edits.all.insert(insertion);
        }
    }

    /// The edits of a label, if they change only that label and a `FROM` with the same edit.
    fn without_side_effect(
        &self,
        needed: BTreeSet<TextEdit>,
        edits: &DockerfileEdits,
    ) -> Result<BTreeSet<TextEdit>, &'static str> {
        let is_new = |edit: &&TextEdit| !edits.all.contains(*edit);
        let is_alone = |edit: &TextEdit| {
            let overlaps = |other: &TextEdit| edit.start < other.end && other.start < edit.end;
            !edits.all.iter().any(overlaps) && !self.froms.iter().any(|from| edit.touches(&from.resolved))
        };
        if needed.iter().filter(is_new).all(is_alone) {
            Ok(needed)
        } else {
            Err("the label uses an ARG that a FROM uses too")
        }
    }

    /// Whether the file ends with an escape character in the last `FROM`, so that an insertion after it would continue
    /// it.
    fn is_left_open(&self) -> bool {
        let (text, escape) = (self.dockerfile.text, self.dockerfile.escape);
        let end = self.dockerfile.stages[self.chain[0]].from.span.end;
        let open = text[..end].trim_end_matches([' ', '\t']).strip_suffix(escape);
        open.is_some_and(|line| !line.ends_with(escape))
    }

    /// The lines after the `FROM` of the target stage that record `target`.
    fn insertion(&self, from: &FromInstruction, target: &Reference, key: &str, edits: &DockerfileEdits) -> TextEdit {
        let stage = &self.dockerfile.stages[self.chain[0]].from;
        let text = self.dockerfile.text;
        let line_start = text[..stage.span.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = text[line_start..stage.span.start].trim_start_matches('\u{feff}');
        let mut inserted = String::new();
        let mut add = |line: String| inserted.extend([line_break(text, stage.span.end), indent, &line]);
        let written = self.written(from, target, edits);
        if written.is_some() {
            from.arguments.keys().for_each(|name| add(format!("ARG {name}")));
        }
        add(format!("LABEL {key}={}", written.unwrap_or_else(|| target.to_string())));
        TextEdit { is_line: true, ..TextEdit::new(stage.span.end..stage.span.end, inserted) }
    }

    /// The image as `from` will have it, if it uses arguments: the label then uses them too.
    fn written(&self, from: &FromInstruction, target: &Reference, edits: &DockerfileEdits) -> Option<String> {
        let text = &self.dockerfile.text[from.span.clone()];
        // A `--build-arg` applies in stages that declare the argument, and in FROM only if declared before the first
        // FROM.
        let is_seen = |name: &String| self.global.contains_key(name) || is_set_by_builder(name);
        if from.arguments.is_empty() || text != from.written || !from.arguments.keys().all(is_seen) {
            return None;
        }
        let inside = edits.all.iter().filter(|edit| edit.start >= from.span.start && edit.end <= from.span.end);
        let shift = |edit: &TextEdit| {
            TextEdit::new(edit.start - from.span.start..edit.end - from.span.start, edit.text.as_str())
        };
        let inside = DockerfileEdits { all: inside.map(shift).collect(), ..DockerfileEdits::default() };
        // A short name of Docker Hub is not valid in a label.
        let repository = target.repository.to_string();
        let prefix = repository.strip_suffix(from.parts.name(from.resolved.as_str()))?;
        Some(format!("{prefix}{}", inside.apply(text)))
    }
}

/// The edits that pin the reference `text` to `pin`.
fn pinned(text: &SourceText, parts: &ReferenceSpans, pin: &ImagePin) -> Result<BTreeSet<TextEdit>, &'static str> {
    let mut edits = BTreeSet::new();
    if let (Some(range), Some(tag)) = (&parts.tag, &pin.tag) {
        edits.extend(replacement(text, range.clone(), tag)?);
    }
    let digest = pin.digest.as_str();
    if let Some(range) = &parts.digest {
        edits.extend(replacement(text, range.clone(), digest)?);
    } else {
        let last = text.len().checked_sub(1).and_then(|last| text.offset(last)).ok_or(NOT_IN_FILE)?;
        edits.insert(TextEdit::new(last + 1..last + 1, format!("@{digest}")));
    }
    Ok(edits)
}

const NOT_IN_FILE: &str = "its value comes from --build-arg, not from the file";

fn replacement(text: &SourceText, range: Range<usize>, by: &str) -> Result<Option<TextEdit>, &'static str> {
    if &text.as_str()[range.clone()] == by {
        return Ok(None);
    }
    let range = text.contiguous(range).ok_or("it is composed of several parts, or comes from --build-arg")?;
    Ok(Some(TextEdit::new(range, by)))
}

/// The edits that set `label` to `target`.
fn corrected(label: &RecordedLabel, target: &Reference, pin: &ImagePin) -> Result<BTreeSet<TextEdit>, &'static str> {
    let text = &label.text;
    let whole = |by: &str| replacement(text, 0..text.len(), by).map(|edit| edit.into_iter().collect());
    if label.state == LabelState::Unresolved {
        return Err("the value of this label is only known during the build");
    }
    if text.is_empty() {
        return Err("the label is empty");
    }
    let value = text.as_str();
    if label.key == OCI_DIGEST || value.parse::<Digest>().is_ok() {
        return whole(pin.digest.as_str());
    }
    match image_name::parse(value) {
        Ok(named) if named.repository == target.repository => {
            let parts = ReferenceSpans::find(value);
            if label.key == OCI_NAME && named.digest.is_none() {
                let tag = parts.tag.zip(pin.tag.as_ref());
                let tag = tag.map(|(range, tag)| replacement(text, range, tag)).transpose()?;
                return Ok(tag.flatten().into_iter().collect());
            }
            pinned(text, &parts, pin)
        }
        _ => whole(&target.to_string()),
    }
}

/// The line break after `end`; if there is none, that of the file.
fn line_break(text: &str, end: usize) -> &'static str {
    let line = text[end..].find('\n').map(|at| &text[..end + at]);
    let line = line.or_else(|| text.find('\n').map(|at| &text[..at]));
    if line.is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" }
}
