//! The tree of a live log against its entries: whatever was changed in either is found, whatever the tree's own rows say.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::led_shop::{append, new_fact};
use crate::tree_ground::{TreeShop, integrate_all};

const FORGED: &str = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
    UPDATE counterfoil.events SET entry = replace(entry, '\"qty\":1', '\"qty\":9') WHERE position = 300;
    UPDATE counterfoil.events SET leaf_hash = sha256('\\x00'::bytea || convert_to(entry, 'UTF8')) WHERE position = 300;
    UPDATE counterfoil.outbox SET payload = replace(payload, '\"qty\":1', '\"qty\":9') WHERE position = 300;";

/// What is done with every right in the database, and what is found of it.
const TAMPERED: &[(&str, &[&str])] = &[
    (FORGED, &["the tile tile/0/001 is not", "of size 550: its root is", "its root is not the entries'"]),
    (
        "UPDATE counterfoil.trees SET size = 200, published_size = 200",
        &["its row says 200 events, and 550 were signed", "tiles are behind"],
    ),
    ("DELETE FROM counterfoil.trees", &["its row says 0 events, and 550 were signed"]),
    (
        "DELETE FROM counterfoil.trees; DELETE FROM counterfoil.tree_checkpoints",
        &["of its tiles are behind its 0 events"],
    ),
    ("UPDATE counterfoil.trees SET root = sha256('')", &["its root is not the entries'"]),
    (
        "UPDATE counterfoil.tree_tiles SET hashes = set_byte(hashes, 3, 255 - get_byte(hashes, 3)) WHERE level = 1",
        &["the tile tile/1/000.p/2 is not"],
    ),
    (
        "DELETE FROM counterfoil.events WHERE position >= 540",
        &["there was one of 550 events, and the log has 540"],
    ),
    (
        "DELETE FROM counterfoil.trees; DELETE FROM counterfoil.events WHERE position >= 540",
        &["there was one of 550 events, and the log has 540"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_does_not_fit_the_entries_is_found_whatever_its_row_says() {
    let shop = TreeShop::create().await;
    let fact = |n: u64| new_fact(n, "stock.received", &json!({"sku": "tea", "qty": 1}));
    let mut integrator = shop.integrator().await;
    for part in [0..300, 300..549, 549..560] {
        let last = part.end;
        join_all(part.map(|n| append(&shop.appender, &shop.shop, fact(n)))).await;
        if last < 560 {
            integrate_all(&mut integrator).await;
            assert!(integrator.publish(Duration::ZERO).await.unwrap());
        }
    }
    let tables = ["events", "outbox", "trees", "tree_tiles", "tree_checkpoints"];
    let each = |what: &dyn Fn(&str) -> String| tables.map(what).join(";");
    shop.run(&each(&|table| format!("CREATE TABLE kept_{table} AS TABLE counterfoil.{table}"))).await;
    let never_change = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change";
    shop.run(never_change).await;
    let verified = shop.verified().await;
    assert!(verified.is_empty(), "{verified:?}");
    let lowered = format!("{FORGED} UPDATE counterfoil.trees SET size = 200, published_size = 200");
    let removed = format!("{FORGED} DELETE FROM counterfoil.trees");
    let by_checkpoints: &[&str] = &["of size 550: its root is"];
    for (tamper, wanted) in
        TAMPERED.iter().copied().chain([(&*lowered, by_checkpoints), (&*removed, by_checkpoints)])
    {
        shop.run(tamper).await;
        let found = shop.verified().await;
        for what in wanted {
            assert!(found.iter().any(|found| found.contains(what)), "{tamper}: no {what:?} in {found:?}");
        }
        shop.run(&each(&|table| {
            format!("TRUNCATE counterfoil.{table}; INSERT INTO counterfoil.{table} TABLE kept_{table}")
        }))
        .await;
        assert!(shop.verified().await.is_empty(), "{tamper} is undone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_very_many_checkpoints_some_are_handed_over_with_those_on_both_sides() {
    let shop = TreeShop::create().await;
    shop.run(
        "INSERT INTO counterfoil.tree_checkpoints (shop_id, size, root, epoch, note, published_at)
         SELECT 'shop', 10 * n, sha256('n'), 0, 'n', CASE WHEN n <> 50 THEN now() END FROM generate_series(1, 100) AS n",
    )
    .await;
    let client = shop.database.client().await.unwrap();
    for (from, through, at_most, sizes) in [
        (405_i64, 455_i64, 100_i64, vec![400_i64, 410, 420, 430, 440, 450, 460]),
        (405, 455, 3, vec![400, 430, 460]),
        (405, 455, 2, vec![400, 440, 460]),
        (400, 410, 1, vec![400, 410]),
        (0, 2000, 2, vec![10, 520, 1000]),
        (1001, 2000, 9, vec![1000]),
    ] {
        let around: database::Parameters<'_> = &[&"shop", &from, &through, &at_most];
        let rows = client.query(&database::sql::audit::READ_PUBLISHED_AROUND, around).await.unwrap();
        let found: Vec<i64> = rows.iter().map(|row| row.get("size")).collect();
        assert_eq!(found, sizes, "{at_most} of {from} to {through}");
    }
}
