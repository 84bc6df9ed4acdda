//! TLS problems of a host, which a retry does not solve.

/// The prefix of rustls errors about a certificate.
const BAD_CERTIFICATE: &str = "invalid peer certificate:";
/// The rustls error for a response that is not TLS.
const CORRUPT_MESSAGE: &str = "corrupt message of type InvalidContentType";

/// The port of the host does not use TLS.
pub(crate) const NO_TLS: &str = "it does not use TLS at this port";
/// The certificate of the host is from an authority that this machine does not trust.
pub(crate) const UNKNOWN_AUTHORITY: &str = "its certificate is from an unknown authority";

/// The TLS problem for people, from `cause`, the error text of the library; `None` if it is none, or may pass.
pub(super) fn trouble(cause: &str) -> Option<String> {
    if cause.contains(CORRUPT_MESSAGE) {
        return Some(NO_TLS.to_owned());
    }
    let why = cause.strip_prefix(BAD_CERTIFICATE)?.trim();
    Some(match why {
        "UnknownIssuer" => UNKNOWN_AUTHORITY.to_owned(),
        "Expired" => "its certificate has expired".to_owned(),
        why if why.contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority, which a server must not use".to_owned()
        }
        // Text for people, unlike type names.
        why if why.contains(' ') && !why.contains('(') => format!("its certificate is not accepted: {why}"),
        why => format!("its certificate is not accepted ({why})"),
    })
}
