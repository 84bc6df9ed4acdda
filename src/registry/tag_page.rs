//! One page of a tag list.

use serde::{Deserialize, Deserializer};

use crate::image::{each_entry, is_tag};

/// The page size: the maximum of ECR.
pub(super) const TAGS_PER_PAGE: usize = 1000;
/// The most tags of one page that are kept. Some registries return all tags at once.
const MOST_OF_PAGE: usize = 100 * TAGS_PER_PAGE;

/// The well-formed tags of a page.
#[derive(Default)]
pub(super) struct TagPage {
    pub(super) tags: Vec<String>,
    /// Whether it has more tags than are kept.
    pub(super) has_more: bool,
}

/// The page as JSON. Some registries write `null` for an empty list.
#[derive(Deserialize)]
struct RawTagPage {
    #[serde(default, deserialize_with = "page_tags")]
    tags: TagPage,
}

impl TagPage {
    /// Reads the body of a page.
    ///
    /// # Errors
    ///
    /// If it is not JSON of that shape.
    pub(super) fn parse(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body).map(|page: RawTagPage| page.tags)
    }
}

fn page_tags<'de, D: Deserializer<'de>>(field: D) -> Result<TagPage, D::Error> {
    let mut page = TagPage::default();
    each_entry(field, |tag: String| {
        if page.tags.len() == MOST_OF_PAGE {
            page.has_more = true;
        } else if is_tag(&tag) {
            page.tags.push(tag);
        }
    })?;
    Ok(page)
}
