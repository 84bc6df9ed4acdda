//! Builder comments: buildah and podman write `FROM` and the base into the history of an image.

use super::{BaseRecord, BaseRecordError, EvidenceKind, EvidenceSources, IdentifySettings, line};

/// The text before the reference.
const FROM: &str = "FROM";

/// The readings of the bases in builder comments, outermost first.
pub(super) fn readings(sources: &EvidenceSources<'_>, settings: &IdentifySettings) -> Vec<BaseRecord> {
    let noted = sources.facts.build.builder_bases.iter().rev().map(|noted| {
        let reference = noted.reference.clone();
        let value = reference.to_string();
        let base = if reference.tag.is_none() && reference.digest.is_none() {
            Err(BaseRecordError::Unpinned)
        } else {
            Ok(line::base(settings, sources.image, reference.repository, reference.tag, reference.digest))
        };
        BaseRecord { kind: EvidenceKind::BuilderComment, key: FROM.to_owned(), value, base }
    });
    noted.collect()
}
