//! A fold of the log in another language, which has nothing of the service, comes to the rows that the service has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use audit::export::{Format, Request, export};
use audit::{Progress, Snapshot, Source};
use database::Database;
use domain::{Money, Position, ShopId, Timestamp};
use event_log::Kind;
use http_api::Limits;
use paypal_simulator::{EventKind, Ids, Story};
use read_models::{ReadModels, Redrives};
use serde_json::json;
use test_support::{skip, wait_until};
use tokio_postgres::Client;

use crate::binary::{TempDir, root, said};
use crate::histories::{UNDECIDED, append_all, by_chance, ways_out};
use crate::led_shop::{DEADLINE, LedShop, append, applied, assert_shop_sound, new_fact, plant_shop, quick};
use crate::served::{self, SHOP, Served};
use crate::{contract, moving_in, settlement, soundness};

/// So many histories by chance.
const CHANCES: u64 = 6;
/// So many orders of which callbacks come.
const ORDERS: u64 = 12;

/// Each with a change of one of its rows, and what the fold must say of it: the key, the column and both values.
const TABLES: [(&str, &str, &[&str]); 11] = [
    (
        "orders",
        "captured_minor = captured_minor + 1 WHERE order_id = '1'",
        &["orders 1 captured_minor: 1800 by the log, 1801"],
    ),
    (
        "payments",
        "standing = 'dismissed' WHERE id = 'C1'",
        &["payments capture C1 standing: \"matched\"", "\"dismissed\""],
    ),
    (
        "payment_captures",
        "capture_id = 'CX' WHERE id = 'R1'",
        &["CX refund R1: is not in the log", "C1 refund R1: is not in the table"],
    ),
    ("stock", "adjusted = adjusted + 3 WHERE sku = 'FULL'", &["stock FULL adjusted: 0 by the log, 3"]),
    (
        "coupons",
        "valid_until = NULL WHERE code = 'TEN'",
        &["coupons TEN valid_until: \"2100-01-01T00:00:00.000000Z\"", "null"],
    ),
    ("coupon_buyers", "used = 99 WHERE code = 'TEN'", &["coupon_buyers TEN bea used: ", "by the log, 99"]),
    ("points", "expired = 0 WHERE buyer_id = 'bea'", &["points bea expired: 100 by the log, 0"]),
    (
        "parked",
        "error = 'all is well'",
        &["parked ", " error: \"overflow: stock received\"", "\"all is well\""],
    ),
    ("parked_groups", "attempts = 9", &["parked_groups ", " attempts: 1 by the log, 9"]),
    ("parked_keys", "group_position = 0", &["parked_keys sku:FULL group_position: ", "by the log, 0"]),
    ("shop_settings", "rules = 2", &["shop_settings of the shop rules: 1 by the log, 2"]),
];

/// What an auditor is given: the log, and the tables as they are.
struct Export(TempDir);

impl Export {
    async fn of(client: &Client, shop: &str) -> Self {
        let dir = TempDir::new();
        std::fs::create_dir(dir.path().join("live")).unwrap();
        let entries = "SELECT entry FROM counterfoil.events WHERE shop_id = $1 ORDER BY position";
        write(client, entries, shop, dir.path().join("log.jsonl")).await;
        let export = Self(dir);
        for (table, _, _) in TABLES {
            export.take(client, shop, table).await;
        }
        export
    }

    async fn take(&self, client: &Client, shop: &str, table: &str) {
        let rows = format!("SELECT to_jsonb(t)::text FROM counterfoil.{table} AS t WHERE shop_id = $1");
        write(client, &rows, shop, self.0.path().join(format!("live/{table}.jsonl"))).await;
    }

    fn fold(&self) -> Output {
        fold(self.0.path(), "log.jsonl --out folded --diff live")
    }

    /// The fold has every row as the service has it, and all holds; how many rows each table has.
    fn assert_agrees(&self, what: &str) -> BTreeMap<&'static str, usize> {
        let output = self.fold();
        assert!(output.status.success(), "{what}: {}", said(&output));
        let rows =
            |table| std::fs::read_to_string(self.0.path().join(format!("folded/{table}.jsonl"))).unwrap();
        TABLES.iter().map(|(table, _, _)| (*table, rows(*table).lines().count())).collect()
    }
}

