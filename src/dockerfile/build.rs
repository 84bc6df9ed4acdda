//! Evaluates a Dockerfile as a build does: argument values, stage names, and the base of the target stage.

use std::collections::BTreeMap;

use super::{
    BuildArguments, BuildStage, Dockerfile, Instruction, SourceText, SyntaxError,
    expand::{Expansion, UnknownCause, VariableValue, expand},
    image_name::{self, ReferenceSpans},
    words,
};
use crate::image::{Platform, Reference};

/// The arguments that BuildKit and buildah set for each platform.
const SET_BY_BUILDER: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

/// The arguments of a build.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildOptions<'a> {
    /// The values of `--build-arg`.
    pub arguments: Option<&'a BuildArguments>,
    /// The stage of `--target`; `None` for the last one.
    pub target: Option<&'a str>,
}

/// The source of an argument's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentSource {
    /// The default in the file.
    Default,
    /// A `--build-arg`.
    BuildArgument,
    /// It has no value.
    Unset,
    /// The builder sets it for each platform.
    Builder,
}

/// The base of a `FROM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseImage {
    /// An image in a registry.
    Reference(Reference),
    /// An earlier stage, by its position among the stages.
    Stage(usize),
    /// `scratch`, the empty image.
    Scratch,
    /// Unknown before the build, with the reason.
    Unresolved(String),
}

/// One `FROM`.
#[derive(Clone, Debug)]
pub struct FromInstruction {
    /// The line it begins on, from 1.
    pub line: usize,
    /// The byte range of the image in the file.
    pub span: std::ops::Range<usize>,
    /// The image as written.
    pub written: String,
    /// The name of its stage.
    pub stage: Option<String>,
    /// The value of `--platform` as written.
    pub platform: Option<String>,
    /// The platform, if the file determines it.
    pub known_platform: Option<Platform>,
    /// Its base.
    pub image: BaseImage,
    /// The arguments that it uses, and the sources of their values.
    pub arguments: BTreeMap<String, ArgumentSource>,
    /// Whether it is the base of the target stage.
    pub ships: bool,
    /// The resolved image, with the position of each byte.
    pub(super) resolved: SourceText,
    /// The positions of tag and digest in it.
    pub(super) parts: ReferenceSpans,
}

impl FromInstruction {
    /// Whether it names its image by digest.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        matches!(&self.image, BaseImage::Reference(reference) if reference.digest.is_some())
    }
}

/// A Dockerfile evaluated with build options.
#[derive(Clone, Debug)]
pub struct BuildPlan<'a> {
    pub(super) dockerfile: &'a Dockerfile<'a>,
    pub(super) arguments: Option<&'a BuildArguments>,
    pub(super) global: BTreeMap<String, VariableValue>,
    /// The `FROM` instructions, in order.
    pub froms: Vec<FromInstruction>,
    /// The stages whose layers are in the built image: the target stage first.
    pub(super) chain: Vec<usize>,
}

impl<'a> Dockerfile<'a> {
    /// Evaluates the Dockerfile with these options.
    ///
    /// # Errors
    ///
    /// If the target does not exist.
    pub fn plan(&'a self, options: BuildOptions<'a>) -> Result<BuildPlan<'a>, SyntaxError> {
        let global = self.global_arguments(options.arguments);
        let mut froms: Vec<FromInstruction> = Vec::new();
        for stage in &self.stages {
            let from = self.resolved(stage, &froms, &global, options.arguments);
            froms.push(from);
        }
        let mut built = match options.target {
            None => froms.len() - 1,
            Some(target) => stage_named(&froms, target)
                .or_else(|| target.parse().ok().filter(|position| *position < froms.len()))
                .ok_or_else(|| SyntaxError { line: 1, message: format!("there is no stage {target:?}") })?,
        };
        let mut chain = vec![built];
        // Stages refer to earlier ones only, so this terminates.
        while let BaseImage::Stage(parent) = froms[built].image {
            built = parent;
            chain.push(built);
        }
        froms[built].ships = true;
        Ok(BuildPlan { dockerfile: self, arguments: options.arguments, global, froms, chain })
    }

    /// The arguments in the scope of `FROM`.
    fn global_arguments(&self, given: Option<&BuildArguments>) -> BTreeMap<String, VariableValue> {
        let mut global = BTreeMap::new();
        for (name, default) in self.global.iter().flat_map(|argument| declared(argument, self.escape)) {
            let value = match (given.and_then(|given| given.get(&name)), default) {
                (Some(given), _) => VariableValue::Known(SourceText::from_elsewhere(given)),
                (None, Some(default)) => {
                    known_or_unknown(expand(&default, self.escape, &|name| global_value(&global, given, name)))
                }
                (None, None) if SET_BY_BUILDER.contains(&name.as_str()) => {
                    VariableValue::Unknown(UnknownCause::SetByBuilder)
                }
                (None, None) => VariableValue::Unset(UnknownCause::NoDefault),
            };
            global.insert(name, value);
        }
        global
    }

    /// The `FROM` of `stage`, after those of the `earlier` stages.
    fn resolved(
        &self,
        stage: &BuildStage,
        earlier: &[FromInstruction],
        global: &BTreeMap<String, VariableValue>,
        given: Option<&BuildArguments>,
    ) -> FromInstruction {
        let value = |name: &str| match global_value(global, given, name) {
            VariableValue::Unset(UnknownCause::NotDeclared) if self.is_declared_in_a_stage(name) => {
                VariableValue::Unset(UnknownCause::InsideStage)
            }
            value => value,
        };
        let expansion = expand(&stage.image, self.escape, &value);
        let platform = stage.platform.as_ref();
        let known_platform = platform
            .and_then(|platform| expand(platform, self.escape, &value).ok())
            .filter(|expansion| expansion.unknown.is_empty())
            .and_then(|expansion| expansion.text.as_str().parse().ok());
        let names = expansion.as_ref().map(|expansion| expansion.names.clone()).unwrap_or_default();
        let source = |name: String| {
            let source = match value(&name) {
                _ if given.is_some_and(|given| given.contains_key(&name)) => ArgumentSource::BuildArgument,
                VariableValue::Known(_) => ArgumentSource::Default,
                VariableValue::Unknown(UnknownCause::SetByBuilder) => ArgumentSource::Builder,
                VariableValue::Unset(_) | VariableValue::Unknown(_) => ArgumentSource::Unset,
            };
            (name, source)
        };
        let (image, resolved) = base_image(expansion, earlier);
        FromInstruction {
            line: stage.from.line,
            span: stage.image.span().unwrap_or_else(|| stage.from.span.clone()),
            written: stage.image.as_str().to_owned(),
            stage: stage.name.clone(),
            platform: platform.map(|platform| platform.as_str().to_owned()),
            known_platform,
            image,
            arguments: names.into_iter().map(source).collect(),
            ships: false,
            parts: ReferenceSpans::find(resolved.as_str()),
            resolved,
        }
    }

    /// Whether some stage declares the argument `name`.
    pub(super) fn is_declared_in_a_stage(&self, name: &str) -> bool {
        self.declared_in_stages.contains(name)
    }
}

