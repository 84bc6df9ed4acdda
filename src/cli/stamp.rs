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

/// What `stamp` takes.
#[derive(Clone, Debug, Args)]
pub struct StampArgs {
    /// The base image, with a tag or a digest: public.ecr.aws/lambda/java:21. With --check or --fix, Dockerfiles instead:
    /// paths, patterns such as '**/Dockerfile*', or - for standard input
    #[arg(value_name = "REF|FILE", required = true)]
    pub subjects: Vec<String>,
    /// Check Dockerfiles: is each FROM pinned, recorded by a label and current?
    #[arg(long)]
    pub check: bool,
    /// Check Dockerfiles, pin each base to its current release and record the one that ships in a label. From standard
    /// input, the result goes to standard output
    #[arg(long)]
    pub fix: bool,
    /// The format on standard output: docker (default), buildah, dockerfile, sbt, gradle, cdk, env, json; of a check table
    /// (default), json, sarif
    #[arg(long, value_enum, hide_possible_values = true)]
    pub format: Option<StampFormat>,
    /// The value of a build argument that a Dockerfile names, as the build gets it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = build_argument)]
    pub build_arg: Vec<(String, String)>,
    /// The stage that is built, instead of the last one
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Exit with 1 if a base that ships has this verdict or a worse one, or is not pinned or not recorded: never, fresh,
    /// superseded, unknown, out-of-date, stale, deprecated
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,
    /// Take this instant for now: RFC 3339, or YYYY-MM-DD for its midnight in UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub as_of: Option<DateTime<Utc>>,
    /// Remember nothing, and use nothing remembered
    #[arg(long)]
    pub no_catalog: bool,
}

/// The formats of a stamp and of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StampFormat {
    /// For `docker build $(…) .`
    Docker,
    /// For `buildah build $(…) .`
    Buildah,
    /// The lines of a Dockerfile
    Dockerfile,
    /// For sbt-native-packager
    Sbt,
    /// For Jib: `./gradlew jib $(…)`
    Gradle,
    /// For AWS CDK
    Cdk,
    /// Assignments
    Env,
    /// For people
    Table,
    /// For machines
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
}

impl StampFormat {
    /// Whether a check has it.
    fn is_of_check(self) -> bool {
        matches!(self, Self::Table | Self::Json | Self::Sarif)
    }

    /// Whether a stamp has it.
    fn is_of_stamp(self) -> bool {
        !matches!(self, Self::Table | Self::Sarif)
    }
}

/// What `stamp` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StampTask {
    /// Print the stamp of a base.
    Stamp {
        /// The base.
        reference: Reference,
        /// As it was written.
        written: String,
        /// In which format.
        format: StampFormat,
    },
    /// Check Dockerfiles.
    Check {
        /// In which format.
        format: StampFormat,
    },
}

impl StampArgs {
    /// What is to be done.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit together, with what would do.
    pub fn task(&self) -> Result<StampTask, String> {
        let is_check = self.check || self.fix;
        if is_check {
            let format = self.format.unwrap_or(StampFormat::Table);
            let is_fit = format.is_of_check();
            return if is_fit {
                Ok(StampTask::Check { format })
            } else {
                Err(unfit("a check", "table, json or sarif"))
            };
        }
        if !self.build_arg.is_empty() || self.target.is_some() {
            return Err("--build-arg and --target are for Dockerfiles: add --check".to_owned());
        }
        let [written] = &self.subjects[..] else {
            return Err("name one base image, or add --check to check Dockerfiles".to_owned());
        };
        let format = self.format.unwrap_or(StampFormat::Docker);
        if !format.is_of_stamp() {
            return Err(unfit("a stamp", "docker, buildah, dockerfile, sbt, gradle, cdk, env or json"));
        }
        let reference = named_image(written)?;
        Ok(StampTask::Stamp { reference, written: written.clone(), format })
    }

    /// The build arguments by name; the last value counts.
    #[must_use]
    pub fn build_arguments(&self) -> BTreeMap<String, String> {
        self.build_arg.iter().cloned().collect()
    }
}

fn unfit(what: &str, formats: &str) -> String {
    format!("--format: {what} is printed as {formats}")
}

fn build_argument(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() {
        return Err("write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
