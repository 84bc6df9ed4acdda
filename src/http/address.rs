//! Network zones of host names and IP addresses, which decide for registries and webhooks where requests may go.
//!
//! The name is checked before a request is sent, and the addresses that it resolves to before a connection is opened
//! ([`super::HostResolver`]). Behind a proxy only the name can be checked: the proxy resolves it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// The network zone of a host name or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressScope {
    /// The internet, and every other name.
    Public,
    /// A private network: RFC 1918, shared and benchmarking addresses, unique and site-local IPv6, and names that exist
    /// only inside a network.
    Private,
    /// This machine.
    Loopback,
    /// Link-local, multicast, unspecified and reserved addresses, and the metadata services of clouds. Never contacted.
    Forbidden,
}

/// The addresses that a host name may resolve to, by the source of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostTrust {
    /// Public addresses only: a response named the host.
    Public,
    /// Private addresses as well: a pattern in the configuration matches the host, or it belongs to an AWS service.
    Private,
    /// Addresses of this machine as well: the configuration or the command line names exactly this host.
    Loopback,
}

impl HostTrust {
    /// Whether a host with this trust may be at `reach`.
    pub(crate) fn permits(self, reach: AddressScope) -> bool {
        match reach {
            AddressScope::Public => true,
            AddressScope::Private => self >= Self::Private,
            AddressScope::Loopback => self == Self::Loopback,
            AddressScope::Forbidden => false,
        }
    }
}

/// Names of this machine, besides those that end in `.localhost` (RFC 6761, section 6.3).
const LOOPBACK_NAMES: [&str; 8] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
];
/// Names of the metadata services of Google Cloud and EC2.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];
/// Top-level names that the public DNS does not serve (RFC 6762, appendix G; RFC 8375; ICANN's reserved names).
const PRIVATE_SUFFIXES: [&str; 9] =
    [".internal", ".local", ".localdomain", ".lan", ".home.arpa", ".intranet", ".private", ".corp", ".home"];
/// Metadata services outside the link-local range: Alibaba Cloud, Oracle Cloud, Azure.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

impl AddressScope {
    /// The zone of `host` in a URL: an address, with or without brackets, or a name. A name without a known zone is
    /// public.
    pub(crate) fn from_host(host: &str) -> Self {
        let host = host.trim_end_matches('.');
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        bare.parse().map_or_else(|_| Self::from_name(&host.to_ascii_lowercase()), Self::from_address)
    }

    /// The zone of the host of `url`.
    pub(crate) fn from_url(url: &Url) -> Self {
        Self::from_host(url.host_str().unwrap_or_default())
    }

    /// The zone of an address.
    pub(crate) fn from_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::from_v4(address),
            IpAddr::V6(address) => Self::from_v6(address),
        }
    }

    fn from_name(name: &str) -> Self {
        if LOOPBACK_NAMES.contains(&name) || name.ends_with(".localhost") {
            Self::Loopback
        } else if METADATA_NAMES.contains(&name) || name.is_empty() {
            Self::Forbidden
        } else if !name.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            Self::Private
        } else {
            Self::Public
        }
    }

    /// By the registry of special-purpose addresses (RFC 6890).
    fn from_v4(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        match (a, b, c) {
            (127, ..) => Self::Loopback,
            _ if METADATA_V4.contains(&address) => Self::Forbidden,
            (0 | 224.., ..) | (169, 254, _) => Self::Forbidden,
            // The last three are for IETF protocols and documentation, and in no public routing table.
            (10, ..)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (100, 64..=127, _)
            | (198, 18..=19, _)
            | (192, 0, 0 | 2)
            | (198, 51, 100)
            | (203, 0, 113) => Self::Private,
            _ => Self::Public,
        }
    }

    fn from_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            return Self::Loopback;
        }
        if let Some(embedded) = embedded_v4(address) {
            return Self::from_v4(embedded);
        }
        let low = low_v4(address);
        match address.segments() {
            // A local translator (RFC 8215): private at most, and the embedded address counts as well.
            [0x64, 0xff9b, 1, ..] => match Self::from_v4(low) {
                Self::Public => Self::Private,
                inner => inner,
            },
            // The metadata services of EC2 and Google Cloud; and Teredo, whose embedded IPv4 address cannot be checked.
            [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] | [0x2001, 0, ..] => Self::Forbidden,
            // Unique local, site-local (deprecated, still routed) and documentation addresses.
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] | [0x2001, 0xdb8, ..] => Self::Private,
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Forbidden,
        }
    }
}

/// The IPv4 address that a gateway or the kernel translates `address` to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        // IPv4-compatible, IPv4-mapped, IPv4-translated (RFC 4291, RFC 7915), and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            Some(low_v4(address))
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(v4_from(high, low)),
        _ => None,
    }
}

