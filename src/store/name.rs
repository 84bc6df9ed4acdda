//! What may something in a store be called? So that every name is a file below the folder and a key below the
//! prefix, and none is anything else.

use super::{Error, Result};

/// The lease of a bucket; nothing else may be kept there.
pub(super) const LEASE: &str = "lock.json";

/// The longest name in bytes: with any prefix it fits into a key of S3, and each word into a file's name.
const MOST_BYTES: usize = 200;

/// How many words a name has at most.
pub(super) const MOST_WORDS: usize = 12;

/// Fails unless something may be kept under `name`.
pub(super) fn check(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::Denied { what: format!("{name:?} is no name for something to keep"), why: rule() })
}

/// Fails unless `prefix` is how a name may begin.
pub(super) fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() || is_name(prefix.strip_suffix('/').unwrap_or(prefix)) {
        return Ok(());
    }
    Err(Error::Denied { what: format!("{prefix:?} begins no name of something kept"), why: rule() })
}

/// Whether something may be kept under `name`.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= MOST_BYTES && name != LEASE && name.split('/').count() <= MOST_WORDS && name.split('/').all(is_word)
}

/// What begins with a dot is the store's own: files that are half written, locks.
fn is_word(word: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !word.is_empty() && !word.starts_with('.') && word.bytes().all(is_allowed)
}

fn rule() -> String {
    format!(
        "names are words of letters, digits, '.', '-' and '_' that do not begin with a dot, separated by '/', of \
         {MOST_BYTES} characters at most; {LEASE} is the store's own"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_where_it_belongs() {
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
            ".turn.lock",
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
