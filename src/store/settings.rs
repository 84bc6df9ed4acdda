//! Settings of the store: location and retention.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// Location of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder.
    Folder(PathBuf),
    /// An S3 bucket.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Prefix of all keys, without a trailing `/`; empty if the whole bucket is the store.
        prefix: String,
    },
}

/// Retention of reports and history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Of dated reports.
    pub reports: Duration,
    /// Of the days of the history.
    pub history: Duration,
}

impl Default for Retention {
    /// 90 days of reports; 400 days of history, to compare with the same month of last year.
    fn default() -> Self {
        Self { reports: Duration::from_hours(90 * 24), history: Duration::from_hours(400 * 24) }
    }
}

/// Why a text is not the location of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStoreLocation {
    /// The text is empty.
    #[error("it is empty: write a folder, or s3://bucket/prefix")]
    Empty,
    /// It is a URL with another scheme.
    #[error("{0}:// is not supported: write a folder without a scheme, or s3://bucket/prefix")]
    Scheme(String),
    /// The bucket is missing.
    #[error("no bucket is named: write s3://bucket/prefix")]
    NoBucket,
    /// The bucket name is invalid.
    #[error("{name:?} is not a bucket name: {why}")]
    Bucket {
        /// The name.
        name: String,
        /// The rule that it violates.
        why: &'static str,
    },
    /// The prefix is invalid.
    #[error("invalid prefix {prefix:?}: {why}")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// The rule that it violates.
        why: &'static str,
    },
}

impl FromStr for StoreLocation {
    type Err = InvalidStoreLocation;

    fn from_str(text: &str) -> Result<Self, InvalidStoreLocation> {
        match text.split_once("://") {
            _ if text.trim().is_empty() => Err(InvalidStoreLocation::Empty),
            None => Ok(Self::Folder(PathBuf::from(text))),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
                check_bucket(bucket)?;
                check_prefix(prefix)?;
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            }
            Some((scheme, _)) => Err(InvalidStoreLocation::Scheme(scheme.to_owned())),
        }
    }
}

/// The rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn check_bucket(name: &str) -> Result<(), InvalidStoreLocation> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let why = match name {
        "" => return Err(InvalidStoreLocation::NoBucket),
        _ if name.starts_with("arn:") => "write the bucket's name, not an ARN",
        _ if !(3..=63).contains(&name.len()) => "it must have 3 to 63 characters",
        _ if !name.bytes().all(is_allowed) => "only lower-case letters, digits, '.' and '-' are allowed",
        _ if !name.starts_with(is_edge) || !name.ends_with(is_edge) => "it must begin and end with a letter or digit",
        _ if name.contains("..") => "it must not contain two dots in a row",
        _ if name.parse::<std::net::Ipv4Addr>().is_ok() => "it must not look like an IP address",
        // Directory buckets list in no order and are reached through sessions
        // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html).
        _ if name.ends_with("--x-s3") => "it is a directory bucket: use a general purpose bucket",
        _ => return Ok(()),
    };
    Err(InvalidStoreLocation::Bucket { name: name.to_owned(), why })
}

/// The characters that need no encoding anywhere
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
fn check_prefix(prefix: &str) -> Result<(), InvalidStoreLocation> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'=' | b'/');
    let why = match prefix {
        "" => return Ok(()),
        _ if prefix.len() > 500 => "it is longer than 500 characters",
        _ if !prefix.bytes().all(is_allowed) => "only letters, digits, '.', '-', '_', '=' and '/' are allowed",
        _ if prefix.split('/').any(str::is_empty) => "it has an empty segment",
        _ if prefix.split('/').any(|word| matches!(word, "." | "..")) => "'.' and '..' are not allowed",
        _ => return Ok(()),
    };
    Err(InvalidStoreLocation::Prefix { prefix: prefix.to_owned(), why })
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_or_a_bucket_and_round_trips() {
        for text in ["/var/lib/basewatch", "./basewatch-store", "store", "s3://bucket", "s3://my.bucket-1/a/b=c/_d.e"] {
            assert_eq!(text.parse::<StoreLocation>().unwrap().to_string(), text);
        }
        let with_slash: StoreLocation = "s3://bucket/prefix/".parse().unwrap();
        assert_eq!(with_slash, StoreLocation::S3 { bucket: "bucket".into(), prefix: "prefix".into() });
        assert_eq!("s3://bucket/".parse::<StoreLocation>(), "s3://bucket".parse());
    }

    #[test]
    fn an_invalid_location_says_what_is_expected() {
        let table = [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("s3://", "no bucket is named"),
            ("s3:///prefix", "no bucket is named"),
            ("S3://bucket", "S3:// is not supported"),
            ("gs://bucket", "gs:// is not supported"),
            ("file:///var/lib", "file:// is not supported"),
            ("s3://ab", "3 to 63"),
            ("s3://Bucket/x", "lower-case"),
            ("s3://bu_cket/x", "lower-case"),
            ("s3://-bucket", "begin and end"),
            ("s3://bucket./x", "begin and end"),
            ("s3://a..b/x", "two dots"),
            ("s3://127.0.0.1/x", "IP address"),
            ("s3://arn:aws:s3:::bucket/x", "not an ARN"),
            ("s3://audits--use1-az4--x-s3/x", "directory bucket"),
            ("s3://bucket//x", "empty segment"),
            ("s3://bucket/x//", "empty segment"),
            ("s3://bucket/a/../b", "not allowed"),
            ("s3://bucket/a b", "letters, digits"),
            ("s3://bucket/é", "letters, digits"),
        ];
        for (text, expected) in table {
            let error = text.parse::<StoreLocation>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
