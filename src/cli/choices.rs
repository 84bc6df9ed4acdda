//! The words that arguments choose from, and what they mean.

use std::{path::PathBuf, str::FromStr};

use clap::ValueEnum;

use crate::{inventory::DeploymentKind, judge::Verdict};

/// The documents of `config iam`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IamDocument {
    /// What reading an account takes: of the role in each account, or of basewatch itself without [accounts]
    #[default]
    Policy,
    /// What basewatch's own role needs besides, with [accounts]
    Runner,
    /// Who may assume the role in each account
    Trust,
    /// The commands of the AWS CLI that set all of it up
    Commands,
}

/// The kinds of deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Lambda functions
    Lambda,
    /// Containers of ECS
    Ecs,
    /// Tags of ECR repositories
    Ecr,
    /// Images named by hand
    Image,
    /// OCI layouts
    Layout,
}

impl From<Kind> for DeploymentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Lambda => Self::Lambda,
            Kind::Ecs => Self::Ecs,
            Kind::Ecr => Self::Ecr,
            Kind::Image => Self::Image,
            Kind::Layout => Self::Layout,
        }
    }
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For machines
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verdict from which on a run fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Whatever is found
    Never,
    /// Anything at all
    Fresh,
    /// A newer base exists
    Superseded,
    /// Behind for longer than the grace
    #[default]
    OutOfDate,
    /// Older than the limit
    Stale,
    /// The runtime has ended
    Deprecated,
    /// Nothing could be concluded
    Unknown,
}

impl FailOn {
    /// The least verdict that fails; none if no verdict does.
    #[must_use]
    pub fn threshold(self) -> Option<Verdict> {
        match self {
            Self::Never => None,
            Self::Fresh => Some(Verdict::Fresh),
            Self::Superseded => Some(Verdict::Superseded),
            Self::OutOfDate => Some(Verdict::OutOfDate),
            Self::Stale => Some(Verdict::Stale),
            Self::Deprecated => Some(Verdict::Deprecated),
            Self::Unknown => Some(Verdict::Unknown),
        }
    }
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To standard output, in the format of `--format`.
    Stdout,
    /// Into a file, in the format of its name.
    File {
        /// The file.
        path: PathBuf,
        /// The format.
        format: Format,
    },
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Format::Json,
            Some("txt" | "table") => Format::Table,
            _ => return Err("its name tells no format: end it in .json, .txt or .table".to_owned()),
        };
        Ok(Self::File { path, format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_output_tells_its_format() {
        let file = |path: &str, format| Ok(Output::File { path: path.into(), format });
        assert_eq!("a/report.json".parse(), file("a/report.json", Format::Json));
        assert_eq!("report.txt".parse(), file("report.txt", Format::Table));
        assert_eq!("-".parse(), Ok(Output::Stdout));
        for garbage in ["", "report", "report.html", "json", ".json"] {
            assert!(garbage.parse::<Output>().is_err(), "{garbage}");
        }
    }

    #[test]
    fn thresholds_are_the_verdicts_of_the_same_name() {
        for choice in FailOn::value_variants() {
            let name = choice.to_possible_value().expect("no choice is hidden").get_name().to_owned();
            assert_eq!(choice.threshold(), name.parse().ok(), "{name}");
        }
    }
}
