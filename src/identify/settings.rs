//! Settings of identification, already validated.

use super::{BaseRules, Mirror};

/// Which labels name a base, and which repositories hold bases.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Labels that name the base, tried in order before the OCI annotations.
    pub labels: Vec<String>,
    /// Which repositories hold bases, and what is known of them.
    pub bases: BaseRules,
    /// Places that serve the repositories of others.
    pub mirrors: Vec<Mirror>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { labels: vec!["sdkBaseVersion".to_owned()], bases: BaseRules::default(), mirrors: Vec::new() }
    }
}
