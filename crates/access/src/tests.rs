//! Keys and roles without a database.

use domain::ShopId;

use super::*;
use crate::key_text::{TEXT_MAX, generate, parse, sha256};

#[test]
fn a_key_can_be_taken_apart_also_when_its_shop_has_underscores() {
    for shop in ["s", "my_shop_eu", &"x".repeat(32)] {
        let shop = ShopId::parse(shop).unwrap();
        let (text, id, secret) = generate(&shop).unwrap();
        let parts = parse(text.expose()).unwrap();
        assert_eq!((parts.shop, parts.key_id), (shop, id.as_str()));
        assert_eq!(sha256(parts.secret.as_bytes()), secret);
        assert!(text.expose().len() <= TEXT_MAX);
    }
}

#[test]
fn other_texts_are_no_keys() {
    let (text, ..) = generate(&ShopId::parse("shop").unwrap()).unwrap();
    let text = text.expose();
    for bad in ["", "cf_", "cf_shop", "cf___", &text[1..], &text[..text.len() - 1], &format!("{text}0")] {
        assert!(parse(bad).is_none(), "{bad}");
    }
    assert!(parse(&text.replace("shop", "sh/op")).is_none());
}

#[test]
fn a_key_is_never_printed() {
    let (text, ..) = generate(&ShopId::parse("shop").unwrap()).unwrap();
    assert!(!format!("{text:?}").contains(text.expose()));
}

#[test]
fn roles_are_read_and_written() {
    let roles: RoleSet = "viewer, shop".parse().unwrap();
    assert_eq!(roles.to_string(), "shop,viewer");
    assert!(roles.contains(Role::Shop) && !roles.contains(Role::Operator));
    assert!("shop,root".parse::<RoleSet>().is_err());
    assert!("".parse::<RoleSet>().unwrap().is_empty());
}
