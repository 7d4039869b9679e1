//! Events, payments and their parts as pages show them.

use std::fmt;

use domain::{Currency, Key, Minor, Money, Position, Reason, Timestamp};
use event_log::{Event, Kind};
use serde::Serialize;
use serde_json::Value;

use crate::i18n::Words;
use crate::look::Lang;
use crate::{reasons, types};

/// A time: in UTC, and for a script that shows it otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Stamp(pub(crate) Timestamp);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.to_string();
        // To the millisecond, for people; all of it stands in the attribute.
        let (date, time) = whole.split_once('T').unwrap_or((&whole, ""));
        let time = time.get(..12).unwrap_or(time);
        write!(f, "<time datetime=\"{whole}\">{date} {time}</time>")
    }
}

// It is made of digits and of nothing that came from outside.
impl askama::filters::HtmlSafe for Stamp {}

/// A word of a row, in the language of the page, with how much it wants to be looked at.
pub(crate) struct Chip {
    pub(crate) text: String,
    pub(crate) tone: &'static str,
}

impl Chip {
    pub(crate) fn of(w: Words, name: &str) -> Self {
        let text = types::word(name).map_or_else(|| name.to_owned(), |text| w.say(text).to_owned());
        Self { text, tone: types::tone(name) }
    }
}

/// A word of an enum, as JSON has it.
pub(crate) fn name_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// An amount in its currency.
pub(crate) fn money(minor: Minor, currency: Option<Currency>) -> String {
    match currency {
        Some(currency) => Money { minor, currency }.to_string(),
        // An order at PayPal, which is no money.
        None if minor == 0 => String::new(),
        None => minor.to_string(),
    }
}

/// A reason, in the language of the page, with its figures.
pub(crate) struct Why {
    pub(crate) text: String,
    pub(crate) detail: String,
}

impl Why {
    pub(crate) fn of(w: Words, reason: &Reason) -> Self {
        let text = types::reason(&reason.code).map_or_else(|| reason.code.clone(), |t| w.say(t).to_owned());
        Self { text, detail: reasons::said(w, &reason.detail) }
    }

    pub(crate) fn all(w: Words, reasons: &[Reason]) -> Vec<Self> {
        reasons.iter().map(|reason| Self::of(w, reason)).collect()
    }
}

/// The page of what a key is about.
pub(crate) fn page_of(key: &Key) -> Option<String> {
    let query = |path: &str, name: &str, value: &str| Some(crate::pages::with(path, &[(name, value)]));
    match key {
        Key::Order(id) => Some(format!("/console/orders/{}", crate::act::in_path(id.as_str()))),
        Key::Sku(id) => query("/console/stock", "id", id.as_str()),
        Key::Code(id) => query("/console/coupons", "id", id.as_str()),
        Key::Buyer(id) => query("/console/points", "id", id.as_str()),
        Key::Capture(id) => query("/console/events", "paypal", id.as_str()),
        Key::PaypalOrder(id) => query("/console/events", "paypal", id.as_str()),
        Key::Event(position) => Some(format!("/console/events/{position}")),
        Key::Shop(_) => Some("/console/settings".to_owned()),
        Key::Callback(id) => query("/console/events", "paypal", id),
    }
}

/// What an event is called.
pub(crate) fn says(w: Words, event: &Event) -> String {
    let text = match event.kind {
        Kind::Outcome => types::outcome(&event.type_name),
        Kind::Fact | Kind::Note => types::fact(&event.type_name),
    };
    text.map_or_else(|| event.type_name.clone(), |text| w.say(text).to_owned())
}

/// An event in a list.
pub(crate) struct Row {
    pub(crate) position: i64,
    pub(crate) at: Stamp,
    pub(crate) kind: &'static str,
    pub(crate) kind_text: &'static str,
    pub(crate) type_name: String,
    pub(crate) says: String,
    pub(crate) tone: &'static str,
    pub(crate) key: String,
    pub(crate) key_page: Option<String>,
    pub(crate) amount: String,
    pub(crate) why: Vec<Why>,
    pub(crate) by: String,
}

impl Row {
    pub(crate) fn of(w: Words, event: &Event) -> Self {
        let data: Value = serde_json::from_str(event.data()).unwrap_or_default();
        Self {
            position: event.position.0,
            at: Stamp(event.at),
            kind: event.kind.as_str(),
            kind_text: match event.kind {
                Kind::Fact => w.kind_fact(),
                Kind::Outcome => w.kind_outcome(),
                Kind::Note => w.kind_note(),
            },
            type_name: event.type_name.clone(),
            says: says(w, event),
            tone: tone_of(event),
            key: event.key.to_string(),
            key_page: page_of(&event.key),
            amount: amount_of(&data),
            why: reasons_of(w, &event.type_name, &data),
            by: by_of(w, event.by.as_deref()),
        }
    }

    pub(crate) fn all(w: Words, events: &[Event]) -> Vec<Self> {
        events.iter().map(|event| Self::of(w, event)).collect()
    }
}

/// A fact changes nothing: what came of it is what wants to be looked at.
fn tone_of(event: &Event) -> &'static str {
    match (event.kind, types::tone(&event.type_name)) {
        (Kind::Fact, "good") => "plain",
        (_, tone) => tone,
    }
}

/// Who it came from.
fn by_of(w: Words, by: Option<&str>) -> String {
    match by {
        Some("paypal") => w.by_paypal().to_owned(),
        Some("timer") => w.by_timer().to_owned(),
        Some(by) => by.to_owned(),
        None => String::new(),
    }
}

