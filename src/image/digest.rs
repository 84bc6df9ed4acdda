//! Content digests: `algorithm:hex`, validated when parsed.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256, Sha512};

/// A content digest, `sha256:` with 64 or `sha512:` with 128 lower-case hexadecimal digits
/// (OCI image specification, descriptor.md, "Digests").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Arc<str>);

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// It does not start with `sha256:` or `sha512:`.
    #[error("a digest starts with sha256: or sha512:")]
    Algorithm,
    /// The digits are too few or too many.
    #[error("{algorithm} needs {expected} lower-case hexadecimal digits, this has {found}")]
    Digits {
        /// The algorithm named.
        algorithm: &'static str,
        /// The number of digits that it needs.
        expected: usize,
        /// The number of characters found.
        found: usize,
    },
    /// A character is not a lower-case hexadecimal digit.
    #[error("{algorithm} needs {expected} lower-case hexadecimal digits, {character:?} is not one{}", hint(*character))]
    Character {
        /// The algorithm named.
        algorithm: &'static str,
        /// The number of digits that it needs.
        expected: usize,
        /// The first invalid character.
        character: char,
    },
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))).into())
    }

    /// Whether `bytes` have this digest, by its own algorithm.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let actual = match self.algorithm() {
            "sha512" => hex::encode(Sha512::digest(bytes)),
            _ => hex::encode(Sha256::digest(bytes)),
        };
        self.hex() == actual
    }

    /// `sha256` or `sha512`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The decoded bytes: 32 for SHA-256, 64 for SHA-512.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Never fails: the digits were checked when the text was parsed.
        hex::decode(self.hex()).unwrap_or_default()
    }

    /// The SHA-256 digest with these 32 bytes, or the SHA-512 digest with these 64.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let algorithm = match bytes.len() {
            32 => "sha256:",
            64 => "sha512:",
            _ => return None,
        };
        Some(Self((algorithm.to_owned() + &hex::encode(bytes)).into()))
    }

    /// The first twelve digits, for display.
    #[must_use]
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or_default()
    }

    /// The whole text, `sha256:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn hint(character: char) -> &'static str {
    if character.is_ascii_uppercase() { ": write it in lower case" } else { "" }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, expected, digits) = if let Some(digits) = text.strip_prefix("sha256:") {
            ("sha256", 64, digits)
        } else if let Some(digits) = text.strip_prefix("sha512:") {
            ("sha512", 128, digits)
        } else {
            return Err(InvalidDigest::Algorithm);
        };
        // A catalog has hundreds of thousands of digests: checking all bytes is faster than stopping at the first
        // invalid one.
        let is_hex = digits.bytes().fold(true, |is_hex, byte| is_hex & matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let strange = || digits.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f'));
        if let Some(character) = (!is_hex).then(strange).flatten() {
            return Err(InvalidDigest::Character { algorithm, expected, character });
        }
        if digits.len() != expected {
            return Err(InvalidDigest::Digits { algorithm, expected, found: digits.len() });
        }
        Ok(Self(text.into()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DigestVisitor)
    }
}

/// Deserializes a digest without copying its text first.
struct DigestVisitor;

impl de::Visitor<'_> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_hashes_and_checks_its_content() {
        let digest = Digest::sha256(b"");
        assert_eq!(digest.short(), "e3b0c44298fc");
        assert!(digest.matches(b""));
        assert!(!digest.matches(b"x"));
        let long: Digest = format!("sha512:{}", hex::encode(Sha512::digest(b"abc"))).parse().expect("valid");
        assert!(long.matches(b"abc"));
    }

    #[test]
    fn a_digest_survives_a_round_trip_as_bytes() {
        let long: Digest = format!("sha512:{}", hex::encode(Sha512::digest(b"abc"))).parse().expect("valid");
        for digest in [Digest::sha256(b""), Digest::sha256(b"x"), long] {
            assert_eq!(Digest::from_bytes(&digest.bytes()), Some(digest.clone()));
            assert_eq!(digest.bytes().len(), digest.hex().len() / 2);
        }
        for length in [0, 20, 31, 33, 63, 65] {
            assert_eq!(Digest::from_bytes(&vec![0; length]), None, "{length}");
        }
    }

    #[test]
    fn malformed_digests_are_rejected_with_the_cause() {
        let hex63 = format!("sha256:{}", "4".repeat(63));
        assert_eq!(
            hex63.parse::<Digest>().expect_err("63 digits").to_string(),
            "sha256 needs 64 lower-case hexadecimal digits, this has 63"
        );
        for garbage in ["", "latest", "sha256:", "md5:00", "SHA256:00"] {
            assert!(garbage.parse::<Digest>().is_err(), "{garbage}");
        }
        assert!(format!("sha256:{}", "A".repeat(64)).parse::<Digest>().is_err());
        assert!(format!("sha256:{}é", "a".repeat(62)).parse::<Digest>().is_err());
    }
}
