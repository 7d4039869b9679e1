//! Erasing a buyer: what is unreadable afterwards, what stays, what refuses, and what a backup brings back.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::sync::Arc;

use audit::erasure::{self, erased_positions};
use audit::{Error, Progress, Snapshot, Source};
use database::Database;
use domain::{Money, Position, ShopId};
use event_log::{Guard, SealedEvidence};
use evidence::{KeyEncryptionKey, Vault};
use futures_util::future::join_all;
use http_api::Limits;
use paypal_simulator::{EventKind, Ids, Payer, Story};
use serde_json::{Value, json};

use crate::binary::{self, TempDir, said};
use crate::led_shop::{LedShop, append, new_fact};
use crate::served::{SHOP, Served};
use crate::soundness;

const CANARY: &str = "canary";

fn vault() -> Vault {
    Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap())
}

fn shop() -> ShopId {
    ShopId::parse(SHOP).unwrap()
}

/// An operator with a terminal, the owner's URL and the key-encryption key.
struct Operator<'a> {
    served: &'a Served,
    dir: TempDir,
}

impl<'a> Operator<'a> {
    fn of(served: &'a Served) -> Self {
        let dir = TempDir::new();
        std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
        Self { served, dir }
    }

    fn run(&self, line: &str) -> Output {
        let mut command = binary::command(self.dir.path());
        command.args(line.split_whitespace()).args(["-o", "json"]);
        command.env("MAINTENANCE_DATABASE_URL", self.served.owner_url());
        command.env("COUNTERFOIL_URL", self.served.url("")).env("COUNTERFOIL_KEY", &self.served.operator_key);
        command.output().unwrap()
    }

