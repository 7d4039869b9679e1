//! Every statement of the hot paths names one shop, so that a database that is spread over servers by `shop_id` (Citus) sends it
//! to one of them.
//!
//! The server itself says so: by its plan without any parameter's value, every table is come to by `shop_id = $1`, and what is
//! inserted has `$1` as its shop.

use database::{Client, Query, sql};
use serde_json::Value;
use test_support::TestDatabase;

/// Statements that are about more than one shop, or none, and why they may be.
const OTHERS: &[(&str, &str)] = &[
    ("access/note_uses", "uses of keys, together a few seconds later: nobody waits for it"),
    ("audit/list_trees", "the integrator looks for logs to grow, now and then"),
    ("database/list_migrations", "the schema's own history"),
    ("delivery/list_readers", "for /metrics"),
    ("delivery/list_running_sinks", "the supervisor looks for sinks to lead, now and then"),
    ("delivery/list_shops", "retention goes from shop to shop"),
    ("delivery/read_heads", "one look for the tails of all shops that are read here"),
    ("event-log/list_shops", "logs are compared as a process starts"),
    ("intake/list_shops", "for an operator"),
    ("reconciliation/list_standings", "for /metrics"),
    ("relay/list_shops", "the supervisor looks for shops to lead, now and then"),
    ("relay/read_health", "for /readyz and /metrics"),
    ("witnesses/list_seen", "for /metrics"),
];

/// What the server says of a query, whatever its parameters are.
async fn plan(client: &Client, query: &Query) -> Option<Value> {
    // What has no plan, as DO, comes to no table by itself.
    let parameters = client.raw().prepare(query.text()).await.ok()?.params().len();
    let text = query.text().trim_end().trim_end_matches(';');
    client.batch_execute(&format!("DEALLOCATE ALL; PREPARE asked AS {text}")).await.ok()?;
    let nulls = vec!["NULL"; parameters].join(", ");
    let nulls = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let rows =
        client.raw().simple_query(&format!("EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE asked{nulls}")).await;
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error:?}", query.name()));
    let text = rows.iter().find_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Some(serde_json::from_str(&text.unwrap()).unwrap())
}

fn below(node: &Value) -> &[Value] {
    node["Plans"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(node: &'a Value, name: &str) -> &'a str {
    node[name].as_str().unwrap_or_default()
}

/// What tables, and results of statements that go before, are called.
fn called(node: &Value, names: &mut Vec<String>) {
    if node.get("Relation Name").is_some() || node.get("CTE Name").is_some() {
        names.push(text(node, "Alias").to_owned());
    }
    below(node).iter().for_each(|node| called(node, names));
}

/// What the first column of the rows comes from that are inserted.
fn first_column(node: &Value) -> &str {
    // Others of its plans are statements that go before.
    let rows =
        below(node).iter().find(|plan| ["Outer", "Subquery"].contains(&text(plan, "Parent Relationship")));
    let first = rows.and_then(|rows| rows["Output"][0].as_str()).unwrap_or_default();
    match rows {
        Some(rows) if first.starts_with("\"*SELECT*\"") => first_column(rows),
        _ => first,
    }
}

/// The tables that a node and those below it come to for more than the one shop. `names` are those of tables whose shop is
/// known where another is joined by it.
fn judge(node: &Value, names: &[String], wrong: &mut Vec<String>) {
    let table = text(node, "Relation Name");
    if text(node, "Operation") == "Insert" {
        let shop = first_column(node);
        if !shop.contains("$1") && !shop.ends_with("shop_id") {
            wrong.push(format!("{table} gets {shop}"));
        }
    } else if text(node, "Schema") == "counterfoil" && text(node, "Node Type") != "ModifyTable" {
        let conditions = ["Index Cond", "Recheck Cond", "Filter"].map(|name| text(node, name));
        let is_one = |is: &str| {
            let of = is.trim_start_matches('(').split(')').next().unwrap_or_default();
            let of_another =
                of.strip_suffix(".shop_id").is_some_and(|name| names.iter().any(|known| known == name));
            of == "$1" || of_another
        };
        if !conditions.iter().any(|condition| condition.split("shop_id = ").skip(1).any(is_one)) {
            wrong.push(format!("{} of {table} by {conditions:?}", text(node, "Node Type")));
        }
    }
    below(node).iter().for_each(|node| judge(node, names, wrong));
}

#[tokio::test]
async fn every_statement_names_one_shop_or_says_why_not() {
    let test = TestDatabase::create().await;
    let client = test.database_owner().client().await.unwrap();
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    let mut failures = Vec::new();
    for query in sql::all() {
        let Some(plan) = plan(&client, query).await else { continue };
        let (mut names, mut wrong) = (Vec::new(), Vec::new());
        called(&plan[0]["Plan"], &mut names);
        judge(&plan[0]["Plan"], &names, &mut wrong);
        let reason = OTHERS.iter().find(|(name, _)| *name == query.name());
        match (wrong.is_empty(), reason) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => failures.push(format!("{} names one shop after all", query.name())),
            (false, None) => failures.push(format!("{}: {}", query.name(), wrong.join("; "))),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
