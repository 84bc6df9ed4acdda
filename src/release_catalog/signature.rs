//! Signatures of release catalogs: Ed25519 in the format of `minisign`, compatible with its tool.

use std::{fmt, io::Cursor, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minisign::KeyPair;
use minisign_verify as verifier;

use super::CatalogRefusal;
use crate::secret::Secret;

/// The longest signature or key that is read, in bytes: twice that of a real one.
const MOST_BYTES: usize = 2048;

/// The length of a private key without comment, in bytes.
const PRIVATE_KEY_BYTES: usize = 158;

/// A public key, to verify the signature of a catalog.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    base64: String,
    key: verifier::PublicKey,
}

/// A private key, without a password.
pub struct SigningKey(minisign::SecretKey);

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It is not a public key.
    #[error(
        "it is not a public key of minisign: write the line that begins with RW, as `basewatch catalog keygen` prints it"
    )]
    Public,
    /// It is not a private key.
    #[error("it is not a private key of minisign")]
    Private,
    /// It is a private key with a password, which is not supported.
    #[error("the private key has a password: create one without, with `basewatch catalog keygen` or `minisign -G -W`")]
    Encrypted,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomness,
}

impl PublicKey {
    /// The key in one line, as in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.base64
    }

    /// Verifies that `signature` signs `bytes` with the private key of this public key.
    ///
    /// # Errors
    ///
    /// [`CatalogRefusal::Signature`] if it does not.
    pub fn verify(&self, bytes: &[u8], signature: &str) -> Result<(), CatalogRefusal> {
        let rejected = |why: &'static str| CatalogRefusal::Signature { why };
        if signature.len() > MOST_BYTES {
            return Err(rejected("its signature is malformed"));
        }
        let decoded = verifier::Signature::decode(signature).map_err(|_| rejected("its signature is malformed"))?;
        self.key.verify(bytes, &decoded, false).map_err(|error| match error {
            verifier::Error::UnexpectedKeyId => rejected("it was signed with another key"),
            _ => rejected("it was changed after it was signed"),
        })
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    /// The key in one line, or a key file of `minisign`.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(InvalidKey::Public)?;
        let key = verifier::PublicKey::from_base64(line).map_err(|_| InvalidKey::Public)?;
        Ok(Self { base64: line.to_owned(), key })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base64)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base64)
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, InvalidKey> {
        KeyPair::generate_unencrypted_keypair().map(|pair| Self(pair.sk)).map_err(|_| InvalidKey::NoRandomness)
    }

    /// The key in `text`, a file that [`SigningKey::to_file`] or `minisign -G -W` wrote.
    ///
    /// # Errors
    ///
    /// If it is not a private key, or has a password.
    pub fn parse(text: &Secret) -> Result<Self, InvalidKey> {
        if text.reveal().len() > MOST_BYTES {
            return Err(InvalidKey::Private);
        }
        let line = text.reveal().lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(InvalidKey::Private)?;
        let bytes = STANDARD.decode(line).ok().filter(|bytes| bytes.len() == PRIVATE_KEY_BYTES);
        let bytes = bytes.filter(|bytes| bytes.starts_with(b"Ed")).ok_or(InvalidKey::Private)?;
        let key = minisign::SecretKey::from_bytes(&bytes).map(Self).map_err(|_| InvalidKey::Private)?;
        if key.0.is_encrypted() {
            return Err(InvalidKey::Encrypted);
        }
        // `minisign -G -W` writes no checksum, so a corrupt key is detected only by its signatures.
        let signature = key.sign(b"", "")?;
        key.public_key()?.verify(b"", &signature).map_err(|_| InvalidKey::Private)?;
        Ok(key)
    }

    /// Its public key.
    ///
    /// # Errors
    ///
    /// If the key is corrupt.
    pub fn public_key(&self) -> Result<PublicKey, InvalidKey> {
        let public = minisign::PublicKey::from_secret_key(&self.0).map_err(|_| InvalidKey::Private)?;
        public.to_base64().parse()
    }

    /// The content of its key file.
    ///
    /// # Errors
    ///
    /// If the key is corrupt.
    pub fn to_file(&self) -> Result<Secret, InvalidKey> {
        let comment = "private key of basewatch release catalogs";
        let file = self.0.to_box(Some(comment)).map_err(|_| InvalidKey::Private)?;
        Ok(Secret::new(file.into_string()))
    }

    /// A signature of `bytes` and of a comment.
    ///
    /// # Errors
    ///
    /// When the key is damaged, or the system has no random numbers.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, InvalidKey> {
        let signature = minisign::sign(
            None,
            &self.0,
            Cursor::new(bytes),
            Some(comment),
            Some("signature of a basewatch release catalog"),
        );
        signature.map(minisign::SignatureBox::into_string).map_err(|_| InvalidKey::NoRandomness)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}