    fn shows(&self, line: &str, code: i32) -> Value {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}\n{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn fails(&self, line: &str, code: i32, says: &str) {
        let output = self.run(line);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{line}\n{text}");
        assert!(text.contains(says), "{line}: {text}");
    }
}

fn story(order: &str, seed: u64) -> Story {
    let payer = Payer {
        email: format!("{CANARY}@example.test"),
        given_name: format!("{CANARY} given"),
        surname: format!("{CANARY} surname"),
        ..Payer::default()
    };
    let amount = Money::parse("10.00", "USD").unwrap();
    Story {
        payer,
        refund_minor: 400,
        ..Story::new(&mut Ids::seeded(seed), order, amount, crate::ground::now())
    }
}

/// An order of a buyer, paid, partly refunded, disputed; with a callback that decides nothing and a reason that is sealed.
async fn a_sale(served: &Served, order: &str, buyer: &str, seed: u64) -> Story {
    let mut placement = crate::served::placement(order);
    placement["buyer"] = json!(buyer);
    let (status, answer) = served.post("/v1/orders", &served.shop_key, &placement).await;
    assert!(status < 300, "{answer}");
    let story = story(order, seed);
    for kind in [
        EventKind::OrderApproved,
        EventKind::CaptureCompleted,
        EventKind::CaptureRefunded,
        EventKind::DisputeCreated,
    ] {
        served.deliver(&story.body(kind, &format!("WH-{order}-{}", kind.name()))).await;
    }
    let mut saved = story.body(EventKind::OrderApproved, &format!("WH-{order}-saved"));
    saved["event_type"] = json!("CHECKOUT.ORDER.SAVED");
    served.deliver(&saved).await;
    let reason = json!({"id": format!("{order}-cancel"), "reason": format!("{CANARY} has moved away")});
    let (status, answer) =
        served.post(&format!("/v1/orders/{order}/cancel"), &served.shop_key, &reason).await;
    assert!(status < 300, "{answer}");
    served.settled().await;
    story
}

async fn served_sales() -> Served {
    let served = Served::start(Limits::default()).await;
    served.post("/v1/stock/tea/receive", &served.shop_key, &json!({"id": "first", "qty": 100})).await;
    a_sale(&served, "E-1", "bea", 1).await;
    a_sale(&served, "E-2", "ann", 2).await;
    served
}

/// The plain evidence of every fact that has some; none where the key is gone.
async fn opened(served: &Served) -> Vec<(i64, Option<Vec<u8>>)> {
    let client = served.owner().client().await.unwrap();
    let query = "SELECT position FROM counterfoil.evidence WHERE shop_id = $1 ORDER BY position";
    let mut opened = Vec::new();
    for row in client.raw().query(query, &[&SHOP]).await.unwrap() {
        let position: i64 = row.get(0);
        let row = evidence::load(&client, SHOP, position).await.unwrap().unwrap();
        let plain = row.key.map(|(_, wrapped)| vault().open(SHOP, &row.sealed, &wrapped).unwrap());
        opened.push((position, plain));
    }
    opened
}

fn readable(opened: &[(i64, Option<Vec<u8>>)]) -> usize {
    let has_canary = |plain: &Vec<u8>| String::from_utf8_lossy(plain).contains(CANARY);
    opened.iter().filter(|(_, plain)| plain.as_ref().is_some_and(has_canary)).count()
}

/// The whole database as text has no canary, in clear or as bytes.
fn assert_no_canary(served: &Served) {
    let pg_dump = test_support::binaries().program("pg_dump");
    if !pg_dump.is_file() {
        test_support::skip("pg_dump is missing", "apt-get install postgresql-client");
        return;
    }
    let output = Command::new(pg_dump).args(["--dbname", &served.owner_url()]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let dump = String::from_utf8(output.stdout).unwrap().to_lowercase();
    assert!(dump.contains("order.paid"), "the dump has the log");
    let bytes: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!dump.contains(CANARY) && !dump.contains(&bytes), "the dump has personal data");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_buyer_is_unreadable_while_money_replay_and_verification_stay() {
    let served = served_sales().await;
    let operator = Operator::of(&served);
    soundness::assert_sound(&served.database, &shop()).await;
    assert_no_canary(&served);
    let before = opened(&served).await;
    assert_eq!(readable(&before), 12, "each buyer has five callbacks and a reason");
    let (_, order) = served.get("/v1/orders/E-1", &served.viewer_key).await;

    let erase = format!("erase --shop {SHOP} --buyer bea --basis GDPR-7 --kek-file kek");
    operator.fails(&erase, 2, "--yes");
    operator.fails(&format!("erase --shop {SHOP} --buyer bea --yes"), 2, "--basis");
    operator.fails(&format!("erase --shop {SHOP} --buyer nobody --basis x --yes"), 1, "no buyer nobody");
    operator.fails(&format!("erase --shop {SHOP} --buyer bea --basis Robin@home --yes"), 2, "opaque");
    operator.fails("erase --shop nowhere --buyer bea --basis x --yes", 1, "no such shop");
    let plan = operator.shows(&format!("erase --shop {SHOP} --buyer bea --dry-run --kek-file kek"), 0);
    assert_eq!(
        (&plan["orders"], &plan["facts_with_evidence"], &plan["keys"]),
        (&json!(1), &json!(6), &json!(6))
    );
    let without = operator.shows(&format!("erase --shop {SHOP} --buyer bea --dry-run"), 0);
    assert_eq!(
        (&without["keys"], &without["unopened"]),
        (&json!(5), &json!(2)),
        "nobody opened what names nobody"
    );
    assert_eq!(readable(&opened(&served).await), 12, "a rehearsal destroys nothing");

    let head = served.events().await;
    let erased = operator.shows(&format!("{erase} --yes --by dpo"), 0);
    assert_eq!((&erased["keys_destroyed"], &erased["notes"]), (&json!(6), &json!([head + 1])));
    let after = opened(&served).await;
    assert_eq!(readable(&after), 6, "the other buyer's can be read");
    let gone: BTreeSet<i64> = after.iter().filter(|(_, plain)| plain.is_none()).map(|(at, _)| *at).collect();
    assert_eq!(gone.len(), 6);
    let callback = gone.first().unwrap();
    operator.fails(&format!("events retranslate 0-{callback}"), 1, "is gone");
    let (_, note) = served.get(&format!("/v1/events/0-{}", head + 1), &served.operator_key).await;
    assert_eq!(
        (&note["type"], &note["by"], &note["key"]),
        (&json!("subject.erased"), &json!("dpo"), &json!("buyer:bea"))
    );
    assert_eq!(note["data"]["positions"], json!(gone));
    assert_eq!((&note["data"]["basis"], &note["data"]["orders"]), (&json!("GDPR-7"), &json!(1)));

    // Money, proofs and replay stay as they were, and what is missing is accounted for.
    assert_eq!(served.get("/v1/orders/E-1", &served.viewer_key).await.1, order);
    soundness::assert_sound(&served.database, &shop()).await;
    assert_no_canary(&served);
    let source = Source::Snapshot(Snapshot::take(&served.owner(), &shop()).await.unwrap());
    let accounted = erased_positions(&source).await.unwrap();
    assert_eq!(accounted.iter().map(|position| position.0).collect::<BTreeSet<_>>(), gone);
    assert_eq!(accounted.note_of(Position(*callback)), Some(Position(head + 1)));

    let again = operator.shows(&format!("{erase} --yes"), 0);
    assert_eq!((&again["keys_destroyed"], &again["notes"]), (&json!(0), &json!([])), "nothing is left");
    let late = story("E-1", 1).body(EventKind::DisputeUpdated, "WH-LATE");
    served.deliver(&late).await;
    served.settled().await;
    let again = operator.shows(&format!("{erase} --yes"), 0);
    assert_eq!(again["keys_destroyed"], 1, "what came since is found by the next run");
    assert_eq!(readable(&opened(&served).await), 6);
    soundness::assert_sound(&served.database, &shop()).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legal_hold_keeps_a_buyers_evidence_until_it_is_lifted() {
    let served = served_sales().await;
    let operator = Operator::of(&served);
    let on = |verb: &str, case: &str| format!("legal-hold {verb} --shop {SHOP} --buyer bea --case {case}");
    let placed = operator.shows(&on("place", "7-O-1"), 0);
    assert_eq!((&placed["was_known"], &placed["in_force"]), (&json!(false), &json!(true)));
    let again = operator.shows(&on("place", "7-O-1"), 0);
    assert_eq!((&again["was_known"], &again["position"]), (&json!(true), &placed["position"]));
    operator.shows(&on("place", "8-O-2"), 0);
    operator.fails(&on("lift", "9-O-3"), 1, "no legal hold 9-O-3 is on the buyer bea");
    let erase = format!("erase --shop {SHOP} --buyer bea --basis GDPR-7 --yes");
    operator.fails(&erase, 1, "7-O-1 on bea, 8-O-2 on bea");
    let plan = operator.shows(&format!("erase --shop {SHOP} --buyer bea --dry-run"), 1);
    assert_eq!(plan["holds"].as_array().unwrap().len(), 2);
    operator.shows(&on("lift", "7-O-1"), 0);
    operator.fails(&erase, 1, "8-O-2");
    let listed = operator.shows(&format!("legal-hold list --shop {SHOP}"), 0);
    assert_eq!((listed[0]["case"].as_str(), listed.as_array().unwrap().len()), (Some("8-O-2"), 1));
    assert_eq!(operator.shows(&format!("legal-hold list --shop {SHOP} --buyer ann"), 0), json!([]));
    assert_eq!(readable(&opened(&served).await), 12, "nothing was destroyed");
    let other = operator.shows(&format!("erase --shop {SHOP} --buyer ann --basis GDPR-8 --yes"), 0);
    assert_eq!(other["keys_destroyed"], 5, "the hold is on the other one");
    operator.shows(&on("lift", "8-O-2"), 0);
    // The same case may come up again.
    operator.shows(&on("place", "7-O-1"), 0);
    operator.fails(&erase, 1, "7-O-1");
    operator.shows(&on("lift", "7-O-1"), 0);
    assert_eq!(operator.shows(&erase, 0)["keys_destroyed"], 5);
    soundness::assert_sound(&served.database, &shop()).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restored_backup_brings_back_is_erased_again() {
    let served = served_sales().await;
    let operator = Operator::of(&served);
    let superuser = served.test_superuser().await;
    superuser.batch_execute("CREATE TABLE backup AS SELECT * FROM counterfoil.evidence_keys").await.unwrap();
    let restore = "INSERT INTO counterfoil.evidence_keys SELECT * FROM backup ON CONFLICT DO NOTHING";
    let erase = format!("erase --shop {SHOP} --basis GDPR-7 --kek-file kek --yes --buyer");
    operator.shows(&format!("{erase} bea"), 0);
    operator.shows(&format!("{erase} ann"), 0);
    assert_eq!(readable(&opened(&served).await), 0);
    superuser.batch_execute(restore).await.unwrap();
    assert_eq!(readable(&opened(&served).await), 12, "the backup un-erases");

    operator.shows(&format!("legal-hold place --shop {SHOP} --buyer ann --case 7-O-1"), 0);
    let head = served.events().await;
    operator.fails(&format!("erase --shop {SHOP} --again"), 2, "--yes");
    let again = operator.shows(&format!("erase --shop {SHOP} --again --yes"), 1);
    assert_eq!((&again["keys_destroyed"], &again["holds"][0]["case"]), (&json!(6), &json!("7-O-1")));
    assert_eq!(readable(&opened(&served).await), 6, "what a hold keeps is left");
    operator.shows(&format!("legal-hold lift --shop {SHOP} --buyer ann --case 7-O-1"), 0);
    let again = operator.shows(&format!("erase --shop {SHOP} --again --yes"), 0);
    assert_eq!((&again["keys_destroyed"], readable(&opened(&served).await)), (&json!(6), 0));
    assert_eq!(served.events().await, head + 1, "the first notes account for it; only the lifting is new");
    soundness::assert_sound(&served.database, &shop()).await;
    served.stop().await;
}

/// A fact about a buyer, with a reason that is sealed.
async fn granted(shop: &LedShop, sealed: &Arc<SealedEvidence>, n: u64) {
    let mut fact = new_fact(n, "points.granted", &json!({"buyer": "bea", "points": 1}));
    fact.evidence = Some(sealed.clone());
    append(&shop.appender, &shop.shop, fact).await;
}

fn sealed() -> Arc<SealedEvidence> {
    let sealed = vault().seal("shop", b"a reason").unwrap();
    Arc::new(SealedEvidence {
        bytes: sealed.bytes,
        wrapped_key: sealed.wrapped_key,
        kek_id: sealed.kek_id,
        sha256: sealed.sha256,
        commitment: sealed.commitment,
    })
}

async fn planned(database: &Database, shop: &ShopId) -> erasure::Plan {
    erasure::plan(database, shop, &"bea".parse().unwrap(), None, &Progress::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_comes_behind_the_plan_keeps_everything_and_what_comes_then_is_the_next_runs() {
    let shop = LedShop::create().await;
    let (owner, sealed, guard) = (shop.test.database_owner(), sealed(), Guard::default());
    granted(&shop, &sealed, 1).await;
    let plan = planned(&owner, &shop.shop).await;
    let buyer = "bea".parse().unwrap();
    erasure::place_hold(&guard, &owner, &shop.shop, (&buyer, "7-O-1"), "a-test").await.unwrap();
    let held = erasure::erase(&guard, &owner, &shop.shop, &plan, "x", "a-test").await.unwrap_err();
    assert!(matches!(held, Error::Held { ref case, .. } if case == "7-O-1"), "{held}");
    assert_eq!(planned(&owner, &shop.shop).await.readable, [Position(0)], "its key is there");
    erasure::lift_hold(&guard, &owner, &shop.shop, (&buyer, "7-O-1"), "a-test").await.unwrap();

    granted(&shop, &sealed, 2).await;
    let erased = erasure::erase(&guard, &owner, &shop.shop, &plan, "x", "a-test").await.unwrap();
    assert_eq!(erased.keys_destroyed, 1, "what came behind the plan is not in it");
    let rest = planned(&owner, &shop.shop).await;
    assert_eq!((rest.facts, rest.readable.as_slice()), (2, &[Position(3)][..]));
    assert!(
        erasure::erase(&guard, &shop.database, &shop.shop, &rest, "x", "a-test").await.is_err(),
        "serve may not"
    );
    assert_eq!(planned(&owner, &shop.shop).await.readable, [Position(3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_facts_than_an_entry_can_name_are_erased_in_one_transaction_with_several_notes() {
    let shop = LedShop::create().await;
    let (owner, sealed, guard) = (shop.test.database_owner(), sealed(), Guard::default());
    join_all((0..3_100).map(|n| granted(&shop, &sealed, n))).await;
    let relay = shop.lead();
    shop.settle(&relay, "points.granted", json!({"buyer": "bea", "points": 1})).await;
    relay.stop().await;
    let erased =
        erasure::erase(&guard, &owner, &shop.shop, &planned(&owner, &shop.shop).await, "x", "a-test").await;
    let erased = erased.unwrap();
    assert_eq!((erased.keys_destroyed, erased.notes.len()), (3_100, 2));
    let source = Source::Snapshot(Snapshot::take(&owner, &shop.shop).await.unwrap());
    assert_eq!(erased_positions(&source).await.unwrap().iter().count(), 3_100);
    shop.assert_sound().await;
}
