//! Publish dates, always with where they are from.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a publish date is from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PublishedSource {
    /// The dated tag that carries the digest.
    DatedTag,
    /// `created` in the image configuration.
    ConfigCreated,
    /// The public gallery.
    Gallery,
    /// When basewatch first saw the line point at it.
    FirstSeen,
    /// A bound: published then or earlier, because an image built on it existed then.
    AtLeast,
}

/// When a release was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The instant; with [`PublishedSource::AtLeast`] and [`PublishedSource::FirstSeen`] then or earlier.
    pub at: DateTime<Utc>,
    /// Where it is from.
    pub source: PublishedSource,
}

impl Published {
    /// Whether the date is an upper bound and not the date itself.
    #[must_use]
    pub fn is_bound(self) -> bool {
        matches!(self.source, PublishedSource::AtLeast | PublishedSource::FirstSeen)
    }
}

impl PublishedSource {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatedTag => "dated-tag",
            Self::ConfigCreated => "config-created",
            Self::Gallery => "gallery",
            Self::FirstSeen => "first-seen",
            Self::AtLeast => "at-least",
        }
    }
}
