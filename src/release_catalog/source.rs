//! Where a release catalog is published: a file, an object of S3, or an artifact in a registry.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{image::Reference, store::ObjectLocation};

/// The suffix of signature files, as in `minisign`.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// The location of a catalog and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogSource {
    /// A file; the signature is a file next to it.
    File(PathBuf),
    /// An S3 object; the signature is an object next to it.
    S3(ObjectLocation),
    /// An OCI artifact; the signature is its second layer.
    Oci(Reference),
}

impl CatalogSource {
    /// The signature file of `file`.
    #[must_use]
    pub fn signature_file(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(SIGNATURE_SUFFIX);
        name.into()
    }
}

impl fmt::Display for CatalogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::S3(location) => write!(f, "{location}"),
            Self::Oci(reference) => write!(f, "oci://{reference}"),
        }
    }
}

impl FromStr for CatalogSource {
    type Err = String;

    /// `s3://BUCKET/KEY`, `oci://REGISTRY/REPOSITORY:TAG`, or a file.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("s3://") {
            return text.parse().map(Self::S3);
        }
        if let Some(named) = text.strip_prefix("oci://") {
            let reference: Reference =
                named.parse().map_err(|error| format!("{text:?} is not an artifact reference: {error}"))?;
            return match (&reference.tag, &reference.digest) {
                (Some(_), None) => Ok(Self::Oci(reference)),
                _ => Err(format!("{text:?} has no tag: write oci://REGISTRY/REPOSITORY:TAG")),
            };
        }
        match text.split_once("://") {
            Some((scheme, _)) => {
                Err(format!("{scheme}:// is not supported: write s3://…, oci://…, or the path of a file"))
            }
            None if text.trim().is_empty() => {
                Err("it is empty: write s3://…, oci://…, or the path of a file".to_owned())
            }
            None => Ok(Self::File(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_an_object_or_an_artifact_with_a_tag() {
        for text in ["s3://bucket/a/b.bin", "oci://123456789012.dkr.ecr.eu-west-1.amazonaws.com/basewatch:releases"] {
            assert_eq!(text.parse::<CatalogSource>().unwrap().to_string(), text);
        }
        assert_eq!("/srv/x.bin".parse(), Ok(CatalogSource::File("/srv/x.bin".into())));
        let digest = crate::image::Digest::sha256(b"x");
        let pinned = format!("oci://127.0.0.1:5000/x@{digest}");
        for text in ["", " ", "s3://bucket", "oci://nowhere", "oci://127.0.0.1:5000/x", &pinned, "https://x/y"] {
            assert!(text.parse::<CatalogSource>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_signature_of_a_file_is_beside_it() {
        let file = CatalogSource::signature_file("/srv/x.bin".as_ref());
        assert_eq!(file, PathBuf::from("/srv/x.bin.minisig"));
    }
}
