//! The base that the labels of the built image record.

use std::collections::BTreeMap;

use super::{
    BuildPlan, SourceText,
    build::{declared, is_set_by_builder, known_or_unknown},
    expand::{UnknownCause, VariableValue, expand},
    image_name, words,
};
use crate::image::{Digest, Reference};

/// The OCI keys of a base (<https://github.com/opencontainers/image-spec/blob/main/annotations.md>).
pub(super) const OCI_NAME: &str = "org.opencontainers.image.base.name";
pub(super) const OCI_DIGEST: &str = "org.opencontainers.image.base.digest";

/// How labels record the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelState {
    /// They have the digest of `FROM`.
    Recorded,
    /// No label names it.
    Missing,
    /// A label names another image, another digest or no digest.
    Differs,
    /// The value of the label is only known during the build.
    Unresolved,
}

/// A label that names the base.
#[derive(Clone, Debug)]
pub struct RecordedLabel {
    /// Its key.
    pub key: String,
    /// Its line, from 1.
    pub line: usize,
    /// How it records the base.
    pub state: LabelState,
    pub(super) text: SourceText,
}

/// A label of the built image: the one that was set last.
struct AssignedLabel {
    line: usize,
    value: VariableValue,
}

impl BuildPlan<'_> {
    /// The labels with one of `keys` or the OCI keys in the image that is built on `base`.
    #[must_use]
    pub fn labels(&self, keys: &[String], base: &Reference) -> Vec<RecordedLabel> {
        let mut assigned: BTreeMap<String, AssignedLabel> = BTreeMap::new();
        let mut environment = BTreeMap::new();
        for stage in self.chain.iter().rev() {
            self.assign(*stage, &mut environment, &mut assigned);
        }
        let is_wanted = |key: &str| keys.iter().any(|wanted| wanted == key) || matches!(key, OCI_NAME | OCI_DIGEST);
        let wanted = assigned.into_iter().filter(|(key, _)| is_wanted(key));
        wanted.map(|(key, assigned)| recorded(key, assigned, base)).collect()
    }

    /// How all labels together record the base.
    #[must_use]
    pub fn label_state(labels: &[RecordedLabel]) -> LabelState {
        let has = |state| labels.iter().any(|label| label.state == state);
        // `base.name` without a digest is correct but insufficient.
        match () {
            () if has(LabelState::Differs) => LabelState::Differs,
            () if has(LabelState::Recorded) => LabelState::Recorded,
            () if has(LabelState::Unresolved) => LabelState::Unresolved,
            () => LabelState::Missing,
        }
    }

    /// Processes one stage.
    fn assign(
        &self,
        stage: usize,
        environment: &mut BTreeMap<String, VariableValue>,
        assigned: &mut BTreeMap<String, AssignedLabel>,
    ) {
        let escape = self.dockerfile.escape;
        let mut arguments: BTreeMap<String, VariableValue> = BTreeMap::new();
        for instruction in &self.dockerfile.stages[stage].instructions {
            let value = |word: &SourceText, environment: &BTreeMap<_, _>, arguments: &BTreeMap<_, _>| {
                let variable = |name: &str| {
                    let known: Option<&VariableValue> = environment.get(name).or_else(|| arguments.get(name));
                    known.cloned().unwrap_or(VariableValue::Unknown(UnknownCause::Inherited))
                };
                known_or_unknown(expand(word, escape, &variable))
            };
            match instruction.keyword.as_str() {
                "arg" => {
                    for (name, default) in declared(instruction, escape) {
                        let given = self.arguments.and_then(|given| given.get(&name));
                        let argument = match (given, default) {
                            (Some(given), _) => VariableValue::Known(SourceText::from_elsewhere(given)),
                            (None, Some(default)) => value(&default, environment, &arguments),
                            (None, None) => match self.global.get(&name) {
                                Some(global) => global.clone(),
                                None if is_set_by_builder(&name) => VariableValue::Unknown(UnknownCause::SetByBuilder),
                                None => VariableValue::Unknown(UnknownCause::NoDefault),
                            },
                        };
                        arguments.insert(name, argument);
                    }
                }
                "env" => {
                    for (name, word) in pairs(&instruction.arguments, escape) {
                        let text = value(&word, environment, &arguments);
                        environment.insert(name.as_str().to_owned(), text);
                    }
                }
                "label" => {
                    for (key, word) in pairs(&instruction.arguments, escape) {
                        let VariableValue::Known(key) = value(&key, environment, &arguments) else { continue };
                        let value = value(&word, environment, &arguments);
                        assigned.insert(key.as_str().to_owned(), AssignedLabel { line: instruction.line, value });
                    }
                }
                _ => {}
            }
        }
    }
}

/// Keys and values of `ENV` and `LABEL`: `a=b c=d`, or the legacy form `a b c`, which is one pair.
fn pairs(arguments: &SourceText, escape: char) -> Vec<(SourceText, SourceText)> {
    let words = words::quoted(arguments, escape);
    let Some(first) = words.first() else { return Vec::new() };
    if !first.as_str().contains('=') {
        let rest = arguments.slice(first.len()..arguments.len()).trim();
        return vec![(first.clone(), rest)];
    }
    words.iter().filter_map(|word| word.split_once('=')).collect()
}

fn recorded(key: String, assigned: AssignedLabel, base: &Reference) -> RecordedLabel {
    let text = match assigned.value {
        VariableValue::Known(text) => text,
        VariableValue::Unset(_) | VariableValue::Unknown(_) => {
            let text = SourceText::default();
            return RecordedLabel { key, line: assigned.line, state: LabelState::Unresolved, text };
        }
    };
    let named = text.as_str().trim();
    let state = if key == OCI_DIGEST || named.parse::<Digest>().is_ok() {
        let is_it = base.digest.as_ref().is_some_and(|digest| digest.as_str() == named);
        if is_it { LabelState::Recorded } else { LabelState::Differs }
    } else {
        match image_name::parse(named) {
            Ok(label) if label.repository != base.repository => LabelState::Differs,
            Ok(label) if label.digest.is_some() && label.digest == base.digest => LabelState::Recorded,
            // The pair has the digest under its other key.
            Ok(label) if label.digest.is_none() && key == OCI_NAME => LabelState::Missing,
            Ok(_) | Err(_) => LabelState::Differs,
        }
    };
    RecordedLabel { key, line: assigned.line, state, text }
}
