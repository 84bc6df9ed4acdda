//! The input of a judgement.

use chrono::{DateTime, Utc};

use crate::{identify::Identification, image::ImageFacts, inventory::ImageError, resolve::Resolution};

/// The input of a judgement: what the earlier stages found.
#[derive(Clone, Copy, Debug)]
pub enum JudgeInput<'a> {
    /// The image cannot be read.
    Unreadable(&'a ImageError),
    /// No base of the image is known.
    Unidentified(UnidentifiedImage<'a>),
    /// The base was identified, and resolved as far as possible.
    Identified {
        /// The image.
        image: &'a ImageFacts,
        /// How its base was identified; `None` for an inner base of a chain.
        identification: Option<&'a Identification>,
        /// The resolution of that base.
        resolution: &'a Resolution,
    },
}

/// An image whose base is unknown.
#[derive(Clone, Copy, Debug)]
pub struct UnidentifiedImage<'a> {
    /// The image.
    pub image: &'a ImageFacts,
    /// The evidence about its base.
    pub identification: &'a Identification,
    /// When its repository received it.
    pub pushed_at: Option<DateTime<Utc>>,
    /// The label to name its base with, for the advice in the reason.
    pub label: &'a str,
}
