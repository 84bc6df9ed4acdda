//! Settings of resolution, already validated.

use std::sync::Arc;

use super::Hold;
use crate::identify::BaseRules;

/// What is known of base repositories before one is asked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The rules of identification, which also say where releases carry dated tags.
    pub bases: BaseRules,
    /// Releases that are taken out of their lines.
    pub holds: Arc<[Hold]>,
}
