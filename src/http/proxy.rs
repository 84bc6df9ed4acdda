//! Failures of a proxy, distinguished from those of the server behind it.

use std::error::Error;

/// The prefix of HTTP library errors from an HTTPS connection through a proxy (`CONNECT`).
const TUNNEL: &str = "tunnel error: ";

/// The failure of a proxy, if `error` or one of its causes comes from one.
pub(crate) fn proxy_failure(error: &(dyn Error + 'static)) -> Option<String> {
    let causes = std::iter::successors(Some(error), |error| (*error).source()).take(16);
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    let at = texts.iter().position(|text| text.starts_with(TUNNEL))?;
    let what = match &texts[at][TUNNEL.len()..] {
        "proxy authorization required" => return Some(WANTS_LOGIN.to_owned()),
        "unsuccessful" => "the proxy refused to connect to it".to_owned(),
        "failed to create underlying connection" => {
            let why = texts.last().filter(|_| texts.len() > at + 1);
            format!("the proxy cannot be reached{}", why.map_or_else(String::new, |why| format!(" ({why})")))
        }
        other => format!("the proxy failed ({other})"),
    };
    Some(format!("{what}; check HTTPS_PROXY and NO_PROXY"))
}

/// The message for HTTP status 407, which only proxies return
/// (<https://www.rfc-editor.org/rfc/rfc9110#name-407-proxy-authentication-re>).
pub(crate) const WANTS_LOGIN: &str =
    "the proxy requires a login (407); check the user name and password in HTTPS_PROXY or HTTP_PROXY";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct ErrorChain(&'static str, #[source] Option<Box<ErrorChain>>);

    fn failure(texts: &[&'static str]) -> Option<String> {
        let chained = texts.iter().rev().fold(None, |source, text| Some(Box::new(ErrorChain(text, source))));
        proxy_failure(&*chained.expect("a text"))
    }

    #[test]
    fn only_failures_of_a_proxy_are_reported_as_such() {
        let of_connect = "client error (Connect)";
        for (texts, expected) in [
            (&[of_connect, "tunnel error: proxy authorization required"][..], "requires a login (407)"),
            (&[of_connect, "tunnel error: unsuccessful"], "the proxy refused to connect to it; check HTTPS_PROXY"),
            (
                &["tunnel error: failed to create underlying connection", "Connection refused (os error 111)"],
                "the proxy cannot be reached (Connection refused (os error 111)); check",
            ),
            (&["tunnel error: unexpected end of file"], "the proxy failed (unexpected end of file)"),
        ] {
            let found = failure(texts).expect("a proxy's doing");
            assert!(found.contains(expected), "{found}");
        }
        assert_eq!(failure(&[of_connect, "tcp connect error", "Connection refused (os error 111)"]), None);
    }
}
