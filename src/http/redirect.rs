//! Rules for following redirects.

use reqwest::Url;

use super::{AddressScope, HostTrust};

/// The most redirects that are followed.
pub(super) const MAX_HOPS: usize = 5;

/// Which redirects of a request are followed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RedirectRule {
    /// None: the redirect is the response.
    Never,
    /// Within the requested host; `advice` ends the error about another host.
    SameHost {
        /// What to do about it.
        advice: &'static str,
    },
    /// To any public host; and to one at private addresses if `may_be_private` says so of the requested and that host.
    AnyHost {
        /// Whether the second host may be private because the first redirects to it.
        may_be_private: fn(&str, &str) -> bool,
    },
}

/// The next URL after `at`, a hop of a request that started at `origin`, and the trust that the redirect gives to its
/// host. The caller still has to check the host itself.
pub(crate) fn next(origin: &Url, at: &Url, location: &str, rule: RedirectRule) -> Result<(Url, HostTrust), String> {
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
    let host = to.host_str().unwrap_or_default();
    if let RedirectRule::SameHost { advice } = rule
        && !is_same_host(origin, &to)
    {
        return Err(format!("a redirect to another host, {host}{advice}"));
    }
    let trust = match (trust_between(origin, &to).ok_or("a redirect to an internal address")?, rule) {
        (HostTrust::Public, RedirectRule::AnyHost { may_be_private })
            if may_be_private(origin.host_str().unwrap_or_default(), host) =>
        {
            HostTrust::Private
        }
        (trust, _) => trust,
    };
    Ok((to, trust))
}

/// The trust of `to` as a target that `origin` names; `None` if it must not be contacted.
///
/// Only a host on this machine may lead to this machine, even if the target is configured.
pub(crate) fn trust_between(origin: &Url, to: &Url) -> Option<HostTrust> {
    match (AddressScope::from_url(origin), AddressScope::from_url(to)) {
        (AddressScope::Loopback, AddressScope::Loopback) => Some(HostTrust::Loopback),
        (_, AddressScope::Loopback | AddressScope::Forbidden) => None,
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

    const ANY_HOST: RedirectRule =
        RedirectRule::AnyHost { may_be_private: |from, to| from == "r.corp" && to == "store.corp" };
    const SAME_HOST: RedirectRule = RedirectRule::SameHost { advice: "" };

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn a_blob_may_be_redirected_to_the_internet_but_not_to_this_machine() {
        let go = |from: &str, to: &str| {
            next(&url(from), &url(from), to, ANY_HOST).map(|(to, trust)| (to.to_string(), trust))
        };
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
    fn a_host_leads_to_private_addresses_only_where_the_rule_says_so() {
        let trust = |from: &str, to: &str| next(&url(from), &url(from), to, ANY_HOST).expect("allowed").1;
        assert_eq!(trust("https://r.corp/b", "https://store.corp/z"), HostTrust::Private);
        assert_eq!(trust("https://r.io/b", "https://store.corp/z"), HostTrust::Public);
        assert_eq!(trust("https://r.corp/b", "https://10.0.0.1/z"), HostTrust::Public);
    }

    #[test]
    fn a_manifest_is_redirected_within_its_host_and_port_only() {
        let go = |from: &str, to: &str| next(&url(from), &url(from), to, SAME_HOST).is_ok();
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
        assert!(next(&origin, &url("https://cdn.net/b"), "https://127.0.0.1/", ANY_HOST).is_err());
        assert!(next(&origin, &url("https://cdn.net/b"), "http://cdn.net/", ANY_HOST).is_err());
    }
}
