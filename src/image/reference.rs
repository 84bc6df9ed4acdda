//! Image references: `registry/repository[:tag][@digest]`, parsed strictly.
//!
//! No defaults: a missing registry is an error, and a missing tag or digest stays absent, instead of Docker Hub or
//! `latest`.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Digest, InvalidDigest, QUOTED_BYTES, clip,
    host::{normalize_host, normalize_name},
};

/// A repository in a registry, `public.ecr.aws/lambda/java`.
///
/// Parsing normalizes spellings: hosts are in lower case and without port 443, the hosts of Docker Hub are `docker.io`,
/// and `docker.io/python` is `docker.io/library/python`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    /// Host and, if not the default, port: `public.ecr.aws`, `127.0.0.1:5000`.
    pub registry: Arc<str>,
    /// The path below it: `lambda/java`.
    pub name: Arc<str>,
}

/// An image reference: a repository with a tag, a digest, both or neither.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// The repository.
    pub repository: Repository,
    /// Its tag; with a digest only a hint.
    pub tag: Option<String>,
    /// Its digest, which takes precedence over the tag.
    pub digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It is empty.
    #[error("the reference is empty")]
    Empty,
    /// The first part is not a host.
    #[error("name the registry first, as in public.ecr.aws/lambda/java:21")]
    NoRegistry,
    /// It is a URL.
    #[error("write it without {0:?}, as in public.ecr.aws/lambda/java:21")]
    Scheme(String),
    /// The first part is a malformed host.
    #[error("{0:?} is not a registry: write a host name or IPv4 address, and a port if needed")]
    Host(String),
    /// The path is a malformed repository name.
    #[error("{0:?} is not a repository name: use lower-case letters and digits, separated by . _ - /")]
    Repository(String),
    /// The tag is malformed.
    #[error("{0:?} is not a tag: use up to 128 letters, digits, _ . and -, not starting with . or -")]
    Tag(String),
    /// The part after `@` is not a digest.
    #[error("the digest is malformed: {0}")]
    Digest(#[from] InvalidDigest),
}

impl Reference {
    /// The reference of `tag` in `repository`.
    #[must_use]
    pub fn tagged(repository: Repository, tag: impl Into<String>) -> Self {
        Self { repository, tag: Some(tag.into()), digest: None }
    }

    /// The reference of the content with `digest` in `repository`.
    #[must_use]
    pub fn pinned(repository: Repository, digest: Digest) -> Self {
        Self { repository, tag: None, digest: Some(digest) }
    }
}

/// Whether `text` follows the tag grammar of the OCI distribution specification.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 128
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A path component: alphanumerics joined by one `.`, one or two `_`, or any run of `-`.
fn is_component(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators_hold =
        text.split(alphanumeric).all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    text.starts_with(alphanumeric) && text.ends_with(alphanumeric) && separators_hold
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_number = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let port_holds = port.is_none_or(|port| is_number(port) && port.parse::<u16>().is_ok_and(|port| port > 0));
    let named = text.contains('.') || port.is_some() || host == "localhost";
    let labels_hold = host.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    named && port_holds && labels_hold && host.len() <= 253
}

impl FromStr for Repository {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(InvalidReference::Empty);
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(InvalidReference::Scheme(clip(format!("{scheme}://"), QUOTED_BYTES)));
        }
        let (registry, name) = match text.split_once('/') {
            Some((host, name)) if is_host(host) => (host, name),
            Some((host, _)) if host.contains(['.', ':']) => {
                return Err(InvalidReference::Host(clip(host, QUOTED_BYTES)));
            }
            _ => return Err(InvalidReference::NoRegistry),
        };
        let registry = normalize_host(registry);
        // The limit applies to the normalized name.
        let requested = normalize_name(&registry, name);
        if requested.len() > 255 || !requested.split('/').all(is_component) {
            return Err(InvalidReference::Repository(clip(name, QUOTED_BYTES)));
        }
        Ok(Self { registry: registry.into(), name: requested.into() })
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') && repository.contains('/') => (repository, Some(tag)),
            _ => (name, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(InvalidReference::Tag(clip(tag, QUOTED_BYTES)));
        }
        Ok(Self { repository: repository.parse()?, tag: tag.map(str::to_owned), digest })
    }
}

