//! May a request go where an answer points? Which addresses are near enough to be dangerous. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// How many redirects are followed.
pub(super) const MAX_HOPS: usize = 5;

/// How near a host is, as far as its name alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// This machine.
    Loopback,
    /// A link-local or unspecified address; cloud metadata services live there.
    LinkLocal,
    /// An address of a private network.
    Private,
    /// Anything else, every name included.
    Public,
}

impl Reach {
    /// The reach of the host in `url`.
    pub(super) fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(IpAddr::V4(address)) => Self::of_v4(address),
            Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().map_or_else(|| Self::of_v6(address), Self::of_v4),
            Err(_) if host == "localhost" || host.ends_with(".localhost") => Self::Loopback,
            Err(_) => Self::Public,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_link_local() || a == 0 || address.is_broadcast() || address.is_multicast() {
            Self::LinkLocal
        } else if address.is_private() || (a == 100 && b & 0xc0 == 64) {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_unicast_link_local() || address.is_unspecified() || address.is_multicast() {
            Self::LinkLocal
        } else if address.is_unique_local() {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// The URL to go to from `at`, a hop of a request that started at `origin`.
///
/// `may_leave` is whether another host may answer: blobs live in object stores, but a manifest or a token
/// from elsewhere would be somebody else's word.
pub(super) fn next(origin: &Url, at: &Url, location: &str, may_leave: bool) -> Result<Url, String> {
    let to = at.join(location).map_err(|_| "a redirect to no URL".to_owned())?;
    if !matches!(to.scheme(), "http" | "https") || !to.has_host() {
        return Err("a redirect to no web address".to_owned());
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err("a redirect that carries credentials".to_owned());
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
    let (from, into) = (Reach::of(origin), Reach::of(&to));
    let is_near_enough =
        into == Reach::Public || from == Reach::Loopback || (from == Reach::Private && into == Reach::Private);
    if is_near_enough { Ok(to) } else { Err("a redirect to an internal address".to_owned()) }
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
    fn addresses_are_near_or_far() {
        for (host, reach) in [
            ("127.0.0.1", Reach::Loopback),
            ("127.9.9.9:5000", Reach::Loopback),
            ("[::1]:5000", Reach::Loopback),
            ("[::ffff:127.0.0.1]", Reach::Loopback),
            ("localhost", Reach::Loopback),
            ("x.localhost", Reach::Loopback),
            ("2130706433", Reach::Loopback),
            ("0x7f.1", Reach::Loopback),
            ("169.254.169.254", Reach::LinkLocal),
            ("[fe80::1]", Reach::LinkLocal),
            ("[::ffff:169.254.169.254]", Reach::LinkLocal),
            ("0.0.0.0", Reach::LinkLocal),
            ("[::]", Reach::LinkLocal),
            ("10.1.2.3", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("192.168.0.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("[fd00:ec2::254]", Reach::Private),
            ("8.8.8.8", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("public.ecr.aws", Reach::Public),
            ("localhost.evil.io", Reach::Public),
        ] {
            assert_eq!(Reach::of(&url(&format!("http://{host}/"))), reach, "{host}");
        }
    }

    #[test]
    fn a_blob_may_leave_for_the_internet_but_not_for_the_inside() {
        let go = |from: &str, to: &str| next(&url(from), &url(from), to, true).map(String::from);
        assert_eq!(go("https://r.io/v2/b", "https://cdn.net/x?sig=1").expect("allowed"), "https://cdn.net/x?sig=1");
        assert_eq!(go("https://r.io/v2/b", "/y").expect("allowed"), "https://r.io/y");
        assert_eq!(go("http://127.0.0.1:1/b", "http://127.0.0.1:2/y").expect("allowed"), "http://127.0.0.1:2/y");
        assert!(go("https://10.0.0.5/b", "https://10.0.0.6/y").is_ok());
        for to in [
            "http://r.io/y",
            "http://169.254.169.254/latest/meta-data",
            "https://169.254.169.254/",
            "https://[::ffff:169.254.169.254]/",
            "https://127.0.0.1/",
            "https://localhost:8443/",
            "https://10.0.0.1/",
            "https://user:secret@cdn.net/",
            "file:///etc/passwd",
            "https://",
        ] {
            assert!(go("https://r.io/v2/b", to).is_err(), "{to}");
        }
        assert!(go("https://10.0.0.5/b", "https://169.254.169.254/y").is_err());
    }

    #[test]
    fn a_manifest_stays_at_its_host_and_port() {
        let go = |from: &str, to: &str| next(&url(from), &url(from), to, false).is_ok();
        assert!(go("https://r.io/a", "/b"));
        assert!(go("http://r.io/a", "https://r.io/a"));
        for to in ["https://cdn.net/a", "https://r.io:444/a", "https://x.r.io/a"] {
            assert!(!go("https://r.io/a", to), "{to}");
        }
        assert!(!go("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"));
    }

    #[test]
    fn a_hop_is_judged_by_where_it_started_too() {
        let origin = url("https://r.io/a");
        assert!(next(&origin, &url("https://cdn.net/b"), "https://10.0.0.1/", true).is_err());
        assert!(next(&origin, &url("https://cdn.net/b"), "http://cdn.net/", true).is_err());
    }
}
