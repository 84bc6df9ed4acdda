//! Labels with the base as their value: `repo@digest`, `repo:tag@digest`, `repo:tag`, and bare digests and dated tags
//! if the configuration sets their repository.

use super::{Base, BaseRecord, EvidenceKind, EvidenceSources, IdentifySettings, line};
use crate::image::{Digest, InvalidDigest, InvalidReference, LambdaTag, Reference, VALUE_BYTES, is_cut, is_tag};

/// Why a recorded base is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseRecordError {
    /// It is not a reference.
    #[error("{0}")]
    Reference(#[from] InvalidReference),
    /// It is not a digest.
    #[error("{0}")]
    Digest(#[from] InvalidDigest),
    /// It contains an unexpanded build argument.
    #[error("it contains a variable that was not expanded")]
    Unexpanded,
    /// It names a repository without tag or digest.
    #[error("it has neither a tag nor a digest")]
    Unpinned,
    /// It names no repository, and neither does the configuration.
    #[error("it names no repository; add [[identify.base]] with bare = true")]
    Bare,
    /// It is longer than the part that is kept.
    #[error("it is longer than {VALUE_BYTES} bytes")]
    TooLong,
}

/// The readings of the configured labels of the image. Docker unsets a label with an empty value.
pub(super) fn readings(sources: &EvidenceSources<'_>, settings: &IdentifySettings) -> Vec<BaseRecord> {
    let read = |key: &String| {
        let value = sources.facts.labels.get(key).filter(|value| !value.trim().is_empty())?;
        let base = read(unquoted(value), sources.image, settings);
        Some(BaseRecord { kind: EvidenceKind::Label, key: key.clone(), value: value.clone(), base })
    };
    settings.labels.iter().filter_map(read).collect()
}

fn read(value: &str, image: Option<&str>, settings: &IdentifySettings) -> Result<Base, BaseRecordError> {
    if is_cut(value) {
        return Err(BaseRecordError::TooLong);
    }
    if value.contains("${") || value.contains("$(") || value.contains("{{") {
        return Err(BaseRecordError::Unexpanded);
    }
    if !value.contains('/') {
        return bare(value, image, settings);
    }
    let Reference { repository, tag, digest } = reference(value)?;
    if tag.is_none() && digest.is_none() {
        return Err(BaseRecordError::Unpinned);
    }
    Ok(line::base(settings, image, repository, tag, digest))
}

/// A value without surrounding white space and quotes. Quotes of Dockerfiles and scripts may reach the label;
/// references have none.
pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.map_or(value, str::trim)
}

/// The reference `value`. AWS images on Docker Hub may omit the registry, as in `docker build`; others need one.
pub(super) fn reference(value: &str) -> Result<Reference, InvalidReference> {
    if value.starts_with("amazon/aws-lambda-") { format!("docker.io/{value}").parse() } else { value.parse() }
}

