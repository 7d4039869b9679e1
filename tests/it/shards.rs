//! Every statement of the hot paths names one shop, so that a database that is spread over servers by `shop_id` (Citus) sends it
//! to one of them.
//!
//! The server itself says so: by its plan without any parameter's value, every table is come to by `shop_id = $1`, and what is
//! inserted has `$1` as its shop.

use database::{Client, Query, sql};
use serde_json::Value;
use test_support::TestDatabase;

/// Statements that are about more than one shop, or none, and why they may be.
pub(crate) const OTHERS: &[(&str, &str)] = &[
    ("access/note_uses", "uses of keys, together a few seconds later: nobody waits for it"),
    ("audit/list_trees", "the integrator looks for logs to grow, now and then"),
    ("database/list_migrations", "the schema's own history"),
    ("delivery/list_readers", "for /metrics"),
    ("delivery/list_running_sinks", "the supervisor looks for sinks to lead, now and then"),
    ("delivery/list_shops", "retention goes from shop to shop"),
    ("delivery/read_heads", "one look for the tails of all shops that are read here"),
    ("event-log/list_shops", "logs are compared as a process starts"),
    ("intake/list_shops", "for an operator"),
    ("read-models/measure_parked", "for /metrics"),
    ("reconciliation/list_standings", "for /metrics"),
    ("relay/list_heartbeats", "for /metrics"),
    ("relay/list_shops", "the supervisor looks for shops to lead, now and then"),
    ("relay/read_health", "for /readyz and /metrics"),
    ("witnesses/list_seen", "for /metrics"),
];

/// Statements that have no plan, because they come to no row.
const UNPLANNED: &[&str] = &["counterfoil/create_dev_login"];

/// What the server says of a statement, whatever its parameters are. `LOCK`, `DO` and the like have no plan.
async fn plan(client: &Client, query: &Query) -> Option<Value> {
    let parameters = client.raw().prepare(query.text()).await;
    let parameters = parameters.unwrap_or_else(|error| panic!("{}: {error:?}", query.name())).params().len();
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
    let plans: Value = serde_json::from_str(&text.unwrap()).unwrap();
    Some(plans[0]["Plan"].clone())
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

/// What rows are inserted.
fn rows_of(insert: &Value) -> &Value {
    // Others of its plans are statements that go before.
    let is_of_it = |plan: &&Value| ["Outer", "Subquery"].contains(&text(plan, "Parent Relationship"));
    below(insert).iter().find(is_of_it).unwrap_or(&Value::Null)
}

/// What the first column of these rows comes from, and whether they are one that is written out.
fn first_column(rows: &Value) -> (&str, bool) {
    let first = rows["Output"][0].as_str().unwrap_or_default();
    if first.starts_with("\"*SELECT*\"") {
        return first_column(rows_of(rows));
    }
    (first, text(rows, "Node Type") == "Result" && below(rows).is_empty())
}

/// The parts of a condition of which each must hold.
fn conjuncts(condition: &str) -> Vec<&str> {
    let condition = without_parentheses(condition);
    let (mut depth, mut begin, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in condition.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 && condition[at..].starts_with(" AND ") {
            parts.push(without_parentheses(&condition[begin..at]));
            begin = at + " AND ".len();
        }
    }
    parts.push(without_parentheses(&condition[begin..]));
    parts
}

/// Without those that stand around all of it.
fn without_parentheses(condition: &str) -> &str {
    let mut depth = 0_i32;
    let ends_at = condition.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        (depth == 0).then_some(at)
    });
    match condition.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) if ends_at == Some(condition.len() - 1) => without_parentheses(inner),
        _ => condition,
    }
}

/// Whether this says that a table's shop is the first parameter, or that of another table.
fn names_one_shop(conjunct: &str, names: &[String]) -> bool {
    let Some((what, shop)) = conjunct.split_once(" = ") else { return false };
    if what != "shop_id" && !what.ends_with(".shop_id") {
        return false;
    }
    let shop = shop.trim_end_matches("::text").trim_start_matches('(').trim_end_matches(')');
    shop == "$1" || shop.strip_suffix(".shop_id").is_some_and(|name| names.iter().any(|known| known == name))
}

/// The tables that a node and those below it come to for more than the one shop, and rows of which it is not seen that they
/// are the one shop's. `names` are those of tables whose shop is known where another is joined by it.
fn judge(node: &Value, names: &[String], wrong: &mut Vec<String>) {
    let table = text(node, "Relation Name");
    if text(node, "Operation") == "Insert" {
        // Rows of a list are read beside a row of their shop: only so is the whole statement of one node.
        match first_column(rows_of(node)) {
            ("$1" | "($1)::text", true) => {}
            (first, _) if first == "shop_id" || first.ends_with(".shop_id") => {}
            (first, _) => wrong.push(format!("{table} gets {first}")),
        }
    } else if text(node, "Schema") == "counterfoil" && text(node, "Node Type") != "ModifyTable" {
        let conditions = ["Index Cond", "Recheck Cond", "Filter"].map(|name| text(node, name));
        let mut all = conditions.iter().flat_map(|condition| conjuncts(condition));
        if !all.any(|conjunct| names_one_shop(conjunct, names)) {
            wrong.push(format!("{} of {table} by {conditions:?}", text(node, "Node Type")));
        }
    }
    below(node).iter().for_each(|node| judge(node, names, wrong));
}

