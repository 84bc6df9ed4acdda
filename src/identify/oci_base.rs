//! The OCI pair `org.opencontainers.image.base.name` and `.base.digest`: annotations by specification (OCI image
//! specification, annotations.md), often written as labels.

use super::{BaseRecord, BaseRecordError, EvidenceKind, EvidenceSources, IdentifySettings, label, line};
use crate::image::{Annotations, Digest, Reference, is_cut};

/// The annotation, or label, that names a base.
pub const NAME: &str = "org.opencontainers.image.base.name";
/// The key of the base's digest.
pub const DIGEST: &str = "org.opencontainers.image.base.digest";

/// The readings of the pair, closest to the image first: annotations of the manifest, of its descriptor in an index, of
/// the index, then labels, which are inherited.
pub(super) fn readings(sources: &EvidenceSources<'_>, settings: &IdentifySettings) -> Vec<BaseRecord> {
    [
        (EvidenceKind::Annotation, &sources.facts.annotations),
        (EvidenceKind::Annotation, sources.descriptor_annotations),
        (EvidenceKind::Annotation, sources.index_annotations),
        (EvidenceKind::Label, &sources.facts.labels),
    ]
    .into_iter()
    .filter_map(|(kind, pairs)| reading(kind, pairs, sources.image, settings))
    .collect()
}

fn reading(
    kind: EvidenceKind,
    pairs: &Annotations,
    image: Option<&str>,
    settings: &IdentifySettings,
) -> Option<BaseRecord> {
    let value = |key: &str| pairs.get(key).map(|value| label::unquoted(value)).filter(|value| !value.is_empty());
    let (key, value, base) = match (value(NAME), value(DIGEST)) {
        (None, None) => return None,
        (Some(name), None) => (NAME, name.to_owned(), named(name, None, image, settings)),
        (None, Some(digest)) => (DIGEST, digest.to_owned(), label::bare(digest, image, settings)),
        (Some(name), Some(digest)) => (NAME, format!("{name} {digest}"), named(name, Some(digest), image, settings)),
    };
    Some(BaseRecord { kind, key: key.to_owned(), value, base })
}

