//! The arguments of `stamp`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use super::{FailOn, instant, named_image};
use crate::image::Reference;

pub(super) const EXAMPLES: &str = "\
Examples:
  docker build $(basewatch stamp public.ecr.aws/lambda/java:21) .
  basewatch stamp --format env public.ecr.aws/lambda/java:21 >> $GITHUB_ENV
  basewatch stamp --check Dockerfile
  basewatch stamp --fix '**/Dockerfile*'";

/// The arguments of `stamp`.
#[derive(Clone, Debug, Args)]
pub struct StampArgs {
    /// Base image with a tag or digest, such as public.ecr.aws/lambda/java:21. With --check or --fix, Dockerfiles:
    /// paths, patterns such as '**/Dockerfile*', or - for standard input
    #[arg(value_name = "REF|FILE", required = true)]
    pub subjects: Vec<String>,
    /// Check whether each FROM in Dockerfiles is pinned, recorded in a label and current
    #[arg(long)]
    pub check: bool,
    /// Pin each base in Dockerfiles to its current release, and record the final base in a label. Standard input is
    /// written to standard output
    #[arg(long)]
    pub fix: bool,
    /// Output format: docker (default), buildah, dockerfile, sbt, gradle, cdk, env, json; with --check or --fix: table
    /// (default), json, sarif
    #[arg(short, long, value_enum, hide_possible_values = true)]
    pub format: Option<StampFormat>,
    /// Value of a build argument of the Dockerfiles; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = build_argument)]
    pub build_arg: Vec<(String, String)>,
    /// Build stage to check instead of the last one
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Exit with 1 if a final base has this verdict or a worse one, or is not pinned or not recorded: never, fresh,
    /// superseded, unknown, out-of-date, stale, deprecated
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,
    /// Check as of this time: RFC 3339, or YYYY-MM-DD for midnight UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Do not read or write the catalog
    #[arg(long)]
    pub no_catalog: bool,
}

/// The formats of a stamp and of a Dockerfile check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StampFormat {
    /// For `docker build $(…) .`
    Docker,
    /// For `buildah build $(…) .`
    Buildah,
    /// Dockerfile instructions
    Dockerfile,
    /// For sbt-native-packager
    Sbt,
    /// For Jib: `./gradlew jib $(…)`
    Gradle,
    /// For AWS CDK
    Cdk,
    /// Shell assignments
    Env,
    /// A table for terminals
    Table,
    /// JSON
    Json,
    /// SARIF 2.1.0 for code scanning
    Sarif,
}

impl StampFormat {
    /// Whether a Dockerfile check supports the format.
    fn is_of_check(self) -> bool {
        matches!(self, Self::Table | Self::Json | Self::Sarif)
    }

    /// Whether a stamp supports the format.
    fn is_of_stamp(self) -> bool {
        !matches!(self, Self::Table | Self::Sarif)
    }
}

/// The task of a `stamp` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StampTask {
    /// Print the stamp of a base.
    Stamp {
        /// The base.
        reference: Reference,
        /// The base as written on the command line.
        written: String,
        /// The output format.
        format: StampFormat,
    },
    /// Check Dockerfiles.
    Check {
        /// The output format.
        format: StampFormat,
    },
}

impl StampArgs {
    /// The task that the arguments describe.
    ///
    /// # Errors
    ///
    /// When the arguments cannot be combined; the message names valid ones.
    pub fn task(&self) -> Result<StampTask, String> {
        let is_check = self.check || self.fix;
        if is_check {
            let format = self.format.unwrap_or(StampFormat::Table);
            return if format.is_of_check() {
                Ok(StampTask::Check { format })
            } else {
                Err(unfit("a check", "table, json or sarif"))
            };
        }
        if !self.build_arg.is_empty() || self.target.is_some() {
            return Err("--build-arg and --target require --check or --fix".to_owned());
        }
        let [written] = &self.subjects[..] else {
            return Err("give one base image, or add --check to check Dockerfiles".to_owned());
        };
        let format = self.format.unwrap_or(StampFormat::Docker);
        if !format.is_of_stamp() {
            return Err(unfit("a stamp", "docker, buildah, dockerfile, sbt, gradle, cdk, env or json"));
        }
        let reference = named_image(written)?;
        Ok(StampTask::Stamp { reference, written: written.clone(), format })
    }

    /// The build arguments by name; the last value of a name counts.
    #[must_use]
    pub fn build_arguments(&self) -> BTreeMap<String, String> {
        self.build_arg.iter().cloned().collect()
    }
}

fn unfit(what: &str, formats: &str) -> String {
    format!("--format: use {formats} for {what}")
}

fn build_argument(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() {
        return Err("write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
