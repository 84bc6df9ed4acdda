//! Settings of the store: where it is, and how long what is in it is kept.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use super::{FolderStore, S3Store, Store};
use crate::aws::Aws;

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket of S3.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What all keys in it begin with, without a `/` at the end; empty if the whole bucket is the store.
        prefix: String,
    },
}

/// How long reports are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long the dated reports.
    pub reports: Duration,
    /// How long the days of the history.
    pub history: Duration,
}

impl Default for Retention {
    /// A quarter of reports, and a year of history with a month to look at it.
    fn default() -> Self {
        Self { reports: Duration::from_hours(90 * 24), history: Duration::from_hours(400 * 24) }
    }
}

/// Why a text names no place for a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// There is no text.
    #[error("it is empty: write a folder, or s3://bucket/prefix")]
    Empty,
    /// It is a URL of something else.
    #[error("{0}:// is no place for a store: write a folder without any scheme, or s3://bucket/prefix")]
    Scheme(String),
    /// There is no bucket in it.
    #[error("no bucket is named: write s3://bucket/prefix")]
    NoBucket,
    /// That cannot be the name of a bucket.
    #[error("{name:?} is no name of a bucket: {why}")]
    Bucket {
        /// The name.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// That cannot be a prefix.
    #[error("{prefix:?} is no prefix: {why}")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// Which rule it breaks.
        why: &'static str,
    },
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        match text.split_once("://") {
            _ if text.trim().is_empty() => Err(InvalidPlace::Empty),
            None => Ok(Self::Folder(PathBuf::from(text))),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
                check_bucket(bucket)?;
                check_prefix(prefix)?;
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            }
            Some((scheme, _)) => Err(InvalidPlace::Scheme(scheme.to_owned())),
        }
    }
}

/// The rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn check_bucket(name: &str) -> Result<(), InvalidPlace> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let why = match name {
        "" => return Err(InvalidPlace::NoBucket),
        _ if name.starts_with("arn:") => "write the bucket's name, not an ARN",
        _ if !(3..=63).contains(&name.len()) => "it has to have 3 to 63 characters",
        _ if !name.bytes().all(is_allowed) => "only lower-case letters, digits, '.' and '-' are allowed",
        _ if !name.starts_with(is_edge) || !name.ends_with(is_edge) => "it has to begin and end with a letter or digit",
        _ if name.contains("..") => "two dots must not stand side by side",
        _ if name.parse::<std::net::Ipv4Addr>().is_ok() => "it must not look like an IP address",
        // Directory buckets list in no order and are reached through sessions
        // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html).
        _ if name.ends_with("--x-s3") => {
            "it is a directory bucket, which does not do for a store: use a general purpose one"
        }
        _ => return Ok(()),
    };
    Err(InvalidPlace::Bucket { name: name.to_owned(), why })
}

/// The characters that need no encoding anywhere
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
fn check_prefix(prefix: &str) -> Result<(), InvalidPlace> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'=' | b'/');
    let why = match prefix {
        "" => return Ok(()),
        _ if prefix.len() > 500 => "it is longer than 500 characters",
        _ if !prefix.bytes().all(is_allowed) => "only letters, digits, '.', '-', '_', '=' and '/' are allowed",
        _ if prefix.split('/').any(str::is_empty) => "there is nothing between two of its '/'",
        _ if prefix.split('/').any(|word| matches!(word, "." | "..")) => "'.' and '..' mean nothing in a bucket",
        _ => return Ok(()),
    };
    Err(InvalidPlace::Prefix { prefix: prefix.to_owned(), why })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// The store at `place`, reached as `aws` where it is a bucket. Touches nothing yet.
#[must_use]
pub fn open(place: &Place, aws: Arc<Aws>) -> Arc<dyn Store> {
    match place {
        Place::Folder(folder) => Arc::new(FolderStore::new(folder.clone())),
        Place::S3 { bucket, prefix } => Arc::new(S3Store::new(aws, bucket.clone(), prefix.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_bucket_and_reads_as_it_was_written() {
        for text in ["/var/lib/basewatch", "./basewatch-store", "store", "s3://bucket", "s3://my.bucket-1/a/b=c/_d.e"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        let with_slash: Place = "s3://bucket/prefix/".parse().unwrap();
        assert_eq!(with_slash, Place::S3 { bucket: "bucket".into(), prefix: "prefix".into() });
        assert_eq!("s3://bucket/".parse::<Place>(), "s3://bucket".parse());
    }

    #[test]
    fn what_is_no_place_says_what_would_do() {
        let table = [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("s3://", "no bucket is named"),
            ("s3:///prefix", "no bucket is named"),
            ("S3://bucket", "S3:// is no place"),
            ("gs://bucket", "gs:// is no place"),
            ("file:///var/lib", "file:// is no place"),
            ("s3://ab", "3 to 63"),
            ("s3://Bucket/x", "lower-case"),
            ("s3://bu_cket/x", "lower-case"),
            ("s3://-bucket", "begin and end"),
            ("s3://bucket./x", "begin and end"),
            ("s3://a..b/x", "two dots"),
            ("s3://127.0.0.1/x", "IP address"),
            ("s3://arn:aws:s3:::bucket/x", "not an ARN"),
            ("s3://audits--use1-az4--x-s3/x", "directory bucket"),
            ("s3://bucket//x", "nothing between"),
            ("s3://bucket/x//", "nothing between"),
            ("s3://bucket/a/../b", "mean nothing"),
            ("s3://bucket/a b", "letters, digits"),
            ("s3://bucket/é", "letters, digits"),
        ];
        for (text, expected) in table {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
