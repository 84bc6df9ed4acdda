//! The support calendar of Lambda runtimes: the runtime of each line and its support dates.
//!
//! The data, with the day of its last review, is `config/runtimes.toml`.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

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

/// A runtime and its support at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSupport {
    /// The runtime.
    pub runtime: LambdaRuntime,
    /// Its status.
    pub status: RuntimeStatus,
    /// The runtime to upgrade to; `None` if it is still supported or AWS publishes no supported successor.
    pub upgrade_to: Option<String>,
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

    /// The runtime that the line of `family` in `repository` carries, and its support at `now`; see
    /// [`LambdaRuntime::status`] for `warning`.
    #[must_use]
    pub fn support(
        &self,
        repository: &Repository,
        family: &str,
        now: DateTime<Utc>,
        warning: Duration,
    ) -> Option<RuntimeSupport> {
        let families = self.families(repository)?;
        let runtime = families.get(family)?.clone();
        let status = runtime.status(now, warning);
        let ends = status != RuntimeStatus::Supported;
        let upgrade_to = ends.then(|| successor(families, family, now, warning)).flatten();
        Some(RuntimeSupport { runtime, status, upgrade_to })
    }

    /// The runtimes in `repository` by family. AWS publishes the same images on Docker Hub.
    fn families(&self, repository: &Repository) -> Option<&BTreeMap<String, LambdaRuntime>> {
        let image = match &*repository.registry {
            "public.ecr.aws" => repository.name.strip_prefix("lambda/"),
            "docker.io" => repository.name.strip_prefix("amazon/aws-lambda-"),
            _ => None,
        };
        self.0.get(image?)
    }
}

/// The runtime to upgrade to from `family`: the one that is supported for the longest time, so that the next upgrade is
/// far off, and of several the nearest, which is the least work. Previews have no end date and do not count.
fn successor(
    families: &BTreeMap<String, LambdaRuntime>,
    family: &str,
    now: DateTime<Utc>,
    warning: Duration,
) -> Option<String> {
    let later = families.iter().filter(|(other, runtime)| {
        *other != family
            && version(other) >= version(family)
            && runtime.status(now, warning) == RuntimeStatus::Supported
            && runtime.deprecation_date.is_some()
    });
    let best = later.max_by_key(|(family, runtime)| (runtime.deprecation_date, Reverse(version(family))))?;
    Some(best.1.name.clone())
}

/// The leading numbers of a family: 3 and 13 of `3.13`, 8 of `8.al2023`.
fn version(family: &str) -> Vec<u32> {
    family.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str) -> DateTime<Utc> {
        format!("{date}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn each_line_has_its_own_runtime() {
        let calendar = RuntimeCalendar::default();
        let name = |repository: &str, family: &str| {
            let support = calendar.support(&repository.parse().unwrap(), family, day("2026-01-01"), Duration::zero());
            support.map(|support| support.runtime.name)
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
        let python = "public.ecr.aws/lambda/python".parse().unwrap();
        let status =
            |date: &str| calendar.support(&python, "3.9", day(date), Duration::days(90)).unwrap().status.as_str();
        assert_eq!(status("2025-09-15"), "supported");
        assert_eq!(status("2025-09-16"), "ending");
        assert_eq!(status("2025-12-14"), "ending");
        assert_eq!(status("2025-12-15"), "deprecated");
        assert_eq!(status("2027-03-03"), "blocked");
    }

    #[test]
    fn an_upgrade_leads_to_the_nearest_of_the_runtimes_that_are_supported_longest() {
        let calendar = RuntimeCalendar::default();
        let upgrade = |image: &str, family: &str, date: &str| {
            let repository = format!("public.ecr.aws/lambda/{image}").parse().unwrap();
            calendar.support(&repository, family, day(date), Duration::days(90)).unwrap().upgrade_to
        };
        let table = [
            ("python", "3.9", "2026-11-20", Some("python3.13")),
            ("python", "3.12", "2026-11-20", None),
            ("python", "3.9", "2029-08-01", None),
            ("java", "8", "2026-11-20", Some("java8.al2023")),
            ("java", "17", "2027-05-01", Some("java17.al2023")),
            ("nodejs", "18", "2026-11-20", Some("nodejs24.x")),
            ("ruby", "3.2", "2026-11-20", Some("ruby3.4")),
            ("provided", "al2", "2026-11-20", Some("provided.al2023")),
            ("go", "1", "2026-11-20", None),
        ];
        for (image, family, date, to) in table {
            assert_eq!(upgrade(image, family, date).as_deref(), to, "{image}:{family} on {date}");
        }
    }
}
