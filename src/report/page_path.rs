//! Paths of the pages of the dashboard, for links on its pages and in messages.

use std::fmt::Write as _;

use super::query::NO_OWNER;

/// The page of an owner, or of the deployments without an owner: `/owners/payments`.
#[must_use]
pub fn owner_page(owner: Option<&str>) -> String {
    format!("/owners/{}", segments(owner.unwrap_or(NO_OWNER)))
}

/// The page of a release line: `/lines/public.ecr.aws/lambda/java:21`.
#[must_use]
pub fn line_page(line: &str) -> String {
    format!("/lines/{}", segments(line))
}

/// The page of a deployment, by the ID of its finding: `/deployments/lambda:eu-west-1:123456789012:orders:live`.
#[must_use]
pub fn deployment_page(finding_id: &str) -> String {
    format!("/deployments/{}", segments(finding_id))
}

/// The page of an alert, by its ID: `/alerts/5f3a9c0b12de`.
#[must_use]
pub fn alert_page(alert_id: &str) -> String {
    format!("/alerts/{}", segments(alert_id))
}

/// The documentation of a reason code: `/docs/verdicts#base-too-old`.
#[must_use]
pub fn reason_page(code: &str) -> String {
    format!("/docs/verdicts#{}", encode(code))
}

/// `text` as the rest of a path. Slashes are kept, except in paths that clients would shorten, such as `a/../b`.
fn segments(text: &str) -> String {
    let is_shortened = text.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    let encoded = encode(text);
    if is_shortened { encoded.replace('/', "%2F") } else { encoded }
}

/// Percent-encodes all characters except unreserved ones (RFC 3986) and `/:@`.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_the_normalization_of_clients() {
        let table = [
            ("lambda:eu-west-1:123456789012:orders:$LATEST", "lambda:eu-west-1:123456789012:orders:%24LATEST"),
            ("ecr:eu-west-1:1:shop/orders@sha256:ab", "ecr:eu-west-1:1:shop/orders@sha256:ab"),
            ("layout:../a//b", "layout:..%2Fa%2F%2Fb"),
            ("a/../b", "a%2F..%2Fb"),
            ("é?#<\n", "%C3%A9%3F%23%3C%0A"),
        ];
        for (id, path) in table {
            assert_eq!(deployment_page(id), format!("/deployments/{path}"));
        }
        assert_eq!(owner_page(None), "/owners/-");
        assert_eq!(reason_page("base-too-old"), "/docs/verdicts#base-too-old");
    }
}
