//! Which redirects of a registry are followed.

use super::ecr_host;
use crate::http::RedirectRule;

/// Manifests, tags and tokens come from the registry itself.
pub(super) const OWN_HOST: RedirectRule = RedirectRule::SameHost {
    advice: ", which is followed for layers and configurations only; if that host serves this registry, name it as \
             `endpoint` in [registry.\"HOST\"]",
};
/// Blobs may be in an object store. ECR redirects to S3, which has private addresses in a VPC with an endpoint (AWS
/// PrivateLink).
pub(super) const OBJECT_STORES: RedirectRule = RedirectRule::AnyHost { may_be_private: ecr_host::is_layer_store };

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::http::{HostTrust, next_hop};

    #[test]
    fn ecr_leads_to_s3_at_private_addresses_within_its_partition_only() {
        let trust = |from: &str, to: &str| {
            let from: Url = from.parse().expect("a URL");
            next_hop(&from, &from, to, OBJECT_STORES).expect("allowed").1
        };
        let ecr = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/x/blobs/y";
        let s3 = "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/z?X-Amz-Signature=1";
        assert_eq!(trust(ecr, s3), HostTrust::Private);
        assert_eq!(trust("https://r.io/v2/x/blobs/y", s3), HostTrust::Public);
        let china = "https://prod-cn-north-1-starport-layer-bucket.s3.cn-north-1.amazonaws.com.cn/z";
        assert_eq!(trust("https://123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/v2/x", china), HostTrust::Private);
        assert_eq!(trust(ecr, china), HostTrust::Public);
        assert_eq!(trust(ecr, "https://10.0.0.1/z"), HostTrust::Public, "an address is not an S3 host");
    }
}