fn fold(dir: &Path, arguments: &str) -> Output {
    let mut command = Command::new("python3");
    command.arg(root().join("tests/foreign/fold.py")).args(arguments.split(' '));
    command.current_dir(dir).output().unwrap()
}

/// What the service's own `export --format jsonl` writes is what the fold makes of the log in it.
async fn assert_export_agrees(database: &Database, shop: &ShopId) {
    let dir = TempDir::new();
    let source = Source::Snapshot(Snapshot::take(database, shop).await.unwrap());
    let request = Request {
        format: Format::Jsonl,
        from: Position(0),
        through: source.head(),
        arguments: Vec::new(),
        version: String::new(),
    };
    export(&source, &dir.path().join("export"), request, &Progress::default()).await.unwrap();
    source.close().await;
    let output = fold(dir.path(), "export/events.jsonl --diff export");
    assert!(output.status.success(), "{shop}: {}", said(&output));
}

async fn write(client: &Client, rows: &str, shop: &str, path: PathBuf) {
    let rows = client.query(rows, &[&shop]).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect();
    std::fs::write(path, lines.concat()).unwrap();
}

fn is_missing() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip("no Python", "apt-get install python3");
    }
    !found
}

/// P6: histories that were written down, and ones that come about by chance.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python: make test-all"]
async fn a_fold_in_another_language_has_the_rows_of_the_service_whatever_comes() {
    if is_missing() {
        return;
    }
    let seed = seed();
    println!("COUNTERFOIL_SEED={seed}");
    let shop = LedShop::create().await;
    let redrives = Redrives { after: vec![Duration::ZERO; 2] };
    let relay = shop.lead_with(ReadModels { redrives }, quick());
    let mut all = vec![
        ("day".to_owned(), contract::day(&shop.shop)),
        ("mixed".to_owned(), settlement::mixed(600)),
        ("ways-out".to_owned(), ways_out()),
        ("moved-in".to_owned(), moving_in::history(&ShopId::parse("moved-in").unwrap())),
    ];
    all.extend((seed..seed + CHANCES).map(|seed| (format!("chance-{seed}"), by_chance(seed))));
    let mut last = Vec::new();
    for (name, facts) in all {
        plant_shop(&shop.test, &name).await;
        let id = ShopId::parse(&name).unwrap();
        let position = append_all(&shop.appender, &id, &facts).await;
        last.push((id, position));
    }
    for (id, position) in &last {
        applied(&relay, id, *position).await;
    }
    // A hold that has run out, and is paid for then.
    let way_out = ShopId::parse("ways-out").unwrap();
    let expired = "SELECT count(*) FROM counterfoil.orders WHERE shop_id = 'ways-out' AND state = 'expired'";
    assert!(wait_until(DEADLINE, async || shop.number(expired).await > 0).await, "no hold runs out");
    let late = json!({"capture": "C11", "order": "11", "amount_minor": 800, "currency": "EUR"});
    let late = append(&shop.appender, &way_out, new_fact(9_999, "payment.captured", &late)).await;
    applied(&relay, &way_out, late).await;
    relay.stop().await;
    let (client, mut sizes, mut met) = (shop.test.superuser().await, BTreeMap::new(), BTreeSet::new());
    for (id, _) in &last {
        assert_shop_sound(&shop.database, id).await;
        assert_export_agrees(&shop.test.database_owner(), id).await;
        met.extend(contract::assert_kept(&shop.database, id).await);
        for (table, rows) in Export::of(&client, id.as_str()).await.assert_agrees(id.as_str()) {
            *sizes.entry(table).or_insert(0) += rows;
        }
    }
    assert!(sizes.values().all(|rows| *rows > 0), "every read model had rows: {sizes:?}");
    let outcomes = delivery::contract::all().iter().filter(|contract| contract.kind == Kind::Outcome);
    let missing: Vec<&str> =
        outcomes.map(|contract| contract.path.as_str()).filter(|path| !met.contains(path)).collect();
    // No rule refuses a command for stock so far.
    assert_eq!(missing, ["stock.rejected.json"]);
    let joined =
        r#"SELECT count(*) FROM counterfoil.events WHERE kind = 'outcome' AND entry LIKE '%"absorbs":%'"#;
    assert!(shop.number(joined).await > 0, "two groups became one");
}

