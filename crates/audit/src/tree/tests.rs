//! Keys and names.

use domain::ShopId;
use secrecy::ExposeSecret;
use tlog::Checkpoint;

use super::{Error, LogKeys, Origin};

#[test]
fn keys_are_written_and_read_and_the_first_signs_first() {
    let keys = LogKeys::generate().unwrap().rotated().unwrap();
    let pem = keys.to_pem();
    assert_eq!(pem.expose_secret().matches("-----BEGIN PRIVATE KEY-----").count(), 2);
    let again = LogKeys::parse(pem.expose_secret().as_bytes()).unwrap();
    let vkeys = keys.verifiers("log.example/shop").unwrap();
    assert_eq!(again.verifiers("log.example/shop").unwrap(), vkeys);
    let signers = again.signers("log.example/shop").unwrap();
    let note = Checkpoint::new("log.example/shop", 1, [7; 32]).unwrap();
    let note = note.sign(&signers.iter().collect::<Vec<_>>()).unwrap();
    let opened = note.open(&vkeys.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(
        opened.iter().map(|verified| verified.by).collect::<Vec<_>>(),
        vkeys.iter().collect::<Vec<_>>()
    );
    assert_eq!(again.place_of(vkeys[1].public_key()), Some(1));
}

#[test]
fn what_is_no_file_of_keys_is_refused_and_nothing_of_it_is_said() {
    let one = LogKeys::generate().unwrap();
    let many = one.to_pem().expose_secret().repeat(9);
    let rsa = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    for bad in ["", "secret", rsa, "-----BEGIN PRIVATE KEY-----\nsecret", &many] {
        let error = LogKeys::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(&error, Error::Key(why) if !why.contains("secret")), "{error}");
    }
    assert_eq!(format!("{one:?}"), "LogKeys(1)");
}

#[test]
fn there_are_no_more_keys_than_verifiers_read() {
    let mut keys = LogKeys::generate().unwrap();
    for _ in 1..8 {
        keys = keys.rotated().unwrap();
    }
    assert!(matches!(keys.rotated(), Err(Error::Key(_))));
}

#[test]
fn each_epoch_of_a_log_has_its_own_name() {
    let (origin, shop) = ("shop.example/log".parse::<Origin>().unwrap(), ShopId::parse("eu").unwrap());
    assert_eq!(origin.of(&shop, 0), "shop.example/log/eu");
    assert_eq!(origin.of(&shop, 2), "shop.example/log/eu/e2");
    for name in ["shop.example/log/eu", "shop.example/log/eu/e1", "shop.example/log/eu/e12"] {
        assert!(origin.names(&shop, name), "{name}");
    }
    for name in [
        "shop.example/log/eu2",
        "shop.example/log/eu/e0",
        "shop.example/log/eu/e01",
        "shop.example/log/eu/x",
        "eu",
    ] {
        assert!(!origin.names(&shop, name), "{name}");
    }
}

#[test]
fn an_origin_is_a_url_without_its_scheme() {
    for bad in ["", "https://shop.example", "shop.example/", "/log", "shop example", "a+b", "a\nb"] {
        assert!(bad.parse::<Origin>().is_err(), "{bad}");
    }
}
