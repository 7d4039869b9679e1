//! Certificate URLs that are not PayPal's (F36): no call leaves for any of them, by the fetcher that would make it.

use std::collections::HashMap;
use std::time::Duration;

use http_api::Limits;
use test_support::wait_until;

use super::certificates::Signers;
use super::ground::{Case, Transmission, assert_refused, counters, tables};
use super::http::raw;
use super::paypal_host::{CANARY_NAMES, Canary, HOST, PaypalHost, Reply};
use crate::served::{SHOP, Served};

const PATH: &str = "/v1/notifications/certs/CERT-good";
const PATIENT: Duration = Duration::from_secs(20);

/// The URL, and what is said of it. `{v4}` and `{v6}` are the canary's ports.
const URLS: &[(&str, &str)] = &[
    // No https.
    ("http://api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not https"),
    ("ftp://api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not https"),
    ("file:///etc/passwd", "not https"),
    ("file://api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not https"),
    ("gopher://127.0.0.1:{v4}/_GET", "not https"),
    ("data:application/x-pem-file;base64,LS0tLS0=", "not https"),
    ("javascript:alert(1)", "not https"),
    ("wss://api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not https"),
    ("httpsx://api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not https"),
    ("https.://api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not https"),
    // No URL, or one that parsers read differently.
    ("cert_url", "not a plain URL"),
    ("null", "not a plain URL"),
    ("https://", "not a plain URL"),
    ("https:", "not a plain URL"),
    ("//api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("CERT-good", "not a plain URL"),
    ("https:api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https:/api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https:///api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https:\\\\api.sandbox.paypal.com\\v1\\notifications\\certs\\CERT-good", "not a plain URL"),
    ("https://api.sandbox.paypal.com\\@evil.example/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https://evil.example\\.api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not a plain URL"),
    // Somebody before the host.
    ("https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-good", "names a user"),
    ("https://api.sandbox.paypal.com:443@evil.example/v1/notifications/certs/CERT-good", "names a user"),
    ("https://user@api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "names a user"),
    ("https://user:pass@api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "names a user"),
    ("https://@api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "names a user"),
    ("https://:@api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "names a user"),
    ("https://api.sandbox.paypal.com%40evil.example/v1/notifications/certs/CERT-good", "not a plain URL"),
    // Another port.
    ("https://api.sandbox.paypal.com:444/v1/notifications/certs/CERT-good", "names a port"),
    ("https://api.sandbox.paypal.com:80/v1/notifications/certs/CERT-good", "names a port"),
    ("https://api.sandbox.paypal.com:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://api.sandbox.paypal.com:0/v1/notifications/certs/CERT-good", "names a port"),
    ("https://api.sandbox.paypal.com:99999/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https://api.sandbox.paypal.com:-1/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https://api.sandbox.paypal.com:443a/v1/notifications/certs/CERT-good", "not a plain URL"),
    // Another host.
    ("https://evil.example/v1/notifications/certs/CERT-good", "not the host"),
    ("https://evil.example/api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/CERT-good", "not the host"),
    ("https://api.sandbox.paypal.com./v1/notifications/certs/CERT-good", "not the host"),
    ("https://xapi.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://api-sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://api-m.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://www.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://api.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://localhost/v1/notifications/certs/CERT-good", "not the host"),
    ("https://metadata.google.internal/computeMetadata/v1/", "not the host"),
    ("https://xn--pi-6kc.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not the host"),
    ("https://.api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not"),
    // An address, however it is written.
    ("https://127.0.0.1:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://127.1:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://2130706433:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://0x7f000001:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://0x7f.0.0.1:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://0177.0.0.1:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://0:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://[::1]:{v6}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://[::ffff:127.0.0.1]:{v4}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://[0:0:0:0:0:0:0:1]:{v6}/v1/notifications/certs/CERT-good", "names a port"),
    ("https://[::1%25lo]:{v6}/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https://[fe80::1%eth0]/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https://[::1/v1/notifications/certs/CERT-good", "not a plain URL"),
    ("https://127.0.0.1/v1/notifications/certs/CERT-good", "not the host"),
    ("https://2130706433/v1/notifications/certs/CERT-good", "not the host"),
    ("https://0x7f000001/v1/notifications/certs/CERT-good", "not the host"),
    ("https://[::1]/v1/notifications/certs/CERT-good", "not the host"),
    ("https://169.254.169.254/latest/meta-data/", "not the host"),
    ("https://10.0.0.1/v1/notifications/certs/CERT-good", "not the host"),
    // Another path.
    ("https://api.sandbox.paypal.com", "not the path"),
    ("https://api.sandbox.paypal.com/", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/cert-good", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good/", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good.pem", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good;x", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT_good", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs//CERT-good", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/../certs/CERT-good", "not the path"),
    ("https://api.sandbox.paypal.com/v1/./notifications/certs/CERT-good", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good/../../../x", "not the path"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/..%2f..%2fCERT-good", "not a plain URL"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/%43ERT-good", "not a plain URL"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good%00", "not a plain URL"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good%0d%0aX:y", "not a plain URL"),
    ("https://api.sandbox.paypal.com/v2/notifications/certs/CERT-good", "not the path"),
    ("https://api.sandbox.paypal.com/V1/notifications/certs/CERT-good", "not the path"),
    ("https://api.sandbox.paypal.com/x/v1/notifications/certs/CERT-good", "not the path"),
    // Something behind it.
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good?url=https://evil.example", "a query"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good?", "a query"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good#x", "a query"),
    ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-good#", "a query"),
    ("https://api.sandbox.paypal.com?/v1/notifications/certs/CERT-good", "a query"),
    ("https://evil.example#@api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not"),
    ("https://evil.example?@api.sandbox.paypal.com/v1/notifications/certs/CERT-good", "not"),
];

/// Refused as headers, before anything is made of them.
fn odd_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let url = |host: &str| format!("https://{host}{PATH}").into_bytes();
    vec![
        ("full stops of Chinese", url("api。sandbox。paypal。com")),
        ("full stops that are wide", url("api．sandbox．paypal．com")),
        ("an a of Cyrillic", url("\u{430}pi.sandbox.paypal.com")),
        ("a joiner of no width", url("api.sandbox.pay\u{200d}pal.com")),
        ("a soft hyphen", url("api.sandbox.pay\u{ad}pal.com")),
        ("a long s", url("api.\u{17f}andbox.paypal.com")),
        ("wrong UTF-8", [url(HOST), vec![0xff]].concat()),
        ("a space before it", [vec![b'h', b' '], url(HOST)].concat()),
        ("a tab in it", [b"https://api.sandbox.paypal.com\t", PATH.as_bytes()].concat()),
        ("two of them", [url(HOST), b" ".to_vec(), url("evil.example")].concat()),
        ("two with a comma and a space", [url(HOST), b", ".to_vec(), url("evil.example")].concat()),
        ("500 bytes and one", [url(HOST), vec![b'1'; 501 - url(HOST).len()]].concat()),
        ("2 kB", [url(HOST), vec![b'1'; 2_000]].concat()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_leaves_for_a_certificate_url_that_is_not_paypals() {
    let (canary, signers) = (Canary::start(), Signers::new());
    let good = HashMap::from([("CERT-good".to_owned(), Reply::new("200 OK", &signers.given["CERT-good"]))]);
    let host = PaypalHost::start(HOST, good);
    let trusts = signers.trusts(Some(host.fetch(PATIENT, &canary)));
    let served = Served::start_trusting(Limits::default(), trusts).await;
    let body = served.captured("1042", "10.00");
    let with = |url: String| Transmission { url, ..Transmission::new("") }.of(&body);
    let (v4, v6) = (canary.v4.port().to_string(), canary.v6.unwrap_or(canary.v4).port().to_string());
    let case = |(url, says): &(&str, &'static str)| {
        let url = url.replace("{v4}", &v4).replace("{v6}", &v6);
        Case::new(url.clone(), with(url), 401, says)
    };
    let mut cases: Vec<Case> = URLS.iter().map(case).collect();
    cases.extend(odd_bytes().into_iter().map(|(what, url)| {
        let says = if url.len() > 500 { "bytes" } else { "character" };
        Case::new(what, with(String::new()).with("paypal-cert-url", url), 400, says)
    }));
    assert!(cases.len() >= 100, "{} cases", cases.len());
    assert_refused(&served, cases).await;
    for (what, bytes) in [("CR", "\r"), ("LF", "\n"), ("NUL", "\0"), ("DEL", "\u{7f}"), ("escape", "\u{1b}")]
    {
        assert_broken(&served, what, &format!("https://{HOST}{bytes}{PATH}")).await;
    }
    assert_eq!((canary.hits(), host.requests()), (0, 0), "somebody was called");
    // The same fetcher does call, where it may.
    assert_eq!(Transmission::new("CERT-good").of(&body).send(&served, SHOP).await.status, 200);
    assert_eq!((canary.hits(), host.requests()), (0, 1));
    served.stop().await;
}

/// A header that no HTTP has: the request is refused, or what is behind the break is another header.
async fn assert_broken(served: &Served, what: &str, url: &str) {
    let before = (tables(served).await, counters(served).await["new"]);
    let request = format!(
        "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\nconnection: close\r\npaypal-cert-url: {url}\r\ncontent-length: 0\r\n\r\n"
    );
    let (answer, _) = raw(served, &[&request]);
    assert!(answer.starts_with("HTTP/1.1 400"), "{what}: {answer}");
    assert_eq!((tables(served).await, counters(served).await["new"]), before, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_sees_who_calls_it() {
    let canary = Canary::start();
    let mut builder = reqwest::Client::builder().no_proxy();
    for name in CANARY_NAMES {
        builder = builder.resolve(name, canary.v4);
    }
    let client = builder.build().unwrap();
    for (count, name) in CANARY_NAMES.iter().enumerate() {
        let request = client.get(format!("https://{name}{PATH}")).timeout(Duration::from_secs(5));
        let call = tokio::spawn(request.send());
        let seen = wait_until(PATIENT, async || canary.hits() > count).await;
        assert!(seen, "a call to {name} went elsewhere");
        call.abort();
        let _ = call.await;
    }
}
