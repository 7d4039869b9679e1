//! On Citus: what `migrate --citus` does, and that every statement of a shop goes to one node.
//!
//! A cluster is given by `CITUS_URL` (`tests/README.md`); `make test-citus` has the main path of the suite run over it as well.

use database::{Query, distribute, migrate, sql};
use domain::ShopId;
use read_models::ReadModels;
use secrecy::ExposeSecret;
use serde_json::json;
use test_support::TestDatabase;

use crate::binary;
use crate::led_shop::{LedShop, append, applied, assert_shop_sound, new_fact, plant_shop, quick};
use crate::shards::OTHERS;

const SCHEMA: &str = sql::DEFAULT_SCHEMA;

/// Says that there is no cluster, where there is none: Debian has no package of Citus that CI could install.
fn is_given() -> bool {
    let is_given = std::env::var_os("CITUS_URL").is_some();
    if !is_given {
        #[expect(clippy::print_stdout, reason = "whoever ran the tests has to see it")]
        {
            println!("skipped: no Citus (make test-citus CITUS_URL='host=.. user=postgres dbname=..')");
        }
    }
    is_given
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_extension_migrate_for_citus_says_what_to_do_and_does_nothing() {
    if std::env::var_os("CITUS_URL").is_some() {
        return;
    }
    let test = TestDatabase::create_empty().await;
    let refused = distribute(&test.url_owner(), SCHEMA).await.unwrap_err().to_string();
    assert!(refused.contains("CREATE EXTENSION citus"), "{refused}");
    let folder = binary::TempDir::new();
    let ran = binary::command(folder.path())
        .args(["migrate", "--citus"])
        .env("MAINTENANCE_DATABASE_URL", test.url_owner().expose_secret())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && said.contains("the extension citus is not installed"), "{said}");
    let there = "SELECT count(*) FROM pg_namespace WHERE nspname = 'counterfoil'";
    let row = test.superuser().await.query_one(there, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "nothing was migrated");
}

/// Values of any kind: a statement is sent where its first one says.
fn sample(kind: &tokio_postgres::types::Type) -> String {
    let one = |name: &str| match name {
        "text" => "'{}'".to_owned(),
        "bytea" => "'\\x00'".to_owned(),
        "bool" => "true".to_owned(),
        "uuid" => "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'".to_owned(),
        "timestamptz" => "'2026-01-01'".to_owned(),
        _ => "1".to_owned(),
    };
    match kind.name().strip_prefix('_') {
        Some(element) => format!("ARRAY[{}]::{element}[]", one(element)),
        None => one(kind.name()),
    }
}

/// Every node that a plan has tasks on, but for this one, which only puts results together.
async fn tasks(client: &database::Client, query: &Query) -> String {
    let text = query.text().trim_end().trim_end_matches(';');
    if client.batch_execute(&format!("DEALLOCATE ALL; PREPARE asked AS {text}")).await.is_err() {
        return String::new();
    }
    let mut values: Vec<String> = query.types().iter().map(sample).collect();
    if let Some(first) = values.first_mut().filter(|first| *first == "'{}'") {
        *first = "'shop'".to_owned();
    }
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = format!("EXPLAIN (COSTS off) EXECUTE asked{values}");
    let rows = client.raw().simple_query(&explain).await;
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error:?}", query.name()));
    rows.iter()
        .filter_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(|line| format!("{line}\n")),
            _ => None,
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs Citus: make test-citus"]
async fn every_statement_of_one_shop_is_sent_to_one_node() {
    if !is_given() {
        return;
    }
    let test = TestDatabase::create().await;
    let client = test.database_owner().client().await.unwrap();
    let mut failures = Vec::new();
    for query in sql::all().iter().filter(|query| OTHERS.iter().all(|(name, _)| *name != query.name())) {
        let plan = tasks(&client, query).await;
        let is_of_one =
            plan.lines().filter(|line| line.contains("Task Count:")).all(|line| line.ends_with(": 1"));
        // One line that is written out may take the way by the coordinator.
        if !is_of_one {
            failures.push(format!("{}:\n{plan}", query.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
#[ignore = "needs Citus: make test-citus"]
async fn what_is_distributed_stays_so_and_no_node_lets_events_be_changed() {
    if !is_given() {
        return;
    }
    let shop = LedShop::create().await;
    let test = &shop.test;
    // A migration that comes later brings a table with it.
    shop.run(
        "SET ROLE test_owner; CREATE TABLE counterfoil.later (shop_id text COLLATE \"C\" NOT NULL, n int NOT NULL,
         PRIMARY KEY (shop_id, n))",
    )
    .await;
    let report = migrate(&test.url_owner(), SCHEMA).await.unwrap();
    assert!(report.applied.is_empty() && report.statements.is_empty());
    let first = distribute(&test.url_owner(), SCHEMA).await.unwrap();
    assert_eq!(first.now, ["later"]);
    let again = distribute(&test.url_owner(), SCHEMA).await.unwrap();
    assert!(again.now.is_empty() && again.tables == first.tables);
    let apart = "SELECT count(DISTINCT colocationid) FROM pg_dist_partition";
    assert_eq!(shop.number(apart).await, 1, "a shop's rows stand together");
    let local = "SELECT string_agg(c.relname, ' ') FROM pg_class AS c
        WHERE c.relnamespace = 'counterfoil'::regnamespace AND c.relkind = 'r'
            AND NOT EXISTS (SELECT FROM pg_dist_partition AS p WHERE p.logicalrelid = c.oid)";
    let row = test.superuser().await.query_one(local, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "schema_history");

    let relay = shop.lead_with(ReadModels::default(), quick());
    shop.settle(&relay, "stock.received", json!({"sku": "A", "qty": 1})).await;
    relay.stop().await;
    let refused =
        "SELECT count(*) FROM run_command_on_shards('counterfoil.events', 'UPDATE %s SET key = key')
        WHERE success OR result NOT LIKE '%events are never changed%'";
    assert_eq!(shop.number(refused).await, 0);
    shop.assert_sound().await;
}

/// Shops of both nodes are led, appended to and verified by one instance.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Citus: make test-citus"]
async fn shops_of_every_node_are_settled_by_one_instance() {
    if !is_given() {
        return;
    }
    let shop = LedShop::create().await;
    let mut shops = vec![shop.shop.clone()];
    for number in 0..7 {
        let name = format!("shop-{number}");
        plant_shop(&shop.test, &name).await;
        shops.push(ShopId::parse(&name).unwrap());
    }
    let nodes = "SELECT count(DISTINCT (s.nodename, s.nodeport)) FROM counterfoil.shops AS c
        JOIN citus_shards AS s ON s.shardid = get_shard_id_for_distribution_column('counterfoil.shops', c.shop_id)";
    assert!(shop.number(nodes).await > 1, "they lie on more than one node");
    let relay = shop.lead();
    for (number, one) in (100..).zip(&shops) {
        let fact = new_fact(number, "stock.received", &json!({"sku": "A", "qty": 1}));
        let position = append(&shop.appender, one, fact).await;
        applied(&relay, one, position).await;
    }
    relay.stop().await;
    for one in &shops {
        assert_shop_sound(&shop.database, one).await;
    }
}