fn named(
    name: &str,
    digest: Option<&str>,
    image: Option<&str>,
    settings: &IdentifySettings,
) -> Result<super::Base, BaseRecordError> {
    if is_cut(name) || digest.is_some_and(is_cut) {
        return Err(BaseRecordError::TooLong);
    }
    if name.contains("${") {
        return Err(BaseRecordError::Unexpanded);
    }
    let Reference { repository, tag, digest: named } = label::reference(name)?;
    let stated = digest.map(str::parse::<Digest>).transpose()?;
    // The pair may hold digests of two kinds: bazel's rules_img names the index and states the platform's manifest.
    let (digest, further) = match (stated, named) {
        (Some(stated), Some(named)) if stated != named => (Some(stated), vec![named]),
        (stated, named) => (stated.or(named), Vec::new()),
    };
    if tag.is_none() && digest.is_none() {
        return Err(BaseRecordError::Unpinned);
    }
    Ok(super::Base { further_digests: further, ..line::base(settings, image, repository, tag, digest) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        identify::{Identification, identify},
        image::{BuildHistory, ImageFacts, ImageProfile, LambdaFingerprint},
        inventory::DeployedImage,
    };

    const HEX: &str = "35ef3ebbb1aa85d66a977b47ac5cbe4b185861e8e60d86e25fbc6f5e012e60da";

    fn pairs(pairs: &[(&str, &str)]) -> Annotations {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn identified(annotations: &[(&str, &str)], index: &[(&str, &str)], labels: &[(&str, &str)]) -> Identification {
        identify(&deployed(pairs(annotations), pairs(index), pairs(labels)), None, &IdentifySettings::default())
    }

    fn deployed(annotations: Annotations, index: Annotations, labels: Annotations) -> DeployedImage {
        let facts = ImageFacts {
            platform: "linux/arm64".parse().unwrap(),
            config: Digest::sha256(b"config"),
            created_at: None,
            history_created_at: None,
            labels,
            annotations,
            diff_ids: Vec::new(),
            layers: Vec::new(),
            fingerprint: LambdaFingerprint::default(),
            build: BuildHistory::default(),
            profile: ImageProfile::default(),
        };
        DeployedImage {
            digest: Digest::sha256(b""),
            facts: Arc::new(facts),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::new(index),
            attestations: Arc::default(),
        }
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
    fn a_configured_label_wins_and_other_records_are_reported() {
        let label = format!("public.ecr.aws/lambda/java@sha256:{HEX}");
        let found = identified(
            &[(NAME, "public.ecr.aws/lambda/python:3.12")],
            &[],
            &[("sdkBaseVersion", label.as_str()), (NAME, "ubuntu")],
        );
        assert_eq!(found.best().expect("identified").0.key, "sdkBaseVersion");
        assert_eq!(found.dissenting(|_| false).count(), 1);
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
        ] {
            let found = identified(&[], &[], &pair);
            assert!(found.best().is_none(), "{pair:?}");
            assert_eq!(found.malformed().count(), 1, "{pair:?}");
        }
        assert!(identified(&[], &[], &[]).records.is_empty());
        assert!(identified(&[], &[], &[("sdkBaseVersion", " ")]).records.is_empty());
    }

    #[test]
    fn a_digest_only_name_is_enough() {
        let name = format!("public.ecr.aws/lambda/python@sha256:{HEX}");
        let found = identified(&[], &[], &[(NAME, &name)]);
        assert_eq!(found.best().expect("identified").1.digest.as_ref().map(Digest::hex), Some(HEX));
    }

    #[test]
    fn a_descriptor_is_evidence_between_its_manifest_and_its_index() {
        let on = |line: &str| pairs(&[(NAME, &format!("public.ecr.aws/lambda/{line}"))]);
        let image = |annotations, descriptor| DeployedImage {
            descriptor_annotations: Arc::new(descriptor),
            ..deployed(annotations, on("java:17"), Annotations::new())
        };
        let tag = |image: &DeployedImage| {
            identify(image, None, &IdentifySettings::default()).best().and_then(|(_, base)| base.tag.clone())
        };
        assert_eq!(tag(&image(Annotations::new(), on("java:21"))).as_deref(), Some("21"));
        assert_eq!(tag(&image(on("java:25"), on("java:21"))).as_deref(), Some("25"));
        assert_eq!(tag(&image(Annotations::new(), Annotations::new())).as_deref(), Some("17"));
    }

    const OTHER: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_of_two_kinds_are_kept_side_by_side() {
        let digest = format!("sha256:{HEX}");
        let (named, label) = (format!("public.ecr.aws/x@{OTHER}"), format!("public.ecr.aws/x@{digest}"));
        // In one pair, as bazel's rules_img writes it; and in a label and an annotation, as buildah adds its own.
        let pair = identified(&[], &[], &[(NAME, &named), (DIGEST, &digest)]);
        let both = identified(&[(NAME, "public.ecr.aws/x:1"), (DIGEST, OTHER)], &[], &[("sdkBaseVersion", &label)]);
        for found in [pair, both] {
            let (_, base) = found.best().expect("identified");
            assert_eq!(base.digest.as_ref().map(Digest::as_str), Some(digest.as_str()));
            assert_eq!(base.further_digests, [OTHER.parse().unwrap()]);
            assert_eq!(found.malformed().count(), 0);
            assert_eq!(found.dissenting(|_| false).count(), 0, "nothing proves that they are two releases");
        }
    }

    #[test]
    fn one_reading_completes_another() {
        let digest = format!("sha256:{HEX}");
        let label = |tag: &str| format!("public.ecr.aws/lambda/java:{tag}");
        for (tag, annotated, has_digest, further, dissent) in [
            // A moving tag and the digest it carried then.
            ("21", "java:21", true, 0, 0),
            ("21", "java:21.2026.08.10.13", true, 0, 0),
            // A dated tag identifies the release.
            ("21.2026.08.10.13", "java:21", false, 1, 0),
            // A digest of another line or repository does not count.
            ("21", "java:17", false, 1, 0),
            ("21", "python:3.12", false, 0, 1),
        ] {
            let annotated = format!("public.ecr.aws/lambda/{annotated}");
            let found = identified(&[(NAME, &annotated), (DIGEST, &digest)], &[], &[("sdkBaseVersion", &label(tag))]);
            let (_, base) = found.best().expect("identified");
            assert_eq!(
                (base.digest.is_some(), base.further_digests.len(), found.dissenting(|_| false).count()),
                (has_digest, further, dissent),
                "{tag} and {annotated}"
            );
        }
    }

    #[test]
    fn tags_of_one_release_agree() {
        for (tag, annotated, dissent) in [
            ("21", "21", 0),
            ("21", "21-arm64", 0),
            ("21", "21.2026.08.10.13", 0),
            ("21.2026.08.10.13", "21.2026.08.10.13-arm64", 0),
            ("latest", "21.2026.08.10.13", 0),
            ("21.2026.08.10.13", "21.2026.08.11.13", 1),
            ("21", "17.2026.08.10.13", 1),
            ("21", "17", 1),
            ("latest", "21", 1),
            ("nonroot", "debug", 1),
        ] {
            let of = |tag: &str| format!("public.ecr.aws/lambda/java:{tag}");
            let found = identified(&[(NAME, &of(annotated))], &[], &[("sdkBaseVersion", &of(tag))]);
            assert_eq!(found.dissenting(|_| false).count(), dissent, "{tag} and {annotated}");
        }
    }
}
