//! Every hot look-up goes by its whole key, whatever the statistics say: a plan that was made while a table was empty is
//! used when it has grown.

use database::{Database, Query, sql};
use domain::ShopId;
use read_models::query::payments::{self, PaymentFilter};
use serde_json::Value;
use test_support::TestDatabase;

/// A look-up: what it is given, and the indexes that it goes by, each with the columns that lead into it: where another
/// index of the table is taken, or a column is only filtered by, it may read all of a shop.
type Lookup = (&'static Query, &'static str, &'static [(&'static str, &'static [&'static str])]);

const TEXTS: &str = "'shop', ARRAY['a', 'b', 'c']";
const TEXTS_AND_MACS: &str = "'shop', ARRAY['a', 'b', 'c'], ARRAY['d', 'e', 'f']::bytea[]";
const PAIRS: &str = "'shop', ARRAY['a', 'b', 'c'], ARRAY['d', 'e', 'f']";
const POSITIONS: &str = "'shop', ARRAY[1, 2, 3]";

fn lookups() -> Vec<Lookup> {
    use sql::{audit, delivery, event_log as log, read_models as rows, reconciliation as asked};
    vec![
        // A page costs what it has, however deep it lies.
        (
            &delivery::READ_OUTBOX,
            "'shop', 5, 20005, 1000, ARRAY['order'], ARRAY['order.%']",
            &[("outbox_pkey", &["shop_id", "position"]), ("events_pkey", &["shop_id", "position"])],
        ),
        (
            &delivery::READ_OUTBOX_OF_KEY,
            "'shop', 5, 1000, ARRAY['order'], ARRAY['order.%'], 'order:1'",
            &[("events_key", &["shop_id", "key", "position"]), ("outbox_pkey", &["shop_id", "position"])],
        ),
        (
            &delivery::FIND_POSITION,
            "'shop', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
            &[("outbox_id", &["id"])],
        ),
        (&delivery::FIND_POSITION_AT, "'shop', '2026-01-01'", &[("events_pkey", &["shop_id"])]),
        (
            &delivery::READ_BOUNDS,
            "'shop'",
            &[
                ("shops_pkey", &["shop_id"]),
                ("events_pkey", &["shop_id"]),
                ("outbox_retention_pkey", &["shop_id"]),
            ],
        ),
        (
            &delivery::READ_HEADS,
            "ARRAY['shop']",
            &[("shops_pkey", &["shop_id"]), ("events_pkey", &["shop_id"])],
        ),
        (&delivery::READ_PRUNED, "'shop'", &[("outbox_retention_pkey", &["shop_id"])]),
        (&log::FIND_CALLBACKS, TEXTS_AND_MACS, &[("callbacks_pkey", &["shop_id", "event_key"])]),
        (
            &log::FIND_TRANSMISSIONS,
            TEXTS,
            &[
                ("transmissions_pkey", &["shop_id", "transmission_id"]),
                ("callbacks_pkey", &["shop_id", "event_key"]),
            ],
        ),
        (&log::FIND_COMMANDS, PAIRS, &[("commands_pkey", &["shop_id", "type", "id"])]),
        (
            &log::FIND_REIMPORTED,
            "'shop', ARRAY['6ba7b810-9dad-11d1-80b4-00c04fd430c8']::uuid[]",
            &[("reimported_pkey", &["shop_id", "id"]), ("events_pkey", &["shop_id", "position"])],
        ),
        (
            &log::COMPARE_POINT,
            "'shop', 0, 5",
            &[
                ("shops_pkey", &["shop_id"]),
                ("events_pkey", &["shop_id", "position"]),
                ("forks_pkey", &["shop_id", "epoch"]),
            ],
        ),
        (
            &log::FIND_POSITIONS_AT,
            "'shop', ARRAY['2026-01-01']::timestamptz[]",
            &[("events_pkey", &["shop_id"])],
        ),
        (&log::READ_DELAYS, POSITIONS, &[("events_pkey", &["shop_id", "position"])]),
        (
            &log::READ_EVENTS_BEFORE,
            "'shop', 500, 50, ARRAY['fact'], ARRAY['order.%'], 5",
            &[("events_pkey", &["shop_id", "position"])],
        ),
        (
            &log::READ_EVENTS_OF_KEY_BEFORE,
            "'shop', 500, 50, ARRAY['fact'], ARRAY['order.%'], 5, 'order:1'",
            &[("events_key", &["shop_id", "key", "position"])],
        ),
        (&log::READ_MONEY, "'shop', 5, 2005", &[("events_pkey", &["shop_id", "position"])]),
        (
            &log::FIND_BY_PAYPAL_ID,
            "'shop', 'WH-1'",
            &[
                ("callbacks_pkey", &["shop_id", "event_key"]),
                ("transmissions_pkey", &["shop_id", "transmission_id"]),
            ],
        ),
        (&log::FIND_HEAD, "'shop'", &[("shops_pkey", &["shop_id"]), ("events_pkey", &["shop_id"])]),
        (&log::LOCK_SHOP, "'shop'", &[("shops_pkey", &["shop_id"])]),
        (
            &audit::READ_LEAVES,
            "'shop', 5, 5000",
            &[("events_pkey", &["shop_id", "position"]), ("shops_pkey", &["shop_id"])],
        ),
        (&audit::READ_BUNDLE, "'shop', 5, 256", &[("events_pkey", &["shop_id", "position"])]),
        (
            &audit::READ_KEY_NOTE,
            "'shop', 'shop:shop'",
            &[("events_key", &["shop_id", "key"]), ("shops_pkey", &["shop_id"])],
        ),
        (&audit::READ_TREE, "'shop'", &[("trees_pkey", &["shop_id"])]),
        (
            &audit::READ_PUBLISHED,
            "'shop'",
            &[("trees_pkey", &["shop_id"]), ("tree_checkpoints_pkey", &["shop_id", "size"])],
        ),
        (
            &audit::READ_TILES,
            "'shop', ARRAY[0, 1]::smallint[], ARRAY[5, 0]::bigint[]",
            &[("tree_tiles_pkey", &["shop_id", "level", "index"])],
        ),
        (
            &audit::GROW_TREE,
            "'shop', 'tree', 1, 3000, 5, 6, '\\x00', 0, 'note', ARRAY[0]::smallint[], ARRAY[0]::bigint[],
             ARRAY[6]::smallint[], ARRAY['\\x00']::bytea[]",
            &[
                ("checkpoints_pkey", &["shop_id", "consumer"]),
                ("trees_pkey", &["shop_id"]),
                ("shops_pkey", &["shop_id"]),
            ],
        ),
        (
            &audit::PUBLISH_CHECKPOINT,
            "'shop', 'tree', 1, 6, 1000",
            &[
                ("checkpoints_pkey", &["shop_id", "consumer"]),
                ("trees_pkey", &["shop_id"]),
                ("tree_checkpoints_pkey", &["shop_id", "size"]),
            ],
        ),
        (&rows::LOAD_ORDERS, TEXTS, &[("orders_pkey", &["shop_id", "order_id"])]),
        (&rows::LOAD_PAYMENTS, PAIRS, &[("payments_pkey", &["shop_id", "id_kind", "id"])]),
        (&rows::LOAD_PAYMENTS_OF_ORDER, TEXTS, &[("payments_of_order", &["shop_id", "order_id"])]),
        (
            &rows::LOAD_PAYMENTS_OF_PAYPAL_ORDER,
            TEXTS,
            &[("payments_of_paypal_order", &["shop_id", "paypal_order_id"])],
        ),
        (
            &rows::LOAD_PAYMENTS_OF_AUTHORIZATION,
            TEXTS,
            &[("payments_of_authorization", &["shop_id", "authorization_id"])],
        ),
        (
            &rows::LOAD_PAYMENTS_OF_CAPTURE,
            TEXTS,
            &[
                ("payment_captures_pkey", &["shop_id", "capture_id"]),
                ("payments_pkey", &["shop_id", "id_kind", "id"]),
            ],
        ),
        (
            &rows::LIST_NEWEST_ORDERS,
            "'shop', 500000, 400000, NULL, NULL, NULL, 51",
            &[("events_pkey", &["shop_id", "position"]), ("orders_pkey", &["shop_id", "order_id"])],
        ),
        // Every order with a hold, once.
        (&rows::LOAD_HOLDERS, TEXTS, &[("orders_held", &["shop_id"])]),
        (&rows::LOAD_STOCK, TEXTS, &[("stock_pkey", &["shop_id", "sku"])]),
        (&rows::LOAD_COUPONS, TEXTS, &[("coupons_pkey", &["shop_id", "code"])]),
        (&rows::LOAD_COUPON_BUYERS, PAIRS, &[("coupon_buyers_pkey", &["shop_id", "code", "buyer_id"])]),
        (
            &rows::LOAD_PAYMENT_CAPTURES,
            "'shop', ARRAY['a', 'b', 'c'], ARRAY['d', 'e', 'f'], ARRAY['g', 'h', 'i']",
            &[("payment_captures_pkey", &["shop_id", "capture_id", "id_kind", "id"])],
        ),
        (&asked::FIND_KNOWN_EVENTS, TEXTS, &[("callbacks_pkey", &["shop_id", "event_key"])]),
        (&asked::FIND_CAPTURES, TEXTS, &[("payments_pkey", &["shop_id", "id_kind", "id"])]),
        (
            &asked::LIST_AWAITING,
            "'shop', '', 500",
            &[("payments_set_apart", &["shop_id"]), ("orders_pkey", &["shop_id", "order_id"])],
        ),
        (&rows::LOAD_POINTS, TEXTS, &[("points_pkey", &["shop_id", "buyer_id"])]),
        (&rows::LOAD_PARKED, POSITIONS, &[("parked_pkey", &["shop_id", "position"])]),
        (
            &rows::LOAD_PARKED_GROUPS,
            POSITIONS,
            &[
                ("parked_groups_pkey", &["shop_id", "group_position"]),
                ("parked_of_group", &["shop_id", "group_position"]),
                ("events_pkey", &["shop_id", "position"]),
            ],
        ),
    ]
}

