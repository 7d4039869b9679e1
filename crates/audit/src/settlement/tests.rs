//! Given a log and a report, when they are compared, then this is found.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::story::{Story, time};

const DAY: &str = "2026-11-25T08:00:00Z";

/// A body row, and what the tests change of it.
#[derive(Clone, Debug)]
struct Row {
    id: String,
    code: &'static str,
    direction: &'static str,
    gross: i64,
    currency: String,
    fee: Option<(&'static str, i64)>,
    completed: &'static str,
}

impl Row {
    fn payment(id: &str, gross: i64, fee: i64, currency: &str) -> Self {
        Self {
            id: id.to_owned(),
            code: "T0006",
            direction: "CR",
            gross,
            currency: currency.to_owned(),
            fee: Some(("DR", fee)),
            completed: "2026/11/25 01:00:00 -0800",
        }
    }

    fn refund(id: &str, gross: i64, fee: i64, currency: &str) -> Self {
        let fee = Some(("CR", fee));
        Self { code: "T1107", direction: "DR", fee, ..Self::payment(id, gross, 0, currency) }
    }

    fn other(code: &'static str) -> Self {
        Self { code, direction: "DR", fee: None, ..Self::payment("", 7, 0, "USD") }
    }

    fn text(&self) -> String {
        let Self { id, code, direction, gross, currency, fee, completed } = self;
        let (fee_direction, fee, fee_currency) = match fee {
            Some((direction, fee)) => (*direction, fee.to_string(), currency.as_str()),
            None => ("", String::new(), ""),
        };
        format!(
            "\"SB\",\"{id}\",\"an \"\"invoice\"\", 7\",\"\",\"\",\"{code}\",{completed},{completed},\"{direction}\",{gross},\"{currency}\",\
             \"{fee_direction}\",{fee},\"{fee_currency}\",\"\",\"EJGW\",\"\",\"\",\"\",,,"
        )
    }
}

const HEADER: &str = "\
\"RH\",2026/11/26 02:21:10 -0800,\"A\",\"MERCHANT1\",009,
\"FH\",01
\"SH\",2026/11/25 00:00:00 -0800,2026/11/25 23:59:59 -0800,\"MERCHANT1\",\"\"
\"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\"Transaction Event Code\",\"Transaction Initiation Date\",\"Transaction Completion Date\",\"Transaction  Debit or Credit\",\"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\",\"Fee Amount\",\"Fee Currency\",\"Custom Field\",\"Consumer ID\",\"Payment Tracking ID\",\"Store ID\",\"Bank Reference ID\",\"Credit Transactional Fee\",\"Credit Promotional Fee\",\"Credit Term\"
";

fn text(rows: &[Row]) -> String {
    let mut text = HEADER.to_owned();
    for row in rows {
        writeln!(text, "{}", row.text()).unwrap();
    }
    let count = rows.len();
    let totals = "\"USD\",0,0,0,0,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0,\"CR\",0";
    write!(
        text,
        "\"SF\",{totals},{count}\n\"SC\",{count}\n\"RF\",{totals},{count}\n\"RC\",{count}\n\"FF\",{count}\n"
    )
    .unwrap();
    text
}

fn read(text: &str) -> Result<Report, Malformed> {
    Report::read(text.as_bytes())
}

fn options() -> Options {
    Options { account: None, now: time("2026-11-27T00:00:00Z"), late_s: 86_400 }
}

fn compared_with(story: &Story, rows: &[Row], options: &Options) -> Comparison {
    compare(&read(&text(rows)).unwrap(), story.give(Books::default()), options).unwrap()
}

fn compared(story: &Story, rows: &[Row]) -> Comparison {
    compared_with(story, rows, &options())
}

fn placement(order: &str, minor: i64, currency: &str) -> Value {
    json!({"order": order, "buyer": "bea", "currency": currency, "total_minor": minor,
        "lines": [{"sku": "A", "qty": 1, "unit_minor": minor}]})
}

fn capture(order: &str, minor: i64, fee: i64, currency: &str) -> Value {
    json!({"capture": format!("CAP-{order}"), "order": order, "amount_minor": minor, "currency": currency,
        "fee_minor": fee, "net_minor": minor - fee})
}

fn refund(id: &str, order: &str, minor: i64, currency: &str) -> Value {
    json!({"refund": id, "capture": format!("CAP-{order}"), "amount_minor": minor, "currency": currency})
}

/// Dollars, euros, yen; a refund, a reversal, another tender.
fn a_day() -> Story {
    let mut story = Story::begin(DAY);
    story.tell(
        "shop.configured",
        json!({"shop": "s", "settings": {"tracks": {"stock": false, "coupons": false, "points": false}}}),
    );
    for (order, minor, fee, currency) in
        [("1", 1000, 64, "USD"), ("2", 2500, 98, "EUR"), ("3", 150, 43, "JPY")]
    {
        story.tell("order.placed", placement(order, minor, currency));
        story.tell("payment.captured", capture(order, minor, fee, currency));
    }
    story.tell("payment.refunded", refund("REF-1", "1", 400, "USD"));
    story.tell("payment.reversed", refund("REV-2", "2", 2500, "EUR"));
    story.tell("order.placed", placement("4", 500, "USD"));
    story.tell(
        "payment.recorded",
        json!({"order": "4", "provider": "cash", "payment": "T1", "amount_minor": 500, "currency": "USD"}),
    );
    story
}

fn its_report() -> Vec<Row> {
    let mut reversal = Row::refund("REV-2", 2500, 0, "EUR");
    reversal.code = "T1106";
    vec![
        Row::payment("CAP-1", 1000, 64, "USD"),
        Row::payment("CAP-2", 2500, 98, "EUR"),
        Row::payment("CAP-3", 15000, 4300, "JPY"),
        Row::refund("REF-1", 400, 26, "USD"),
        reversal,
        Row::other("T0400"),
        Row::other("T1110"),
        Row::other("T1110"),
        Row { direction: "DR", ..Row::payment("", 3000, 0, "USD") },
    ]
}

#[test]
fn a_day_with_yen_refunds_and_fees_is_matched_and_what_is_no_sale_is_only_counted() {
    let comparison = compared(&a_day(), &its_report());
    assert_eq!(comparison.unmatched, []);
    assert!(comparison.is_clean());
    let counts = Counts { matched: 5, other: 4, ..Counts::default() };
    assert_eq!((comparison.counts, comparison.rows), (counts, 9));
    let others: Vec<_> = comparison.others.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(others, [("T0006", 1), ("T0400", 1), ("T1110", 2)]);
    let totals =
        |total: &Total| (total.kind, total.currency.code().to_owned(), total.here_minor, total.there_minor);
    assert_eq!(
        comparison.totals.iter().map(totals).collect::<Vec<_>>(),
        [
            (Kind::Capture, "EUR".to_owned(), 2500, 2500),
            (Kind::Capture, "JPY".to_owned(), 150, 150),
            (Kind::Capture, "USD".to_owned(), 1000, 1000),
            (Kind::Refund, "EUR".to_owned(), 2500, 2500),
            (Kind::Refund, "USD".to_owned(), 400, 400),
        ]
    );
}

#[test]
fn what_differs_is_said_with_both_values() {
    let mut rows = its_report();
    rows[0].gross = 1001;
    rows[1].fee = Some(("DR", 97));
    rows[2].currency = "HUF".to_owned();
    rows.push(rows[3].clone());
    let comparison = compared(&a_day(), &rows);
    let found: Vec<_> =
        comparison.unmatched.iter().map(|row| (row.id.as_str(), row.differs.as_slice())).collect();
    assert_eq!(
        found,
        [
            ("CAP-1", &[Difference::Gross][..]),
            ("CAP-2", &[Difference::Fee][..]),
            ("CAP-3", &[Difference::Currency, Difference::Fee][..]),
            ("REF-1", &[Difference::Twice][..]),
        ]
    );
    let (here, there) = (comparison.unmatched[0].here.as_ref(), comparison.unmatched[0].there.as_ref());
    assert_eq!((here.unwrap().gross_minor, there.unwrap().gross_minor), (1000, 1001));
    assert_eq!((there.unwrap().line, there.unwrap().code.as_str()), (5, "T0006"));
    assert_eq!((comparison.counts.amount_differs, comparison.counts.matched), (4, 2));
    assert!(!comparison.is_clean());
}

#[test]
fn a_lost_callback_and_a_payment_that_nobody_sent_are_found() {
    let mut story = a_day();
    story.tell("order.placed", placement("5", 700, "USD"));
    story.tell("payment.pending", capture("5", 700, 20, "USD"));
    story.tell("order.placed", placement("6", 800, "USD"));
    story.tell("payment.captured", capture("6", 800, 20, "USD"));
    let mut rows = its_report();
    rows.push(Row::payment("CAP-5", 700, 20, "USD"));
    rows.push(Row::payment("LOST", 1, 0, "USD"));
    let comparison = compared(&story, &rows);
    let found: Vec<_> = comparison.unmatched.iter().map(|row| (row.id.as_str(), row.class)).collect();
    assert_eq!(
        found,
        [("CAP-5", Class::MissingHere), ("LOST", Class::MissingHere), ("CAP-6", Class::MissingThere)]
    );
    let pending = comparison.unmatched[0].here.as_ref().unwrap();
    assert_eq!(pending.state, Some(domain::PaymentState::Pending), "what the log knows of it is told");
    assert_eq!(comparison.unmatched[1].here, None);
}

#[test]
fn what_was_imported_moved_at_any_time_since_its_order_was_placed() {
    let class = |placed_at: Option<&str>| {
        let mut story = a_day();
        story.tell("rules.activated", json!({"shop": "s", "version": domain::RULES_LATEST}));
        let mut opening = json!({
            "status": "paid", "placement": placement("9", 900, "USD"),
            "captures": [{"capture": "CAP-9", "amount_minor": 900, "fee_minor": 30}],
        });
        if let Some(placed_at) = placed_at {
            opening["placed_at"] = json!(placed_at);
        }
        story.tell("order.imported", opening);
        let comparison = compared(&story, &its_report());
        let found = comparison.unmatched.iter().find(|row| row.id == "CAP-9").map(|row| row.class);
        let mut rows = its_report();
        rows.push(Row::payment("CAP-9", 900, 30, "USD"));
        assert!(compared(&story, &rows).unmatched.is_empty(), "its report lists it");
        found
    };
    assert_eq!(class(None), Some(Class::Timing), "nobody has said when");
    assert_eq!(class(Some("2026-11-01T00:00:00Z")), Some(Class::Timing), "an older report may list it");
    assert_eq!(class(Some(DAY)), Some(Class::MissingThere), "all of that time is of this report");
}

/// The period is from 08:00 to 08:00 by the database's clock.
#[test]
fn at_the_edges_it_is_a_matter_of_timing() {
    let at = |begin: &str, rows: &[Row], options: &Options| {
        let mut story = Story::begin(begin);
        story.tell("order.placed", placement("1", 1000, "USD"));
        story.wait(600);
        story.tell("payment.captured", capture("1", 1000, 64, "USD"));
        let comparison = compared_with(&story, rows, options);
        (comparison.unmatched.first().map(|row| row.class), comparison.is_clean())
    };
    let (listed, nothing) = (vec![Row::payment("CAP-1", 1000, 64, "USD")], vec![]);
    assert_eq!(at("2026-11-25T07:55:00Z", &nothing, &options()), (Some(Class::Timing), true));
    assert_eq!(at("2026-11-25T08:05:00Z", &nothing, &options()), (Some(Class::MissingThere), false));
    assert_eq!(
        at("2026-11-26T07:45:00Z", &nothing, &options()),
        (Some(Class::Timing), true),
        "clocks differ"
    );
    assert_eq!(at("2026-11-26T08:05:00Z", &nothing, &options()), (None, true), "that is of the next report");
    assert_eq!(at("2026-11-24T07:00:00Z", &nothing, &options()), (None, true), "that was of the last one");
    assert_eq!(at("2026-11-27T08:05:00Z", &listed, &options()), (None, true), "a late callback is one");

    let mut refunded = Story::begin("2026-11-24T07:00:00Z");
    refunded.tell("order.placed", placement("1", 1000, "USD"));
    refunded.tell("payment.captured", capture("1", 1000, 64, "USD"));
    refunded.wait(26 * 3600);
    refunded.tell("payment.refunded", refund("REF-1", "1", 400, "USD"));
    let class = |late_s| {
        let options = Options { late_s, ..options() };
        compared_with(&refunded, &nothing, &options).unmatched.first().map(|row| row.class)
    };
    assert_eq!(class(86_400), Some(Class::Timing), "its callback may be a day late");
    assert_eq!(class(600), Some(Class::MissingThere));

    let lost = [Row { completed: "2026/11/25 23:30:00 -0800", ..Row::payment("LOST", 1, 0, "USD") }];
    let class = |now: &str| {
        let options = Options { now: time(now), ..options() };
        compared_with(&Story::begin(DAY), &lost, &options).unmatched[0].class
    };
    assert_eq!(class("2026-11-26T08:00:00Z"), Class::Timing, "its callback may still come");
    assert_eq!(class("2026-11-26T08:31:00Z"), Class::MissingHere);
}

#[test]
fn a_note_in_between_leaves_the_comparison_what_it_was() {
    let mut story = a_day();
    let before = compared(&story, &its_report());
    story.push("settlement.reconciled", "shop:s", &json!({}), json!({"by": "a test"}));
    assert_eq!(compared(&story, &its_report()), before);
}

#[test]
fn a_capture_that_waits_to_be_decided_is_missing_and_its_fact_is_named() {
    let mut story = a_day();
    let data = capture("9", 10, 1, "USD");
    let position = story.push("payment.captured", "order:9", &data, json!({"by": "paypal"}));
    let mut rows = its_report();
    rows.push(Row::payment("CAP-9", 10, 1, "USD"));
    let report = read(&text(&rows)).unwrap();
    let books = story.give(Books::default());
    let comparison = compare(&report, books, &options()).unwrap();
    let found = &comparison.unmatched[0];
    assert_eq!((found.class, found.here.as_ref().unwrap().position), (Class::MissingHere, Some(position)));
}

#[test]
fn a_log_that_contradicts_itself_is_no_measure() {
    let mut story = a_day();
    let capture = story.events.iter().position(|event| event.type_name == "payment.captured").unwrap();
    story.events.remove(capture);
    let report = read(&text(&its_report())).unwrap();
    let error = compare(&report, story.give(Books::default()), &options()).unwrap_err();
    assert!(matches!(error, crate::Error::Unfoldable(_)), "{error}");
}

#[test]
fn a_report_of_another_account_is_refused() {
    let mut story = a_day();
    let report = read(&text(&its_report())).unwrap();
    let compare_as = |story: &Story, report: &Report, account: Option<&str>| {
        let options = Options { account: account.map(str::to_owned), ..options() };
        compare(report, story.give(Books::default()), &options)
    };
    assert!(compare_as(&story, &report, None).unwrap().is_clean());
    let error = compare_as(&story, &report, Some("OTHER")).unwrap_err().to_string();
    assert!(error.contains("MERCHANT1") && error.contains("OTHER"), "{error}");
    let mut two = report.clone();
    let mut second = two.sections[0].clone();
    second.account = "MERCHANT2".to_owned();
    two.sections.push(second);
    assert!(compare_as(&story, &two, None).is_err(), "of two accounts one must be chosen");
    assert!(compare_as(&story, &two, Some("MERCHANT1")).unwrap().is_clean());
    let settings =
        json!({"payee": "MERCHANT2", "tracks": {"stock": false, "coupons": false, "points": false}});
    story.tell("shop.configured", json!({"shop": "s", "settings": settings}));
    assert!(compare_as(&story, &report, None).is_err(), "the shop's settings name the account");
    assert_eq!(compare_as(&story, &two, None).unwrap().account, "MERCHANT2");
}

#[test]
fn versions_differ_in_columns_and_a_byte_order_mark_is_no_harm() {
    let rows = its_report();
    let plain = read(&text(&rows)).unwrap();
    let marked = text(&rows)
        .replace("009,", "004")
        .replace('\n', "\r\n")
        .replace("Transaction  Debit", "Transaction Debit");
    let marked = read(&format!("\u{feff}{marked}")).unwrap();
    assert_eq!(marked.sections, plain.sections);
    assert_eq!((marked.version.as_str(), marked.rows), ("004", 9));
    assert_ne!(marked.sha256, plain.sha256);
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text(&rows).as_bytes());
    assert_eq!(plain.sha256, sha256.as_ref());
}

