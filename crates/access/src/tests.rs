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

#[test]
fn a_bucket_lets_through_what_it_holds_and_each_key_has_its_own() {
    let limit = RateLimit::new(Rate::new(1, 3));
    for _ in 0..3 {
        assert_eq!(limit.take(&"a"), Ok(()));
    }
    assert!(!limit.is_exhausted(&"a"), "looking takes nothing");
    let exhausted = limit.take(&"a").unwrap_err();
    assert!(exhausted.after <= std::time::Duration::from_secs(1), "{exhausted:?}");
    assert!(limit.is_exhausted(&"a") && !limit.is_exhausted(&"b"));
    assert_eq!(limit.take(&"b"), Ok(()));
}

#[test]
fn a_rate_is_read_and_written() {
    assert_eq!("10/300".parse(), Ok(Rate::new(10, 300)));
    assert_eq!(Rate::new(10, 300).to_string(), "10/300");
    for bad in ["", "10", "10/0", "0/1", "-1/2", "a/b", "1/2/3"] {
        assert!(bad.parse::<Rate>().is_err(), "{bad}");
    }
}

#[test]
fn an_ipv6_subscriber_is_one_place_and_a_mapped_address_is_the_ipv4_one() {
    let block = |text: &str| Block::from(text.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:2:ffff::9"));
    assert_ne!(block("2001:db8:1:2::1"), block("2001:db8:1:3::1"));
    assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
    assert_ne!(block("192.0.2.1"), block("192.0.2.2"));
    assert_eq!(block("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
}

#[test]
fn only_proxies_that_are_named_say_for_whom_they_ask() {
    let peer = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
    let client = |proxies: &TrustedProxies, from: &str, said: &[&str]| {
        proxies.client(peer(from), said.iter().copied()).to_string()
    };
    let nobody = TrustedProxies::default();
    assert_eq!(client(&nobody, "10.0.0.1:5", &["192.0.2.7"]), "10.0.0.1");
    let networks = ["10.0.0.0/8", "2001:db8::1"].map(|text| TrustedProxies::parse_network(text).unwrap());
    let proxies = TrustedProxies::new(networks.into());
    for (from, said, expected) in [
        ("192.0.2.1:5", vec!["192.0.2.7"], "192.0.2.1"),
        ("10.0.0.1:5", vec!["192.0.2.7"], "192.0.2.7"),
        // What the client itself wrote stands before what the proxy added.
        ("10.0.0.1:5", vec!["198.51.100.9, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1:5", vec!["198.51.100.9", "192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("[2001:db8::1]:5", vec!["for=\"[2001:db8:5::7]:4711\";proto=https"], "2001:db8:5::7"),
        ("10.0.0.1:5", vec!["for=192.0.2.7:80, by=10.0.0.9;for=10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1:5", vec!["for=_hidden"], "10.0.0.1"),
        ("10.0.0.1:5", vec!["unknown, 10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1:5", vec![""], "10.0.0.1"),
        ("[::ffff:10.0.0.1]:5", vec!["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1:5", vec![], "10.0.0.1"),
    ] {
        assert_eq!(client(&proxies, from, &said), expected, "{from} {said:?}");
    }
    assert!(TrustedProxies::parse_network("proxy.example").is_err());
}

#[test]
fn each_holder_has_a_share_of_its_own_and_gets_it_back() {
    let shares = Shares::new(2);
    let (one, two) = (shares.take("a"), shares.take("a"));
    assert!(one.is_some() && two.is_some() && shares.take("a").is_none());
    assert!(shares.take("b").is_some());
    drop(one);
    assert!(shares.take("a").is_some(), "it was free again");
}
