//! Stage 2: which base is it? Pure: reads what the image itself says, guesses nothing.

mod settings;

pub use settings::{LineRule, Settings};
