//! Acceptance of signed catalogs.

use basewatch::{
    release_catalog::{CatalogRefusal, DecodeError, InvalidKey, PublicKey, SignedCatalog, SigningKey, accept},
    secret::Secret,
};
use chrono::TimeDelta;

use testbed::release_history::{NOW, at, catalog};

fn keys() -> (SigningKey, PublicKey) {
    let key = SigningKey::generate().unwrap();
    let public = key.public_key().unwrap();
    (key, public)
}

fn signed(bytes: Vec<u8>, key: &SigningKey) -> SignedCatalog {
    let signature = key.sign(&bytes, "built 2026-11-20").unwrap();
    SignedCatalog { bytes, signature: Some(signature) }
}

#[test]
fn a_signed_catalog_is_accepted_and_a_modified_one_is_rejected() {
    let (key, public) = keys();
    let signed = signed(catalog(3).encode(), &key);
    assert_eq!(accept(signed.clone(), &public, None).unwrap().catalog, catalog(3));
    for index in 0..signed.bytes.len() {
        let mut changed = signed.clone();
        changed.bytes[index] ^= 1;
        assert!(matches!(accept(changed, &public, None), Err(CatalogRefusal::Signature { .. })), "{index}");
    }
    let text = signed.signature.clone().unwrap();
    for (index, _) in text.char_indices().filter(|(_, character)| character.is_ascii_alphanumeric()) {
        let mut changed = text.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = SignedCatalog { signature: Some(String::from_utf8(changed).unwrap()), ..signed.clone() };
        let is_comment = index < text.find('\n').unwrap();
        assert!(is_comment || accept(changed, &public, None).is_err(), "{index}");
    }
}

#[test]
fn a_catalog_without_a_valid_signature_is_rejected() {
    let (_, public) = keys();
    let bytes = catalog(1).encode();
    let unsigned = SignedCatalog { bytes: bytes.clone(), signature: None };
    assert_eq!(accept(unsigned, &public, None), Err(CatalogRefusal::Unsigned));
    let why = accept(signed(bytes.clone(), &keys().0), &public, None).unwrap_err().to_string();
    assert!(why.contains("another key"), "{why}");
    for garbage in ["", "untrusted comment: x\n", "x\ny\nz\nw\n", &"A".repeat(1 << 20)] {
        let garbage = SignedCatalog { bytes: bytes.clone(), signature: Some(garbage.to_owned()) };
        assert!(matches!(accept(garbage, &public, None), Err(CatalogRefusal::Signature { .. })));
    }
}

#[test]
fn an_older_catalog_is_rejected_and_the_same_one_is_accepted() {
    let (key, public) = keys();
    let signed = signed(catalog(1).encode(), &key);
    assert!(accept(signed.clone(), &public, Some(at(NOW))).is_ok());
    let newer = at(NOW) + TimeDelta::seconds(1);
    let why = accept(signed, &public, Some(newer)).unwrap_err();
    assert_eq!(why, CatalogRefusal::Older { built_at: at(NOW), accepted_at: newer });
    let why = why.to_string();
    assert!(why.contains("2026-11-20T06:00:00Z") && why.contains("2026-11-20T06:00:01Z"), "{why}");
}

#[test]
fn a_signed_file_of_another_format_is_rejected_with_its_name() {
    let (key, public) = keys();
    let signed = signed(b"basewatch.releases/v9\nwhatever".to_vec(), &key);
    let found = "basewatch.releases/v9".to_owned();
    assert_eq!(accept(signed, &public, None), Err(CatalogRefusal::Decode(DecodeError::Schema { found })));
}

#[test]
fn keys_survive_a_round_trip_and_malformed_keys_are_rejected() {
    let (key, public) = keys();
    let again = SigningKey::parse(&key.to_file().unwrap()).unwrap();
    assert_eq!(again.public_key().unwrap(), public);
    assert_eq!(format!("untrusted comment: minisign public key\n{public}\n").parse(), Ok(public.clone()));
    for garbage in ["", "RW", &public.as_str()[1..], "untrusted comment: x"] {
        assert_eq!(garbage.parse::<PublicKey>(), Err(InvalidKey::Public), "{garbage}");
        assert_eq!(SigningKey::parse(&Secret::new(garbage.to_owned())).unwrap_err(), InvalidKey::Private, "{garbage}");
    }
    assert_eq!(format!("{key:?}"), "SigningKey");
}
