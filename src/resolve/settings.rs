//! Settings of resolution, already validated.

use crate::identify::BaseRules;

/// What is known of base repositories before one is asked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The rules of identification, which also say where releases carry dated tags.
    pub bases: BaseRules,
}
