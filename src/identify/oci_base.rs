//! The OCI pair `org.opencontainers.image.base.name` and `.base.digest`: annotations by specification
//! (OCI image specification, annotations.md), very often written as labels.

use super::{EvidenceKind, Malformed, Reading, Settings, Sources, label, line};
use crate::image::{Annotations, Digest, Reference, is_cut};

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// The readings of the pair: in the manifest's annotations, the index's, the labels.
pub(super) fn readings(sources: &Sources<'_>, settings: &Settings) -> Vec<Reading> {
    [
        (EvidenceKind::Annotation, &sources.facts.annotations),
        (EvidenceKind::Annotation, sources.index_annotations),
        (EvidenceKind::Label, &sources.facts.labels),
    ]
    .into_iter()
    .filter_map(|(kind, pairs)| reading(kind, pairs, sources.image, settings))
    .collect()
}

fn reading(kind: EvidenceKind, pairs: &Annotations, image: Option<&str>, settings: &Settings) -> Option<Reading> {
    let value = |key: &str| pairs.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    let (key, value, base) = match (value(NAME), value(DIGEST)) {
        (None, None) => return None,
        (Some(name), None) => (NAME, name.to_owned(), named(name, None, image, settings)),
        (None, Some(digest)) => (DIGEST, digest.to_owned(), label::bare(digest, image, settings)),
        (Some(name), Some(digest)) => (NAME, format!("{name} {digest}"), named(name, Some(digest), image, settings)),
    };
    Some(Reading { kind, key: key.to_owned(), value, base })
}

fn named(name: &str, digest: Option<&str>, image: Option<&str>, settings: &Settings) -> Result<super::Base, Malformed> {
    if is_cut(name) || digest.is_some_and(is_cut) {
        return Err(Malformed::TooLong);
    }
    if name.contains("${") {
        return Err(Malformed::Unexpanded);
    }
    let reference: Reference = name.parse()?;
    let stated = digest.map(str::parse::<Digest>).transpose()?;
    let digest = match (reference.digest, stated) {
        (Some(one), Some(other)) if one != other => return Err(Malformed::Contradiction),
        (one, other) => other.or(one),
    };
    if reference.tag.is_none() && digest.is_none() {
        return Err(Malformed::Unpinned);
    }
    Ok(line::base(settings, image, reference.repository, reference.tag, digest))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        identify::{Identification, identify},
        image::ImageFacts,
        inventory::DeployedImage,
    };

    const HEX: &str = "35ef3ebbb1aa85d66a977b47ac5cbe4b185861e8e60d86e25fbc6f5e012e60da";

    fn pairs(pairs: &[(&str, &str)]) -> Annotations {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn identified(annotations: &[(&str, &str)], index: &[(&str, &str)], labels: &[(&str, &str)]) -> Identification {
        let facts = ImageFacts {
            platform: "linux/arm64".parse().unwrap(),
            config: Digest::of(b"config"),
            created_at: None,
            history_created_at: None,
            labels: pairs(labels),
            annotations: pairs(annotations),
            diff_ids: Vec::new(),
        };
        let image = DeployedImage {
            digest: Digest::of(b""),
            facts: Arc::new(facts),
            index_annotations: Arc::new(pairs(index)),
        };
        identify(&image, None, &Settings::default())
    }

    #[test]
    fn the_pair_is_read_as_annotation_and_as_label() {
        let digest = format!("sha256:{HEX}");
        let pair = [(NAME, "public.ecr.aws/lambda/python:3.12"), (DIGEST, digest.as_str())];
        for (kind, found) in [
            (EvidenceKind::Annotation, identified(&pair, &[], &[])),
            (EvidenceKind::Annotation, identified(&[], &pair, &[])),
            (EvidenceKind::Label, identified(&[], &[], &pair)),
        ] {
            let (reading, base) = found.best().expect("identified");
            assert_eq!(reading.kind, kind);
            assert_eq!(base.reference().to_string(), format!("public.ecr.aws/lambda/python:3.12@{digest}"));
        }
    }

    #[test]
    fn a_configured_label_wins_and_what_disagrees_is_said() {
        let label = format!("public.ecr.aws/lambda/java@sha256:{HEX}");
        let found = identified(
            &[(NAME, "public.ecr.aws/lambda/python:3.12")],
            &[],
            &[("sdkBaseVersion", label.as_str()), (NAME, "ubuntu")],
        );
        assert_eq!(found.best().expect("identified").0.key, "sdkBaseVersion");
        assert_eq!(found.dissenting().count(), 1);
        assert_eq!(found.malformed().map(|(reading, _)| reading.value.as_str()).collect::<Vec<_>>(), ["ubuntu"]);
    }

    #[test]
    fn real_oddities_are_malformed() {
        let digest = format!("sha256:{HEX}");
        for pair in [
            vec![(DIGEST, "latest")],
            vec![(NAME, "ubuntu")],
            vec![(NAME, "public.ecr.aws/x:1… (2000 bytes)")],
            vec![(NAME, "public.ecr.aws/x:1"), (DIGEST, "sha256:00… (2000 bytes)")],
            vec![(NAME, "busybox:${BUSYBOX_VERSION}-uclibc")],
            vec![(NAME, "public.ecr.aws/lambda/python")],
            vec![(DIGEST, digest.as_str())],
            vec![
                (NAME, "public.ecr.aws/x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                (DIGEST, digest.as_str()),
            ],
        ] {
            let found = identified(&[], &[], &pair);
            assert!(found.best().is_none(), "{pair:?}");
            assert_eq!(found.malformed().count(), 1, "{pair:?}");
        }
        assert!(identified(&[], &[], &[]).readings.is_empty());
        assert!(identified(&[], &[], &[("sdkBaseVersion", " ")]).readings.is_empty());
    }

    #[test]
    fn a_digest_only_name_is_enough() {
        let name = format!("public.ecr.aws/lambda/python@sha256:{HEX}");
        let found = identified(&[], &[], &[(NAME, &name)]);
        assert_eq!(found.best().expect("identified").1.digest.as_ref().map(Digest::hex), Some(HEX));
    }
}
