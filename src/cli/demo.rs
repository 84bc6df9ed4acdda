//! The arguments of `demo`.

use std::net::SocketAddr;

use clap::{Args, ValueHint};

use super::{FailOn, ReportFormat, ReportOutput};

pub(super) const EXAMPLES: &str = "\
Examples:
  basewatch demo
  basewatch demo orders:421
  basewatch demo -o report.html
  basewatch demo --serve                        show the images on the dashboard";

/// The arguments of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Explain this image of the demo, such as orders:421
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,
    /// Report format: table, json, markdown, html, csv, sarif
    #[arg(short, long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: ReportFormat,
    /// Write the report to FILE, in the format of its extension: .json, .md, .html, .csv, .sarif, .txt, .table;
    /// - for standard output; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "image")]
    pub output: Vec<ReportOutput>,
    /// Exit with 1 if a finding has this verdict or a worse one: never, fresh, superseded, unknown, out-of-date, stale,
    /// deprecated. Findings without a possible action count at most as unknown; exempted findings do not count
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Never, hide_possible_values = true)]
    pub fail_on: FailOn,
    /// Run `basewatch serve` with the images until interrupted: dashboard, API and metrics
    #[arg(long, conflicts_with_all = ["image", "format", "output", "fail_on"])]
    pub serve: bool,
    /// Address of --serve
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", requires = "serve")]
    pub listen: SocketAddr,
}
