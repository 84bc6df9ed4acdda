//! AWS partitions: groups of regions with their own accounts, credentials and endpoints.
//!
//! Source of names, prefixes and domains: the partitions of the AWS SDKs (`partitions.json` in botocore).

use std::fmt;

/// A partition of AWS, such as `aws` or `aws-us-gov`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsPartition {
    name: &'static str,
    /// The prefix of its region names; empty for the commercial partition.
    region_prefix: &'static str,
    global_region: &'static str,
    domain: &'static str,
}

/// All known partitions, the commercial one last because its prefix matches every region.
const PARTITIONS: [AwsPartition; 8] = [
    AwsPartition::new("aws-us-gov", "us-gov-", "us-gov-west-1", "amazonaws.com"),
    AwsPartition::new("aws-cn", "cn-", "cn-northwest-1", "amazonaws.com.cn"),
    AwsPartition::new("aws-eusc", "eusc-", "eusc-de-east-1", "amazonaws.eu"),
    AwsPartition::new("aws-iso", "us-iso-", "us-iso-east-1", "c2s.ic.gov"),
    AwsPartition::new("aws-iso-b", "us-isob-", "us-isob-east-1", "sc2s.sgov.gov"),
    AwsPartition::new("aws-iso-e", "eu-isoe-", "eu-isoe-west-1", "cloud.adc-e.uk"),
    AwsPartition::new("aws-iso-f", "us-isof-", "us-isof-south-1", "csp.hci.ic.gov"),
    AwsPartition::COMMERCIAL,
];

impl AwsPartition {
    /// The commercial partition, `aws`.
    pub const COMMERCIAL: Self = Self::new("aws", "", "us-east-1", "amazonaws.com");

    const fn new(
        name: &'static str,
        region_prefix: &'static str,
        global_region: &'static str,
        domain: &'static str,
    ) -> Self {
        Self { name, region_prefix, global_region, domain }
    }

    /// The partition of `region`; the commercial one for unknown regions.
    #[must_use]
    pub fn from_region(region: &str) -> Self {
        let found = PARTITIONS.into_iter().find(|partition| region.starts_with(partition.region_prefix));
        found.unwrap_or(Self::COMMERCIAL)
    }

    /// The partition of `arn`; `None` if it is malformed or unknown.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        PARTITIONS.into_iter().find(|partition| partition.name == name)
    }

    /// The region of global services, such as AWS Organizations
    /// (<https://docs.aws.amazon.com/general/latest/gr/ao.html>).
    #[must_use]
    pub fn global_region(self) -> &'static str {
        self.global_region
    }

    /// The domain of its endpoints.
    #[must_use]
    pub fn domain(self) -> &'static str {
        self.domain
    }

    /// The domain of its web console; `None` if that is not public.
    ///
    /// The console of a region is a subdomain, as the federation of the AWS CLI and the documentation of the partitions
    /// name it.
    #[must_use]
    pub fn console_domain(self) -> Option<&'static str> {
        match self.name {
            "aws" => Some("console.aws.amazon.com"),
            "aws-us-gov" => Some("console.amazonaws-us-gov.com"),
            "aws-cn" => Some("console.amazonaws.cn"),
            "aws-eusc" => Some("console.amazonaws-eusc.eu"),
            _ => None,
        }
    }

    /// Whether it has ECR Public, which only the commercial partition has
    /// (<https://docs.aws.amazon.com/general/latest/gr/ecr-public.html>).
    #[must_use]
    pub fn has_ecr_public(self) -> bool {
        self == Self::COMMERCIAL
    }
}

impl fmt::Display for AwsPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_and_a_name_have_a_partition() {
        for (region, name, global_region) in [
            ("eu-west-1", "aws", "us-east-1"),
            ("us-gov-east-1", "aws-us-gov", "us-gov-west-1"),
            ("cn-north-1", "aws-cn", "cn-northwest-1"),
            ("eusc-de-east-1", "aws-eusc", "eusc-de-east-1"),
            ("us-iso-west-1", "aws-iso", "us-iso-east-1"),
            ("us-isob-east-1", "aws-iso-b", "us-isob-east-1"),
            ("mars-north-1", "aws", "us-east-1"),
        ] {
            let partition = AwsPartition::from_region(region);
            assert_eq!((partition.name, partition.global_region()), (name, global_region), "{region}");
            assert_eq!(AwsPartition::from_name(name), Some(partition), "{name}");
            assert_eq!(partition.has_ecr_public(), name == "aws");
        }
        for name in ["", "aws-mars", "AWS"] {
            assert_eq!(AwsPartition::from_name(name), None, "{name}");
        }
    }
}
