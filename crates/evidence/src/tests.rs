//! Sealing without a database.

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;

use super::*;

fn vault(fill: u8) -> Vault {
    Vault::new(KeyEncryptionKey::parse(&[fill; 32]).unwrap())
}

#[test]
fn what_is_sealed_opens_byte_for_byte() {
    let vault = vault(1);
    for plain in [&b""[..], b"{}", &[0, 255, 10, 13], &vec![b'x'; 300_000]] {
        let sealed = vault.seal("shop", plain).unwrap();
        assert_eq!(vault.open("shop", &sealed.bytes, &sealed.wrapped_key).unwrap(), plain);
    }
}

#[test]
fn another_shop_another_key_or_a_changed_byte_opens_nothing() {
    let sealed = vault(1).seal("shop", b"a body").unwrap();
    let locked = |result: Result<Vec<u8>, Error>| assert!(matches!(result, Err(Error::Locked)), "{result:?}");
    locked(vault(1).open("shop2", &sealed.bytes, &sealed.wrapped_key));
    locked(vault(2).open("shop", &sealed.bytes, &sealed.wrapped_key));
    for at in 1..sealed.bytes.len() {
        let mut changed = sealed.bytes.clone();
        changed[at] ^= 1;
        locked(vault(1).open("shop", &changed, &sealed.wrapped_key));
    }
    for at in 0..sealed.wrapped_key.len() {
        let mut changed = sealed.wrapped_key.clone();
        changed[at] ^= 1;
        locked(vault(1).open("shop", &sealed.bytes, &changed));
    }
    locked(vault(1).open("shop", &[], &sealed.wrapped_key));
}

#[test]
fn the_entry_can_prove_sealed_and_plain_bytes() {
    let vault = vault(1);
    let sealed = vault.seal("shop", b"a body").unwrap();
    assert_eq!(digest(&SHA256, &sealed.bytes).as_ref(), sealed.sha256);
    let (salt, plain) = vault.open_with_salt("shop", &sealed.bytes, &sealed.wrapped_key).unwrap();
    assert_eq!(digest(&SHA256, &[&salt[..], &plain].concat()).as_ref(), sealed.commitment);
    let again = vault.seal("shop", b"a body").unwrap();
    assert_ne!(again.commitment, sealed.commitment, "the salt hides equal bodies");
}

#[test]
fn a_wrapped_secret_is_no_wrapped_evidence_key() {
    let vault = vault(1);
    let wrapped = vault.wrap("shop", &[7; 32]).unwrap();
    assert_eq!(vault.unwrap("shop", &wrapped).unwrap(), [7; 32]);
    assert!(vault.unwrap("shop2", &wrapped).is_err());
    let sealed = vault.seal("shop", b"a body").unwrap();
    assert!(vault.unwrap("shop", &sealed.wrapped_key).is_err());
}

#[test]
fn a_key_is_raw_or_hexadecimal_and_is_never_printed() {
    let text = KeyEncryptionKey::generate().unwrap();
    let from_hex = KeyEncryptionKey::parse(format!("{}\n", text.expose_secret()).as_bytes()).unwrap();
    let from_raw = KeyEncryptionKey::parse(&hex::decode(text.expose_secret()).unwrap()).unwrap();
    assert_eq!(from_hex.id(), from_raw.id());
    assert_eq!(from_hex.id().len(), 8);
    for bad in [&b""[..], b"abc", &[b'g'; 64], &[1; 33]] {
        assert!(KeyEncryptionKey::parse(bad).is_err());
    }
    let printed = format!("{:?}", Vault::new(from_hex));
    assert!(!printed.contains(text.expose_secret()) && printed.contains(from_raw.id()), "{printed}");
}

#[test]
fn callback_evidence_keeps_body_and_headers_as_they_were() {
    let evidence = CallbackEvidence {
        body: b"{\"a\":\n\"\xff\"}\n".to_vec(),
        headers: vec![("PAYPAL-TRANSMISSION-ID".to_owned(), "a\"\\b\u{e9}".to_owned())],
        certificate_sha256: "ab".repeat(32),
        webhook_id: "8WH".to_owned(),
        verified_by: VerifiedBy::Signature,
    };
    assert_eq!(CallbackEvidence::decode(&evidence.encode()).unwrap(), evidence);
    let printed = format!("{evidence:?}");
    assert!(!printed.contains("TRANSMISSION"), "{printed}");
    assert!(CallbackEvidence::decode(b"no line").is_err());
}