#[test]
fn a_malformed_report_is_named_with_its_line() {
    let good = text(&its_report());
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let cut = good[..good.find("\"RC\"").unwrap()].to_owned();
    let without_rc =
        good.lines().filter(|line| !line.starts_with("\"R") || line.starts_with("\"RH")).collect::<Vec<_>>();
    let long = changed("EJGW", &"x".repeat(80_000));
    let cases = [
        (String::new(), 0, "without an FF row"),
        ("hello\n".to_owned(), 1, "no row of a settlement report begins so"),
        (changed("\"FH\",01", "\"FH\",02"), 2, "not the first file"),
        (
            good.lines().filter(|line| !line.starts_with("\"SH")).collect::<Vec<_>>().join("\n"),
            3,
            "an SH row is expected",
        ),
        (
            good.lines().filter(|line| !line.starts_with("\"CH")).collect::<Vec<_>>().join("\n"),
            4,
            "no SB row can stand here",
        ),
        (changed("\"Gross Transaction Amount\"", "\"Amount\""), 4, "lacks \"gross transaction amount\""),
        (changed("\"Store ID\"", "\"Fee Amount\""), 4, "stands twice"),
        (changed("2026/11/25 00:00:00 -0800", "2026-11-25"), 3, "the beginning of the period"),
        (changed("00:00:00 -0800,2026", "00:00:00 -0800,2025"), 3, "ends before it begins"),
        (changed(",1000,", ",10.00,"), 5, "no integer"),
        (changed(",1000,", ",-1000,"), 5, "no integer"),
        (changed(",1000,", ",9007199254740992,"), 5, "no integer"),
        (changed(",15000,", ",15001,"), 7, "no whole amount of JPY"),
        (changed("\"CAP-1\"", "\"\""), 5, "no transaction id"),
        (changed("1000,\"USD\"", "1000,\"DOLLARS\""), 5, "none of ISO 4217"),
        (changed("\"DR\",64", "\"\",64"), 5, "fee is neither"),
        (changed("\"CR\",1000", "\"\",1000"), 5, "neither CR nor DR"),
        (changed("T0006", "X0006"), 5, "transaction event code"),
        (changed("\"EJGW\",", ""), 5, "fields"),
        (changed("\"SB\"", "\"SX\""), 5, "no row of a settlement report begins so"),
        (changed("\"SC\",9", "\"SC\",8"), 15, "the section has 9 SB rows, and 8"),
        (changed("\"RC\",9", "\"RC\",10"), 17, "the report has 9 SB rows"),
        (changed("\"FF\",9", "\"FF\",x"), 18, "is no number"),
        (cut, 16, "as a file that was cut"),
        (without_rc.join("\n"), 16, "goes on in another file"),
        (good.clone() + "\"SB\",1\n", 19, "nothing is expected"),
        (long, 5, "more than 65536 bytes"),
    ];
    for (text, line, says) in cases {
        let malformed = read(&text).unwrap_err();
        assert!(malformed.why.contains(says), "{malformed}, and not: {says}");
        assert_eq!(malformed.line, line, "{malformed}");
    }
    let latin = [good.as_bytes(), b"\"SB\",\"\xe9\"\n"].concat();
    assert_eq!(Report::read(latin.as_slice()).unwrap_err().why, "it is not UTF-8");
    let endless = std::io::Read::chain(HEADER.as_bytes(), std::io::repeat(b'7'));
    assert_eq!(Report::read(endless).unwrap_err().line, 5, "a row without end is given up");
}