/// P1 to P6, from PayPal's bodies on: every callback of some orders, often, in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs python: make test-all"]
async fn a_fold_in_another_language_has_the_rows_of_the_service_after_callbacks_in_any_order() {
    if is_missing() {
        return;
    }
    let seed = seed();
    println!("COUNTERFOIL_SEED={seed}");
    let mut ids = Ids::seeded(seed);
    let served = Served::start(Limits::default()).await;
    let goods = json!({"id": "goods", "qty": 100});
    assert_eq!(served.post("/v1/stock/tea/receive", &served.shop_key, &goods).await.0, 200);
    for n in 0..ORDERS {
        let order = n.to_string();
        let mut bodies = callbacks(&mut ids, &order);
        let placed_after = ids.number() % bodies.len() as u64;
        for sent in 0.. {
            if sent == placed_after {
                let (status, answer) =
                    served.post("/v1/orders", &served.shop_key, &served::placement(&order)).await;
                assert_eq!(status, 200, "{answer}");
            }
            if bodies.is_empty() {
                break;
            }
            let next = usize::try_from(ids.number() % bodies.len() as u64).unwrap();
            let body = bodies.swap_remove(next);
            assert_eq!(served.callback(SHOP, &served.sign(&body), body).await.status(), 200);
        }
    }
    served.settled().await;
    served.stop_relay().await;
    soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    let rows = Export::of(&served.test_superuser().await, SHOP).await.assert_agrees("callbacks");
    assert_eq!(rows["orders"] as u64, ORDERS, "{rows:?}");
    served.stop().await;
}

