//! What is an alert about? One finding, and either its base or the workload itself: that is its key in the ledger.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of a finding an alert is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertSubject {
    /// The base that the image is built on: it is out of date, too old, or its line has ended.
    #[default]
    Base,
    /// The workload itself, whatever its base is: its image was deleted, or it cannot be invoked.
    Workload,
}

impl AlertSubject {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Base, Self::Workload];

    /// The word in messages and listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Workload => "workload",
        }
    }
}

/// The key of an alert: the same finding may have one about its base and one about the workload.
///
/// As text it is the id of the finding, with `workload:` before it if it is about the workload. Ids of findings begin
/// with the kind of the deployment, so that they are never mistaken; and ledgers from before alerts had subjects, whose
/// keys are ids of findings, are read as being about bases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// The id of the finding.
    pub finding: String,
    /// What of it.
    pub about: AlertSubject,
}

/// What the text of a key begins with that is about a workload.
const WORKLOAD: &str = "workload:";

impl AlertKey {
    /// The key of the alert about the `about` of `finding`.
    #[must_use]
    pub fn new(finding: &str, about: AlertSubject) -> Self {
        Self { finding: finding.to_owned(), about }
    }

    /// The key that is written as `text`.
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
    fn a_key_is_the_id_of_the_finding_and_says_if_it_is_about_the_workload() {
        let id = "lambda:eu-west-1:123456789012:orders:$LATEST";
        for (text, about) in [(id.to_owned(), AlertSubject::Base), (format!("workload:{id}"), AlertSubject::Workload)] {
            let key = AlertKey::parse(&text);
            assert_eq!((key.to_string(), key), (text, AlertKey::new(id, about)));
        }
    }
}
