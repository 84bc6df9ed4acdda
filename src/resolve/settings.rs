//! Settings of resolution, validated.

use std::sync::Arc;

use super::ReleaseHold;
use crate::identify::BaseRules;

/// The settings of resolution.
#[derive(Clone, Debug, Default)]
pub struct ResolveSettings {
    /// The rules for base repositories, including which of them have dated tags.
    pub bases: BaseRules,
    /// Releases that are taken out of their lines.
    pub holds: Arc<[ReleaseHold]>,
}
