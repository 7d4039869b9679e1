//! `reconcile` as a person uses it: PayPal's report against what came through the door.

use std::process::Output;

use domain::ShopId;
use http_api::Limits;
use serde_json::{Value, json};

use crate::binary::{self, TempDir, said};
use crate::served::{SHOP, Served, placement};
use crate::soundness;

/// A report of the day that the test runs in, and the days beside it.
fn report(rows: &[String]) -> String {
    let day = |offset: i64| {
        let at = crate::ground::now().plus_seconds(offset * 86_400).unwrap();
        at.as_datetime().format("%Y/%m/%d").to_string()
    };
    let (from, to, count) = (day(-1), day(1), rows.len());
    let rows: String = rows.iter().map(|row| format!("\"SB\",{row}\n")).collect();
    format!(
        "\"RH\",{to} 02:21:10 +0000,\"A\",\"MERCHANT1\",009,\n\"FH\",01\n\
         \"SH\",{from} 00:00:00 +0000,{to} 23:59:59 +0000,\"MERCHANT1\",\"\"\n\
         \"CH\",\"Transaction ID\",\"Transaction Event Code\",\"Transaction Completion Date\",\
         \"Transaction Debit or Credit\",\"Gross Transaction Amount\",\"Gross Transaction Currency\",\
         \"Fee Debit or Credit\",\"Fee Amount\",\"Fee Currency\"\n{rows}\
         \"SC\",{count}\n\"RC\",{count}\n\"FF\",{count}\n"
    )
}

fn row(id: &str, code: &str, direction: &str, gross: i64, fee: i64) -> String {
    let fee_direction = if direction == "CR" { "DR" } else { "CR" };
    // Long ago: its callback must have come.
    let completed = crate::ground::now().plus_seconds(-86_400).unwrap();
    let completed = completed.as_datetime().format("%Y/%m/%d %H:%M:%S +0000");
    format!(
        "\"{id}\",\"{code}\",{completed},\"{direction}\",{gross},\"USD\",\"{fee_direction}\",{fee},\"USD\""
    )
}

fn captured(order: &str) -> Value {
    let money = |value: &str| json!({"currency_code": "USD", "value": value});
    json!({
        "id": format!("WH-{order}"), "event_version": "1.0", "create_time": "2026-11-22T10:00:00.000Z",
        "resource_type": "capture", "resource_version": "2.0", "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "summary": "Payment completed",
        "resource": {
            "id": format!("CAP-{order}"), "status": "COMPLETED", "amount": money("10.00"), "custom_id": order,
            "final_capture": true,
            "seller_receivable_breakdown": {
                "gross_amount": money("10.00"), "paypal_fee": money("0.64"), "net_amount": money("9.36"),
            },
        },
    })
}

fn refunded(order: &str) -> Value {
    let mut body = captured(order);
    body["id"] = json!(format!("WH-R-{order}"));
    body["event_type"] = json!("PAYMENT.CAPTURE.REFUNDED");
    body["resource_type"] = json!("refund");
    body["resource"] = json!({
        "id": format!("REF-{order}"), "status": "COMPLETED", "custom_id": order,
        "amount": {"currency_code": "USD", "value": "4.00"},
        "links": [{"rel": "up", "href": format!("https://api.paypal.com/v2/payments/captures/CAP-{order}")}],
    });
    body
}

struct Auditor<'a> {
    served: &'a Served,
    dir: TempDir,
}

