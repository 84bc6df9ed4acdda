//! Limits for texts from outside. A label may have megabytes, and kept texts end up in the catalog, the ledger and
//! every report.

/// The longest message that quotes texts from outside, in bytes.
pub const MESSAGE_BYTES: usize = 1000;

/// The longest quotation of a malformed text in a message, in bytes. Escaping may multiply it by six, which still fits
/// [`MESSAGE_BYTES`].
pub const QUOTED_BYTES: usize = 128;

/// The longest value of a label or annotation that is kept whole, in bytes. The longest reference has 780: host,
/// repository, tag and digest.
pub const VALUE_BYTES: usize = 1024;

/// The part of a longer value that is kept, in bytes.
const START_BYTES: usize = 100;
/// The longest cut value, in bytes.
const CUT_BYTES: usize = 128;

/// The mark between the start of a cut value and its length. No reference, digest, tag, platform or instant contains
/// it.
const CUT: &str = "… (";
const CUT_END: &str = " bytes)";

/// `text`, or its beginning and `…` in at most `most_bytes`.
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

/// `value` if it has at most `most_bytes`; else its start and its length, which parses as no value. A cut value is not
/// cut again.
pub(super) fn kept(value: &str, most_bytes: usize) -> String {
    if value.len() <= most_bytes || (value.len() <= CUT_BYTES && is_cut(value)) {
        return value.to_owned();
    }
    let start = &value[..value.floor_char_boundary(START_BYTES.min(most_bytes))];
    format!("{start}{CUT}{}{CUT_END}", value.len())
}

/// Whether `value` is a cut label or annotation.
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
    fn a_cut_value_never_parses() {
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
    fn values_of_ordinary_length_do_not_count_as_cut() {
        for value in ["", "public.ecr.aws/lambda/java:21", "… (", "… ( bytes)", "… (x bytes)", "(12 bytes)"] {
            assert!(!is_cut(value), "{value}");
            assert_eq!(kept(value, VALUE_BYTES), value);
        }
        assert_eq!(kept(&"a".repeat(VALUE_BYTES), VALUE_BYTES).len(), VALUE_BYTES);
    }
}
