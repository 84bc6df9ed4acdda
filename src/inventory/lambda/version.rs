//! Function versions, by the grammar of the Lambda API.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A version of a function: `\$LATEST(\.PUBLISHED)?|[0-9]+` (`VersionWithLatestPublished` of the API model). Other
/// texts are kept unchanged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(super) enum FunctionVersion {
    /// `$LATEST`, the unpublished version. Unqualified calls reach it, except on Lambda Managed Instances, where it is
    /// a draft that receives no calls.
    Latest,
    /// `$LATEST.PUBLISHED`, which unqualified calls reach on Lambda Managed Instances
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html>).
    LatestPublished,
    /// A published version.
    Number(u64),
    /// An unknown form.
    Other(Arc<str>),
}

impl From<&str> for FunctionVersion {
    fn from(text: &str) -> Self {
        match text {
            "$LATEST" => Self::Latest,
            "$LATEST.PUBLISHED" => Self::LatestPublished,
            // A number such as 007 would not be written back the same.
            _ => match text.parse() {
                Ok(number) if u64::to_string(&number) == text => Self::Number(number),
                _ => Self::Other(text.into()),
            },
        }
    }
}

impl From<String> for FunctionVersion {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<FunctionVersion> for String {
    fn from(version: FunctionVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for FunctionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.pad("$LATEST"),
            Self::LatestPublished => f.pad("$LATEST.PUBLISHED"),
            Self::Number(number) => number.fmt(f),
            Self::Other(text) => f.pad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_version_survives_a_round_trip() {
        use FunctionVersion::{Latest, LatestPublished, Number, Other};
        for (text, expected) in [
            ("$LATEST", Latest),
            ("$LATEST.PUBLISHED", LatestPublished),
            ("1", Number(1)),
            ("18446744073709551615", Number(u64::MAX)),
            ("18446744073709551616", Other("18446744073709551616".into())),
            ("007", Other("007".into())),
            ("+7", Other("+7".into())),
            ("$latest", Other("$latest".into())),
            ("$LATEST.NEXT", Other("$LATEST.NEXT".into())),
            ("", Other("".into())),
        ] {
            let version = FunctionVersion::from(text);
            assert_eq!((&version, version.to_string().as_str()), (&expected, text));
            let stored = serde_json::to_string(&version).unwrap();
            assert_eq!(stored, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<FunctionVersion>(&stored).unwrap(), expected);
        }
    }
}