/// What keeps a statement from being of one shop.
fn wrong_with(plan: &Value) -> Vec<String> {
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    called(plan, &mut names);
    judge(plan, &names, &mut wrong);
    // Citus takes a list that is inserted behind another statement only where something is selected in the end.
    let (_, is_written_out) = first_column(rows_of(plan));
    let writes = |node: &Value| text(node, "Node Type") == "ModifyTable";
    if text(plan, "Operation") == "Insert" && !is_written_out && below(plan).iter().any(writes) {
        wrong.push(format!("{} is inserted into behind another statement", text(plan, "Relation Name")));
    }
    wrong
}

async fn planner(test: &TestDatabase) -> Client {
    let client = test.database_owner().client().await.unwrap();
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    client
}

#[tokio::test]
async fn every_statement_names_one_shop_or_says_why_not() {
    let test = TestDatabase::create().await;
    let client = planner(&test).await;
    let mut failures = Vec::new();
    for query in sql::all() {
        let Some(plan) = plan(&client, query).await else {
            assert!(UNPLANNED.contains(&query.name()), "{} has no plan", query.name());
            continue;
        };
        let wrong = wrong_with(&plan);
        let reason = OTHERS.iter().find(|(name, _)| *name == query.name());
        match (wrong.is_empty(), reason) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => failures.push(format!("{} names one shop after all", query.name())),
            (false, None) => failures.push(format!("{}: {}", query.name(), wrong.join("; "))),
        }
        if changes(query) && query.text().contains("clock_timestamp()") {
            failures
                .push(format!("{}: what changes rows takes its time by statement_timestamp()", query.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Whether rows are changed, or picked from other tables to be inserted: the clock of a node that moves on meanwhile is no
/// value that Citus could send to another.
fn changes(query: &Query) -> bool {
    ["UPDATE counterfoil.", "DELETE FROM counterfoil.", "INSERT INTO counterfoil."]
        .iter()
        .any(|verb| query.text().contains(verb))
}

/// Who writes a statement that is not of one shop hears of it.
#[tokio::test]
async fn a_statement_of_more_than_one_shop_is_noticed() {
    let test = TestDatabase::create().await;
    let client = planner(&test).await;
    let wrong = [
        "SELECT position FROM counterfoil.events WHERE position > 5",
        "SELECT position FROM counterfoil.events WHERE shop_id = $1 OR position = 5",
        "SELECT position FROM counterfoil.events WHERE shop_id = $2 AND key = $1",
        "SELECT position FROM counterfoil.events WHERE shop_id = ANY (ARRAY[$1, 'another'])",
        "SELECT position FROM counterfoil.events WHERE key = $1 AND shop_id <> 'another'",
        "SELECT o.payload FROM counterfoil.events AS e JOIN counterfoil.outbox AS o USING (position) WHERE e.shop_id = $1",
        "SELECT (SELECT count(*) FROM counterfoil.outbox) FROM counterfoil.shops WHERE shop_id = $1",
        "UPDATE counterfoil.stock SET held = 0 WHERE sku = $1",
        "DELETE FROM counterfoil.outbox AS o USING counterfoil.shops AS s WHERE s.shop_id = $1 AND o.position < 5",
        "INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) SELECT s.shop_id, 1, 1 FROM counterfoil.shops AS s",
        "INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) VALUES ('another', length($1), 1)",
        "INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) SELECT $1, e.epoch, 1 FROM (SELECT unnest($2::int[]) AS epoch) AS e",
        "WITH a AS (INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) VALUES ($1, 1, 1))
         INSERT INTO counterfoil.webhooks (shop_id, webhook_id) SELECT s.shop_id, w.id
         FROM counterfoil.shops AS s CROSS JOIN (SELECT unnest($2::text[]) AS id) AS w WHERE s.shop_id = $1",
    ];
    for text in wrong {
        let plan = plan(&client, &Query::new("test/wrong", text)).await.unwrap();
        assert!(!wrong_with(&plan).is_empty(), "{text}\n{plan:#}");
    }
    let right = [
        "SELECT position FROM counterfoil.events WHERE shop_id = $1 AND (position = 5 OR key = $2)",
        "INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) VALUES ($1, 1, 1)",
        "INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) SELECT s.shop_id, e.epoch, 1
         FROM counterfoil.shops AS s CROSS JOIN (SELECT unnest($2::int[]) AS epoch) AS e WHERE s.shop_id = $1",
    ];
    for text in right {
        let plan = plan(&client, &Query::new("test/right", text)).await.unwrap();
        assert_eq!(wrong_with(&plan), Vec::<String>::new(), "{text}\n{plan:#}");
    }
}