/// What it moves: a payment's amount, or an order's total.
fn amount_of(data: &Value) -> String {
    let amount = |of: &Value, name: &str| {
        let currency = of.get("currency").and_then(Value::as_str).and_then(|c| Currency::parse(c).ok());
        of.get(name).and_then(Value::as_i64).map(|minor| money(minor, currency))
    };
    // Of several the one that moves most; an order at PayPal moves nothing.
    let payments = data.get("payments").and_then(Value::as_array).into_iter().flatten();
    let payment = payments
        .filter(|payment| payment.get("currency").is_some())
        .max_by_key(|payment| payment.get("amount_minor").and_then(Value::as_i64));
    amount(data, "amount_minor")
        .or_else(|| payment.and_then(|payment| amount(payment, "amount_minor")))
        .or_else(|| amount(data, "total_minor"))
        .or_else(|| data.get("order").and_then(|order| amount(order, "total_minor")))
        .unwrap_or_default()
}

/// Why not, where an outcome says no.
fn reasons_of(w: Words, type_name: &str, data: &Value) -> Vec<Why> {
    let says_no = type_name.ends_with("refused") || type_name.ends_with("unfulfillable");
    let reasons = data.get("reasons").or_else(|| {
        let order = data.get("order").filter(|_| says_no)?;
        order.get("refusals").or_else(|| order.get("reasons"))
    });
    let read = reasons.and_then(|reasons| serde_json::from_value::<Vec<Reason>>(reasons.clone()).ok());
    let mut why = Why::all(w, &read.unwrap_or_default());
    let parked = data.pointer("/parked/error").or_else(|| data.get("why")).and_then(Value::as_str);
    why.extend(parked.map(|error| Why { text: reasons::said(w, error), detail: String::new() }));
    why
}

/// JSON for people to read.
pub(crate) fn pretty(text: &str) -> String {
    let value: Result<Value, _> = serde_json::from_str(text);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned())
}

/// A length of time, as short as it can be said.
pub(crate) fn duration(w: Words, micros: i64) -> String {
    let (n, en, zh) = match micros {
        i64::MIN..1_000 => (micros, "µs", "微秒"),
        1_000..10_000_000 => (micros / 1_000, "ms", "毫秒"),
        10_000_000..600_000_000 => (micros / 1_000_000, "s", "秒"),
        600_000_000..36_000_000_000 => (micros / 60_000_000, "min", "分钟"),
        36_000_000_000..172_800_000_000 => (micros / 3_600_000_000, "h", "小时"),
        _ => (micros / 86_400_000_000, "d", "天"),
    };
    format!("{n} {}", if w.0 == Lang::Zh { zh } else { en })
}

/// Many, with thin spaces between thousands.
pub(crate) fn many(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The position before the first.
pub(crate) const NOWHERE: Position = Position(-1);

#[cfg(test)]
mod tests {
    use super::*;

    const EN: Words = Words(Lang::En);

    fn event(entry: &str) -> Event {
        Event::decode(Position(3), entry.to_owned()).unwrap()
    }

    fn entry(type_name: &str, data: &str, cause: &str) -> String {
        format!(
            r#"{{"at":"2026-11-22T10:00:00.000001Z",{cause}"data":{data},"id":"00000000-0000-0000-0000-000000000000","key":"order:1042","type":"{type_name}","v":1}}"#
        )
    }

    #[test]
    fn amounts_are_exact_in_their_currency() {
        let usd = Currency::parse("USD").ok();
        let jpy = Currency::parse("JPY").ok();
        assert_eq!(money(1005, usd), "10.05 USD");
        assert_eq!(money(1005, jpy), "1005 JPY");
        assert_eq!(money(9_007_199_254_740_991, usd), "90071992547409.91 USD");
    }

    #[test]
    fn a_refused_order_says_why() {
        let data = r#"{"order":{"currency":"USD","total_minor":1000,"refusals":[{"code":"stock_insufficient","detail":"2 of tea, 0 are left"}]}}"#;
        let row = Row::of(EN, &event(&entry("order.refused", data, "\"cause\":1,\"n\":0,")));
        assert_eq!((row.kind, row.tone, row.amount.as_str()), ("outcome", "bad", "10.00 USD"));
        assert_eq!(
            (row.why[0].text.as_str(), row.why[0].detail.as_str()),
            ("Not enough stock", "2 of tea, 0 are left")
        );
        assert_eq!(row.key_page.as_deref(), Some("/console/orders/1042"));
    }

    #[test]
    fn a_time_is_for_people_and_for_programs() {
        let at = event(&entry("order.cancelled", "{}", "")).at;
        assert_eq!(
            Stamp(at).to_string(),
            "<time datetime=\"2026-11-22T10:00:00.000001Z\">2026-11-22 10:00:00.000</time>"
        );
    }

    #[test]
    fn numbers_and_lengths_are_short() {
        assert_eq!(many(-1_234_567), "-1\u{202f}234\u{202f}567");
        assert_eq!((many(0), many(999), many(1000)), ("0".into(), "999".into(), "1\u{202f}000".into()));
        assert_eq!((duration(EN, 900), duration(EN, 4_200)), ("900 µs".into(), "4 ms".into()));
        assert_eq!(duration(EN, 90_000_000), "90 s");
        assert_eq!(duration(EN, 3 * 86_400_000_000), "3 d");
    }
}
