//! Mirrors and pull-through caches, which serve another registry's repositories under their own prefix with the same
//! digests.

use crate::image::Repository;

/// A mirror of the repositories of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryMirror {
    /// A registry, or a registry and the first parts of repository names:
    /// `123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public`.
    pub prefix: String,
    /// The prefix that replaces it upstream: `public.ecr.aws`.
    pub upstream: String,
}

impl RegistryMirror {
    /// The upstream name of `repository`, if it is below this prefix.
    #[must_use]
    pub fn upstream_of(&self, repository: &Repository) -> Option<Repository> {
        let full = repository.to_string();
        let rest = full.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        format!("{}/{rest}", self.upstream).parse().ok()
    }
}

/// The upstream name of `repository`, by the longest matching prefix of `mirrors`.
pub(super) fn upstream(mirrors: &[RegistryMirror], repository: &Repository) -> Option<Repository> {
    let found = mirrors.iter().filter_map(|mirror| Some((mirror.prefix.len(), mirror.upstream_of(repository)?)));
    found.max_by_key(|(length, _)| *length).map(|(_, repository)| repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_below_a_prefix_has_its_upstream_name() {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let mirror = |prefix: &str, upstream: &str| RegistryMirror { prefix: prefix.into(), upstream: upstream.into() };
        let mirrors = [
            mirror(&format!("{host}/ecr-public"), "public.ecr.aws"),
            mirror(&format!("{host}/ecr-public/docker"), "docker.io"),
            mirror("mirror.example.com", "ghcr.io/acme"),
        ];
        for (given, expected) in [
            (format!("{host}/ecr-public/lambda/java"), Some("public.ecr.aws/lambda/java")),
            (format!("{host}/ecr-public/docker/library/alpine"), Some("docker.io/library/alpine")),
            ("mirror.example.com/base".to_owned(), Some("ghcr.io/acme/base")),
            (format!("{host}/ecr-public-2/lambda/java"), None),
            (format!("{host}/orders"), None),
            ("public.ecr.aws/lambda/java".to_owned(), None),
        ] {
            let repository: Repository = given.parse().unwrap();
            let found = upstream(&mirrors, &repository).map(|repository| repository.to_string());
            assert_eq!(found.as_deref(), expected, "{given}");
        }
    }
}
