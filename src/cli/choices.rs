//! The words that arguments choose from, and what they mean.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

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

/// The formats of what is not a report: an explanation, a base, a list of alerts, what a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For machines
    Json,
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people at a terminal
    #[default]
    Table,
    /// For machines: the contract
    Json,
    /// For job summaries and comments on pull requests
    Markdown,
    /// For browsers: one file that needs nothing else
    Html,
    /// For spreadsheets and queries
    Csv,
    /// For code scanning: SARIF 2.1.0
    Sarif,
}

impl ReportFormat {
    /// The format of the same name of what is not a report; none where only reports have it.
    #[must_use]
    pub fn simple(self) -> Option<Format> {
        match self {
            Self::Table => Some(Format::Table),
            Self::Json => Some(Format::Json),
            Self::Markdown | Self::Html | Self::Csv | Self::Sarif => None,
        }
    }

    /// The format that the name of a file tells by its end.
    fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        // OASIS recommends both ends for SARIF (SARIF 2.1.0, section 3.2).
        if name.strip_suffix(".sarif.json").is_some_and(|stem| !stem.is_empty()) {
            return Some(Self::Sarif);
        }
        match path.extension()?.to_str()? {
            "json" => Some(Self::Json),
            "txt" | "table" => Some(Self::Table),
            "md" => Some(Self::Markdown),
            "html" => Some(Self::Html),
            "csv" => Some(Self::Csv),
            "sarif" => Some(Self::Sarif),
            _ => None,
        }
    }
}

impl From<Format> for ReportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
        }
    }
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

/// The ends of file names that tell a format.
const NAMES: &str = ".json, .md, .html, .csv, .sarif, .txt or .table";

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
        format: ReportFormat,
    },
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(text);
        match ReportFormat::of_name(&path) {
            Some(format) => Ok(Self::File { path, format }),
            None => Err(format!("its name tells no format: end it in {NAMES}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_output_tells_its_format() {
        let file = |path: &str, format| Ok(Output::File { path: path.into(), format });
        for (name, format) in [
            ("a/report.json", ReportFormat::Json),
            ("report.txt", ReportFormat::Table),
            ("report.table", ReportFormat::Table),
            ("report.md", ReportFormat::Markdown),
            ("report.html", ReportFormat::Html),
            ("b.c/report.csv", ReportFormat::Csv),
            ("report.sarif", ReportFormat::Sarif),
            ("report.sarif.json", ReportFormat::Sarif),
        ] {
            assert_eq!(name.parse(), file(name, format), "{name}");
        }
        assert_eq!("-".parse(), Ok(Output::Stdout));
        for garbage in ["", "report", "report.xml", "json", ".json", "csv/", ".sarif", "report.MD", "a.md/.."] {
            assert!(garbage.parse::<Output>().is_err(), "{garbage}");
        }
    }

    #[test]
    fn what_is_no_report_has_the_formats_of_the_same_name() {
        let name = |choice: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            choice().expect("no choice is hidden").get_name().to_owned()
        };
        for format in Format::value_variants() {
            let report = ReportFormat::from(*format);
            assert_eq!(report.simple(), Some(*format));
            assert_eq!(name(&|| format.to_possible_value()), name(&|| report.to_possible_value()));
        }
        let simple = ReportFormat::value_variants().iter().filter(|format| format.simple().is_some());
        assert_eq!(simple.count(), Format::value_variants().len());
    }

    #[test]
    fn thresholds_are_the_verdicts_of_the_same_name() {
        for choice in FailOn::value_variants() {
            let name = choice.to_possible_value().expect("no choice is hidden").get_name().to_owned();
            assert_eq!(choice.threshold(), name.parse().ok(), "{name}");
        }
    }
}