/// The plan of a look-up in a session of the service.
async fn plan(database: &Database, mode: &str, (query, parameters, _): &Lookup) -> Value {
    let client = database.client().await.unwrap();
    let (name, text) = (query.name(), database.sql(query).trim_end().trim_end_matches(';'));
    client.batch_execute(&format!("SET plan_cache_mode = {mode}; PREPARE asked AS {text}")).await.unwrap();
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE asked ({parameters})");
    let rows = client.raw().simple_query(&explain).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    client.discard();
    let text = rows.iter().find_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// What is wrong with a node and those below it; the indexes that it goes by are added.
fn judge(node: &Value, lookup: &Lookup, seen: &mut Vec<String>, wrong: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let kind = text("Node Type");
    // A page that is sorted was read whole before its limit.
    let is_page = lookup.0.name().starts_with("delivery/") || lookup.0.name().contains("/list_newest");
    let is_sorted = kind == "Sort" && is_page;
    if is_sorted
        || ["Seq Scan", "Hash Join", "Merge Join"].contains(&kind)
        || node.get("Join Filter").is_some()
    {
        wrong.push(format!("{kind} {} {}", text("Relation Name"), text("Join Filter")));
    }
    if let Some(index) = node["Index Name"].as_str() {
        let condition = text("Index Cond");
        match lookup.2.iter().find(|(name, _)| *name == index) {
            None => wrong.push(format!("it goes by {index}: {condition}")),
            Some((_, columns)) => {
                let left_out = columns.iter().filter(|column| !names(condition, column));
                wrong.extend(left_out.map(|column| format!("{index} without {column}: {condition}")));
            }
        }
        seen.push(index.to_owned());
    }
    for below in node["Plans"].as_array().into_iter().flatten() {
        judge(below, lookup, seen, wrong);
    }
}

/// `((shop_id = $1) AND (id = k.id))`, also with the column quoted.
fn names(condition: &str, column: &str) -> bool {
    condition.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).any(|word| word == column)
}