/// Some of PayPal's callbacks about an order, some of them twice.
fn callbacks(ids: &mut Ids, order: &str) -> Vec<Vec<u8>> {
    let at = Timestamp::new(chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    let mut story = Story::new(ids, order, Money::parse("10.00", "USD").unwrap(), at);
    story.refund_minor = 1 + i64::try_from(ids.number() % 1000).unwrap();
    let mut bodies = Vec::new();
    for (n, kind) in EventKind::ALL.iter().enumerate() {
        // Some name the order, some only what hangs on it.
        story.order = (!ids.number().is_multiple_of(3)).then(|| order.to_owned());
        let body = story.body(*kind, &format!("WH-{order}-{n}")).to_string().into_bytes();
        let times = usize::try_from(ids.number() % 3).unwrap();
        bodies.extend(std::iter::repeat_n(body, times));
    }
    bodies.push(story.body(EventKind::OrderApproved, &format!("WH-{order}-LAST")).to_string().into_bytes());
    bodies
}

/// What compares must see what is wrong.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python: make test-all"]
async fn a_row_that_was_changed_by_hand_is_named_by_a_fold_in_another_language() {
    if is_missing() {
        return;
    }
    let shop = LedShop::create().await;
    let relay = shop.lead_with(ReadModels { redrives: Redrives { after: Vec::new() } }, quick());
    let mut facts = contract::day(&shop.shop);
    facts.push(("stock.received", json!({"sku": "FULL", "qty": 1})));
    facts.push(("event.redriven", json!({"of": UNDECIDED})));
    let last = append_all(&shop.appender, &shop.shop, &facts).await;
    applied(&relay, &shop.shop, last).await;
    relay.stop().await;
    let client = shop.test.superuser().await;
    let export = Export::of(&client, "shop").await;
    export.assert_agrees("day");
    for (table, change, says) in TABLES {
        client.batch_execute(&format!("BEGIN; UPDATE counterfoil.{table} SET {change}")).await.unwrap();
        export.take(&client, "shop", table).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        let output = export.fold();
        assert_eq!(output.status.code(), Some(1), "{change}: {}", said(&output));
        let named = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(says.iter().all(|word| named.contains(word)), "{says:?}: {named}");
        assert!(named.lines().all(|line| line.starts_with(table)), "nothing else is named: {named}");
        export.take(&client, "shop", table).await;
    }
    export.assert_agrees("day");
}

/// A change of the text of the first outcome of a type, and what the fold must say of it.
const FORGERIES: [(&str, &str, &str, &str); 12] = [
    ("order.paid", r#""settled":2"#, r#""settled":1"#, "stock A: settled is 1, and 2 by orders"),
    ("order.paid", r#""held":-1"#, r#""held":-2"#, "coupons TEN: held is 8, and 9 by orders"),
    ("order.paid", r#""spent":10"#, r#""spent":9"#, "points bea: spent is 9, and 10 by orders"),
    (
        "order.paid",
        r#""captured_minor":1800"#,
        r#""captured_minor":1700"#,
        "orders 1: captured_minor is 1700, and 1800",
    ),
    (
        "order.refunded",
        r#""amount_minor":1800"#,
        r#""amount_minor":18"#,
        "orders 1: refunded_minor is 1800, and 18 by",
    ),
    ("coupon.issued", r#""max_uses":50"#, r#""max_uses":0"#, "coupons TEN: used 1 of 0 times"),
    ("stock.adjusted", r#""adjusted":-"#, r#""adjusted":-9"#, "stock A: on hand is -"),
    ("order.paid", "order.paid", "order.payment_noted", "orders 1: paid, and settled 0 times"),
    ("order.imported", r#""settled":2"#, r#""settled":1"#, "stock M: settled is 1, and 2 by orders"),
    ("order.imported", r#""imported":-1"#, r#""imported":-9"#, "coupons MOVE: used -4 of 9 times"),
    ("points.imported", r#""granted":300"#, r#""spent":300"#, "points mia: spent is 300, and 0 by orders"),
    ("order.paid", r#""n":0"#, r#""n":1"#, "log: outcome 1 of"),
];

/// What checks must see what is wrong; and what this fold does not know it must not pass over.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs python: make test-all"]
async fn a_log_that_keeps_no_invariant_is_named_by_a_fold_in_another_language() {
    if is_missing() {
        return;
    }
    let shop = LedShop::create().await;
    let relay = shop.lead_with(ReadModels { redrives: Redrives { after: Vec::new() } }, quick());
    let mut facts = contract::day(&shop.shop);
    facts.extend(moving_in::history(&shop.shop));
    let last = append_all(&shop.appender, &shop.shop, &facts).await;
    applied(&relay, &shop.shop, last).await;
    relay.stop().await;
    let export = Export::of(&shop.test.superuser().await, "shop").await;
    export.assert_agrees("day");
    let log = std::fs::read_to_string(export.0.path().join("log.jsonl")).unwrap();
    let says = |forged: String, code: i32, says: &str| {
        assert_ne!(forged, log, "{says}: nothing was forged");
        std::fs::write(export.0.path().join("log.jsonl"), forged).unwrap();
        let output = export.fold();
        assert_eq!(output.status.code(), Some(code), "{says}: {}", said(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{says}: {}", said(&output));
    };
    let forge = |type_name: &str, from: &str, to: &str| {
        let is_meant =
            |line: &&str| line.contains(&format!(r#""type":"{type_name}""#)) && line.contains(r#""cause":"#);
        let line = log.lines().find(is_meant).unwrap();
        log.replacen(line, &line.replace(from, to), 1)
    };
    for (type_name, from, to, named) in FORGERIES {
        says(forge(type_name, from, to), 1, named);
    }
    let without = |line: &str| log.replacen(&format!("{line}\n"), "", 1);
    says(without(log.lines().next().unwrap()), 2, "no fact before it");
    says(
        forge("order.paid", "order.paid", "order.blessed"),
        2,
        "order.blessed is an outcome that this fold does not know",
    );
    says(forge("order.paid", r#""standing""#, r#""blessed":1,"standing""#), 2, "blessed");
    says(forge("order.paid", r#""v":1"#, r#""v":2"#), 2, "version 2");
    says(format!("{log}{{"), 2, &format!("line {} of log.jsonl", log.lines().count() + 1));
}

#[test]
#[ignore = "needs python: make test-all"]
fn the_fold_in_another_language_says_what_it_does_and_how() {
    if is_missing() {
        return;
    }
    let help = fold(root(), "--help");
    assert!(
        help.status.success() && said(&help).contains("fold.py log.jsonl --out folded --diff live"),
        "{}",
        said(&help)
    );
}

#[expect(clippy::disallowed_methods, reason = "the same histories again are asked for from outside")]
fn seed() -> u64 {
    let seed = std::env::var("COUNTERFOIL_SEED").ok().and_then(|seed| seed.parse().ok());
    seed.unwrap_or_else(|| u64::from(std::process::id()))
}
