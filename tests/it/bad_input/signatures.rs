//! Headers, signatures and certificates that are wrong (F34).

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use domain::ShopId;
use http_api::Limits;
use intake::shops;
use paypal::{Environment, crc32};
use test_support::wait_until;

use super::certificates::{SMALL_SIGNATURE, Signers, ec_key};
use super::ground::{Callback, Case, Transmission, assert_refused, sign};
use crate::served::{SHOP, Served, WEBHOOK_ID};

/// A shop whose callbacks come from PayPal's live environment.
const LIVE: &str = "live";
const LIVE_ID: &str = "1LIVE0000000000A1";
const LIVE_URL: &str = "https://api.paypal.com/v1/notifications/certs/CERT-live";

/// A letter more than a shop's name may have.
const LONG: &str = "a23456789012345678901234567890123";

const HEADERS: [(&str, usize); 5] = [
    ("paypal-transmission-id", 50),
    ("paypal-transmission-time", 100),
    ("paypal-transmission-sig", 500),
    ("paypal-cert-url", 500),
    ("paypal-auth-algo", 100),
];

fn good(body: &[u8]) -> Callback {
    Transmission::new("CERT-good").of(body)
}

/// Each of the five headers, wrong in each way: 40 cases.
fn header_cases(body: &[u8]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, limit) in HEADERS {
        let callback = good(body);
        let value = callback.value(name);
        let mut other = value.clone();
        other.reverse();
        let long = value.iter().copied().cycle().take(limit + 1).collect::<Vec<_>>();
        let mut case = |what: &str, callback: Callback, says| {
            cases.push(Case::new(format!("{name} {what}"), callback, 400, says));
        };
        case("missing", callback.clone().without(name), "is missing");
        case("empty", callback.clone().with(name, ""), "is missing");
        case("twice the same", callback.clone().also(name, value.clone()), "more than once");
        case("twice, and different", callback.clone().also(name, other), "more than once");
        case("too long", callback.clone().with(name, long), "bytes");
        case("of 8 kB", callback.clone().with(name, "x".repeat(8_000)), "bytes");
        case(
            "with a space",
            callback.clone().with(name, [&value[..5], b" ", &value[5..]].concat()),
            "character",
        );
        case("not ASCII", callback.with(name, [&value[..], b"\xc3\xa9"].concat()), "character");
    }
    for name in ["paypal-transmission-id", "paypal-transmission-time"] {
        let what = format!("{name} with the sign that parts the signed text");
        cases.push(Case::new(what, good(body).with(name, "a|b"), 400, "character"));
    }
    cases.push(Case::new(
        "no headers",
        Callback { headers: Vec::new(), body: body.to_vec() },
        400,
        "is missing",
    ));
    cases
}

fn algorithm_cases(body: &[u8]) -> Vec<Case> {
    let algorithms = [
        "SHA1withRSA",
        "none",
        "NONE",
        "sha256withrsa",
        "SHA256withECDSA",
        "SHA512withRSA",
        "HS256",
        "RS256",
        "SHA256withRSA,none",
    ];
    let case = |name| {
        let callback = good(body).with("paypal-auth-algo", name);
        Case::new(format!("the algorithm {name}"), callback, 401, "algorithm")
    };
    algorithms.into_iter().map(case).collect()
}

/// The right text under the right certificate, but another signature.
fn signature_cases(body: &[u8]) -> Vec<Case> {
    let transmission = Transmission::new("CERT-good");
    let right = sign(&RSA_PKCS1_SHA256, &transmission.text(body));
    let bytes = STANDARD.decode(&right).unwrap();
    let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
    let flipped = {
        let mut bytes = bytes.clone();
        bytes[100] ^= 1;
        encoded(&bytes)
    };
    let (no_form, no_hold) = ("not base64", "does not hold");
    let rows: Vec<(&str, String, &'static str)> = vec![
        ("no base64", "%".repeat(344), no_form),
        ("base64 cut short", right[..343].to_owned(), no_form),
        ("base64 without its padding", STANDARD_NO_PAD.encode(&bytes), no_form),
        ("base64 of URLs", URL_SAFE.encode([0xff; 256]), no_form),
        ("hexadecimal", bytes[..200].iter().map(|b| format!("{b:02x}")).collect(), no_hold),
        ("three bytes short", right[..340].to_owned(), no_hold),
        ("a byte short", encoded(&bytes[..255]), no_hold),
        ("a byte long", encoded(&[&bytes[..], &[0]].concat()), no_hold),
        ("a zero before it", encoded(&[&[0], &bytes[..]].concat()), no_hold),
        ("one byte", encoded(&[0]), no_hold),
        ("zeros", encoded(&[0; 256]), no_hold),
        ("ones", encoded(&[0xff; 256]), no_hold),
        ("one bit of it", flipped, no_hold),
        ("SHA-384", sign(&RSA_PKCS1_SHA384, &transmission.text(body)), no_hold),
        ("PSS", sign(&RSA_PSS_SHA256, &transmission.text(body)), no_hold),
    ];
    let case = |(what, signature, says)| {
        Case::new(format!("signature: {what}"), transmission.signed(signature, body), 401, says)
    };
    rows.into_iter().map(case).collect()
}

