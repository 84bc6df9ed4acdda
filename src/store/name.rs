//! Valid object names: each is a file below the folder and a key below the prefix, and nothing else.

use super::{Error, Result};

/// The reserved name of the lease of a bucket.
pub(super) const LEASE: &str = "lock.json";

/// Maximum length of a name in bytes: with any prefix it fits into an S3 key, and each segment into a file name.
const MOST_BYTES: usize = 200;

/// Maximum number of segments.
pub(super) const MOST_WORDS: usize = 12;

/// Fails unless `name` is valid.
pub(super) fn check(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::Denied { what: format!("invalid name {name:?}"), why: rule() })
}

/// Fails unless `prefix` is a prefix of valid names.
pub(super) fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() || is_name(prefix.strip_suffix('/').unwrap_or(prefix)) {
        return Ok(());
    }
    Err(Error::Denied { what: format!("invalid prefix {prefix:?}"), why: rule() })
}

/// Whether `name` is valid.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= MOST_BYTES && name != LEASE && name.split('/').count() <= MOST_WORDS && name.split('/').all(is_word)
}

/// Names that begin with a dot are reserved for unfinished files and locks.
fn is_word(word: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !word.is_empty() && !word.starts_with('.') && word.bytes().all(is_allowed)
}

fn rule() -> String {
    format!(
        "names are segments of letters, digits, '.', '-' and '_', separated by '/', that do not begin with a dot, with at \
         most {MOST_BYTES} characters; {LEASE} is reserved"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_the_store_are_valid() {
        for name in ["ledger.json", "reports/2026/11/21/20261121T060000Z-01J.json", "a-b_c/d.e", "a..b"] {
            assert!(check(name).is_ok(), "{name}");
            assert!(check_prefix(name).is_ok(), "{name}");
        }
        let long = "a".repeat(MOST_BYTES + 1);
        let deep = ["a"; MOST_WORDS + 1].join("/");
        for name in [
            "",
            "/",
            "/etc/passwd",
            "a/../b",
            "..",
            ".",
            "a/./b",
            "a//b",
            "a/",
            "C:\\x",
            "a\\b",
            "a b",
            "é",
            "a\0",
            ".run.lock",
            "lock.json",
            long.as_str(),
            deep.as_str(),
        ] {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check_prefix("reports/").is_ok() && check_prefix("").is_ok() && check_prefix("reports/2").is_ok());
        assert!(check_prefix("../").is_err() && check_prefix("/").is_err() && check_prefix("a//").is_err());
    }
}
