//! Connections without a request, to check that a host can be reached.

use std::{
    env,
    net::{IpAddr, SocketAddr},
    str::FromStr as _,
    time::Duration,
};

use reqwest::{
    Url,
    dns::{Name, Resolve as _},
};
use tokio::net::TcpStream;

use super::{HostResolver, HostTrust, resolver::PROXY_VARIABLES};

/// Whether the environment names a proxy. A connection then says nothing about the host itself.
pub(crate) fn has_proxy() -> bool {
    PROXY_VARIABLES.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Opens a TCP connection to the host of `url`, at an address that webhooks may contact, and closes it. Sends nothing.
///
/// # Errors
///
/// Why there is none, without the path of the URL, which may be a secret.
pub(crate) async fn connect(url: &str, wait: Duration) -> Result<(), String> {
    let url = Url::parse(url).map_err(|_| "it is not a URL".to_owned())?;
    let resolver = HostResolver::new(HostTrust::Loopback);
    resolver.check(&url).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let opened = async {
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return TcpStream::connect((address, port)).await.map(drop).map_err(|error| error.to_string());
        }
        let name = Name::from_str(host).map_err(|_| "its host is not a name".to_owned())?;
        let found = resolver.resolve(name).await.map_err(|error| error.to_string())?;
        let addresses: Vec<_> = found.map(|address| SocketAddr::new(address.ip(), port)).collect();
        TcpStream::connect(&*addresses).await.map(drop).map_err(|error| error.to_string())
    };
    let timed_out = || Err(format!("no connection within {} s", wait.as_secs()));
    tokio::time::timeout(wait, opened).await.unwrap_or_else(|_| timed_out())
}