/// Signed by the right key, but another text than PayPal's.
fn text_cases(body: &[u8]) -> Vec<Case> {
    let transmission = Transmission::new("CERT-good");
    let Transmission { id, time, .. } = &transmission;
    let (crc, shop_id) = (crc32(body), WEBHOOK_ID);
    let raw = String::from_utf8(body.to_vec()).unwrap();
    let rows: Vec<(&str, String)> = vec![
        ("the body itself", format!("{id}|{time}|{shop_id}|{raw}")),
        ("the body alone", raw.clone()),
        ("the CRC in hexadecimal", format!("{id}|{time}|{shop_id}|{crc:x}")),
        ("the CRC below zero", format!("{id}|{time}|{shop_id}|{}", i64::from(crc) - (1 << 32))),
        ("the CRC with a zero before it", format!("{id}|{time}|{shop_id}|0{crc}")),
        ("time before id", format!("{time}|{id}|{shop_id}|{crc}")),
        ("a line feed behind it", format!("{id}|{time}|{shop_id}|{crc}\n")),
        ("no webhook id", format!("{id}|{time}||{crc}")),
        ("no field for it", format!("{id}|{time}|{crc}")),
        ("other signs between", format!("{id},{time},{shop_id},{crc}")),
        ("nothing", String::new()),
    ];
    let case = |(what, text): (&str, String)| {
        let callback = transmission.signed(sign(&RSA_PKCS1_SHA256, &text), body);
        Case::new(format!("signed text: {what}"), callback, 401, "does not hold")
    };
    rows.into_iter().map(case).collect()
}

/// Signed as it should be, and then changed; or signed for somebody else.
fn change_cases(body: &[u8]) -> Vec<Case> {
    let (id, time) = ("paypal-transmission-id", "paypal-transmission-time");
    let for_id = |webhook_id: &str| {
        Transmission { webhook_id: webhook_id.to_owned(), ..Transmission::new("CERT-good") }.of(body)
    };
    let flipped = |at: usize| {
        let mut body = body.to_vec();
        body[at] ^= 1;
        body
    };
    let pretty = serde_json::from_slice::<serde_json::Value>(body).unwrap();
    let rows: Vec<(&str, Callback)> = vec![
        ("another transmission id", good(body).with(id, "ffffffff-68b1-11f1-8d2c-1d0f9a7b6c5d")),
        ("the id in capitals", {
            let capitals = String::from_utf8(good(body).value(id)).unwrap().to_uppercase();
            good(body).with(id, capitals)
        }),
        ("another time", good(body).with(time, "2026-11-22T10:00:01Z")),
        ("a stale time", good(body).with(time, "1996-11-22T10:00:00Z")),
        ("a time to come", good(body).with(time, "2096-11-22T10:00:00Z")),
        ("the same time written otherwise", good(body).with(time, "2026-11-22T10:00:00+00:00")),
        ("no time at all", good(body).with(time, "now")),
        ("the first bit of the body", good(body).with_body(flipped(0))),
        ("the last bit of the body", good(body).with_body(flipped(body.len() - 1))),
        ("a line feed behind the body", good(body).with_body([body, b"\n"].concat())),
        ("a byte order mark before it", good(body).with_body([b"\xef\xbb\xbf", body].concat())),
        ("the body twice", good(body).with_body([body, body].concat())),
        ("the body written anew", good(body).with_body(serde_json::to_vec_pretty(&pretty).unwrap())),
        ("no body", good(body).with_body("")),
        ("another webhook id", for_id("0OTHER00000000000")),
        ("the simulator's webhook id", for_id("WEBHOOK_ID")),
        ("the webhook id in small letters", for_id(&WEBHOOK_ID.to_lowercase())),
        ("the beginning of the webhook id", for_id(&WEBHOOK_ID[..10])),
        ("the webhook id of another shop", for_id(LIVE_ID)),
        ("all webhook ids", for_id("*")),
    ];
    rows.into_iter().map(|(what, callback)| Case::new(what, callback, 401, "does not hold")).collect()
}

