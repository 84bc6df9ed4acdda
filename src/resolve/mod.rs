//! Stage 3: what is that base now? Its line, its current release, when each was published.
//!
//! Asks registries through the `Registry` port and remembers in the catalog. Knows no policy.

mod published;
mod settings;

pub use published::{Published, PublishedSource};
pub use settings::Settings;
