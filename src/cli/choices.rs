//! The values of enumerated arguments.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::ValueEnum;

use crate::{inventory::DeploymentKind, judge::Verdict};

/// The documents of `config iam`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IamDocument {
    /// Permissions to audit an account: for the role in each account, or without [accounts] for basewatch's own role
    #[default]
    Policy,
    /// Additional permissions of basewatch's own role, with [accounts]
    Runner,
    /// Trust policy of the role in each account
    Trust,
    /// AWS CLI commands that create the role and its policies
    Commands,
}

/// The kinds of deployments, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeploymentKindArg {
    /// Lambda functions
    Lambda,
    /// ECS containers
    Ecs,
    /// Images in ECR repositories
    Ecr,
    /// Images by reference
    Image,
    /// OCI image layouts
    Layout,
}

impl From<DeploymentKindArg> for DeploymentKind {
    fn from(kind: DeploymentKindArg) -> Self {
        match kind {
            DeploymentKindArg::Lambda => Self::Lambda,
            DeploymentKindArg::Ecs => Self::Ecs,
            DeploymentKindArg::Ecr => Self::Ecr,
            DeploymentKindArg::Image => Self::Image,
            DeploymentKindArg::Layout => Self::Layout,
        }
    }
}

/// The output formats of commands other than `audit` and `demo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A table for terminals
    #[default]
    Table,
    /// JSON
    Json,
}

/// The report formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A table for terminals
    #[default]
    Table,
    /// JSON as described by `schema/report.schema.json`
    Json,
    /// GitHub Flavored Markdown for job summaries and pull request comments
    Markdown,
    /// A self-contained HTML file
    Html,
    /// CSV for spreadsheets and queries
    Csv,
    /// SARIF 2.1.0 for code scanning
    Sarif,
}

impl ReportFormat {
    /// The [`OutputFormat`] of the same name; `None` for formats that only reports have.
    #[must_use]
    pub fn simple(self) -> Option<OutputFormat> {
        match self {
            Self::Table => Some(OutputFormat::Table),
            Self::Json => Some(OutputFormat::Json),
            Self::Markdown | Self::Html | Self::Csv | Self::Sarif => None,
        }
    }

    /// The format for the extension of a file name.
    fn from_file_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        // OASIS recommends `.sarif` and `.sarif.json` (SARIF 2.1.0, section 3.2).
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

impl From<OutputFormat> for ReportFormat {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Table => Self::Table,
            OutputFormat::Json => Self::Json,
        }
    }
}

/// When to use colors.
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

/// The least severe verdict that fails a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Never fail
    Never,
    /// Any finding
    Fresh,
    /// A newer base exists
    Superseded,
    /// Behind for longer than `policy.grace`
    #[default]
    OutOfDate,
    /// Older than `policy.max_age`
    Stale,
    /// The Lambda runtime is deprecated
    Deprecated,
    /// The verdict is unknown
    Unknown,
}

impl FailOn {
    /// The least severe verdict that fails a run; `None` for never.
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

/// The supported file name extensions.
const NAMES: &str = ".json, .md, .html, .csv, .sarif, .txt or .table";

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportOutput {
    /// Standard output, in the format of `--format`.
    Stdout,
    /// A file, in the format of its extension.
    File {
        /// The file.
        path: PathBuf,
        /// The format.
        format: ReportFormat,
    },
}

impl FromStr for ReportOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(text);
        match ReportFormat::from_file_name(&path) {
            Some(format) => Ok(Self::File { path, format }),
            None => Err(format!("unknown file name extension: use {NAMES}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_an_output_file_determines_its_format() {
        let file = |path: &str, format| Ok(ReportOutput::File { path: path.into(), format });
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
        assert_eq!("-".parse(), Ok(ReportOutput::Stdout));
        for invalid in ["", "report", "report.xml", "json", ".json", "csv/", ".sarif", "report.MD", "a.md/.."] {
            assert!(invalid.parse::<ReportOutput>().is_err(), "{invalid}");
        }
    }

    #[test]
    fn every_output_format_is_a_report_format_of_the_same_name() {
        let name = |choice: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            choice().expect("a visible value").get_name().to_owned()
        };
        for format in OutputFormat::value_variants() {
            let report = ReportFormat::from(*format);
            assert_eq!(report.simple(), Some(*format));
            assert_eq!(name(&|| format.to_possible_value()), name(&|| report.to_possible_value()));
        }
        let simple = ReportFormat::value_variants().iter().filter(|format| format.simple().is_some());
        assert_eq!(simple.count(), OutputFormat::value_variants().len());
    }

    #[test]
    fn each_fail_on_value_maps_to_the_verdict_of_the_same_name() {
        for choice in FailOn::value_variants() {
            let name = choice.to_possible_value().expect("a visible value").get_name().to_owned();
            assert_eq!(choice.threshold(), name.parse().ok(), "{name}");
        }
    }
}