/// Signed as it should be, by a certificate that is not to be believed.
fn certificate_cases(body: &[u8]) -> Vec<Case> {
    let (chain, name) = ("chain: ", "name: the certificate is not for");
    let no_key = "no RSA key of 2048 to 8192 bits";
    let unavailable = "certificate cannot be had";
    let rows = [
        ("CERT-expired", 401, "CertExpired"),
        ("CERT-future", 401, "CertNotValidYet"),
        ("CERT-selfsigned", 401, "UnknownIssuer"),
        ("CERT-otherca", 401, "UnknownIssuer"),
        ("CERT-namesake", 401, chain),
        ("CERT-unlinked", 401, "UnknownIssuer"),
        ("CERT-wronglink", 401, "UnknownIssuer"),
        ("CERT-endedlink", 401, "CertExpired"),
        ("CERT-byaleaf", 401, chain),
        ("CERT-forclients", 401, "RequiredEkuNotFound"),
        ("CERT-root", 401, "CaUsedAsEndEntity"),
        ("CERT-wrongfirst", 401, "UnknownIssuer"),
        ("CERT-othername", 401, name),
        ("CERT-suffix", 401, name),
        ("CERT-prefix", 401, name),
        ("CERT-parent", 401, name),
        ("CERT-wildcard", 401, name),
        ("CERT-noname", 401, name),
        ("CERT-address", 401, name),
        ("CERT-live", 401, name),
        ("CERT-curve", 401, no_key),
        ("CERT-many", 503, unavailable),
        ("CERT-html", 503, unavailable),
        ("CERT-empty", 503, unavailable),
        ("CERT-key", 503, unavailable),
        ("CERT-cut", 503, unavailable),
        ("CERT-bytes", 503, unavailable),
        ("CERT-unknown", 503, unavailable),
    ];
    let case = |(certificate, status, says)| {
        Case::new(certificate, Transmission::new(certificate).of(body), status, says)
    };
    let mut cases: Vec<_> = rows.into_iter().map(case).collect();
    let (id, time) = ("small-key".to_owned(), "2026-11-22T10:00:00Z".to_owned());
    let small = Transmission { id, time, ..Transmission::new("CERT-small") };
    assert_eq!(small.text(b"{}"), "small-key|2026-11-22T10:00:00Z|8PT597110X687430LKGECATA|2745614147");
    let signed = small.signed(SMALL_SIGNATURE.to_owned(), b"{}");
    cases.push(Case::new("a key of 1024 bits, whose signature holds", signed, 401, "does not hold"));
    let transmission = Transmission::new("CERT-curve");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &ec_key().serialize_der()).unwrap();
    let signature = key.sign(&SystemRandom::new(), transmission.text(body).as_bytes()).unwrap();
    let signed = transmission.signed(STANDARD.encode(signature), body);
    cases.push(Case::new("signed by an elliptic curve", signed.clone(), 401, no_key));
    let signed = signed.with("paypal-auth-algo", "SHA256withECDSA");
    cases.push(Case::new("signed by an elliptic curve, and said so", signed, 401, "algorithm"));
    cases
}

/// What is right elsewhere.
fn shop_cases(body: &[u8]) -> Vec<Case> {
    let live = |webhook_id: &str, url: &str| {
        let (webhook_id, url) = (webhook_id.to_owned(), url.to_owned());
        Transmission { webhook_id, url, ..Transmission::new("") }.of(body)
    };
    let live_leaf_of_sandbox = LIVE_URL.replace("CERT-live", "CERT-good");
    let sandbox_url = super::ground::url_of("CERT-live");
    let (host, name) = ("not the host of this environment", "name: the certificate is not for");
    vec![
        Case::new("a live URL to the sandbox", live(WEBHOOK_ID, LIVE_URL), 401, host),
        Case::new("a sandbox URL to live", live(LIVE_ID, &sandbox_url), 401, host).to(LIVE),
        Case::new("a sandbox certificate to live", live(LIVE_ID, &live_leaf_of_sandbox), 401, name).to(LIVE),
        Case::new("the simulator's id to live", live("WEBHOOK_ID", LIVE_URL), 401, "does not hold").to(LIVE),
        Case::new("the sandbox's id to live", live(WEBHOOK_ID, LIVE_URL), 401, "does not hold").to(LIVE),
        Case::new("to no shop", good(body), 404, "No shop").to("nobody"),
        Case::new("to a shop's name in capitals", good(body), 404, "No shop").to("DEMO"),
        Case::new("to no name of a shop", good(body), 404, "No shop").to("a%20b"),
        Case::new("to a name that is too long", good(body), 404, "No shop").to(LONG),
    ]
}

