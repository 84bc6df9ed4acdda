//! Settings of the inventories, validated.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use super::Selector;
use crate::{
    glob::Glob,
    image::{QUOTED_BYTES, Reference, Region, Repository, clip, is_tag},
};

/// The images of private ECR to audit.
#[derive(Clone, Debug, PartialEq)]
pub struct EcrSettings {
    /// The regions.
    pub regions: RegionSelection,
    /// The repositories.
    pub selector: Selector,
    /// Patterns of image tags.
    pub tags: Vec<Glob>,
    /// The number of newest images of each repository, by push date; `None` for all.
    pub newest: Option<usize>,
    /// Whether untagged images are audited as well.
    pub untagged: bool,
}

/// The Lambda functions to audit.
#[derive(Clone, Debug, PartialEq)]
pub struct LambdaSettings {
    /// The regions.
    pub regions: RegionSelection,
    /// The functions.
    pub selector: Selector,
    /// How long a cached `GetFunction` response is used while the function list shows no change.
    pub refresh: Duration,
}

/// The ECS services and tasks to audit.
#[derive(Clone, Debug, PartialEq)]
pub struct EcsSettings {
    /// The regions.
    pub regions: RegionSelection,
    /// The clusters, by name.
    pub clusters: Vec<Glob>,
    /// The services, and the families of standalone tasks.
    pub selector: Selector,
}

/// The regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionSelection {
    /// The listed regions.
    Listed(Vec<Region>),
    /// All regions that the account has enabled.
    Enabled,
}

impl RegionSelection {
    /// The listed regions; `None` for all enabled ones.
    #[must_use]
    pub fn as_listed(&self) -> Option<&[Region]> {
        match self {
            Self::Listed(regions) => Some(regions),
            Self::Enabled => None,
        }
    }
}

/// Where an image is: in a registry or in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageSource {
    /// In a registry, with a tag or a digest.
    Reference(Reference),
    /// In an OCI layout folder: `oci:DIR[:TAG]`.
    Layout {
        /// The folder.
        folder: PathBuf,
        /// One of its tags; `None` for all images in it.
        tag: Option<String>,
    },
    /// Unknown, for example for a function that may be listed but not read.
    Unknown,
}

impl ImageSource {
    /// The repository, for an image in a registry.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Reference(reference) => Some(&reference.repository),
            Self::Layout { .. } | Self::Unknown => None,
        }
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => reference.fmt(f),
            Self::Layout { folder, tag: None } => write!(f, "oci:{}", folder.display()),
            Self::Layout { folder, tag: Some(tag) } => write!(f, "oci:{}:{tag}", folder.display()),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl FromStr for ImageSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let quoted = || clip(text, QUOTED_BYTES);
        if let Some(layout) = text.strip_prefix("oci:") {
            let (folder, tag) = match layout.rsplit_once(':') {
                Some((folder, tag)) if is_tag(tag) => (folder, Some(tag.to_owned())),
                _ => (layout, None),
            };
            if folder.is_empty() {
                return Err(format!("{:?} names no folder: write oci:DIR or oci:DIR:TAG", quoted()));
            }
            return Ok(Self::Layout { folder: folder.into(), tag });
        }
        let reference: Reference = text.parse().map_err(|error| format!("{:?}: {error}", quoted()))?;
        if reference.tag.is_none() && reference.digest.is_none() {
            return Err(format!("{:?} names no image: add a tag (:21) or a digest (@sha256:…)", quoted()));
        }
        Ok(Self::Reference(reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_reference_or_by_layout() {
        let layout = |folder: &str, tag: Option<&str>| {
            Ok(ImageSource::Layout { folder: folder.into(), tag: tag.map(str::to_owned) })
        };
        assert_eq!("oci:./layout:v1".parse(), layout("./layout", Some("v1")));
        assert_eq!("oci:/a/b".parse(), layout("/a/b", None));
        for text in ["oci:./layout:v1", "oci:/a/b", "public.ecr.aws/lambda/python:3.12"] {
            assert_eq!(text.parse::<ImageSource>().unwrap().to_string(), text);
        }
        assert!(matches!("public.ecr.aws/lambda/python:3.12".parse(), Ok(ImageSource::Reference(_))));
        for garbage in ["oci:", "public.ecr.aws/lambda/python", "python:3.12", ""] {
            assert!(garbage.parse::<ImageSource>().is_err(), "{garbage}");
        }
    }
}
