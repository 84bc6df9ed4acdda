//! The support calendar of Lambda runtimes: the runtime of each line and its support dates.
//!
//! The data, with the day of its last review, is `config/runtimes.toml`.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use serde::Deserialize;

use crate::image::Repository;

/// A Lambda runtime and when its support ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaRuntime {
    /// The identifier: `java21`.
    pub name: String,
    /// The day from which it gets no patches; `None` if none is scheduled.
    #[serde(default, rename = "deprecation")]
    pub deprecation_date: Option<NaiveDate>,
    /// The day from which functions cannot be updated; `None` if none is scheduled.
    #[serde(default, rename = "block_update")]
    pub block_update_date: Option<NaiveDate>,
}

/// The support status of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeStatus {
    /// It is patched.
    Supported,
    /// It is patched, and the deprecation date is near.
    Ending,
    /// It is past its deprecation date.
    Deprecated,
    /// Functions that use it can no longer be updated.
    Blocked,
}

impl RuntimeStatus {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Ending => "ending",
            Self::Deprecated => "deprecated",
            Self::Blocked => "blocked",
        }
    }
}

impl LambdaRuntime {
    /// The support status at `now`; `Ending` from `warning` before the deprecation date on.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>, warning: Duration) -> RuntimeStatus {
        let is_past = |date: Option<NaiveDate>, ahead: Duration| {
            date.is_some_and(|date| date.and_time(NaiveTime::MIN).and_utc() - ahead <= now)
        };
        if is_past(self.block_update_date, Duration::zero()) {
            RuntimeStatus::Blocked
        } else if is_past(self.deprecation_date, Duration::zero()) {
            RuntimeStatus::Deprecated
        } else if is_past(self.deprecation_date, warning) {
            RuntimeStatus::Ending
        } else {
            RuntimeStatus::Supported
        }
    }
}

/// The runtime of each line.
#[derive(Clone, Debug)]
pub struct RuntimeCalendar(Arc<BTreeMap<String, BTreeMap<String, LambdaRuntime>>>);

impl Default for RuntimeCalendar {
    fn default() -> Self {
        let images = toml::from_str(include_str!("../../config/runtimes.toml"));
        Self(Arc::new(images.expect("the bundled calendar parses: a test holds it")))
    }
}

impl RuntimeCalendar {
    /// The repositories in which AWS publishes the images of runtimes.
    pub fn repositories(&self) -> impl Iterator<Item = Repository> {
        let repository = |image: &String| format!("public.ecr.aws/lambda/{image}").parse();
        self.0.keys().filter_map(move |image| repository(image).ok())
    }

    /// The runtime that the line of `family` in `repository` carries. AWS publishes the same images on
    /// Docker Hub.
    #[must_use]
    pub fn runtime(&self, repository: &Repository, family: &str) -> Option<&LambdaRuntime> {
        let image = match &*repository.registry {
            "public.ecr.aws" => repository.name.strip_prefix("lambda/"),
            "docker.io" => repository.name.strip_prefix("amazon/aws-lambda-"),
            _ => None,
        };
        self.0.get(image?)?.get(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_own_runtime() {
        let calendar = RuntimeCalendar::default();
        let name = |repository: &str, family: &str| {
            calendar.runtime(&repository.parse().unwrap(), family).map(|runtime| runtime.name.clone())
        };
        assert_eq!(name("public.ecr.aws/lambda/java", "21").as_deref(), Some("java21"));
        assert_eq!(name("public.ecr.aws/lambda/java", "8.al2").as_deref(), Some("java8.al2"));
        for hub in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(name(&format!("{hub}/amazon/aws-lambda-python"), "3.9").as_deref(), Some("python3.9"));
        }
        assert_eq!(name("public.ecr.aws/lambda/python", "3.1"), None);
        assert_eq!(name("registry.example.com/lambda/java", "21"), None);
    }

    #[test]
    fn a_runtime_ends_on_its_days() {
        let calendar = RuntimeCalendar::default();
        let runtime = calendar.runtime(&"public.ecr.aws/lambda/python".parse().unwrap(), "3.9").unwrap();
        let status =
            |day: &str| runtime.status(format!("{day}T00:00:00Z").parse().unwrap(), Duration::days(90)).as_str();
        assert_eq!(status("2025-09-15"), "supported");
        assert_eq!(status("2025-09-16"), "ending");
        assert_eq!(status("2025-12-14"), "ending");
        assert_eq!(status("2025-12-15"), "deprecated");
        assert_eq!(status("2027-03-03"), "blocked");
    }
}
