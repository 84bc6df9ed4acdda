//! Rules for following redirects.

use reqwest::Url;

use super::ecr_host;
use crate::http::{AddressScope, HostTrust};

/// The most redirects that are followed.
pub(super) const MAX_HOPS: usize = 5;

/// The next URL after `at`, a hop of a request that started at `origin`, and the trust that the redirect gives to its
/// host. The caller still has to check the host itself.
///
/// `may_leave`: another host may respond. Blobs are in object stores, but a manifest or a token must come from the
/// registry itself.
pub(super) fn next(origin: &Url, at: &Url, location: &str, may_leave: bool) -> Result<(Url, HostTrust), String> {
    let to = at.join(location).map_err(|_| "a redirect to a malformed URL".to_owned())?;
    if !matches!(to.scheme(), "http" | "https") || !to.has_host() {
        return Err("a redirect to a URL that is not HTTP".to_owned());
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err("a redirect to a URL with credentials".to_owned());
    }
    if at.scheme() == "https" && to.scheme() == "http" {
        return Err("a redirect from https to http".to_owned());
    }
    if !may_leave && !is_same_host(origin, &to) {
        let host = to.host_str().unwrap_or_default();
        return Err(format!(
            "a redirect to another host, {host}, which is followed for layers and configurations only; if that host \
             serves this registry, name it as `endpoint` in [registry.\"HOST\"]"
        ));
    }
    let trust = trust_between(origin, &to).ok_or("a redirect to an internal address")?;
    Ok((to, trust))
}

/// The trust of `to` as a redirect target from `origin`; `None` if it must not be followed.
///
/// Only a registry on this machine may redirect to this machine, even if the target is configured. ECR redirects to S3,
/// which has private addresses in a VPC with an endpoint (AWS PrivateLink).
pub(super) fn trust_between(origin: &Url, to: &Url) -> Option<HostTrust> {
    let (from_host, to_host) = (origin.host_str().unwrap_or_default(), to.host_str().unwrap_or_default());
    match (AddressScope::from_host(from_host), AddressScope::from_host(to_host)) {
        (AddressScope::Loopback, AddressScope::Loopback) => Some(HostTrust::Loopback),
        (_, AddressScope::Loopback | AddressScope::Forbidden) => None,
        _ if ecr_host::is_layer_store(from_host, to_host) => Some(HostTrust::Private),
        _ => Some(HostTrust::Public),
    }
}

/// Whether `a` and `b` are one host: same name and port, or the default ports of http and https.
fn is_same_host(a: &Url, b: &Url) -> bool {
    a.host_str() == b.host_str() && (a.port_or_known_default() == b.port_or_known_default() || is_upgrade(a, b))
}

fn is_upgrade(a: &Url, b: &Url) -> bool {
    a.port().is_none() && b.port().is_none() && (a.scheme(), b.scheme()) == ("http", "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn a_blob_may_be_redirected_to_the_internet_but_not_to_this_machine() {
        let go =
            |from: &str, to: &str| next(&url(from), &url(from), to, true).map(|(to, trust)| (to.to_string(), trust));
        let public = |to: &str| Ok((to.to_owned(), HostTrust::Public));
        assert_eq!(go("https://r.io/v2/b", "https://cdn.net/x?sig=1"), public("https://cdn.net/x?sig=1"));
        assert_eq!(go("https://r.io/v2/b", "/y"), public("https://r.io/y"));
        let local = Ok(("http://127.0.0.1:2/y".to_owned(), HostTrust::Loopback));
        assert_eq!(go("http://127.0.0.1:1/b", "http://127.0.0.1:2/y"), local);
        assert_eq!(go("http://127.0.0.1:1/b", "https://10.0.0.6/y"), public("https://10.0.0.6/y"), "to be checked");
        for to in [
            "http://r.io/y",
            "http://169.254.169.254/latest/meta-data",
            "https://169.254.169.254/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://[::169.254.169.254]/",
            "https://metadata.google.internal/",
            "https://240.0.0.1/",
            "https://127.0.0.1/",
            "https://localhost:8443/",
            "https://localhost.:8443/",
            "https://localhost.localdomain/",
            "https://ip6-localhost/",
            "https://user:secret@cdn.net/",
            "file:///etc/passwd",
            "https://",
        ] {
            assert!(go("https://r.io/v2/b", to).is_err(), "{to}");
            assert!(go("https://10.0.0.5/v2/b", to).is_err(), "{to}");
        }
        assert!(go("http://127.0.0.1:1/b", "http://169.254.169.254/y").is_err());
    }

    #[test]
    fn ecr_leads_to_s3_at_private_addresses_within_its_partition_only() {
        let trust = |from: &str, to: &str| next(&url(from), &url(from), to, true).expect("allowed").1;
        let ecr = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/x/blobs/y";
        let s3 = "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/z?X-Amz-Signature=1";
        assert_eq!(trust(ecr, s3), HostTrust::Private);
        assert_eq!(trust("https://r.io/v2/x/blobs/y", s3), HostTrust::Public);
        let china = "https://prod-cn-north-1-starport-layer-bucket.s3.cn-north-1.amazonaws.com.cn/z";
        assert_eq!(trust("https://123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/v2/x", china), HostTrust::Private);
        assert_eq!(trust(ecr, china), HostTrust::Public);
        assert_eq!(trust(ecr, "https://10.0.0.1/z"), HostTrust::Public, "an address is not an S3 host");
    }

    #[test]
    fn a_manifest_is_redirected_within_its_host_and_port_only() {
        let go = |from: &str, to: &str| next(&url(from), &url(from), to, false).is_ok();
        assert!(go("https://r.io/a", "/b"));
        assert!(go("http://r.io/a", "https://r.io/a"));
        for to in ["https://cdn.net/a", "https://r.io:444/a", "https://x.r.io/a"] {
            assert!(!go("https://r.io/a", to), "{to}");
        }
        assert!(!go("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"));
    }

    #[test]
    fn a_hop_is_checked_against_its_origin_too() {
        let origin = url("https://r.io/a");
        assert!(next(&origin, &url("https://cdn.net/b"), "https://127.0.0.1/", true).is_err());
        assert!(next(&origin, &url("https://cdn.net/b"), "http://cdn.net/", true).is_err());
    }
}