#[tokio::test]
async fn every_hot_look_up_goes_by_its_whole_key_also_when_planned_over_empty_tables() {
    let test = TestDatabase::create().await;
    let owner = test.database_owner();
    owner.client().await.unwrap().batch_execute("VACUUM (ANALYZE)").await.unwrap();
    let service = test.database();
    let mut failures = Vec::new();
    for mode in ["force_generic_plan", "force_custom_plan"] {
        for lookup in lookups() {
            let plan = plan(&service, mode, &lookup).await;
            let (mut seen, mut wrong) = (Vec::new(), Vec::new());
            judge(&plan[0]["Plan"], &lookup, &mut seen, &mut wrong);
            let missed = lookup.2.iter().filter(|(index, _)| !seen.iter().any(|name| name == index));
            wrong.extend(missed.map(|(index, _)| format!("{index} is not used")));
            failures.extend(wrong.into_iter().map(|what| format!("{} ({mode}): {what}", lookup.0.name())));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A look-up that is added must be held to it too.
#[test]
fn every_query_that_takes_a_list_to_load_rows_is_among_them() {
    let held: Vec<&str> = lookups().iter().map(|(query, ..)| query.name()).collect();
    let takes_a_list = |query: &&Query| query.text().contains("unnest(");
    let loads = sql::all().iter().filter(|query| query.name().starts_with("read-models/load_"));
    let finds = sql::all().iter().filter(|query| {
        query.name().starts_with("event-log/find_") || query.name().starts_with("reconciliation/find_")
    });
    for query in loads.chain(finds).filter(takes_a_list) {
        assert!(held.contains(&query.name()), "{}", query.name());
    }
}

/// Its filters are optional, and each has an index of its own: a plan for all of them together could use none.
#[tokio::test]
async fn the_list_of_payments_is_planned_for_its_filters_and_nothing_else_is() {
    let test = TestDatabase::create().await;
    let database = test.database();
    let (client, shop) = (database.client().await.unwrap(), ShopId::parse("shop").unwrap());
    let pending = PaymentFilter { state: Some("pending".to_owned()), ..PaymentFilter::default() };
    for _ in 0..8 {
        payments::list(&client, &shop, &pending, None, 10).await.unwrap();
        client.query(&sql::read_models::LOAD_STOCK, &[&"shop", &vec!["A"]]).await.unwrap();
    }
    let plans = async |name: &str| {
        let counted =
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE $1";
        let row = client.raw().query_one(counted, &[&format!("-- {name}%")]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    assert_eq!(plans("list_payments").await, (0, 8));
    assert_eq!(plans("load_stock").await, (8, 0));
    let by_state: Lookup = (
        &sql::read_models::LIST_PAYMENTS,
        "'shop', '', '', NULL, 'pending', NULL, NULL, 10",
        &[("payments_pending", &["shop_id"])],
    );
    let plan = plan(&database, "force_custom_plan", &by_state).await;
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    judge(&plan[0]["Plan"], &by_state, &mut seen, &mut wrong);
    assert!(wrong.is_empty() && seen == ["payments_pending"], "{wrong:?} {plan}");
}
