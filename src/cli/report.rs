//! The arguments of `convert` and `version`.

use clap::{Args, ValueHint};

use super::{OutputFormat, ReportFormat, ReportOutput};

pub(super) const CONVERT_EXAMPLES: &str = "\
Examples:
  basewatch convert report.json -f markdown
  basewatch convert report.json -o report.html -o report.sarif
  basewatch convert s3://BUCKET/PREFIX/reports/latest.json -f csv
  curl http://127.0.0.1:8080/api/v1/report | basewatch convert - -f table";

/// The arguments of `convert`.
#[derive(Clone, Debug, Args)]
pub struct ConvertArgs {
    /// JSON report to read, also compressed with gzip: a file, - for standard input, or an object in an S3 store
    #[arg(value_name = "REPORT", value_hint = ValueHint::FilePath)]
    pub report: String,
    /// Report format: table, json, markdown, html, csv, sarif
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: ReportFormat,
    /// Write the report to FILE, in the format of its extension: .json, .md, .html, .csv, .sarif, .txt, .table;
    /// - for standard output; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Vec<ReportOutput>,
}

/// The arguments of `version`.
#[derive(Clone, Debug, Args)]
pub struct VersionArgs {
    /// Output format: table, json
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: OutputFormat,
}
