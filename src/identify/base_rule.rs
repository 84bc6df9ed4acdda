//! `[[identify.base]]`: the base repositories and their properties.

use crate::{glob::Glob, image::Repository};

/// The built-in base repositories, which follow the configured ones. AWS publishes the same images with the same tags
/// on Docker Hub.
const BUILT_IN: [&str; 2] = ["public.ecr.aws/lambda/*", "docker.io/amazon/aws-lambda-*"];

/// A rule for the base repositories that a pattern matches. `None` and empty fields are left to later rules.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseRule {
    /// The base repositories, with their registry.
    pub repository: Glob,
    /// The images that `tag`, `default_tag` and `bare` apply to, by their repository without its registry; `None` for
    /// all.
    pub images: Option<Glob>,
    /// The moving tags to follow.
    pub tags: Vec<String>,
    /// The moving tag of those images; overrides all evidence.
    pub tag: Option<String>,
    /// The moving tag that is assumed without better evidence.
    pub default_tag: Option<String>,
    /// Whether a bare digest or dated tag in a label of those images means this repository, which `repository` names
    /// exactly.
    pub bare: Option<Repository>,
    /// Whether releases carry dated tags, as AWS Lambda's do: `21.2026.07.16.13-x86_64`.
    pub has_dated_tags: Option<bool>,
    /// Whether these are company bases, which are built on another base.
    pub is_company: Option<bool>,
}

impl BaseRule {
    /// A rule without further properties.
    #[must_use]
    pub fn new(repository: Glob) -> Self {
        Self {
            repository,
            images: None,
            tags: Vec::new(),
            tag: None,
            default_tag: None,
            bare: None,
            has_dated_tags: None,
            is_company: None,
        }
    }

    fn is_for_image(&self, image: Option<&str>) -> bool {
        self.images.as_ref().is_none_or(|pattern| image.is_some_and(|image| pattern.matches(image)))
    }
}

/// The rules for base repositories, in order. For each property, the first matching rule that sets it wins.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseRules(Vec<BaseRule>);

impl BaseRules {
    /// The `configured` rules, followed by the built-in ones.
    #[must_use]
    pub fn new(configured: Vec<BaseRule>) -> Self {
        Self(configured.into_iter().chain(BUILT_IN.into_iter().map(built_in_rule)).collect())
    }

    /// The rules, the configured ones first.
    #[must_use]
    pub fn as_slice(&self) -> &[BaseRule] {
        &self.0
    }

    fn about(&self, repository: &Repository) -> impl Iterator<Item = &BaseRule> {
        let name = repository.to_string();
        self.0.iter().filter(move |rule| rule.repository.matches(&name))
    }

    /// Whether `repository` holds bases. Layers alone can only identify a base in such a repository.
    #[must_use]
    pub fn is_base(&self, repository: &Repository) -> bool {
        self.about(repository).next().is_some()
    }

    /// Whether releases of `repository` carry dated tags.
    #[must_use]
    pub fn has_dated_tags(&self, repository: &Repository) -> bool {
        self.about(repository).find_map(|rule| rule.has_dated_tags).unwrap_or_default()
    }

    /// Whether images of `repository` are built on another base.
    #[must_use]
    pub fn is_company_base(&self, repository: &Repository) -> bool {
        self.about(repository).find_map(|rule| rule.is_company).unwrap_or_default()
    }

    /// The configured moving tags of `repository`, each once. Without them, lines are known only from records of images
    /// and dated tags.
    #[must_use]
    pub fn followed_tags(&self, repository: &Repository) -> Vec<&str> {
        let listed = self.about(repository).map(|rule| &rule.tags).find(|tags| !tags.is_empty());
        let single = self.about(repository).flat_map(|rule| rule.tag.iter().chain(&rule.default_tag));
        let mut followed: Vec<&str> = Vec::new();
        for tag in listed.into_iter().flatten().chain(single) {
            if !followed.contains(&tag.as_str()) {
                followed.push(tag);
            }
        }
        followed
    }

    /// The configured moving tag of `repository` for images of the repository `image`.
    pub(super) fn tag(&self, repository: &Repository, image: Option<&str>) -> Option<&str> {
        self.about(repository).filter(|rule| rule.is_for_image(image)).find_map(|rule| rule.tag.as_deref())
    }

