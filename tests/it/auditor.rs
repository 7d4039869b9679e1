//! What an auditor does from the command line, beside a running service; and that whatever was tampered with is found and
//! named.

use std::process::{Command, Output};

use audit::{Fold, Model, Point, Progress, Snapshot, Source, Subject, as_of, read_into};
use domain::{Money, Position, ShopId, Timestamp};
use event_log::{Event, Filter, Kind, NoteType};
use http_api::Limits;
use packed_rows::PackedRows;
use paypal_simulator::{EventKind, Ids, Story};
use read_models::{Cells, Table};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::{TestDatabase, wait_until};

use crate::binary::{self, TempDir, said};
use crate::ground::Ground;
use crate::led_shop::{DEADLINE, LedShop};
use crate::program::free_address;
use crate::served::{SHOP, Served};
use crate::soundness;

/// A service with a few orders, and somebody who has the owner's login, the key and the roots.
struct Audited {
    served: Served,
    dir: TempDir,
}

impl Audited {
    async fn start() -> Self {
        let (served, dir) = (Served::start(Limits::default()).await, TempDir::new());
        std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
        std::fs::create_dir(dir.path().join("roots")).unwrap();
        std::fs::write(dir.path().join("roots/root.pem"), served.root_pem()).unwrap();
        let audited = Self { served, dir };
        for (path, body) in [
            ("/v1/stock/tea/receive", json!({"id": "1", "qty": 100})),
            ("/v1/coupons/TEN/issue", json!({"id": "2", "max_uses": 10})),
            ("/v1/points/bea/grant", json!({"id": "3", "points": 500})),
        ] {
            audited.command(path, &body).await;
        }
        audited
    }