impl Auditor<'_> {
    fn reconcile(&self, text: &str, more: &str) -> Output {
        std::fs::write(self.dir.path().join("STL.CSV"), text).unwrap();
        let mut command = binary::command(self.dir.path());
        command.args(["reconcile", SHOP, "--settlement", "STL.CSV"]).args(more.split_whitespace());
        command.env("MAINTENANCE_DATABASE_URL", self.served.owner_url());
        command.output().unwrap()
    }

    fn shows(&self, text: &str, more: &str, code: i32) -> Value {
        let output = self.reconcile(text, &format!("{more} -o json"));
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paypals_report_is_compared_with_what_came_through_the_door() {
    let served = Served::start(Limits::default()).await;
    served.post("/v1/stock/tea/receive", &served.shop_key, &json!({"id": "first", "qty": 100})).await;
    for order in ["A-1", "A-2"] {
        served.post("/v1/orders", &served.shop_key, &placement(order)).await;
        served.deliver(&captured(order)).await;
    }
    served.deliver(&refunded("A-1")).await;
    served.settled().await;
    let auditor = Auditor { served: &served, dir: TempDir::new() };
    let rows = vec![
        row("CAP-A-1", "T0006", "CR", 1000, 64),
        row("CAP-A-2", "T0006", "CR", 1000, 64),
        row("REF-A-1", "T1107", "DR", 400, 0),
        row("", "T0400", "DR", 1200, 0),
    ];
    let head = served.events().await;

    let dry = auditor.shows(&report(&rows), "--dry-run", 0);
    assert_eq!((&dry["noted"], served.events().await), (&Value::Null, head), "a rehearsal writes nothing");
    let found = auditor.shows(&report(&rows), "", 0);
    assert_eq!((&found["counts"]["matched"], &found["counts"]["other"]), (&json!(3), &json!(1)));
    assert_eq!(found["totals"][0]["here_minor"], 2000);
    assert_eq!(found["noted"], json!({"position": head + 1, "was_known": false}));
    let again = auditor.shows(&report(&rows), "", 0);
    assert_eq!(
        again["noted"],
        json!({"position": head + 1, "was_known": true}),
        "once for each state of the log"
    );
    let (_, note) = served.get(&format!("/v1/events/0-{}", head + 1), &served.operator_key).await;
    assert_eq!(
        (&note["type"], &note["by"]),
        (&json!("settlement.reconciled"), &json!("counterfoil reconcile"))
    );
    assert_eq!(note["data"]["sha256"], found["sha256"]);
    assert_eq!((&note["data"]["as_of"], &note["data"]["matched"]), (&json!(head), &json!(3)));

    // Whoever edits the tables deceives nobody.
    let edit = "UPDATE counterfoil.payments SET amount_minor = 1 WHERE id = 'CAP-A-1'";
    served.test_superuser().await.batch_execute(edit).await.unwrap();
    assert_eq!(auditor.shows(&report(&rows), "", 0)["counts"]["matched"], 3);
    let mend = "UPDATE counterfoil.payments SET amount_minor = 1000 WHERE id = 'CAP-A-1'";
    served.test_superuser().await.batch_execute(mend).await.unwrap();

    let mut other = rows.clone();
    other[0] = row("CAP-A-1", "T0006", "CR", 1100, 64);
    other[1] = row("LOST", "T0006", "CR", 500, 20);
    let found = auditor.shows(&report(&other), "--late 1m --by finance", 1);
    let unmatched = found["unmatched"].as_array().unwrap();
    let told: Vec<_> =
        unmatched.iter().map(|row| (row["class"].as_str().unwrap(), row["id"].as_str().unwrap())).collect();
    assert_eq!(told, [("amount_differs", "CAP-A-1"), ("missing_here", "LOST"), ("missing_there", "CAP-A-2")]);
    assert_eq!(
        (&unmatched[0]["here"]["gross_minor"], &unmatched[0]["there"]["gross_minor"]),
        (&json!(1000), &json!(1100))
    );
    let table = auditor.reconcile(&report(&other), "");
    assert_eq!(table.status.code(), Some(1));
    let text = said(&table);
    assert!(text.contains("missing_here") && text.contains("LOST") && text.contains("T0400"), "{text}");

    let head = served.events().await;
    for (from, to, says) in [
        ("\"SH\"", "\"SX\"", "STL.CSV, line 3: no row of a settlement report begins so"),
        ("1000,", "10.00,", "STL.CSV, line 5: the gross transaction amount is no integer"),
        ("\"FF\",4\n", "", "STL.CSV, line 10: it ends behind this line"),
    ] {
        let output = auditor.reconcile(&report(&rows).replacen(from, to, 1), "");
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(says), "{}", said(&output));
    }
    let foreign = auditor.reconcile(&report(&rows), "--account OTHER");
    assert_eq!(foreign.status.code(), Some(1));
    assert!(said(&foreign).contains("MERCHANT1"), "{}", said(&foreign));
    assert_eq!(served.events().await, head, "nothing is written");
    soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}
