//! Settings of the inventories, already validated.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use super::Choice;
use crate::{
    glob::Glob,
    image::{QUOTED_BYTES, Reference, Region, Repository, clip, is_tag},
};

/// Which images of private ECR are audited.
#[derive(Clone, Debug, PartialEq)]
pub struct EcrSettings {
    /// The regions to look in.
    pub regions: Regions,
    /// The repositories.
    pub choice: Choice,
    /// Tags of images.
    pub tags: Vec<Glob>,
    /// Only the newest this many images of each repository, by push date.
    pub newest: Option<usize>,
    /// Whether untagged images are audited as well.
    pub untagged: bool,
}

/// Which Lambda functions are audited.
#[derive(Clone, Debug, PartialEq)]
pub struct LambdaSettings {
    /// The regions to look in.
    pub regions: Regions,
    /// The functions.
    pub choice: Choice,
    /// How long what `GetFunction` said of a function is believed while the list shows no change of it.
    pub refresh: Duration,
}

/// Which ECS services and tasks are audited.
#[derive(Clone, Debug, PartialEq)]
pub struct EcsSettings {
    /// The regions to look in.
    pub regions: Regions,
    /// The clusters, by name.
    pub clusters: Vec<Glob>,
    /// The services, and the families of tasks that are in no service.
    pub choice: Choice,
}

/// The regions to look in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regions {
    /// These.
    Listed(Vec<Region>),
    /// All that the account has enabled.
    Enabled,
}

impl Regions {
    /// Those that are listed, if it is not all that are enabled.
    #[must_use]
    pub fn as_listed(&self) -> Option<&[Region]> {
        match self {
            Self::Listed(regions) => Some(regions),
            Self::Enabled => None,
        }
    }
}

/// How an image is named: at a registry or in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageSource {
    /// At a registry; with a tag or a digest.
    Reference(Reference),
    /// In an OCI layout folder: `oci:DIR[:TAG]`.
    Layout {
        /// The folder.
        folder: PathBuf,
        /// One of its tags; all images in it if there is none.
        tag: Option<String>,
    },
    /// Nobody says: of a function, for one, that may be listed and not be asked for.
    Unknown,
}

impl ImageSource {
    /// The repository, for an image at a registry.
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
