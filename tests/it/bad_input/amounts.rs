//! Amounts and currencies as PayPal might write them, and as it never should (F32): read exactly, or not at all.

use http_api::Limits;
use serde_json::{Value, json};

use super::ground::receive_tea;
use super::kept::{Body, CAPTURED, UNREADABLE, assert_sound_and_stop, deliver_all};
use crate::served::{Served, placement};

/// The value as it stands in the body, and what it is in minor units of a currency of 2, 0 and 3 decimals.
type Row = (&'static str, Option<i64>, Option<i64>, Option<i64>);

const MAX: i64 = (1 << 53) - 1;

const VALUES: &[Row] = &[
    (r#""10.00""#, Some(1_000), None, Some(10_000)),
    (r#""10""#, Some(1_000), Some(10), Some(10_000)),
    (r#""10.0""#, Some(1_000), None, Some(10_000)),
    (r#""10.000""#, None, None, Some(10_000)),
    (r#""10.0000""#, None, None, None),
    (r#""10.001""#, None, None, Some(10_001)),
    (r#""9.99""#, Some(999), None, Some(9_990)),
    (r#""10.01""#, Some(1_001), None, Some(10_010)),
    (r#"".5""#, Some(50), None, Some(500)),
    (r#""0""#, Some(0), Some(0), Some(0)),
    (r#""0.00""#, Some(0), None, Some(0)),
    (r#""-0""#, Some(0), Some(0), Some(0)),
    (r#""-10""#, None, None, None),
    (r#""-0.01""#, None, None, None),
    (r#""--10""#, None, None, None),
    (r#""+10""#, None, None, None),
    (r#""00010""#, Some(1_000), Some(10), Some(10_000)),
    (r#"" 10""#, None, None, None),
    (r#""10 ""#, None, None, None),
    (r#""1 0""#, None, None, None),
    (r#""10,00""#, None, None, None),
    (r#""1,000.00""#, None, None, None),
    (r#""1'000""#, None, None, None),
    (r#""1_000""#, None, None, None),
    (r#""10.""#, None, None, None),
    (r#"".""#, None, None, None),
    (r#""-""#, None, None, None),
    (r#""-.5""#, None, None, None),
    (r#""1.2.3""#, None, None, None),
    (r#""1e1""#, None, None, None),
    (r#""1E1""#, None, None, None),
    (r#""1e400""#, None, None, None),
    (r#""0x10""#, None, None, None),
    (r#""NaN""#, None, None, None),
    (r#""Infinity""#, None, None, None),
    (r#""ten""#, None, None, None),
    (r#""$10""#, None, None, None),
    (r#""10 USD""#, None, None, None),
    (r#""１０""#, None, None, None),
    (r#""١٠""#, None, None, None),
    (r#""10\u0000""#, None, None, None),
    (r#""\u0031\u0030""#, Some(1_000), Some(10), Some(10_000)),
    (r#""9007199254740991""#, None, Some(MAX), None),
    (r#""9007199254740992""#, None, None, None),
    (r#""90071992547409.91""#, Some(MAX), None, None),
    (r#""90071992547409.92""#, None, None, None),
    (r#""9223372036854775807""#, None, None, None),
    (r#""9223372036854775808""#, None, None, None),
    (r#""18446744073709551616""#, None, None, None),
    (r#""99999999999999999999999999""#, None, None, None),
    (r#""""#, None, None, None),
    (r#""null""#, None, None, None),
    // Numbers, as they are written: no floating point in between.
    ("10", Some(1_000), Some(10), Some(10_000)),
    ("10.00", Some(1_000), None, Some(10_000)),
    ("10.10", Some(1_010), None, Some(10_100)),
    ("10.1", Some(1_010), None, Some(10_100)),
    ("0.1", Some(10), None, Some(100)),
    ("10.000000000000000000001", None, None, None),
    ("1e1", None, None, None),
    ("1e400", None, None, None),
    ("-10", None, None, None),
    ("18446744073709551616", None, None, None),
    ("99999999999999999999999999", None, None, None),
    ("true", None, None, None),
    ("null", None, None, None),
    ("[]", None, None, None),
    ("[10]", None, None, None),
    ("{}", None, None, None),
    (r#"{"value":"10"}"#, None, None, None),
];

/// A currency's code as it stands in the body, where 10 of it are not to be read.
const NO_CURRENCIES: &[&str] = &[
    r#""usd""#,
    r#""Usd""#,
    r#""US""#,
    r#""USDD""#,
    r#"" USD""#,
    r#""USD ""#,
    r#""XXQ""#,
    r#""XXX""#,
    r#""XAU""#,
    r#""XTS""#,
    r#""BTC""#,
    r#""840""#,
    r#""$""#,
    r#""€""#,
    r#""ＵＳＤ""#,
    r#""USD\u0000""#,
    r#""U\u0405D""#,
    r#""""#,
    "840",
    "null",
    "true",
    "[]",
    r#"["USD"]"#,
    "{}",
];

fn order_of(value: usize, currency: &str) -> String {
    format!("amount-{value}-{currency}")
}

fn body(served: &Served, order: &str, value: &str, currency: &str) -> Vec<u8> {
    let text = String::from_utf8(served.captured(order, "123.45")).unwrap();
    let changed = text.replacen(r#""value":"123.45""#, &format!(r#""value":{value}"#), 1).replacen(
        r#""currency_code":"USD""#,
        &format!(r#""currency_code":{currency}"#),
        1,
    );
    assert!(value == r#""123.45""# || changed != text);
    changed.into_bytes()
}

fn columns((_, usd, jpy, kwd): &Row) -> [(&'static str, Option<i64>); 4] {
    // PayPal sends forints without decimals, whatever ISO 4217 says.
    [("USD", *usd), ("JPY", *jpy), ("HUF", *jpy), ("KWD", *kwd)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_is_read_exactly_or_not_at_all_and_pays_only_what_it_is() {
    let served = Served::start(Limits::default()).await;
    receive_tea(&served).await;
    let (mut bodies, mut expected) = (Vec::new(), Vec::new());
    for (number, row) in VALUES.iter().enumerate() {
        for (currency, minor) in columns(row) {
            let (order, what) = (order_of(number, currency), format!("{} {currency}", row.0));
            let (status, answer) = served.post("/v1/orders", &served.shop_key, &placement(&order)).await;
            assert_eq!(status, 200, "{answer}");
            bodies.push(Body::new(&what, body(&served, &order, row.0, &format!("\"{currency}\""))));
            expected.push((what, order, currency, minor));
        }
    }
    for (number, currency) in NO_CURRENCIES.iter().enumerate() {
        let (order, what) = (format!("currency-{number}"), format!("10 of {currency}"));
        bodies.push(Body::new(&what, body(&served, &order, r#""10""#, currency)));
        expected.push((what, order, currency, None));
    }
    assert!(bodies.len() >= 300, "{}", bodies.len());
    let facts = deliver_all(&served, bodies).await;
    for (what, order, currency, minor) in expected {
        let fact = &facts[&what];
        let data: Value = serde_json::from_str(fact.data()).unwrap();
        match minor {
            Some(minor) => {
                assert_eq!(fact.type_name, CAPTURED, "{what}: {data}");
                assert_eq!(
                    (&data["amount_minor"], &data["currency"]),
                    (&json!(minor), &json!(currency)),
                    "{what}"
                );
            }
            None => assert_eq!(fact.type_name, UNREADABLE, "{what}: {data}"),
        }
        if order.starts_with("amount") {
            // The order is of 10.00 USD.
            let pays = currency == "USD" && minor.is_some_and(|minor| minor >= 1_000);
            let (_, view) = served.get(&format!("/v1/orders/{order}"), &served.shop_key).await;
            assert_eq!(view["fulfilment"] == "ship", pays, "{what}: {view}");
        }
    }
    assert_sound_and_stop(served).await;
}