impl TryFrom<String> for Repository {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::MESSAGE_BYTES;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn real_references_parse_and_print_the_same() {
        for text in [
            "public.ecr.aws/lambda/java",
            "public.ecr.aws/lambda/java:21",
            "public.ecr.aws/lambda/java:latest@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-a/orders__x:421",
            "127.0.0.1:5000/x:1",
            "localhost/x:1",
            "localhost:5000/a/b/c",
            "gcr.io/distroless/java17-debian12:nonroot",
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn the_spellings_of_one_repository_are_equal() {
        for (spellings, expected) in [
            (
                &[
                    "docker.io/python:3.12",
                    "index.docker.io/library/python:3.12",
                    "Registry-1.docker.io:443/python:3.12",
                ][..],
                "docker.io/library/python:3.12",
            ),
            (&["docker.io/amazon/aws-lambda-python:3.9"], "docker.io/amazon/aws-lambda-python:3.9"),
            (&["Public.ECR.aws/lambda/java", "public.ecr.aws:443/lambda/java"], "public.ecr.aws/lambda/java"),
            (&["r.corp:5000/x:1"], "r.corp:5000/x:1"),
        ] {
            for text in spellings {
                assert_eq!(text.parse::<Reference>().expect(text).to_string(), expected, "{text}");
            }
        }
    }

    #[test]
    fn malformed_references_are_rejected_with_the_cause() {
        use InvalidReference as E;
        let cases = [
            ("", E::Empty),
            ("latest", E::NoRegistry),
            ("ubuntu", E::NoRegistry),
            ("python:3.12", E::NoRegistry),
            ("library/ubuntu:1", E::NoRegistry),
            ("public.ecr.aws/", E::Repository(String::new())),
            ("public.ecr.aws/lambda/Java", E::Repository("lambda/Java".into())),
            ("public.ecr.aws/a//b", E::Repository("a//b".into())),
            ("public.ecr.aws/a___b", E::Repository("a___b".into())),
            ("public.ecr.aws/x:${VERSION}", E::Tag("${VERSION}".into())),
            ("public.ecr.aws/x:", E::Tag(String::new())),
            ("http://public.ecr.aws/x", E::Scheme("http://".into())),
            ("docker://public.ecr.aws/x:1", E::Scheme("docker://".into())),
            ("1.2.3.4:99999/x", E::Host("1.2.3.4:99999".into())),
            ("127.0.0.1:0/x", E::Host("127.0.0.1:0".into())),
            ("r.corp:+443/x", E::Host("r.corp:+443".into())),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Reference>().expect_err(text), error, "{text}");
        }
        let short = format!("public.ecr.aws/x@{}", &DIGEST[..DIGEST.len() - 1]);
        assert!(matches!(short.parse::<Reference>(), Err(E::Digest(_))));
    }

    #[test]
    fn a_name_that_is_too_long_with_its_namespace_is_rejected() {
        let text = |length: usize| format!("docker.io/{}", "a".repeat(length));
        let longest: Reference = text(247).parse().expect("255 with library/");
        assert_eq!(longest.to_string().parse(), Ok(longest));
        assert!(matches!(text(248).parse::<Reference>(), Err(InvalidReference::Repository(_))));
    }

    #[test]
    fn an_error_quotes_a_limited_part_of_the_reference() {
        let long = "\u{1b}".repeat(1 << 20);
        for text in [
            format!("{long}://x"),
            format!("a.{long}/x"),
            format!("public.ecr.aws/{long}"),
            format!("public.ecr.aws/x:{long}"),
            format!("public.ecr.aws/x@sha256:{long}"),
        ] {
            let error = text.parse::<Reference>().expect_err(&text[..20]).to_string();
            assert!(error.len() <= MESSAGE_BYTES, "{} bytes: {}", error.len(), &error[..200]);
        }
    }

    proptest! {
        #[test]
        fn parse_and_display_are_inverse(
            name in "[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,2}(/[a-z0-9]{1,8}){0,2}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
            pinned in any::<bool>(),
        ) {
            let mut text = format!("public.ecr.aws/{name}");
            if let Some(tag) = tag { text = format!("{text}:{tag}"); }
            if pinned { text = format!("{text}@{DIGEST}"); }
            prop_assert_eq!(text.parse::<Reference>().expect("valid").to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Reference>();
        }
    }
}
