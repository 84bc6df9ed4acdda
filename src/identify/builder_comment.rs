//! What buildah and podman write into the history of an image: `FROM` and the reference of its base.

use super::{EvidenceKind, Malformed, Reading, Settings, Sources, line};

/// What stands in front of the reference.
const FROM: &str = "FROM";

/// The readings of the bases that the builder noted, outermost first: what the image is built on, then what that is.
pub(super) fn readings(sources: &Sources<'_>, settings: &Settings) -> Vec<Reading> {
    let noted = sources.facts.build.builder_bases.iter().rev().map(|noted| {
        let reference = noted.reference.clone();
        let value = reference.to_string();
        let base = if reference.tag.is_none() && reference.digest.is_none() {
            Err(Malformed::Unpinned)
        } else {
            Ok(line::base(settings, sources.image, reference.repository, reference.tag, reference.digest))
        };
        Reading { kind: EvidenceKind::BuilderComment, key: FROM.to_owned(), value, base }
    });
    noted.collect()
}
