//! The names of AWS: ARNs, and the account IDs and regions in them. Each is parsed once and then held by its type.

use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::AwsPartition;

/// The longest ARN that AWS accepts, in bytes.
const ARN_BYTES: usize = 2_048;
/// More than the longest name of a region.
const REGION_BYTES: usize = 40;

/// Why a text is no name of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAwsName {
    /// It is no account ID.
    #[error("an AWS account ID has 12 digits")]
    AccountId,
    /// It is no region.
    #[error("an AWS region has lower-case letters, digits and hyphens only, as in eu-west-1")]
    Region,
    /// It is no ARN.
    #[error("an ARN is written arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE")]
    Arn,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $is_valid:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The whole text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidAwsName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if $is_valid(text) { Ok(Self(text.into())) } else { Err(InvalidAwsName::$name) }
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    };
}

name! {
    /// The ID of an AWS account: 12 digits.
    AccountId, is_account_id
}

name! {
    /// The name of an AWS region: up to 40 lower-case letters, digits and hyphens, a letter first. Regions that AWS adds
    /// later are valid.
    Region, is_region
}

name! {
    /// An ARN (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
    Arn, is_arn
}

/// Whether `text` is the ID of an AWS account.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` can be the name of an AWS region.
#[must_use]
pub fn is_region(text: &str) -> bool {
    text.len() <= REGION_BYTES
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_arn(text: &str) -> bool {
    ArnParts::parse(text).is_some()
}

/// The parts of an ARN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArnParts<'a> {
    /// The partition, such as `aws` or `aws-cn`.
    pub partition: &'a str,
    /// The namespace of the service, such as `sns`.
    pub service: &'a str,
    /// The region; empty for the resources of a global service.
    pub region: &'a str,
    /// The account ID; empty for resources whose name needs none, such as buckets.
    pub account: &'a str,
    /// The resource, with its type where the service has types: `service/prod/orders`.
    pub resource: &'a str,
}

impl<'a> ArnParts<'a> {
    /// The parts of `text`; `None` if it is no ARN.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let is_scheme = parts.next() == Some("arn");
        let (partition, service) = (parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_valid = is_scheme
            && text.len() <= ARN_BYTES
            && is_word(partition)
            && is_word(service)
            && (region.is_empty() || is_region(region))
            && (account.is_empty() || is_account_id(account))
            && !resource.is_empty()
            && resource.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then_some(Self { partition, service, region, account, resource })
    }
}

impl Arn {
    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> ArnParts<'_> {
        ArnParts::parse(self).unwrap_or_default()
    }

    /// The partition; `None` for one that is not known.
    #[must_use]
    pub fn partition(&self) -> Option<AwsPartition> {
        AwsPartition::from_name(self.parts().partition)
    }

    /// The account, if it names one.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.parts().account.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_has_twelve_digits() {
        assert_eq!("123456789012".parse::<AccountId>().unwrap().as_str(), "123456789012");
        for text in ["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２", "12345678901\n"]
        {
            assert_eq!(text.parse::<AccountId>(), Err(InvalidAwsName::AccountId), "{text:?}");
        }
    }

    #[test]
    fn a_region_that_is_not_known_is_valid_and_what_could_change_a_host_name_is_not() {
        for text in ["eu-west-1", "us-gov-east-1", "eusc-de-east-1", "mars-north-12"] {
            assert_eq!(text.parse::<Region>().unwrap().as_str(), text);
        }
        for text in ["", "EU-WEST-1", "eu-west-1.example.com", "eu west-1", "eu-west-1/", "-x", "é", &"x".repeat(41)] {
            assert_eq!(text.parse::<Region>(), Err(InvalidAwsName::Region), "{text:?}");
        }
    }

    #[test]
    fn an_arn_has_six_parts_and_its_region_and_account_are_valid_or_empty() {
        let arn: Arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders:$LATEST".parse().unwrap();
        let parts = ArnParts {
            partition: "aws-cn",
            service: "lambda",
            region: "cn-north-1",
            account: "123456789012",
            resource: "function:orders:$LATEST",
        };
        assert_eq!((arn.parts(), arn.partition()), (parts, AwsPartition::from_name("aws-cn")));
        assert_eq!(arn.parts().region, "cn-north-1");
        assert_eq!(arn.account().as_deref(), Some("123456789012"));
        let bucket: Arn = "arn:aws:s3:::bucket".parse().unwrap();
        assert_eq!((bucket.parts().region, bucket.account()), ("", None));
        for text in [
            "",
            "arn",
            "arn:aws:s3::bucket",
            "arn:aws:s3:::",
            "urn:aws:s3:::bucket",
            "arn::s3:::bucket",
            "arn:aws::::bucket",
            "arn:aws:sns:eu-west-1:12345678901:topic",
            "arn:aws:sns:EU-WEST-1:123456789012:topic",
            "arn:aws:sns:eu-west-1:123456789012:a topic",
            "arn:aws:iam::{account}:role/x",
            &format!("arn:aws:s3:::{}", "x".repeat(ARN_BYTES)),
        ] {
            assert_eq!(text.parse::<Arn>(), Err(InvalidAwsName::Arn), "{text:?}");
        }
    }

    #[test]
    fn names_are_strings_in_json() {
        let json = r#"["123456789012","eu-west-1","arn:aws:s3:::bucket"]"#;
        let names: (AccountId, Region, Arn) = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&names).unwrap(), json);
        assert!(serde_json::from_str::<AccountId>("\"12\"").unwrap_err().to_string().contains("12 digits"));
    }
}