    async fn command(&self, path: &str, body: &Value) {
        let (status, answer) = self.served.post(path, &self.served.shop_key, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }

    /// Placed, paid and partly refunded.
    async fn order(&self, order: &str) {
        self.command("/v1/orders", &placement(order)).await;
        let at = Timestamp::new(chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let seed = order.parse().unwrap();
        let story = Story::new(&mut Ids::seeded(seed), order, Money::parse("30.00", "USD").unwrap(), at);
        for kind in [EventKind::OrderApproved, EventKind::CaptureCompleted, EventKind::CaptureRefunded] {
            let body = story.body(kind, &format!("WH-{order}-{kind:?}")).to_string().into_bytes();
            let headers = self.served.sign(&body);
            let answer = self.served.callback(SHOP, &headers, body).await;
            assert_eq!(answer.status().as_u16(), 200);
        }
        self.served.settled().await;
    }

    fn run(&self, line: &str) -> Output {
        let mut command: Command = binary::command(self.dir.path());
        command.args(line.split_whitespace());
        command.env("MAINTENANCE_DATABASE_URL", self.served.url_owner().expose_secret());
        command.env("COUNTERFOIL_KEK_FILE", "kek").env("COUNTERFOIL_ROOTS", "roots");
        command.output().unwrap()
    }

    fn holds(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} -o json"));
        assert!(output.status.success(), "{line}\n{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is said of something that does not hold, without `-o`.
    fn finds(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}\n{}", said(&output));
        said(&output)
    }

    async fn superuser(&self, sql: &str) {
        self.served.test_superuser().await.batch_execute(sql).await.unwrap();
    }
}

fn placement(order: &str) -> Value {
    json!({"order": order, "buyer": "bea", "currency": "USD", "total_minor": 3000,
        "lines": [{"sku": "tea", "qty": 2, "unit_minor": 2000}],
        "coupons": [{"code": "TEN", "minor": 500}], "points": {"spend": 10, "minor": 500, "earn": 30}})
}

/// The service's log is sound by every check, with evidence opened, signatures judged and a digest recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_verifies_replays_and_looks_back_from_the_command_line() {
    let audited = Audited::start().await;
    audited.order("1001").await;
    let before = audited.served.events().await;
    let digests = audited.holds("digest");
    assert_eq!(digests["as_of"], before);
    audited.order("1002").await;

    let verified = audited.holds("verify");
    assert_eq!((&verified["digests"], &verified["evidence"]["signed"]), (&json!(1), &json!(6)));
    assert_eq!(verified["evidence"]["translated"], 6);
    let replayed = audited.holds("replay --diff");
    assert_eq!((&replayed["mismatches"], &replayed["digests_compared"]), (&json!([]), &json!(1)));
    let then = audited.holds(&format!("replay --to {before} --into scratch"));
    assert_eq!(then["models"], digests["models"], "what was recorded is what is replayed up to there");
    let rows = "SELECT count(*) FROM scratch.orders WHERE order_id = '1001' AND state = 'paid'";
    let count: i64 = audited.served.test_superuser().await.query_one(rows, &[]).await.unwrap().get(0);
    assert_eq!(count, 1);
    assert!(audited.finds("replay --into scratch").contains("already"));

    // The digest that stands in the log is the SHA-256 of the file.
    let manifest = audited.holds(&format!("export --format jsonl --to {before} --out then"));
    let of = |name: &str| {
        let files = manifest["files"].as_array().unwrap();
        files.iter().find(|file| file["file"] == name).unwrap()["sha256"].clone()
    };
    for model in digests["models"].as_array().unwrap() {
        assert_eq!(of(&format!("{}.jsonl", model["model"].as_str().unwrap())), model["sha256"]);
    }
    assert_eq!(manifest["totals"]["USD"]["captured_minor"], 3000);
    let written = std::fs::read(audited.dir.path().join("then/orders.jsonl")).unwrap();
    assert_eq!(of("orders.jsonl"), json!(sha256(&written)));
    assert!(audited.finds(&format!("export --format csv --to {before} --out then")).contains("not empty"));
    audited.holds("export --format csv --out books");
    let csv = std::fs::read_to_string(audited.dir.path().join("books/orders.csv")).unwrap();
    assert!(csv.starts_with("order_id,currency,total_minor,") && csv.lines().count() == 3, "{csv}");

    let order = audited.holds(&format!("as-of {before} order 1001"));
    assert_eq!((&order["state"], &order["refunded_minor"]), (&json!("paid"), &json!(3000)));
    assert!(audited.finds(&format!("as-of {before} order 1002")).contains("nothing of 1002"));
    assert!(audited.finds("as-of 99999 order 1001").contains("99999 is not in the log"));
    let otherwise = audited.dir.path().join("otherwise.json");
    std::fs::write(&otherwise, r#"{"payee": "SOMEBODYELSE"}"#).unwrap();
    assert!(audited.finds("what-if --settings otherwise.json").contains("2 orders would stand elsewhere"));
    audited.holds("what-if --rules 1");
    assert_eq!(audited.run("what-if --rules 9").status.code(), Some(2));
    audited.served.stop().await;
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A row of each read model that was edited by SQL: table, key, column and both values are named, and a rebuild mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_edited_by_sql_is_named_with_its_column_and_both_values_and_rebuilt() {
    let audited = Audited::start().await;
    audited.order("1001").await;
    let edited = [
        (
            "orders",
            "orders",
            "captured_minor = 2999 WHERE order_id = '1001'",
            "orders 1001",
            "captured_minor",
            "2999",
            "3000",
        ),
        (
            "payments",
            "payments",
            "amount_minor = 1 WHERE kind = 'capture'",
            "payments capture/",
            "amount_minor",
            "1",
            "3000",
        ),
        ("stock", "stock", "received = 101", "stock tea", "received", "101", "100"),
        ("coupons", "coupons", "used = used + 3", "coupons TEN", "used", "3", "0"),
        ("coupon_buyers", "coupons", "held = 7", "coupon_buyers TEN/bea", "held", "7", "0"),
        ("points", "points", "granted = 501", "points bea", "granted", "501", "500"),
    ];
    for (table, model, change, place, column, live, replayed) in edited {
        audited.superuser(&format!("UPDATE counterfoil.{table} SET {change}")).await;
        let found = audited.finds("replay --diff");
        let names = found.lines().any(|line| {
            line.contains(place) && line.contains(&format!("{column} is {live}, replay makes it {replayed}"))
        });
        assert!(names, "{table}: {found}");
        assert!(
            audited.finds(&format!("rebuild {model} --dry-run")).contains("1 rows differ, 0 were replaced")
        );
        assert_eq!(audited.holds(&format!("rebuild {model}"))["replaced"], 1);
        audited.holds("replay --diff");
        // There is a way back, and from there another rebuild.
        assert_eq!(audited.holds(&format!("rebuild {model} --undo"))["put_back"], 1);
        assert!(audited.finds("replay --diff").contains(place));
        audited.holds(&format!("rebuild {model}"));
    }
    // Rows that are missing or should not be there.
    audited
        .superuser(
            "DELETE FROM counterfoil.payment_captures;
             INSERT INTO counterfoil.stock SELECT shop_id, 'ghost', 1, 0, 0, 0, 0, 1 FROM counterfoil.shops",
        )
        .await;
    let found = audited.finds("replay --diff");
    assert!(found.contains("the row is missing") && found.contains("stock ghost"), "{found}");
    audited.holds("rebuild payments");
    audited.holds("rebuild stock");
    audited.holds("verify");
    // What money a difference is, by currency.
    audited.superuser("UPDATE counterfoil.orders SET refund_due_minor = 500").await;
    let dry = audited.run("rebuild orders --dry-run -o json");
    let dry: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!(dry["money"]["USD"]["refund_due_minor"], -500);
    audited.served.stop().await;
}

/// What is tampered with in the log's tables, as somebody with every right in the database would; and back again.
const TAMPERED: &[(&str, &str, &str, &[&str])] = &[
    (
        "an entry edited",
        "UPDATE counterfoil.events SET entry = replace(entry, '\"qty\":100', '\"qty\":900') WHERE position = 0",
        "UPDATE counterfoil.events SET entry = replace(entry, '\"qty\":900', '\"qty\":100') WHERE position = 0",
        &["columns  0", "leaf_hash is not the entry's", "payload", "decision  0"],
    ),
    (
        "a column edited",
        "UPDATE counterfoil.events SET key = 'sku:coffee' WHERE position = 1",
        "UPDATE counterfoil.events SET key = 'sku:tea' WHERE position = 1",
        &["columns  1", "key is sku:coffee, the entry has sku:tea"],
    ),
    (
        "two events swapped",
        "UPDATE counterfoil.events SET position = CASE position WHEN 2 THEN 1000000 ELSE 2 END WHERE position IN (2, 4);
         UPDATE counterfoil.events SET position = 4 WHERE position = 1000000",
        "UPDATE counterfoil.events SET position = CASE position WHEN 2 THEN 1000000 ELSE 2 END WHERE position IN (2, 4);
         UPDATE counterfoil.events SET position = 4 WHERE position = 1000000",
        &["outbox    2", "decision"],
    ),
    (
        "an event removed",
        "CREATE TABLE kept AS SELECT * FROM counterfoil.events WHERE position = 3; DELETE FROM counterfoil.events WHERE position = 3",
        "INSERT INTO counterfoil.events TABLE kept; DROP TABLE kept",
        &["positions 3 to 3 are missing before it"],
    ),
    (
        "the log cut short",
        "CREATE TABLE kept AS SELECT * FROM counterfoil.events
         WHERE position >= (SELECT max(position) FROM counterfoil.callbacks);
         DELETE FROM counterfoil.events WHERE position IN (SELECT position FROM kept)",
        "INSERT INTO counterfoil.events TABLE kept; DROP TABLE kept",
        &["order", "rows of outbox are of events behind the last one", "rows of callbacks", "rows of checkpoints"],
    ),
    (
        "an outbox row removed",
        "CREATE TABLE kept AS SELECT * FROM counterfoil.outbox WHERE position = 5; DELETE FROM counterfoil.outbox WHERE position = 5",
        "INSERT INTO counterfoil.outbox TABLE kept; DROP TABLE kept",
        &["there is no row, and it was not pruned"],
    ),
    (
        "a body changed in the evidence",
        "CREATE TABLE kept AS TABLE counterfoil.evidence;
         UPDATE counterfoil.evidence SET sealed = set_byte(sealed, 40, 255 - get_byte(sealed, 40))
         WHERE position = (SELECT min(position) FROM counterfoil.evidence)",
        "TRUNCATE counterfoil.evidence; INSERT INTO counterfoil.evidence TABLE kept; DROP TABLE kept",
        &["evidence", "its sealed bytes were changed"],
    ),
    (
        "evidence removed",
        "CREATE TABLE kept AS TABLE counterfoil.evidence; DELETE FROM counterfoil.evidence
         WHERE position = (SELECT max(position) FROM counterfoil.evidence)",
        "TRUNCATE counterfoil.evidence; INSERT INTO counterfoil.evidence TABLE kept; DROP TABLE kept",
        &["it is not there, and the entry rests on it"],
    ),
    (
        "evidence removed, and another event said to have come back without it",
        "CREATE TABLE kept AS TABLE counterfoil.evidence; DELETE FROM counterfoil.evidence
         WHERE position = (SELECT max(position) FROM counterfoil.evidence);
         INSERT INTO counterfoil.reimported SELECT shop_id, md5('x')::uuid, max(position) FROM kept GROUP BY shop_id",
        "TRUNCATE counterfoil.evidence, counterfoil.reimported; INSERT INTO counterfoil.evidence TABLE kept;
         DROP TABLE kept",
        &["it is not there, and the entry rests on it"],
    ),
    (
        "a key removed and nothing said",
        "CREATE TABLE kept AS TABLE counterfoil.evidence_keys; DELETE FROM counterfoil.evidence_keys
         WHERE position = (SELECT max(position) FROM counterfoil.evidence_keys)",
        "TRUNCATE counterfoil.evidence_keys; INSERT INTO counterfoil.evidence_keys TABLE kept; DROP TABLE kept",
        &["its key is gone, and the log does not say why"],
    ),
    (
        "a certificate changed",
        "CREATE TABLE kept AS TABLE counterfoil.certificates; DELETE FROM counterfoil.certificates",
        "INSERT INTO counterfoil.certificates TABLE kept; DROP TABLE kept",
        &["signature", "no certificate was given"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_tampered_with_is_found_and_named() {
    let audited = Audited::start().await;
    audited.order("1001").await;
    audited.holds("verify");
    audited.superuser("ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change").await;
    for (what, tamper, mend, names) in TAMPERED {
        audited.superuser(tamper).await;
        let found = audited.finds("verify");
        for name in *names {
            let squeezed = found.split_whitespace().collect::<Vec<_>>().join(" ");
            let wanted = name.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed.contains(&wanted), "{what}: no {name:?} in {found}");
        }
        audited.superuser(mend).await;
        audited.holds("verify");
    }
    // A key that is not the shop's is no finding about the log.
    std::fs::write(audited.dir.path().join("kek"), "08".repeat(32)).unwrap();
    let output = audited.run("verify");
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    audited.served.stop().await;
}

/// An entry that was forged with all its copies, and with the outcome that follows: only what PayPal sent tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_that_was_forged_in_the_log_and_all_its_copies_is_told_by_the_body() {
    let audited = Audited::start().await;
    let body = audited.served.captured("77", "12.00");
    let headers = audited.served.sign(&body);
    assert_eq!(audited.served.callback(SHOP, &headers, body).await.status().as_u16(), 200);
    audited.served.settled().await;
    audited.served.stop_relay().await;
    audited.holds("verify");
    let forge = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
         UPDATE counterfoil.events SET entry = replace(entry, '\"amount_minor\":1200', '\"amount_minor\":1300');
         UPDATE counterfoil.events SET leaf_hash = sha256('\\x00'::bytea || convert_to(entry, 'UTF8'));
         UPDATE counterfoil.outbox SET payload = replace(payload, '\"amount_minor\":1200', '\"amount_minor\":1300');
         UPDATE counterfoil.payments SET amount_minor = 1300 WHERE amount_minor = 1200";
    audited.superuser(forge).await;
    let found = audited.finds("verify");
    assert!(found.contains("translation") && found.contains("its body says something else"), "{found}");
    audited.served.stop().await;
}

/// One thing at a point of the log is what the fold of everything says of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_at_a_point_is_what_the_fold_of_everything_says() {
    let audited = Audited::start().await;
    for order in ["1001", "1002"] {
        audited.order(order).await;
    }
    let (database, shop) = (audited.served.owner(), ShopId::parse(SHOP).unwrap());
    let source = Source::Snapshot(Snapshot::take(&database, &shop).await.unwrap());
    let progress = Progress::default();
    let subjects = [
        (Model::Order, "1001"),
        (Model::Order, "1002"),
        (Model::Stock, "tea"),
        (Model::Coupon, "TEN"),
        (Model::Points, "bea"),
    ];
    for position in -1..=source.head().0 {
        let through = source.locate(Point::Position(Position(position))).await.unwrap();
        let mut fold = read_into(&source, through, Fold::default(), ("folding", &progress)).await.unwrap();
        for (model, key) in subjects {
            let subject = Subject::parse(model, key).unwrap();
            let rows = as_of(&source, through, &subject, &progress).await.unwrap();
            assert_eq!(rows, whole(fold.rows(), model, key), "{key} as of {position}");
        }
    }
    source.close().await;
    audited.served.stop().await;
}

fn whole(all: &PackedRows, model: Model, key: &str) -> Vec<(&'static str, Cells)> {
    let (column, tables): (&str, &[Table]) = match model {
        Model::Order => ("order_id", &[Table::Orders, Table::Payments]),
        Model::Stock => ("sku", &[Table::Stock]),
        Model::Coupon => ("code", &[Table::Coupons, Table::CouponBuyers]),
        Model::Points => ("buyer_id", &[Table::Points]),
    };
    let rows = tables.iter().flat_map(|table| table.rows(all).map(|cells| (table.name(), cells.unwrap())));
    rows.filter(|(_, cells)| cells.get(column).is_some_and(|value| value == key)).collect()
}

/// A rebuild while facts keep coming and are decided: the relay goes on behind it, over what was put there.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_while_callbacks_keep_coming_loses_nothing() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    shop.append("stock.received", json!({"sku": "A", "qty": 1000})).await;
    for round in 0..4 {
        let sold = async {
            for n in 0..40 {
                let order = format!("{round}-{n}");
                let placed = json!({"order": order, "currency": "EUR", "total_minor": 100,
                    "lines": [{"sku": "A", "qty": 1, "unit_minor": 100}]});
                shop.append("order.placed", placed).await;
                let captured = json!({"capture": format!("C{order}"), "order": order, "amount_minor": 100, "currency": "EUR"});
                shop.append("payment.captured", captured).await;
            }
        };
        let rebuilt = async {
            shop.run("UPDATE counterfoil.stock SET received = received + 5, held = held + 1").await;
            let id = format!("rebuild-{round}");
            let owner = shop.test.database_owner();
            let progress = Progress::default();
            audit::rebuild(&owner, &shop.shop, audit::Rebuildable::Stock, (&id, false), &progress)
                .await
                .unwrap()
        };
        let ((), rebuilt) = tokio::join!(sold, rebuilt);
        // A leader that had the row in memory may have written it as it should be, before it was looked at.
        assert!(rebuilt.replaced <= 1);
    }
    soundness::wait_until_decided(&shop.database, &shop.shop).await;
    assert!(
        wait_until(DEADLINE, async || audit::verify(&shop.database, &shop.shop).await.unwrap().is_clean())
            .await
    );
    relay.stop().await;
    shop.assert_sound().await;
}

/// `serve` records the digests of what each day came to by a process of its own, and of two instances one does; what stands
/// in the log afterwards is compared by every verification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_digests_of_a_day_are_recorded_once_by_whichever_instance() {
    let mut ground = Ground::prepare(TestDatabase::create().await).await;
    ground.tell(&["--digest-every", "2s"]);
    let addresses = [free_address(), free_address()];
    let first = ground.serve(addresses[0]).await;
    let second = ground.serve(addresses[1]).await;
    ground.stock(addresses[0]).await;
    let database = ground.test.database();
    let digests = async || {
        let client = database.client().await.unwrap();
        let filter = Filter {
            kinds: vec![Kind::Note],
            types: vec![NoteType::ProjectionDigest.name().to_owned()],
            key: None,
        };
        event_log::read(&client, &ground.shop, Position(-1), 100, &filter).await.unwrap()
    };
    assert!(wait_until(DEADLINE, async || digests().await.len() >= 2).await, "no digests are recorded");
    assert_eq!((first.terminate().await, second.terminate().await), (Some(0), Some(0)));
    let notes = digests().await;
    // Whoever came second found it there: no two are as of one moment.
    let as_of = |note: &Event| serde_json::from_str::<Value>(note.data()).unwrap()["as_of"].as_i64();
    assert!(notes.windows(2).all(|two| as_of(&two[0]) < as_of(&two[1])), "{notes:#?}");
    let verified = audit::verify(&database, &ground.shop).await.unwrap();
    assert!(verified.is_clean() && verified.digests == notes.len() as u64, "{verified:#?}");
}
