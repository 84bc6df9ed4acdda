//! Hosts of private ECR registries: account, region, partition.

use crate::image::{AwsPartition, is_account_id, is_region};

/// The domains that ECR registries are served under, from the host pattern of
/// awslabs/amazon-ecr-credential-helper: commercial, China, the European sovereign cloud, dual-stack
/// and isolated partitions.
const DOMAINS: [&str; 9] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// A private ECR registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcrHost<'a> {
    /// The AWS account, twelve digits.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

impl EcrHost<'_> {
    /// The partition of its region.
    #[must_use]
    pub fn partition(&self) -> AwsPartition {
        AwsPartition::from_region(self.region)
    }
}

impl<'a> EcrHost<'a> {
    /// Parses `host` as `<account>.dkr.ecr.<region>.<domain>`, including FIPS and dual-stack forms.
    #[must_use]
    pub fn parse(host: &'a str) -> Option<Self> {
        let account = host.get(..12).filter(|digits| is_account_id(digits))?;
        let service = host[12..].strip_prefix(".dkr")?.strip_prefix(['.', '-'])?.strip_prefix("ecr")?;
        let (region, domain) = service.strip_prefix("-fips").unwrap_or(service).strip_prefix('.')?.split_once('.')?;
        (is_region(region) && DOMAINS.contains(&domain)).then_some(Self { account, region })
    }
}

impl<'a> EcrHost<'a> {
    /// The registry of `pattern`, a pattern of full repository names, if it names one; and the pattern of repositories
    /// in it.
    #[must_use]
    pub fn from_pattern(pattern: &'a str) -> Option<(Self, &'a str)> {
        let (host, name) = pattern.split_once('/')?;
        Some((Self::parse(host)?, name))
    }
}

/// Whether `store` is a bucket of S3 in the partition of `registry`, a private ECR registry. ECR redirects to it for
/// layers and configurations (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html>).
pub(super) fn is_layer_store(registry: &str, store: &str) -> bool {
    let Some(partition) = EcrHost::parse(registry).map(|ecr| ecr.partition()) else { return false };
    let store = store.trim_end_matches('.').to_ascii_lowercase();
    let name = store.strip_suffix(partition.domain()).and_then(|name| name.strip_suffix('.')).unwrap_or_default();
    // `BUCKET.s3.REGION` and `BUCKET.s3.dualstack.REGION`, with the bucket as host prefix or in the path; the legacy
    // form is `s3-REGION`.
    let mut labels = name.rsplit('.');
    let region = match labels.next().unwrap_or_default() {
        "s3" => return partition == AwsPartition::COMMERCIAL,
        last if last.starts_with("s3-") => last.trim_start_matches("s3-").trim_start_matches("fips-"),
        region => {
            let service = labels.find(|label| *label != "dualstack").unwrap_or_default();
            if !matches!(service, "s3" | "s3-fips") {
                return false;
            }
            region
        }
    };
    EcrHost { account: "", region }.partition() == partition
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_an_ecr_host_names_account_and_region() {
        for (host, region) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            ("123456789012.dkr-ecr.us-east-2.on.aws", "us-east-2"),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
            ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ] {
            assert_eq!(EcrHost::parse(host), Some(EcrHost { account: "123456789012", region }), "{host}");
        }
    }

    #[test]
    fn a_host_similar_to_ecr_gets_no_credentials() {
        for host in [
            "public.ecr.aws",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-1.evil.com",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:8443",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.-x.amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "12345678901é.dkr.ecr.eu-west-1.amazonaws.com",
            "x123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(EcrHost::parse(host), None, "{host}");
        }
    }

    #[test]
    fn the_layers_of_a_registry_are_in_s3_of_the_same_partition() {
        let commercial = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let fips = "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com";
        for (registry, store) in [
            (commercial, "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com"),
            (commercial, "prod-x.s3.dualstack.eu-west-1.amazonaws.com"),
            (commercial, "s3.eu-west-1.amazonaws.com"),
            (commercial, "prod-x.s3-eu-west-1.amazonaws.com"),
            (commercial, "prod-x.s3.amazonaws.com"),
            ("123456789012.dkr-ecr.us-east-2.on.aws", "prod-x.s3.dualstack.us-east-2.amazonaws.com."),
            (fips, "prod-x.s3.us-gov-west-1.amazonaws.com"),
            (fips, "prod-x.s3-fips.us-gov-west-1.amazonaws.com"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "prod-x.s3.cn-north-1.amazonaws.com.cn"),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "prod-x.s3.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert!(is_layer_store(registry, store), "{registry} {store}");
        }
        for (registry, store) in [
            (commercial, "prod-x.s3.us-gov-west-1.amazonaws.com"),
            (commercial, "prod-x.s3.cn-north-1.amazonaws.com.cn"),
            (fips, "prod-x.s3.eu-west-1.amazonaws.com"),
            (fips, "prod-x.s3.amazonaws.com"),
            (commercial, "prod-x.ec2.eu-west-1.amazonaws.com"),
            (commercial, "s3.eu-west-1.amazonaws.com.evil.example"),
            (commercial, "evil-s3.eu-west-1.evil-amazonaws.com"),
            (commercial, "amazonaws.com"),
            ("registry.example.com", "prod-x.s3.eu-west-1.amazonaws.com"),
        ] {
            assert!(!is_layer_store(registry, store), "{registry} {store}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = EcrHost::parse(&text);
        }
    }
}
