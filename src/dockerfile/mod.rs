//! Dockerfiles: the base of each `FROM`, whether it is pinned and recorded, and the edits that pin it.
//!
//! Follows the grammar of BuildKit as far as bases need it: parser directives, line continuations, here-documents, the
//! scope of `ARG` and the operators of variables. Values that are only known during the build are
//! [`BaseImage::Unresolved`]. Pure: no files, no registry.
//!
//! No crate is used: none finds a here-document that begins in the middle of a line (`RUN cat <<EOF > /x`), so a `FROM`
//! in its text would be parsed as an instruction.

mod build;
mod edit;
mod expand;
mod heredoc;
mod image_name;
mod instruction;
mod label;
mod source_text;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use build::{ArgumentSource, BaseImage, BuildOptions, BuildPlan, FromInstruction};
pub use edit::{DockerfileEdits, ImagePin};
pub use label::{LabelState, RecordedLabel};

use instruction::Instruction;
use source_text::SourceText;

/// Larger files are refused: the longest Dockerfiles in use have some thousand lines.
pub const MOST_BYTES: usize = 1 << 20;

/// Files of more stages are refused: comparing them with each other takes time with the square of their number.
const MOST_STAGES: usize = 200;

/// Why a text is not a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// A Dockerfile, split into instructions.
#[derive(Clone, Debug)]
pub struct Dockerfile<'a> {
    text: &'a str,
    escape: char,
    /// The `ARG` instructions before the first `FROM`.
    global: Vec<Instruction>,
    stages: Vec<BuildStage>,
    /// The arguments that stages declare.
    declared_in_stages: BTreeSet<String>,
}

/// One stage: its `FROM`, and what follows up to the next.
#[derive(Clone, Debug)]
struct BuildStage {
    from: Instruction,
    /// The image as written.
    image: SourceText,
    /// The value of `--platform` as written.
    platform: Option<SourceText>,
    /// The name after `AS`.
    name: Option<String>,
    instructions: Vec<Instruction>,
}

impl<'a> Dockerfile<'a> {
    /// Splits `text` into stages.
    ///
    /// # Errors
    ///
    /// A [`SyntaxError`] where BuildKit would refuse it and bases would be uncertain: a here-document without an end,
    /// a malformed `FROM`, an instruction before the first `FROM`, no `FROM` at all.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let (instructions, escape) = instruction::split(text)?;
        let mut dockerfile =
            Self { text, escape, global: Vec::new(), stages: Vec::new(), declared_in_stages: BTreeSet::new() };
        for instruction in instructions {
            match (instruction.keyword.as_str(), dockerfile.stages.last_mut()) {
                ("from", _) => dockerfile.stages.push(BuildStage::begin(instruction)?),
                (keyword, Some(stage)) => {
                    if keyword == "arg" {
                        let declared = build::declared(&instruction, escape);
                        dockerfile.declared_in_stages.extend(declared.into_iter().map(|(name, _)| name));
                    }
                    stage.instructions.push(instruction);
                }
                ("arg", None) => dockerfile.global.push(instruction),
                (_, None) => return Err(instruction.error("only ARG may stand before the first FROM")),
            }
        }
        match dockerfile.stages.len() {
            0 => Err(SyntaxError { line: 1, message: "there is no FROM".to_owned() }),
            1..=MOST_STAGES => Ok(dockerfile),
            _ => Err(dockerfile.stages[MOST_STAGES].from.error("there are more stages than basewatch reads")),
        }
    }

    /// The keyword in lower case, the first and the last line, from 1, of each instruction.
    pub fn instructions(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        let of_stages = self.stages.iter().flat_map(|stage| std::iter::once(&stage.from).chain(&stage.instructions));
        let all = self.global.iter().chain(of_stages);
        all.map(|instruction| (instruction.keyword.as_str(), instruction.line, instruction.last_line))
    }
}

impl BuildStage {
    fn begin(from: Instruction) -> Result<Self, SyntaxError> {
        let mut platform = None;
        let mut words = Vec::new();
        for word in words::blank_separated(&from.arguments) {
            match word.as_str().strip_prefix("--") {
                Some(flag) if words.is_empty() => {
                    if flag.starts_with("platform=") {
                        platform = Some(word.slice("--platform=".len()..word.len()));
                    }
                }
                _ => words.push(word),
            }
        }
        let name = match &words[..] {
            [_] => None,
            [_, keyword, name] if keyword.as_str().eq_ignore_ascii_case("as") => Some(name.as_str().to_owned()),
            _ => return Err(from.error("FROM takes an image, and may be followed by AS and a name")),
        };
        let image = words.swap_remove(0);
        Ok(Self { from, image, platform, name, instructions: Vec::new() })
    }
}

/// Values of `--build-arg`, by name.
pub type BuildArguments = BTreeMap<String, String>;