/// A bare digest, a bare dated tag, or a digest with any tag. A bare moving tag identifies no release; with a digest,
/// the tag is only a hint.
pub(super) fn bare(value: &str, image: Option<&str>, settings: &IdentifySettings) -> Result<Base, BaseRecordError> {
    let (tag, digest) = match value.split_once('@') {
        _ if is_cut(value) => return Err(BaseRecordError::TooLong),
        Some((tag, digest)) => (Some(tag), Some(digest.parse::<Digest>()?)),
        None if value.contains(':') && value.starts_with("sha") => (None, Some(value.parse::<Digest>()?)),
        None => (Some(value), None),
    };
    let is_dated = |tag: &str| LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some());
    // `python@sha256:…` names a repository on Docker Hub: a name of letters only is not a tag.
    let is_version = |tag: &str| is_tag(tag) && (tag == "latest" || tag.contains(|c: char| c.is_ascii_digit()));
    if let Some(tag) = tag
        && !(is_dated(tag) || (digest.is_some() && is_version(tag)))
    {
        return Err(InvalidReference::NoRegistry.into());
    }
    let repository = settings.bases.bare_repository(image).ok_or(BaseRecordError::Bare)?;
    Ok(line::base(settings, image, repository.clone(), tag.map(str::to_owned), digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::{BaseRule, BaseRules};

    const HEX: &str = "35ef3ebbb1aa85d66a977b47ac5cbe4b185861e8e60d86e25fbc6f5e012e60da";

    fn settings() -> IdentifySettings {
        let rule = |repository: &str| BaseRule {
            default_tag: Some("latest".into()),
            ..BaseRule::new(repository.parse().unwrap())
        };
        let python = "public.ecr.aws/lambda/python";
        let bare =
            BaseRule { images: Some("py-*".parse().unwrap()), bare: Some(python.parse().unwrap()), ..rule(python) };
        IdentifySettings {
            labels: vec!["sdkBaseVersion".into()],
            bases: BaseRules::new(vec![bare, rule("public.ecr.aws/lambda/java"), rule("docker.io/library/python")]),
            ..IdentifySettings::default()
        }
    }

    #[test]
    fn every_accepted_form_is_parsed() {
        let pinned = format!("sha256:{HEX}");
        let cases = [
            (format!("public.ecr.aws/lambda/java@{pinned}"), "java", None, true),
            (format!("public.ecr.aws/lambda/java:21@{pinned}"), "java", Some("21"), true),
            // Written by Dependabot, and Docker builds it: the digest counts.
            (
                format!("public.ecr.aws/lambda/java:3.13.2025.10.02.09.2025.10.02.09@{pinned}"),
                "java",
                Some("3.13.2025.10.02.09.2025.10.02.09"),
                true,
            ),
            ("public.ecr.aws/lambda/java:21".into(), "java", Some("21"), false),
            (" \"public.ecr.aws/lambda/java:21\" ".into(), "java", Some("21"), false),
            (format!("'{pinned}'"), "python", None, true),
            (pinned.clone(), "python", None, true),
            ("3.12.2024.01.05.15".into(), "python", Some("3.12.2024.01.05.15"), false),
            (format!("3.12.2024.01.05.15@{pinned}"), "python", Some("3.12.2024.01.05.15"), true),
            (format!("3.12@{pinned}"), "python", Some("3.12"), true),
            (format!("latest@{pinned}"), "python", Some("latest"), true),
            (format!("v3.12-slim@{pinned}"), "python", Some("v3.12-slim"), true),
        ];
        for (value, repository, tag, has_digest) in cases {
            let base = read(unquoted(&value), Some("py-orders"), &settings()).expect(&value);
            assert!(base.repository.name.ends_with(repository), "{value}");
            assert_eq!((base.tag.as_deref(), base.digest.is_some()), (tag, has_digest), "{value}");
            assert_eq!(base.default_tag.as_deref(), Some("latest"));
        }
    }

    #[test]
    fn aws_images_on_docker_hub_may_omit_the_registry() {
        for value in [
            "amazon/aws-lambda-python:3.9",
            "docker.io/amazon/aws-lambda-python:3.9",
            "registry-1.docker.io/amazon/aws-lambda-python:3.9",
        ] {
            let base = read(value, None, &settings()).expect(value);
            assert_eq!(base.reference().to_string(), "docker.io/amazon/aws-lambda-python:3.9");
        }
    }

    #[test]
    fn a_rule_is_for_all_spellings_of_its_repository() {
        for value in ["docker.io/library/python:3.12", "docker.io/python:3.12", "registry-1.docker.io/python:3.12"] {
            let base = read(value, None, &settings()).expect(value);
            assert_eq!(base.default_tag.as_deref(), Some("latest"), "{value}");
        }
    }

    #[test]
    fn malformed_values_are_reported_with_the_cause() {
        let cases = [
            ("latest", "name the registry first"),
            ("21", "name the registry first"),
            ("ubuntu:22.04", "name the registry first"),
            ("\"latest\"", "name the registry first"),
            ("\"", "name the registry first"),
            ("public.ecr.aws/lambda/java@latest", "a digest starts with sha256:"),
            ("public.ecr.aws/lambda/java", "neither a tag nor a digest"),
            ("public.ecr.aws/lambda/java:${VERSION}", "not expanded"),
            (&format!("sha256:{}", &HEX[..63]), "sha256 needs 64"),
            (&format!("public.ecr.aws/lambda/java@sha256:{}", &HEX[..63]), "sha256 needs 64"),
            (&format!("sha256:{HEX}"), "it names no repository"),
            (&format!("3.12@sha256:{HEX}"), "it names no repository"),
            (&format!("python@sha256:{HEX}"), "name the registry first"),
            (&format!("sha256:{}", HEX.to_uppercase()), "'E' is not one: write it in lower case"),
            ("public.ecr.aws/lambda/java:21… (8388608 bytes)", "it is longer than"),
            (&format!("sha256:{HEX}… (1025 bytes)"), "it is longer than"),
            ("${VERSION… (4000 bytes)", "it is longer than"),
        ];
        for (value, message) in cases {
            let error = read(value, Some("orders"), &settings()).expect_err(value).to_string();
            assert!(error.contains(message), "{value}: {error}");
        }
    }
}