async fn served() -> Served {
    let served = Served::start_trusting(Limits::default(), Signers::new().trusts(None)).await;
    served.add_shop_in(LIVE, Environment::Live, LIVE_ID).await;
    // Its first leader writes a row.
    let client = served.test_superuser().await;
    let led = wait_until(Duration::from_secs(20), async || {
        let leads = "SELECT 1 FROM counterfoil.checkpoints WHERE shop_id = 'live'";
        !client.query(leads, &[]).await.unwrap().is_empty()
    });
    assert!(led.await, "nobody leads it");
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_is_not_authentic_changes_nothing() {
    let served = served().await;
    let body = served.captured("1042", "10.00");
    let groups = [
        header_cases,
        algorithm_cases,
        signature_cases,
        text_cases,
        change_cases,
        certificate_cases,
        shop_cases,
    ];
    let mut count = 0;
    for cases in groups {
        let cases = cases(&body);
        count += cases.len();
        assert_refused(&served, cases).await;
    }
    assert!(count >= 120, "{count} cases");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_only_looks_odd_is_taken() {
    let served = served().await;
    let odd = |change: fn(Transmission) -> Transmission, body: &[u8]| {
        change(Transmission::new("CERT-good")).of(body)
    };
    let body = |order: usize| served.captured(&order.to_string(), "10.00");
    let rows: Vec<(&str, Callback)> = vec![
        ("nothing odd", good(&body(0))),
        ("an intermediate that came with the certificate", Transmission::new("CERT-linked").of(&body(1))),
        // A second transmission is told by its id; PayPal says nowhere whether a retry has the time of the first.
        ("a time long ago", odd(|t| Transmission { time: "1996-11-22T10:00:00Z".to_owned(), ..t }, &body(2))),
        ("a time to come", odd(|t| Transmission { time: "2096-11-22T10:00:00Z".to_owned(), ..t }, &body(3))),
        ("a time that is none", odd(|t| Transmission { time: "yesterday".to_owned(), ..t }, &body(4))),
        (
            "the port of https",
            odd(|t| Transmission { url: t.url.replace(".com/", ".com:443/"), ..t }, &body(5)),
        ),
        ("another version", good(&body(6)).also("paypal-auth-version", "v9")),
        ("another header of PayPal's", good(&body(7)).also("paypal-debug-id", "x".repeat(2_000))),
        ("another content type", good(&body(8)).also("content-type", "text/plain")),
        ("a body with 200,000 spaces behind it", good(&[body(9), vec![b' '; 200_000]].concat())),
    ];
    for (what, callback) in rows {
        let before = served.events().await;
        let answer = callback.send(&served, SHOP).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.problem);
        assert_eq!(served.facts_after(before).await, ["payment.captured"], "{what}");
    }
    let live = Transmission { webhook_id: LIVE_ID.into(), url: LIVE_URL.into(), ..Transmission::new("") };
    assert_eq!(live.of(&body(10)).send(&served, LIVE).await.status, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulators_webhook_id_is_of_no_use_outside_development() {
    let served = served().await;
    let live = ShopId::parse(LIVE).unwrap();
    let added = shops::add_webhook(&served.database, &live, Environment::Live, "WEBHOOK_ID").await;
    assert!(matches!(added, Err(intake::ShopError::InvalidWebhookId)), "{added:?}");
    // Nor when a hand on the table has put it there.
    let insert = "INSERT INTO counterfoil.webhooks (shop_id, webhook_id) VALUES ('live', 'WEBHOOK_ID')";
    served.test_superuser().await.batch_execute(insert).await.unwrap();
    let callback =
        Transmission { webhook_id: "WEBHOOK_ID".into(), url: LIVE_URL.into(), ..Transmission::new("") };
    let case = Case::new("the simulator", callback.of(&served.captured("1", "10.00")), 401, "does not hold");
    assert_refused(&served, vec![case.to(LIVE)]).await;
    served.stop().await;
}
