//! The image of a `FROM`: its reference, and the positions of tag and digest.

use std::ops::Range;

use crate::image::{InvalidReference, Reference};

/// Parses `text` like Docker: a name without a registry is on Docker Hub.
pub(super) fn parse(text: &str) -> Result<Reference, InvalidReference> {
    let has_registry = text.split_once('/').is_some_and(|(first, _)| {
        first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase())
    });
    if has_registry { text.parse() } else { format!("docker.io/{text}").parse() }
}

/// The positions of tag and digest in the text of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReferenceSpans {
    pub(super) tag: Option<Range<usize>>,
    pub(super) digest: Option<Range<usize>>,
}

impl ReferenceSpans {
    pub(super) fn find(text: &str) -> Self {
        let at = text.find('@');
        let name = &text[..at.unwrap_or(text.len())];
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let tag = name[last..].find(':').map(|colon| last + colon + 1..name.len());
        Self { tag, digest: at.map(|at| at + 1..text.len()) }
    }

    /// The name before them.
    pub(super) fn name<'a>(&self, text: &'a str) -> &'a str {
        let part = self.tag.as_ref().or(self.digest.as_ref());
        &text[..part.map_or(text.len(), |part| part.start - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_registry_is_on_docker_hub() {
        for (text, reference) in [
            ("node:22-alpine", "docker.io/library/node:22-alpine"),
            ("rocker/geospatial:4.3", "docker.io/rocker/geospatial:4.3"),
            ("localhost/x:1", "localhost/x:1"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x"),
            ("public.ecr.aws/lambda/java:21", "public.ecr.aws/lambda/java:21"),
        ] {
            assert_eq!(parse(text).expect(text).to_string(), reference);
        }
        assert!(parse("").is_err() && parse("a b").is_err() && parse("public.ecr.aws/x:$V").is_err());
    }

    #[test]
    fn tag_and_digest_are_found_and_a_port_is_not_a_tag() {
        assert_eq!(ReferenceSpans::find("127.0.0.1:5000/x"), ReferenceSpans { tag: None, digest: None });
        assert_eq!(
            ReferenceSpans::find("a.io:1/x:22@sha256:ab"),
            ReferenceSpans { tag: Some(9..11), digest: Some(12..21) }
        );
        assert_eq!(ReferenceSpans::find("node:22"), ReferenceSpans { tag: Some(5..7), digest: None });
    }
}
