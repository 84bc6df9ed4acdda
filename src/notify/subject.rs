//! The key of an alert: a finding and a subject, its base or the workload itself.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The subject of an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertSubject {
    /// The base of the image: out of date, too old, or of a deprecated line.
    #[default]
    Base,
    /// The workload itself, independent of its base: its image was deleted, or it cannot be invoked.
    Workload,
}

impl AlertSubject {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Base, Self::Workload];

    /// Name in messages and listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Workload => "workload",
        }
    }
}

/// The key of an alert. A finding may have an alert about its base and one about the workload.
///
/// As text: the id of the finding, prefixed with `workload:` for alerts about the workload. Finding ids begin with the kind
/// of the deployment, so the prefix is unambiguous. Keys of older ledgers, plain finding ids, are alerts about bases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// The id of the finding.
    pub finding: String,
    /// The subject.
    pub about: AlertSubject,
}

/// Prefix of keys about workloads.
const WORKLOAD: &str = "workload:";

impl AlertKey {
    /// The key of the alert about the subject `about` of `finding`.
    #[must_use]
    pub fn new(finding: &str, about: AlertSubject) -> Self {
        Self { finding: finding.to_owned(), about }
    }

    /// Parses the text form of a key.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix(WORKLOAD) {
            Some(finding) => Self::new(finding, AlertSubject::Workload),
            None => Self::new(text, AlertSubject::Base),
        }
    }
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.about {
            AlertSubject::Base => "",
            AlertSubject::Workload => WORKLOAD,
        };
        write!(f, "{prefix}{}", self.finding)
    }
}

impl Serialize for AlertKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AlertKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_finding_id_with_a_prefix_for_workloads() {
        let id = "lambda:eu-west-1:123456789012:orders:$LATEST";
        for (text, about) in [(id.to_owned(), AlertSubject::Base), (format!("workload:{id}"), AlertSubject::Workload)] {
            let key = AlertKey::parse(&text);
            assert_eq!((key.to_string(), key), (text, AlertKey::new(id, about)));
        }
    }
}
