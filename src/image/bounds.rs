//! How much of a text from outside is kept. An image may carry a label of megabytes, and a registry may quote anything:
//! what is kept of it ends up in the catalog, the ledger and every report.

/// The longest message that quotes others, in bytes.
pub const MESSAGE_BYTES: usize = 1000;

/// How much of a text is quoted where a message says what is wrong with it, in bytes. Escaped, each may become six; the
/// message is still no longer than [`MESSAGE_BYTES`].
pub const QUOTED_BYTES: usize = 128;

/// The longest value of a label or an annotation that is kept whole, in bytes. The longest reference has 780: host,
/// repository, tag and digest.
pub const VALUE_BYTES: usize = 1024;

/// How much is kept of a longer value, in bytes: enough to recognize it.
const START_BYTES: usize = 100;
/// The longest value that was cut, in bytes.
const CUT_BYTES: usize = 128;

/// What stands between the start of a value and its length. No reference, digest, tag, platform or instant holds it.
const CUT: &str = "… (";
const CUT_END: &str = " bytes)";

/// `text`, or its beginning in at most `most_bytes` and `…`.
#[must_use]
pub fn clip(text: impl Into<String>, most_bytes: usize) -> String {
    let mut text = text.into();
    if text.len() > most_bytes {
        text.truncate(text.floor_char_boundary(most_bytes));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// `value` if it has at most `most_bytes`; else its start and its length, which no parser takes for a value. One that was
/// cut is not cut again.
pub(super) fn kept(value: &str, most_bytes: usize) -> String {
    if value.len() <= most_bytes || (value.len() <= CUT_BYTES && is_cut(value)) {
        return value.to_owned();
    }
    let start = &value[..value.floor_char_boundary(START_BYTES.min(most_bytes))];
    format!("{start}{CUT}{}{CUT_END}", value.len())
}

/// Whether `value` is only the start of a label or an annotation that is longer than [`VALUE_BYTES`].
#[must_use]
pub fn is_cut(value: &str) -> bool {
    value
        .rsplit_once(CUT)
        .and_then(|(_, end)| end.strip_suffix(CUT_END))
        .is_some_and(|length| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Digest, LambdaTag, Platform, Reference, Repository, is_tag};

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "abc…");
        assert_eq!(clip("注文", 4), "注…");
        assert_eq!(clip("", 0), "");
        assert_eq!(kept("注文サービス", 4), "注… (18 bytes)");
    }

    #[test]
    fn a_value_that_was_cut_parses_as_nothing() {
        let hex = "4".repeat(64);
        for start in ["public.ecr.aws/lambda/java:21", "21.2026.08.22.13", &format!("sha256:{hex}"), "linux", "a/b"] {
            for filler in ["a", "4", " ", "/", "é"] {
                let value = kept(&format!("{start}{}", filler.repeat(VALUE_BYTES)), VALUE_BYTES);
                assert!(is_cut(&value) && value.len() < 200, "{value}");
                assert!(value.parse::<Reference>().is_err() && value.parse::<Repository>().is_err(), "{value}");
                assert!(value.parse::<Digest>().is_err() && !is_tag(&value), "{value}");
                assert!(LambdaTag::parse(&value).is_none(), "{value}");
            }
        }
        let digest = kept(&format!("public.ecr.aws/x@sha256:{hex}{}", " ".repeat(VALUE_BYTES)), VALUE_BYTES);
        assert!(digest.parse::<Reference>().is_err());
        let long = Platform::new("linux", &"a".repeat(5000), None);
        assert_eq!(long.to_string().parse(), Ok(long.clone()), "it is cut once");
        assert!(long.to_string().len() < 200 && long != Platform::new("linux", &"a".repeat(100), None));
    }

    #[test]
    fn values_of_ordinary_length_are_not_taken_for_cut_ones() {
        for value in ["", "public.ecr.aws/lambda/java:21", "… (", "… ( bytes)", "… (x bytes)", "(12 bytes)"] {
            assert!(!is_cut(value), "{value}");
            assert_eq!(kept(value, VALUE_BYTES), value);
        }
        assert_eq!(kept(&"a".repeat(VALUE_BYTES), VALUE_BYTES).len(), VALUE_BYTES);
    }
}