fn base_image(expansion: Result<Expansion, &'static str>, earlier: &[FromInstruction]) -> (BaseImage, SourceText) {
    let expansion = match expansion {
        Ok(expansion) => expansion,
        Err(problem) => return (BaseImage::Unresolved(problem.to_owned()), SourceText::default()),
    };
    if !expansion.unknown.is_empty() {
        let why: Vec<_> = expansion.unknown.iter().map(|(name, why)| format!("{name} {why}")).collect();
        return (BaseImage::Unresolved(why.join("; ")), SourceText::default());
    }
    let text = expansion.text.as_str();
    let image = if let Some(position) = stage_named(earlier, text) {
        BaseImage::Stage(position)
    } else if text == "scratch" {
        BaseImage::Scratch
    } else {
        match image_name::parse(text) {
            Ok(reference) => BaseImage::Reference(reference),
            Err(error) => BaseImage::Unresolved(error.to_string()),
        }
    };
    (image, expansion.text)
}

/// The last of these stages with this name, case-insensitive.
fn stage_named(froms: &[FromInstruction], name: &str) -> Option<usize> {
    let is_named = |from: &FromInstruction| from.stage.as_ref().is_some_and(|stage| stage.eq_ignore_ascii_case(name));
    froms.iter().rposition(is_named)
}

fn global_value(global: &BTreeMap<String, VariableValue>, given: Option<&BuildArguments>, name: &str) -> VariableValue {
    if let Some(value) = global.get(name) {
        return value.clone();
    }
    if !SET_BY_BUILDER.contains(&name) {
        return VariableValue::Unset(UnknownCause::NotDeclared);
    }
    // These need no declaration before FROM.
    given.and_then(|given| given.get(name)).map_or(VariableValue::Unknown(UnknownCause::SetByBuilder), |given| {
        VariableValue::Known(SourceText::from_elsewhere(given))
    })
}

/// The value of an expansion.
pub(super) fn known_or_unknown(expansion: Result<Expansion, &'static str>) -> VariableValue {
    match expansion {
        Ok(expansion) => match expansion.unknown.values().next() {
            None => VariableValue::Known(expansion.text),
            Some(why) => VariableValue::Unknown(*why),
        },
        Err(_) => VariableValue::Unknown(UnknownCause::Operator),
    }
}

/// The arguments of an `ARG`, each with its default.
pub(super) fn declared(argument: &Instruction, escape: char) -> Vec<(String, Option<SourceText>)> {
    let words = words::quoted(&argument.arguments, escape);
    let split = |word: SourceText| match word.split_once('=') {
        Some((name, default)) => (name.as_str().to_owned(), Some(default)),
        None => (word.as_str().to_owned(), None),
    };
    words.into_iter().map(split).collect()
}

/// Whether the builder sets the argument `name` in each stage that declares it.
pub(super) fn is_set_by_builder(name: &str) -> bool {
    SET_BY_BUILDER.contains(&name)
}