#[derive(Clone, Debug)]
enum Change {
    Gross,
    Fee,
    Currency,
    Drop,
    Lose,
    Twice,
}

fn changes() -> impl Strategy<Value = Change> {
    use Change::{Currency, Drop, Fee, Gross, Lose, Twice};
    prop::sample::select(vec![Gross, Fee, Currency, Drop, Lose, Twice])
}

/// What was sold and, perhaps, went back: minor units, fee, currency, how much went back.
fn sales() -> impl Strategy<Value = Vec<(i64, i64, &'static str, Option<i64>)>> {
    let currency = prop::sample::select(vec!["USD", "EUR", "JPY", "HUF"]);
    prop::collection::vec((1..1_000_000_i64, 0..100_i64, currency, prop::option::of(1..100_i64)), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_report_made_of_the_log_is_matched_and_whatever_changes_is_found(
        sales in sales(), change in changes(), index in any::<prop::sample::Index>(),
    ) {
        let in_report = |minor: i64, currency: &str| if matches!(currency, "JPY" | "HUF") { minor * 100 } else { minor };
        let (mut story, mut rows) = (Story::begin(DAY), Vec::new());
        for (order, (minor, fee, currency, back)) in sales.iter().enumerate() {
            let order = order.to_string();
            story.tell("payment.captured", capture(&order, *minor, *fee, currency));
            let (gross, fee) = (in_report(*minor, currency), in_report(*fee, currency));
            rows.push(Row::payment(&format!("CAP-{order}"), gross, fee, currency));
            if let Some(back) = back {
                let id = format!("REF-{order}");
                story.tell("payment.refunded", refund(&id, &order, *back, currency));
                rows.push(Row::refund(&id, in_report(*back, currency), 0, currency));
            }
        }
        let options = Options { late_s: 0, ..options() };
        let before = compared_with(&story, &rows, &options);
        prop_assert_eq!(&before.unmatched, &[]);
        prop_assert_eq!(before.counts.matched as usize, rows.len());
        for total in &before.totals {
            prop_assert_eq!(total.here_minor, total.there_minor);
        }

        let at = index.index(rows.len());
        let id = rows[at].id.clone();
        match change {
            Change::Gross => rows[at].gross += 100,
            Change::Fee => rows[at].fee = rows[at].fee.map(|(direction, fee)| (direction, fee + 100)),
            Change::Currency => rows[at].currency = "TWD".to_owned(),
            Change::Drop => drop(rows.remove(at)),
            Change::Lose => {
                let lost = |event: &event_log::Event| !event.entry.contains(&format!("\"{id}\""));
                let kept = story.events.iter().filter(|event| lost(event)).cloned();
                story.events = kept.collect();
            }
            Change::Twice => rows.push(rows[at].clone()),
        }
        // Whole units, so that every currency can have them. A refund's callback has no fee.
        if matches!(change, Change::Currency) {
            rows[at].gross *= 100;
            rows[at].fee = rows[at].fee.map(|(direction, fee)| (direction, fee * 100));
        }
        let after = compared_with(&story, &rows, &options);
        if matches!(change, Change::Fee) && id.starts_with("REF") {
            prop_assert!(after.is_clean());
        } else {
            prop_assert!(!after.is_clean());
            prop_assert!(after.unmatched.iter().any(|row| row.id == id), "{:?}", after.unmatched);
        }
    }
}