    /// The default tag of `repository` for images of the repository `image`.
    pub(super) fn default_tag(&self, repository: &Repository, image: Option<&str>) -> Option<&str> {
        self.about(repository).filter(|rule| rule.is_for_image(image)).find_map(|rule| rule.default_tag.as_deref())
    }

    /// The repository of a bare digest or dated tag in images of the repository `image`.
    pub(super) fn bare_repository(&self, image: Option<&str>) -> Option<&Repository> {
        self.0.iter().filter(|rule| rule.is_for_image(image)).find_map(|rule| rule.bare.as_ref())
    }
}

fn built_in_rule(pattern: &str) -> BaseRule {
    let repository = pattern.parse().expect("built-in patterns are valid");
    BaseRule { has_dated_tags: Some(true), ..BaseRule::new(repository) }
}

impl Default for BaseRules {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str) -> BaseRule {
        BaseRule::new(pattern.parse().unwrap())
    }

    fn repository(text: &str) -> Repository {
        text.parse().unwrap()
    }

    const COMPANY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/base/java";

    #[test]
    fn the_bases_of_aws_are_built_in_and_have_dated_tags() {
        let rules = BaseRules::default();
        for (name, is_base) in [
            ("public.ecr.aws/lambda/java", true),
            ("public.ecr.aws/lambda/provided", true),
            ("docker.io/amazon/aws-lambda-python", true),
            ("public.ecr.aws/docker/library/python", false),
            ("docker.io/library/python", false),
            (COMPANY, false),
        ] {
            assert_eq!(rules.is_base(&repository(name)), is_base, "{name}");
            assert_eq!(rules.has_dated_tags(&repository(name)), is_base, "{name}");
            assert!(!rules.is_company_base(&repository(name)), "{name}");
            assert!(rules.followed_tags(&repository(name)).is_empty(), "{name}");
        }
    }

    #[test]
    fn for_each_property_the_first_matching_rule_that_sets_it_wins() {
        let rules = BaseRules::new(vec![
            BaseRule { tags: vec!["21".into(), "17".into()], ..rule("*/base/java") },
            BaseRule {
                tags: vec!["8".into()],
                is_company: Some(true),
                has_dated_tags: Some(false),
                default_tag: Some("stable".into()),
                ..rule("*/base/*")
            },
            BaseRule { has_dated_tags: Some(true), default_tag: Some("latest".into()), ..rule("*") },
        ]);
        let java = repository(COMPANY);
        assert!(rules.is_company_base(&java) && !rules.has_dated_tags(&java));
        assert_eq!(rules.followed_tags(&java), ["21", "17", "stable", "latest"]);
        assert_eq!(rules.default_tag(&java, Some("orders")), Some("stable"));
        let other = repository("ghcr.io/acme/orders");
        assert!(rules.is_base(&other) && rules.has_dated_tags(&other) && !rules.is_company_base(&other));
    }

    #[test]
    fn a_built_in_rule_is_overridden_by_a_configured_one() {
        let rules =
            BaseRules::new(vec![BaseRule { has_dated_tags: Some(false), ..rule("public.ecr.aws/lambda/java") }]);
        assert!(!rules.has_dated_tags(&repository("public.ecr.aws/lambda/java")));
        assert!(rules.has_dated_tags(&repository("public.ecr.aws/lambda/python")));
        assert!(rules.is_base(&repository("public.ecr.aws/lambda/java")));
    }

    #[test]
    fn a_rule_for_some_images_does_not_apply_to_others() {
        let limited = BaseRule {
            images: Some("orders*".parse().unwrap()),
            tag: Some("21".into()),
            default_tag: Some("17".into()),
            bare: Some(repository(COMPANY)),
            ..rule(COMPANY)
        };
        let rules = BaseRules::new(vec![limited, BaseRule { default_tag: Some("latest".into()), ..rule("*") }]);
        let base = repository(COMPANY);
        for (image, tag, default_tag, is_bare) in [
            (Some("orders-api"), Some("21"), "17", true),
            (Some("billing"), None, "latest", false),
            (None, None, "latest", false),
        ] {
            assert_eq!(rules.tag(&base, image), tag, "{image:?}");
            assert_eq!(rules.default_tag(&base, image), Some(default_tag), "{image:?}");
            assert_eq!(rules.bare_repository(image).is_some(), is_bare, "{image:?}");
        }
        assert_eq!(rules.followed_tags(&base), ["21", "17", "latest"]);
    }
}
