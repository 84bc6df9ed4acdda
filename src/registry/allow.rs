//! The allow-list of registries. A label can name any host on the internet.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

use super::ecr_host::EcrHost;
use crate::{http::HostTrust, image::host_spellings};

/// The allowed registries.
#[derive(Debug)]
pub(super) struct AllowList {
    patterns: Vec<String>,
    accounts: RwLock<BTreeSet<String>>,
}

impl AllowList {
    /// The allow-list of `patterns`: exact hosts, or with `*` for one or more characters.
    pub(super) fn new(patterns: &[String]) -> Self {
        let patterns = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
        Self { patterns, accounts: RwLock::default() }
    }

    /// Adds the private ECR registries of `account`, in every region.
    pub(super) fn add_account(&self, account: &str) {
        self.accounts.write().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned());
    }

    /// The trust of `host`; `None` if it is not allowed.
    ///
    /// A registry listed by its exact name may be on this machine. One that only a pattern matches may not, because a
    /// label could name it. Private ECR has private addresses in a VPC with an endpoint (AWS PrivateLink).
    pub(super) fn trust(&self, host: &str) -> Option<HostTrust> {
        let host = host.to_ascii_lowercase();
        let is_audited = |account: &str| self.accounts.read().unwrap_or_else(PoisonError::into_inner).contains(account);
        let is_named = |host: &str| self.patterns.iter().any(|pattern| pattern == host);
        let is_covered = |host: &str| self.patterns.iter().any(|pattern| matches(pattern.as_bytes(), host.as_bytes()));
        if host_spellings(&host).any(is_named) {
            Some(HostTrust::Loopback)
        } else if host_spellings(&host).any(is_covered)
            || EcrHost::parse(&host).is_some_and(|ecr| is_audited(ecr.account))
        {
            Some(HostTrust::Private)
        } else {
            None
        }
    }
}

/// Whether `text` is `pattern` with one or more characters in place of each `*`. Linear but for one
/// retry point, so that no pattern is slow.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(b'*') if t < text.len() => {
                (p, t) = (p + 1, t + 1);
                retry = Some((p, t));
                continue;
            }
            Some(byte) if *byte != b'*' && text.get(t) == Some(byte) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        match retry {
            Some((after_star, consumed)) if consumed < text.len() => {
                retry = Some((after_star, consumed + 1));
                (p, t) = (after_star, consumed + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_hosts_only() {
        let list =
            AllowList::new(&["public.ecr.aws".into(), "*.example.com".into(), "a*b*c:5000".into(), "Reg.IO".into()]);
        for host in ["public.ecr.aws", "PUBLIC.ecr.aws", "r.example.com", "x.y.example.com", "a1b2c:5000", "reg.io"] {
            assert!(list.trust(host).is_some(), "{host}");
        }
        let hub = AllowList::new(&["*.docker.io".into()]);
        assert!(hub.trust("docker.io").is_some(), "its API is at index.docker.io");
        assert!(hub.trust("public.ecr.aws").is_none());
        for host in [
            "public.ecr.aws.evil.io",
            "xpublic.ecr.aws",
            "public.ecr.aws:443",
            ".example.com",
            "example.com",
            "evilexample.com",
            "r.example.com:5000",
            "abc:5000",
            "a1b2c:50001",
            "",
        ] {
            assert!(list.trust(host).is_none(), "{host}");
        }
    }

    #[test]
    fn an_audited_account_allows_its_ecr_registries_and_no_others() {
        let list = AllowList::new(&[]);
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(list.trust(host), None);
        list.add_account("123456789012");
        assert_eq!(list.trust(host), Some(HostTrust::Private));
        assert_eq!(list.trust("123456789012.dkr-ecr.us-east-1.on.aws"), Some(HostTrust::Private));
        assert_eq!(list.trust("210987654321.dkr.ecr.eu-west-1.amazonaws.com"), None);
        assert_eq!(list.trust("123456789012.dkr.ecr.eu-west-1.evil.com"), None);
    }

    #[test]
    fn only_a_registry_listed_by_its_own_name_may_be_on_this_machine() {
        let list = AllowList::new(&["Dev.Example.com:5000".into(), "*.example.com".into()]);
        assert_eq!(list.trust("dev.example.com:5000"), Some(HostTrust::Loopback));
        assert_eq!(list.trust("dev.example.com"), Some(HostTrust::Private));
    }
}