/// The IPv4 address in the last 32 bits.
fn low_v4(address: Ipv6Addr) -> Ipv4Addr {
    let [.., high, low] = address.segments();
    v4_from(high, low)
}

fn v4_from(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(reach: AddressScope, hosts: &[&str]) {
        for host in hosts {
            assert_eq!(AddressScope::from_host(host), reach, "{host}");
        }
    }

    #[test]
    fn names_and_addresses_of_this_machine_are_loopback() {
        all(
            AddressScope::Loopback,
            &[
                "127.0.0.1",
                "127.9.9.9",
                "[::1]",
                "::1",
                "[::ffff:127.0.0.1]",
                "[::127.0.0.1]",
                "[::ffff:0:127.0.0.1]",
                "[64:ff9b::7f00:1]",
                "[64:ff9b:1::7f00:1]",
                "[2002:7f00:1::]",
                "localhost",
                "LOCALHOST",
                "localhost.",
                "x.localhost",
                "x.localhost.",
                "localhost.localdomain",
                "localhost6.localdomain6",
                "ip6-localhost",
                "ip6-loopback",
            ],
        );
    }

    #[test]
    fn link_local_reserved_and_metadata_hosts_are_never_contacted() {
        all(
            AddressScope::Forbidden,
            &[
                "169.254.169.254",
                "169.254.170.2",
                "100.100.100.200",
                "192.0.0.192",
                "168.63.129.16",
                "0.0.0.0",
                "0.1.2.3",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
                "[::]",
                "[fe80::1]",
                "[ff02::1]",
                "[fd00:ec2::254]",
                "[fd20:ce::254]",
                "[::ffff:169.254.169.254]",
                "[::169.254.169.254]",
                "[::ffff:0:169.254.169.254]",
                "[64:ff9b::a9fe:a9fe]",
                "[64:ff9b:1::a9fe:a9fe]",
                "[2002:a9fe:a9fe::1]",
                "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
                "[5f00::1]",
                "[100::1]",
                "metadata.google.internal",
                "Metadata.Google.Internal.",
                "metadata",
                "instance-data.ec2.internal",
                "",
            ],
        );
    }

    #[test]
    fn private_networks_and_names_are_private() {
        all(
            AddressScope::Private,
            &[
                "10.1.2.3",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.0.1",
                "100.64.0.1",
                "100.127.0.1",
                "198.18.0.1",
                "198.19.255.255",
                "192.0.2.1",
                "203.0.113.9",
                "[fd12:3456::1]",
                "[fc00::1]",
                "[fec0::1]",
                "[2001:db8::1]",
                "[::ffff:10.0.0.1]",
                "[64:ff9b::a00:1]",
                "[64:ff9b:1::808:808]",
                "[2002:a00:1::]",
                "ip-10-0-0-5.ec2.internal",
                "printer.local",
                "minio",
                "registry.corp.",
            ],
        );
    }

    #[test]
    fn the_rest_is_public() {
        all(
            AddressScope::Public,
            &[
                "8.8.8.8",
                "100.128.0.1",
                "100.63.0.1",
                "172.32.0.1",
                "198.20.0.1",
                "223.255.255.255",
                "[2600:1f18::1]",
                "[64:ff9b::808:808]",
                "[2002:808:808::]",
                "[::ffff:8.8.8.8]",
                "public.ecr.aws",
                "public.ecr.aws.",
                "localhost.evil.io",
                "mylocalhost.io",
                "internal.example.com",
            ],
        );
    }

    #[test]
    fn trust_decides_which_zones_a_name_may_resolve_to() {
        let permitted = |trust: HostTrust| {
            [AddressScope::Public, AddressScope::Private, AddressScope::Loopback, AddressScope::Forbidden]
                .map(|reach| trust.permits(reach))
        };
        assert_eq!(permitted(HostTrust::Public), [true, false, false, false]);
        assert_eq!(permitted(HostTrust::Private), [true, true, false, false]);
        assert_eq!(permitted(HostTrust::Loopback), [true, true, true, false]);
    }

    proptest! {
        #[test]
        fn an_ipv4_address_in_any_ipv6_form_is_never_more_public_than_itself(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let (high, low) = ((bits >> 16) as u16, (bits & 0xffff) as u16);
            for v6 in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                let (inner, outer) = (AddressScope::from_v4(v4), AddressScope::from_v6(v6));
                prop_assert!(inner == AddressScope::Public || outer == inner, "{v4} {inner:?}, {v6} {outer:?}");
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = AddressScope::from_host(&text);
        }
    }
}
