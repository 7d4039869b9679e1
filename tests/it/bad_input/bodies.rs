//! JSON at its edges, and what is no JSON (F39, F33): each body by hand, with the fact that it must be.

use http_api::Limits;

use super::kept::{Body, CAPTURED, IGNORED, REVISED, UNREADABLE, assert_sound_and_stop, deliver_all};
use crate::served::Served;

/// Makes a body from one that is right.
type Change = Box<dyn Fn(String) -> Vec<u8>>;
/// A body's name, the fact that it is, and how it is made.
type Row = (String, &'static str, Change);

fn row(what: impl Into<String>, fact: &'static str, change: impl Fn(String) -> Vec<u8> + 'static) -> Row {
    (what.into(), fact, Box::new(change))
}

/// Bytes that stand alone.
fn whole(what: &str, fact: &'static str, bytes: impl Into<Vec<u8>>) -> Row {
    let bytes = bytes.into();
    row(what, fact, move |_| bytes.clone())
}

/// A field more, in the body or the resource, written as it stands here.
fn added(what: &str, fact: &'static str, place: &'static str, field: impl Into<String>) -> Row {
    let field = field.into();
    row(what, fact, move |body| match place {
        "body" => body.replacen('{', &format!("{{{field},"), 1).into_bytes(),
        _ => body.replacen("\"resource\":{", &format!("\"resource\":{{{field},"), 1).into_bytes(),
    })
}

/// Another value of a field, written as it stands here.
fn replaced(
    what: impl Into<String>,
    fact: &'static str,
    field: &'static str,
    value: impl Into<String>,
) -> Row {
    let value = value.into();
    row(what, fact, move |body| {
        let name = format!("\"{field}\":");
        let start = body.find(&name).unwrap_or_else(|| panic!("no {field} in {body}")) + name.len();
        let end = match body.as_bytes()[start] {
            b'"' => start + 2 + body[start + 1..].find('"').unwrap(),
            b'{' => body.rfind('}').unwrap(),
            _ => start + body[start..].find([',', '}']).unwrap(),
        };
        let mut changed = body.clone();
        // `resource` is the only object, and stands before texts of the body.
        let end = if body.as_bytes()[start] == b'{' { start + matching(&body[start..]) } else { end };
        changed.replace_range(start..end, &value);
        changed.into_bytes()
    })
}

/// The length of the object that a text begins with; no text in it has braces.
fn matching(text: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    panic!("{text} does not end")
}

fn no_json() -> Vec<Row> {
    let alone = [
        ("nothing", ""),
        ("a space", " "),
        ("line feeds", "\n\n\n"),
        ("null", "null"),
        ("true", "true"),
        ("a number", "0"),
        ("a text", "\"text\""),
        ("an empty list", "[]"),
        ("an empty object", "{}"),
        ("half an object", "{\"id\": \"WH-1\", "),
        ("an object that is closed twice", "{}}"),
        ("a list that is closed as an object", "[}"),
        ("a comma too many", "{\"id\":\"WH-1\",}"),
        ("no comma", "{\"id\":\"WH-1\" \"event_type\":\"A\"}"),
        ("single quotes", "{'id':'WH-1'}"),
        ("names without quotes", "{id:1}"),
        ("a remark", "{\"id\":\"WH-1\"} // a remark"),
        ("NaN", "{\"id\":NaN}"),
        ("undefined", "undefined"),
        ("a form", "payload=%7B%22id%22%3A1%7D"),
        ("a query", "cmd=_notify-validate&mc_gross=10.00&custom=1042"),
        ("XML", "<?xml version=\"1.0\"?><event id=\"WH-1\"/>"),
        ("a page", "<!doctype html><title>502</title>"),
        ("an entity", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>"),
        ("YAML", "id: WH-1\nevent_type: PAYMENT.CAPTURE.COMPLETED\n"),
        ("a template", "{{7*7}}${7*7}"),
        ("SQL", "'; DROP TABLE counterfoil.events; --"),
        ("a format", "%s%s%s%n%p"),
        ("a path", "../../../../etc/passwd"),
    ];
    let mut rows: Vec<Row> = alone.map(|(what, text)| whole(what, UNREADABLE, text)).into_iter().collect();
    let spoilt = |what: &str, change: fn(String) -> Vec<u8>| row(what, UNREADABLE, change);
    rows.extend([
        whole("a NUL", UNREADABLE, [0]),
        whole("bytes", UNREADABLE, (0..=255).collect::<Vec<u8>>()),
        whole("gzip", UNREADABLE, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
        spoilt("a letter behind it", |body| format!("{body}x").into_bytes()),
        spoilt("an object behind it", |body| format!("{body}{{}}").into_bytes()),
        spoilt("itself behind it", |body| format!("{body}\n{body}").into_bytes()),
        spoilt("a NUL behind it", |body| format!("{body}\0").into_bytes()),
        spoilt("a NUL before it", |body| format!("\0{body}").into_bytes()),
        spoilt("a byte order mark", |body| format!("\u{feff}{body}").into_bytes()),
        spoilt("in a list", |body| format!("[{body}]").into_bytes()),
        spoilt("as a text", |body| serde_json::to_vec(&body).unwrap()),
        spoilt("cut short", |body| body.as_bytes()[..body.len() - 1].to_vec()),
        spoilt("cut in half", |body| body.as_bytes()[..body.len() / 2].to_vec()),
        spoilt("UTF-16", |body| body.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        spoilt("UTF-32", |body| body.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
        spoilt("spaces of no JSON", |body| body.replace(',', ",\u{a0}").into_bytes()),
        spoilt("a form feed", |body| body.replace(',', ",\u{c}").into_bytes()),
    ]);
    rows
}

/// Bytes in a text that no UTF-8 has.
fn utf8() -> Vec<Row> {
    let bytes: [(&str, &'static [u8]); 9] = [
        ("0xff", b"\xff"),
        ("Latin-1", b"caf\xe9"),
        ("a continuation alone", b"\x80"),
        ("a NUL in two bytes", b"\xc0\x80"),
        ("a slash in two bytes", b"\xc0\xaf"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("half a letter", b"\xe2\x82"),
    ];
    let in_summary = |bytes: &'static [u8]| {
        move |body: String| {
            let at = body.find("Payment completed").unwrap();
            [&body.as_bytes()[..at], bytes, &body.as_bytes()[at..]].concat()
        }
    };
    let row = |(what, bytes)| row(format!("UTF-8: {what}"), UNREADABLE, in_summary(bytes));
    bytes.into_iter().map(row).collect()
}

fn deep() -> Vec<Row> {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let mut rows = vec![
        whole("100,000 lists", UNREADABLE, lists(100_000)),
        whole("130,000 lists that nobody closes", UNREADABLE, "[".repeat(130_000)),
        whole("30,000 objects", UNREADABLE, objects(30_000)),
        replaced("the id is deep", CAPTURED, "id", lists(50_000)),
        replaced("the type is deep", UNREADABLE, "event_type", lists(50_000)),
        replaced("the resource is deep", UNREADABLE, "resource", lists(50_000)),
        replaced("the resource is deep in objects", UNREADABLE, "resource", objects(30_000)),
        replaced("the amount's value is deep", UNREADABLE, "value", lists(50_000)),
        replaced("the order's id is deep", UNREADABLE, "custom_id", lists(50_000)),
        added("deep links", UNREADABLE, "resource", format!("\"links\":{}", lists(50_000))),
        added("deep payee", UNREADABLE, "resource", format!("\"payee\":{}", lists(50_000))),
        added(
            "a deep breakdown",
            CAPTURED,
            "resource",
            format!("\"seller_receivable_breakdown\":{}", lists(50_000)),
        ),
    ];
    for depth in [126, 127, 128, 129, 1_000, 100_000] {
        let what = format!("{depth} lists that nobody reads");
        rows.push(added(&what, CAPTURED, "body", format!("\"more\":{}", lists(depth))));
    }
    for depth in [126, 127, 128, 129, 1_000, 40_000] {
        let what = format!("{depth} objects that nobody reads");
        rows.push(added(&what, CAPTURED, "resource", format!("\"more\":{}", objects(depth))));
    }
    rows
}

fn names() -> Vec<Row> {
    vec![
        added("the id twice", UNREADABLE, "body", "\"id\":\"WH-other\""),
        added("the type twice", UNREADABLE, "body", "\"event_type\":\"PAYMENT.CAPTURE.DENIED\""),
        added("the type twice, the same", UNREADABLE, "body", "\"event_type\":\"PAYMENT.CAPTURE.COMPLETED\""),
        added(
            "the type twice, once in escapes",
            UNREADABLE,
            "body",
            r#""\u0065vent_type":"PAYMENT.CAPTURE.DENIED""#,
        ),
        added("the resource twice", UNREADABLE, "body", "\"resource\":{}"),
        added("an unknown name twice", UNREADABLE, "body", "\"a\":1,\"a\":2"),
        added(
            "the amount twice",
            UNREADABLE,
            "resource",
            "\"amount\":{\"currency_code\":\"USD\",\"value\":\"1.00\"}",
        ),
        added("the order twice", UNREADABLE, "resource", "\"custom_id\":\"dear\""),
        added("the status twice", UNREADABLE, "resource", "\"status\":\"PENDING\""),
        added("a name twice where nobody reads", CAPTURED, "resource", "\"payer\":{\"a\":1,\"a\":2}"),
        added(
            "a name twice in the amount of nobody",
            CAPTURED,
            "body",
            "\"amount\":{\"value\":\"1\",\"value\":\"2\"}",
        ),
        added("no name", CAPTURED, "body", "\"\":1"),
        added("a name of 100,000 letters", CAPTURED, "body", format!("\"{}\":1", "x".repeat(100_000))),
        added(
            "20,000 names",
            CAPTURED,
            "body",
            (0..20_000).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(","),
        ),
        added("the prototype", CAPTURED, "body", "\"__proto__\":{\"event_type\":\"A\"}"),
        added("a name with a NUL", CAPTURED, "body", r#""event_type\u0000":"A""#),
        added("a name in capitals", CAPTURED, "body", "\"EVENT_TYPE\":\"A\""),
        added("a name that is half a pair", UNREADABLE, "body", r#""\ud800":1"#),
        row("the type's name in escapes", CAPTURED, |body| {
            body.replace("\"event_type\"", r#""\u0065vent_type""#).into_bytes()
        }),
        row("every name backwards", UNREADABLE, |body| {
            body.replace("\"event_type\"", "\"epyt_tneve\"").into_bytes()
        }),
    ]
}

fn texts() -> Vec<Row> {
    let summary =
        |what: &str, fact, value: &str| replaced(format!("the summary is {what}"), fact, "summary", value);
    let order =
        |what: &str, fact, value: &str| replaced(format!("the order is {what}"), fact, "custom_id", value);
    let long = format!("\"{}\"", "x".repeat(200_000));
    vec![
        summary("a NUL", CAPTURED, r#""\u0000""#),
        summary("half a pair", CAPTURED, r#""\ud800""#),
        summary("the other half", CAPTURED, r#""\udc00""#),
        summary("a pair the wrong way round", CAPTURED, r#""\udc00\ud800""#),
        summary("no escape", UNREADABLE, r#""\x41""#),
        summary("half an escape", UNREADABLE, r#""\u12""#),
        summary("a line feed as it is", UNREADABLE, "\"a\nb\""),
        summary("a NUL as it is", UNREADABLE, "\"a\0b\""),
        summary("an escape sign as it is", UNREADABLE, "\"\u{1b}[31m\""),
        summary("a delete sign", CAPTURED, "\"\u{7f}\""),
        summary("no character of Unicode", CAPTURED, "\"\u{ffff}\u{10ffff}\""),
        summary("a line's end of Unicode", CAPTURED, "\"\u{2028}\u{2029}\""),
        summary("written from right to left", CAPTURED, "\"\u{202e}abc\""),
        summary("200,000 letters", CAPTURED, &long),
        order("a NUL", CAPTURED, r#""10\u000042""#),
        order("half a pair", UNREADABLE, r#""\ud800""#),
        order("a smile", CAPTURED, r#""\ud83d\ude00""#),
        order("a name", CAPTURED, "\"Jane Doe\""),
        order("65 letters", CAPTURED, &format!("\"{}\"", "x".repeat(65))),
        order("200,000 letters", CAPTURED, &long),
        order("SQL", CAPTURED, "\"'; DROP TABLE counterfoil.orders; --\""),
        order("a path", CAPTURED, "\"../../etc/passwd\""),
        order("a line of a log", CAPTURED, r#""1042\nERROR all is lost""#),
        order("empty", CAPTURED, "\"\""),
        order("null", CAPTURED, "null"),
        order("a number", CAPTURED, "1042"),
        order("a number beyond all", CAPTURED, "1e400"),
        order("26 digits", CAPTURED, "12345678901234567890123456"),
        order("a flag", UNREADABLE, "true"),
        order("a list", UNREADABLE, "[\"1042\"]"),
        order("an object", UNREADABLE, "{\"id\":\"1042\"}"),
    ]
}

/// Numbers where nobody reads them: JSON bounds none, and what is no number is no JSON.
fn numbers() -> Vec<Row> {
    let digits = "9".repeat(100_000);
    let good = [
        "0",
        "-0",
        "-0.0",
        "1e400",
        "-1e400",
        "1e-400",
        "1E+2",
        "18446744073709551616",
        "-9223372036854775809",
        "12345678901234567890123456",
        "0.1000000000000000055511151231257827",
        "1e99999999999999999999",
    ];
    let bad = [
        "01",
        "1.",
        ".5",
        "+1",
        "0x1",
        "1e",
        "-",
        "--1",
        "1e+",
        "NaN",
        "-Infinity",
        "1_000",
        "1,0",
        "0 1",
        "１",
    ];
    let number =
        |text: &str, fact| added(&format!("the number {text}"), fact, "body", format!("\"n\":{text}"));
    let mut rows: Vec<Row> = good.iter().map(|text| number(text, CAPTURED)).collect();
    rows.extend(bad.iter().map(|text| number(text, UNREADABLE)));
    rows.push(added("a number of 100,000 digits", CAPTURED, "body", format!("\"n\":{digits}")));
    rows.push(added("a number of 100,000 decimals", CAPTURED, "body", format!("\"n\":0.{digits}")));
    rows
}

/// The fields that say what it is.
fn envelope() -> Vec<Row> {
    let id = |what: &str, value: String| replaced(format!("the id is {what}"), CAPTURED, "id", value);
    let kind =
        |what: &str, fact, value: &str| replaced(format!("the type is {what}"), fact, "event_type", value);
    let version =
        |fact, value: &str| replaced(format!("the version is {value}"), fact, "resource_version", value);
    let resource = |fact, value: &str| replaced(format!("the resource is {value}"), fact, "resource", value);
    let of = |length| format!("\"{}\"", "i".repeat(length));
    let rows = vec![
        id("null", "null".into()),
        id("empty", "\"\"".into()),
        id("a number", "5".into()),
        id("a fraction", "1e400".into()),
        id("a list", "[]".into()),
        id("an object", "{}".into()),
        id("64 letters", of(64)),
        id("65 letters", of(65)),
        id("200,000 letters", of(200_000)),
        id("a NUL", r#""\u0000""#.into()),
        id("half a pair", r#""\ud800""#.into()),
        id("two lines", r#""WH\n1""#.into()),
        id("a smile", "\"\u{1f600}\"".into()),
        id("like one of ours", format!("\"body:{}\"", "0".repeat(58))),
        id("a path", "\"WH/../../1\"".into()),
        kind("null", UNREADABLE, "null"),
        kind("empty", UNREADABLE, "\"\""),
        kind("a number", IGNORED, "5"),
        kind("a list", UNREADABLE, "[\"PAYMENT.CAPTURE.COMPLETED\"]"),
        kind("an object", UNREADABLE, "{}"),
        kind("a flag", UNREADABLE, "true"),
        kind("unknown", IGNORED, "\"PAYMENT.CAPTURE.TELEPORTED\""),
        kind("in small letters", IGNORED, "\"payment.capture.completed\""),
        kind("with a space", IGNORED, "\"PAYMENT.CAPTURE.COMPLETED \""),
        kind("with a NUL", IGNORED, r#""PAYMENT.CAPTURE.COMPLETED\u0000""#),
        kind("half a pair", UNREADABLE, r#""\ud800""#),
        kind("in escapes", CAPTURED, r#""PAYMENT\u002eCAPTURE\u002eCOMPLETED""#),
        kind("200,000 letters", IGNORED, &format!("\"{}\"", "X".repeat(200_000))),
        kind("everything", IGNORED, "\"*\""),
        kind("our own", IGNORED, "\"order.paid\""),
        kind("of another shape", UNREADABLE, "\"CUSTOMER.DISPUTE.CREATED\""),
        kind("of a refund", UNREADABLE, "\"PAYMENT.CAPTURE.REVERSED\""),
        kind("of a plan", IGNORED, "\"BILLING.PLAN.CREATED\""),
        version(CAPTURED, "\"1.0\""),
        version(CAPTURED, "\"9.9\""),
        version(CAPTURED, "\"\""),
        version(CAPTURED, "2"),
        version(CAPTURED, "null"),
        version(UNREADABLE, "[]"),
        version(UNREADABLE, "true"),
        resource(UNREADABLE, "null"),
        resource(UNREADABLE, "{}"),
        resource(UNREADABLE, "[]"),
        resource(UNREADABLE, "[{}]"),
        resource(UNREADABLE, "\"\""),
        resource(UNREADABLE, "\"{}\""),
        resource(UNREADABLE, "5"),
        resource(UNREADABLE, "true"),
    ];
    rows
}

fn statuses() -> Vec<Row> {
    let status = |fact, value: &str| replaced(format!("the status is {value}"), fact, "status", value);
    let (pending, denied) = ("payment.pending", "payment.denied");
    vec![
        status(CAPTURED, "\"completed\""),
        status(CAPTURED, "\"REFUNDED\""),
        status(CAPTURED, "\"PARTIALLY_REFUNDED\""),
        status(pending, "\"PENDING\""),
        status(denied, "\"DECLINED\""),
        status(denied, "\"DENIED\""),
        status(denied, "\"FAILED\""),
        status(UNREADABLE, "\"COMPLETED \""),
        status(UNREADABLE, "\"COMPLETE\""),
        status(UNREADABLE, "\"COMPLETED\\u0000\""),
        status(UNREADABLE, "\"\""),
        status(UNREADABLE, "null"),
        status(UNREADABLE, "true"),
        status(UNREADABLE, "1"),
        status(UNREADABLE, "[\"COMPLETED\"]"),
        status(UNREADABLE, "{}"),
        added("money that is held", pending, "resource", "\"payment_hold_status\":\"HELD\""),
        added("money that may be held", UNREADABLE, "resource", "\"payment_hold_status\":[\"HELD\"]"),
    ]
}

fn sizes() -> Vec<Row> {
    const LIMIT: usize = 256 * 1024;
    let filled = |body: String| format!("{body}{}", " ".repeat(LIMIT - body.len())).into_bytes();
    let transactions = |count: usize| {
        let one = |n: usize| format!("{{\"seller_transaction_id\":\"{n:017}\"}}");
        let all: Vec<String> = (0..count).map(one).collect();
        format!(
            "{{\"id\":\"WH-many-{count}\",\"event_type\":\"CUSTOMER.DISPUTE.CREATED\",\"resource\":{{\"dispute_id\":\
             \"PP-D-{count}\",\"disputed_transactions\":[{}]}}}}",
            all.join(",")
        )
    };
    vec![
        row("as large as it may be", CAPTURED, filled),
        whole("as many spaces as there may be", UNREADABLE, " ".repeat(LIMIT)),
        whole("a dispute of 200 captures", "dispute.opened", transactions(200)),
        whole("a dispute of 201 captures", UNREADABLE, transactions(201)),
        whole("a dispute of 5,000 captures", UNREADABLE, transactions(5_000)),
    ]
}

fn rows() -> Vec<Row> {
    [no_json(), utf8(), deep(), names(), texts(), numbers(), envelope(), statuses(), sizes()]
        .into_iter()
        .flatten()
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authentic_callback_that_cannot_be_understood_is_kept_as_such() {
    let served = Served::start(Limits::default()).await;
    let mut expected = Vec::new();
    let mut bodies = Vec::new();
    for (number, (what, fact, change)) in rows().into_iter().enumerate() {
        let right = String::from_utf8(served.captured(&format!("json-{number}"), "10.00")).unwrap();
        let body = Body::new(&what, change(right.clone()));
        assert_ne!(body.bytes, right.as_bytes(), "{what} changes nothing");
        bodies.push(body);
        expected.push((what, fact));
    }
    assert!(bodies.len() >= 200, "{}", bodies.len());
    let facts = deliver_all(&served, bodies).await;
    for (what, fact) in &expected {
        assert_eq!(&facts[what].type_name, fact, "{what}: {}", facts[what].data());
    }
    assert_sound_and_stop(served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_of_a_known_event_are_kept_beside_the_first() {
    let served = Served::start(Limits::default()).await;
    let right = String::from_utf8(served.captured("1", "10.00")).unwrap();
    let others = [
        ("a space more", format!("{right} ")),
        ("more money", right.replace("10.00", "99.00").replace("WH-1-99.00", "WH-1-10.00")),
        ("another type", right.replace("CAPTURE.COMPLETED", "CAPTURE.REFUNDED")),
        ("no resource", r#"{"id":"WH-1-10.00","event_type":"PAYMENT.CAPTURE.COMPLETED"}"#.to_owned()),
        ("nothing of it", r#"{"id":"WH-1-10.00"}"#.to_owned()),
    ];
    deliver_all(&served, vec![Body::new("the first", right)]).await;
    let bodies = others.into_iter().map(|(what, body)| Body::new(what, body)).collect();
    for (what, fact) in deliver_all(&served, bodies).await {
        assert_eq!(fact.type_name, REVISED, "{what}");
    }
    assert_sound_and_stop(served).await;
}
