//! A shop that already sells moves in: its file is imported, and while it is in shadow its statuses are compared.

use std::process::Output;

use domain::ShopId;
use http_api::Limits;
use serde_json::{Value, json};

use crate::binary::{self, TempDir, said};
use crate::led_shop::LedShop;
use crate::served::{SHOP, Served, placement};
use crate::soundness;

const EXAMPLE: &str = "crates/counterfoil/examples/moving-in/shop.ndjson";
const STATUSES: &str = "crates/counterfoil/examples/moving-in/orders.csv";
/// What the shop of the example calls its statuses.
const WORDS: &str =
    "--as completed=shipped --as processing=paid --as pending=open --as part-paid=partially_paid";
/// Lines of the example.
const LINES: u64 = 12;

/// What a shop may bring along, and what comes of it in shadow: every outcome that only this brings.
pub(crate) fn history(shop: &ShopId) -> Vec<(&'static str, Value)> {
    let shadow = |on: bool| json!({"shop": shop, "settings": {"shadow": on}});
    let placement = |order: &str| {
        json!({
            "order": order, "buyer": "mia", "currency": "EUR", "total_minor": 1700,
            "lines": [{"sku": "M", "qty": 2, "unit_minor": 1000}],
            "coupons": [{"code": "MOVE", "minor": 200}], "points": {"spend": 10, "minor": 100, "earn": 17},
        })
    };
    let capture = |id: &str, order: &str| json!({"capture": id, "order": order, "amount_minor": 1700, "currency": "EUR"});
    let refund = |id: &str, capture: &str, minor: i64| json!({"refund": id, "capture": capture, "amount_minor": minor, "currency": "EUR"});
    let paid = |order: &str, capture: &str| {
        json!({
            "status": "paid", "placement": placement(order), "paid_at": "2026-01-01T00:00:00Z",
            "captures": [{"capture": capture, "amount_minor": 1700, "fee_minor": 60}],
        })
    };
    let mut part = paid("m3", "MC3");
    part["refunds"] = json!([{"refund": "MR3", "capture": "MC3", "amount_minor": 700}]);
    part["shipment"] = json!({"lines": [{"sku": "M", "qty": 1}]});
    let mut open = json!({"status": "open", "placement": placement("m5")});
    open["captures"] = json!([{"capture": "MC5", "amount_minor": 700}]);
    open["tenders"] = json!([{"provider": "cash", "payment": "m5", "amount_minor": 100}]);
    vec![
        ("shop.configured", shadow(true)),
        ("rules.activated", json!({"shop": shop, "version": 4})),
        ("payment.captured", capture("MC2", "m2")),
        ("payment.refunded", refund("MR2", "MC2", 1700)),
        ("stock.imported", json!({"sku": "M", "on_hand": 20})),
        ("coupon.imported", json!({"code": "MOVE", "max_uses": 9, "max_per_buyer": 8, "used": 4})),
        ("coupon.imported", json!({"code": "GONE", "max_uses": 3, "used": 3, "voided": true})),
        ("coupon.imported", json!({"code": "MOVE", "max_uses": 9})),
        ("coupon.buyer_imported", json!({"code": "MOVE", "buyer": "mia", "used": 3})),
        ("coupon.buyer_imported", json!({"code": "GONE", "buyer": "mia", "used": 1})),
        ("points.imported", json!({"buyer": "mia", "balance": 300})),
        ("order.imported", paid("m1", "MC1")),
        ("order.imported", paid("m1", "MC1")),
        ("order.imported", paid("m2", "MC2")),
        ("order.imported", part),
        ("order.imported", json!({"status": "open", "placement": placement("m4")})),
        ("order.imported", open),
        ("shop.configured", shadow(true)),
        ("payment.captured", capture("MC1", "m1")),
        ("payment.refunded", refund("MR1", "MC1", 1700)),
        ("payment.refunded", refund("MR3", "MC3", 700)),
        ("payment.reversed", refund("MR4", "MC3", 1000)),
        ("payment.captured", capture("MC4", "m4")),
        ("order.placed", placement("m6")),
        ("shop.configured", shadow(false)),
        ("order.cancelled", json!({"order": "m6"})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shop_brings_along_keeps_every_invariant_and_moves_no_balance() {
    let shop = LedShop::create().await;
    let relay = shop.lead();
    for (type_name, data) in history(&shop.shop) {
        shop.append(type_name, data).await;
    }
    shop.settle(&relay, "stock.adjusted", json!({"sku": "M", "delta": 0})).await;
    relay.stop().await;
    shop.assert_sound().await;
    // 20 pieces, of which m4 took two; those of m1 and m2 came back, m5's two are held.
    for (sql, is) in [
        ("SELECT received + adjusted - settled + returned FROM counterfoil.stock WHERE sku = 'M'", 22),
        ("SELECT held FROM counterfoil.stock WHERE sku = 'M'", 2),
        ("SELECT used FROM counterfoil.coupons WHERE code = 'MOVE'", 2),
        ("SELECT used FROM counterfoil.coupon_buyers WHERE code = 'MOVE' AND buyer_id = 'mia'", 1),
        ("SELECT captured_minor FROM counterfoil.orders WHERE order_id = 'm1'", 1700),
    ] {
        assert_eq!(shop.number(sql).await, is, "{sql}");
    }
    let marked = "SELECT count(*) FROM counterfoil.outbox WHERE payload LIKE '%\"shadow\":true%' AND aggregatetype = 'order'";
    assert_eq!(shop.number(marked).await, 4, "what was decided in shadow is marked");
}

struct Owner<'a> {
    served: &'a Served,
    dir: TempDir,
}

impl Owner<'_> {
    fn run(&self, line: &str) -> Output {
        let mut command = binary::command(self.dir.path());
        command.args(line.split_whitespace()).env("MAINTENANCE_DATABASE_URL", self.served.owner_url());
        command.env("COUNTERFOIL_URL", self.served.url("")).env("COUNTERFOIL_KEY", &self.served.operator_key);
        command.output().unwrap()
    }

    fn shows(&self, line: &str, code: i32) -> Value {
        let output = self.run(&format!("{line} -o json"));
        assert_eq!(output.status.code(), Some(code), "{line}\n{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }
}

fn example() -> String {
    std::fs::read_to_string(binary::root().join(EXAMPLE)).unwrap()
}

fn callback(id: &str, event_type: &str, resource: Value) -> Value {
    let resource_type = if event_type.ends_with("REFUNDED") { "refund" } else { "capture" };
    json!({
        "id": id, "event_version": "1.0", "create_time": "2026-11-23T10:00:00.000Z", "resource_type": resource_type,
        "resource_version": "2.0", "event_type": event_type, "summary": "A payment", "resource": resource,
    })
}

fn money(value: &str, currency: &str) -> Value {
    json!({"currency_code": currency, "value": value})
}

async fn order(served: &Served, id: &str) -> Value {
    let (status, order) = served.get(&format!("/v1/orders/{id}"), &served.operator_key).await;
    assert_eq!(status, 200, "{order}");
    order
}

async fn stock(served: &Served, sku: &str) -> [i64; 2] {
    let (_, stock) = served.get(&format!("/v1/stock/{sku}"), &served.operator_key).await;
    [stock["on_hand"].as_i64().unwrap(), stock["held"].as_i64().unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_imported_once_and_what_comes_behind_finds_its_payments() {
    let served = Served::start(Limits::default()).await;
    let owner = Owner { served: &served, dir: TempDir::new() };
    owner.write("shop.ndjson", &example());
    let import = format!("import shop.ndjson --shop {SHOP}");

    let dry = owner.shows(&format!("{import} --dry-run"), 0);
    assert_eq!((&dry["lines"], &dry["known"], &dry["dry_run"]), (&json!(LINES), &json!(0), &json!(true)));
    let totals = &dry["totals"];
    assert_eq!(
        (&totals["articles"], &totals["pieces"], &totals["points"]),
        (&json!(2), &json!(160), &json!(230))
    );
    let of = |status: &str, currency: &str| {
        let orders = totals["orders"].as_array().unwrap();
        orders.iter().find(|o| o["status"] == status && o["currency"] == currency).unwrap().clone()
    };
    assert_eq!(
        of("paid", "EUR"),
        json!({"status": "paid", "currency": "EUR", "orders": 2, "total_minor": 2000, "captured_minor": 2000, "refunded_minor": 400})
    );
    assert_eq!(of("open", "EUR")["captured_minor"], 1000);
    let table = owner.run(&format!("{import} --dry-run"));
    assert!(said(&table).contains("29.00 USD") && said(&table).contains("coupon_buyer"), "{}", said(&table));
    assert_eq!(served.events().await, -1, "a rehearsal writes nothing");

    let old = owner.run(&import);
    assert_eq!(old.status.code(), Some(1));
    assert!(said(&old).contains(&format!("shops rules {SHOP} --activate 4")), "{}", said(&old));
    assert_eq!(served.events().await, -1, "nothing is written that cannot be decided");
    owner.shows(&format!("shops rules {SHOP} --activate 4"), 0);
    served.settled().await;

    let brought = owner.shows(&import, 0);
    assert_eq!((&brought["appended"], &brought["known"]), (&json!(LINES), &json!(0)));
    served.settled().await;
    assert_eq!((stock(&served, "MUG-BLUE").await, stock(&served, "TEA-GREEN").await), ([40, 1], [120, 10]));
    let shipped = order(&served, "1041").await;
    assert_eq!((&shipped["state"], &shipped["fulfilment"]), (&json!("paid"), &json!("shipped")));
    assert_eq!(shipped["paid_at"], "2026-11-20T09:04:11.000000Z");
    assert_eq!(order(&served, "1043").await["fulfilment"], "ship");
    assert_eq!(order(&served, "1045").await["state"], "partially_paid");
    let (_, points) = served.get("/v1/points/b-17", &served.operator_key).await;
    assert_eq!((&points["balance"], &points["held"]), (&json!(250), &json!(100)));

    let head = served.events().await;
    let again = owner.shows(&import, 0);
    assert_eq!((&again["appended"], &again["known"]), (&json!(0), &json!(LINES)));
    assert_eq!(served.events().await, head, "running the file again adds nothing");

    // A run that was cut goes on: what is there is passed over.
    let more = "{\"kind\":\"stock\",\"sku\":\"CUP-RED\",\"on_hand\":0}\n";
    owner.write("shop.ndjson", &format!("{more}{}", example()));
    let rest = owner.shows(&import, 0);
    assert_eq!((&rest["appended"], &rest["known"]), (&json!(1), &json!(LINES)));

    // The same capture once more counts once, a refund finds it, and a payment settles what is open.
    let gross = |value: &str, currency: &str| json!({"gross_amount": money(value, currency)});
    served
        .deliver(&callback("WH-1", "PAYMENT.CAPTURE.COMPLETED", json!({
            "id": "3C679366HH908993F", "status": "COMPLETED", "amount": money("29.00", "USD"), "custom_id": "1041",
            "seller_receivable_breakdown": gross("29.00", "USD"), "final_capture": true,
        })))
        .await;
    served
        .deliver(&callback("WH-2", "PAYMENT.CAPTURE.REFUNDED", json!({
            "id": "R-1042", "status": "COMPLETED", "amount": money("8.00", "EUR"),
            "links": [{"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/8F148933LY9388354"}],
        })))
        .await;
    served
        .deliver(&callback(
            "WH-3",
            "PAYMENT.CAPTURE.COMPLETED",
            json!({
                "id": "C-1044", "status": "COMPLETED", "amount": money("14.00", "USD"), "custom_id": "1044",
            }),
        ))
        .await;
    served.settled().await;
    let counted = order(&served, "1041").await;
    assert_eq!((&counted["money"]["captured_minor"], &counted["flags"]), (&json!(2900), &shipped["flags"]));
    assert_eq!(order(&served, "1042").await["money"]["refunded_minor"], 1200);
    assert_eq!(order(&served, "1044").await["state"], "paid");
    assert_eq!((stock(&served, "MUG-BLUE").await, stock(&served, "TEA-GREEN").await), ([39, 0], [123, 10]));

    soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    for line in ["verify", "replay --diff"] {
        let output = owner.run(&format!("{line} --shop {SHOP}"));
        assert!(output.status.success(), "{line}: {}", said(&output));
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_anything_wrong_is_named_by_its_lines_and_writes_nothing() {
    let served = Served::start(Limits::default()).await;
    let owner = Owner { served: &served, dir: TempDir::new() };
    owner.shows(&format!("shops rules {SHOP} --activate 4"), 0);
    served.settled().await;
    owner.write("shop.ndjson", &example());
    owner.shows(&format!("import shop.ndjson --shop {SHOP}"), 0);
    served.settled().await;
    let head = served.events().await;

    let other = example().replacen("\"on_hand\":40", "\"on_hand\":41", 1);
    let broken = [
        "{\"kind\":\"stock\",\"sku\":\"NEW\",\"on_hand\":-1}",
        "{\"kind\":\"gift\"}",
        "no JSON",
        "",
        "{\"kind\":\"points\",\"buyer\":\"b-19\",\"balance\":1}",
        "{\"kind\":\"points\",\"buyer\":\"b-19\",\"balance\":2}",
        "{\"kind\":\"coupon\",\"code\":\"FEW\",\"max_uses\":5}",
        "{\"kind\":\"coupon_buyer\",\"code\":\"NOWHERE\",\"buyer\":\"b-17\",\"used\":1}",
        "{\"kind\":\"order\",\"status\":\"paid\",\"placement\":{\"order\":\"9\",\"currency\":\"USD\",\"total_minor\":100,\
         \"lines\":[{\"sku\":\"A\",\"qty\":1,\"unit_minor\":100}],\"coupons\":[{\"code\":\"FEW\",\"minor\":0}]},\
         \"captures\":[{\"capture\":\"C9\",\"amount_minor\":100}]}",
        "{\"kind\":\"order\",\"status\":\"paid\",\"placement\":{\"order\":\"10\",\"currency\":\"USD\",\"total_minor\":100,\
         \"lines\":[{\"sku\":\"A\",\"qty\":1,\"unit_minor\":100}]},\"captures\":[{\"capture\":\"C9\",\"amount_minor\":100}]}",
    ];
    owner.write("broken.ndjson", &format!("{other}{}\n", broken.join("\n")));
    for dry in ["", "--dry-run"] {
        let found = owner.shows(&format!("import broken.ndjson --shop {SHOP} {dry}"), 1);
        let named: Vec<(u64, &str)> = found["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| (problem["line"].as_u64().unwrap(), problem["pointer"].as_str().unwrap()))
            .collect();
        let expected =
            [(1, ""), (13, "/on_hand"), (14, "/kind"), (15, ""), (18, ""), (19, "/used"), (20, ""), (22, "")];
        assert_eq!((named.as_slice(), &found["count"]), (expected.as_slice(), &json!(8)));
        let conflict = found["problems"][0]["detail"].as_str().unwrap();
        assert!(conflict.contains("position"), "{conflict}");
    }
    let table = owner.run(&format!("import broken.ndjson --shop {SHOP}"));
    assert!(said(&table).contains("nothing was written"), "{}", said(&table));

    let many: String = (0..300).map(|n| format!("{{\"kind\":\"stock\",\"sku\":\"S{n}\"}}\n")).collect();
    owner.write("many.ndjson", &many);
    let found = owner.shows(&format!("import many.ndjson --shop {SHOP}"), 1);
    assert_eq!((&found["count"], found["problems"].as_array().unwrap().len()), (&json!(300), 100));
    assert_eq!(owner.run("import nowhere.ndjson").status.code(), Some(2));
    assert_eq!(served.events().await, head, "nothing was written");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_in_shadow_is_compared_with_its_own_statuses_until_it_leaves() {
    let served = Served::start(Limits::default()).await;
    let owner = Owner { served: &served, dir: TempDir::new() };
    owner.shows(&format!("shops rules {SHOP} --activate 4"), 0);
    served.settled().await;
    let entered = owner.shows("shops configure --shadow on", 0);
    served.settled().await;
    assert_eq!(served.get("/v1/settings", &served.operator_key).await.1["shadow"], true, "{entered}");
    owner.write("shop.ndjson", &example());
    owner.write("orders.csv", &std::fs::read_to_string(binary::root().join(STATUSES)).unwrap());
    owner.shows(&format!("import shop.ndjson --shop {SHOP}"), 0);
    served.settled().await;

    let diff = format!("shadow diff orders.csv --shop {SHOP} {WORDS}");
    let same = owner.shows(&diff, 0);
    assert_eq!((&same["totals"]["same"], same["differences"].as_array().unwrap().len()), (&json!(5), 0));

    // Counterfoil takes the callback and decides; the shop's own system has missed it, and lost an order.
    served.post("/v1/stock/tea/receive", &served.shop_key, &json!({"id": "first", "qty": 9})).await;
    served.post("/v1/orders", &served.shop_key, &placement("1046")).await;
    let captured = json!({
        "id": "C-1044", "status": "COMPLETED", "amount": money("14.00", "USD"), "custom_id": "1044",
    });
    served.deliver(&callback("WH-3", "PAYMENT.CAPTURE.COMPLETED", captured)).await;
    served.settled().await;
    let theirs = [
        json!({"order": "1041", "status": "completed", "captured_minor": 2900, "note": "their own"}),
        json!({"order": "1042", "status": "processing", "captured_minor": 1100}),
        json!({"order": "1043", "status": "cancelled"}),
        json!({"order": "1044", "status": "pending", "captured_minor": 0}),
        json!({"order": "1045", "status": "part-paid"}),
        json!({"order": "1045", "status": "part-paid"}),
        json!({"order": "999", "status": "paid"}),
    ];
    let text: String = theirs.iter().map(|line| format!("{line}\n")).collect();
    owner.write("orders.ndjson", &text);
    let diff = format!("shadow diff orders.ndjson --shop {SHOP} {WORDS}");
    let found = owner.shows(&diff, 1);
    let mut kinds: Vec<(String, String)> = found["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["order"].as_str().unwrap().to_owned(), row["kind"].as_str().unwrap().to_owned()))
        .collect();
    kinds.sort();
    let expected = [
        ("1042", "money"),
        ("1043", "status"),
        ("1044", "money"),
        ("1044", "status"),
        ("1045", "twice"),
        ("1046", "missing_there"),
        ("999", "missing_here"),
    ];
    assert_eq!(kinds, expected.map(|(order, kind)| (order.to_owned(), kind.to_owned())));
    assert_eq!(owner.shows(&format!("{diff} --partial"), 1)["totals"]["missing_there"], 0);
    let lines = owner.run(&format!("{diff} -o ndjson"));
    assert_eq!((lines.status.code(), String::from_utf8_lossy(&lines.stdout).lines().count()), (Some(1), 8));
    let table = said(&owner.run(&diff));
    assert!(table.contains("missing_here") && table.contains("cancelled"), "{table}");
    let unknown = owner.run(&format!("shadow diff orders.ndjson --shop {SHOP}"));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("line 1") && said(&unknown).contains("--as"), "{}", said(&unknown));

    // The feed has all of it, marked; what comes behind the shadow is not.
    owner.shows("shops configure --shadow off", 0);
    served.settled().await;
    served.post("/v1/orders", &served.shop_key, &placement("1047")).await;
    served.settled().await;
    let (status, feed) = served.get("/v1/feed?types=order.*&limit=100", &served.feed_key).await;
    assert_eq!(status, 200);
    let of = |order: &str| {
        let key = format!("order:{order}");
        let events = feed.as_array().unwrap().iter().filter(|event| event["subject"] == key.as_str());
        events.map(|event| event.get("shadow").cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert!(of("1044").len() == 2 && of("1044").iter().all(|shadow| *shadow == true), "{feed}");
    assert_eq!((of("1046"), of("1047")), (vec![json!(true)], vec![Value::Null]));
    soundness::assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}
