//! What `serve` says in its log: one JSON object a line, with fields that keep their names, and nothing of a person or a secret.

use std::process::Stdio;

use domain::Money;
use paypal_simulator::{EventKind, Ids, Payer, Story, sign};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use test_support::TestDatabase;

use crate::binary;
use crate::ground::{Ground, SHOP, WEBHOOK_ID, client, now};
use crate::program::free_address;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_is_json_with_fields_that_stay_and_nothing_of_a_person_or_a_secret_at_any_level() {
    let ground = Ground::prepare(TestDatabase::create().await).await;
    let (address, said) = (free_address(), ground.folder().join("said"));
    let told = [("COUNTERFOIL_LOG", "trace".to_owned())];
    let stderr = Stdio::from(std::fs::File::create(&said).unwrap());
    let mut serving = ground.spawn_saying(binary::path(), "serve", address, &told, stderr);
    serving.is_ready().await;

    let canary = |word: &str| format!("Canary{word}");
    let payer = Payer {
        email: "canary-mail@example.test".into(),
        given_name: canary("given"),
        surname: canary("surname"),
        street: canary("street"),
        town: canary("town"),
        postal_code: "CANARY-1".into(),
        country: "GB".into(),
    };
    let money = Money::parse("30.00", "USD").unwrap();
    let mut story = Story { payer, ..Story::new(&mut Ids::seeded(7), "1003", money, now()) };
    story.order = Some("Canary Customid".to_owned());
    let http = client(std::time::Duration::from_secs(10));
    let mut signatures = Vec::new();
    for (n, kind) in EventKind::ALL.iter().enumerate() {
        let body = story.body(*kind, &format!("WH-{n}")).to_string().into_bytes();
        let headers = sign(&ground.authority, WEBHOOK_ID, &body, now());
        let mut request = http.post(format!("http://{address}/webhooks/paypal/{SHOP}")).body(body);
        for (name, value) in &headers {
            if name.eq_ignore_ascii_case("paypal-transmission-sig") {
                signatures.push(value.clone());
            }
            request = request.header(name, value);
        }
        request = request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200, "{}", kind.name());
    }
    let orders = http.get(format!("http://{address}/v1/orders?limit=3")).bearer_auth(&ground.key);
    assert_eq!(orders.send().await.unwrap().status().as_u16(), 200);
    assert_eq!(serving.terminate().await, Some(0));

    let log = std::fs::read_to_string(&said).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "no {field}: {line}");
        }
    }
    let taken: Vec<&Value> =
        lines.iter().filter(|line| line["message"] == "a callback is in the log").collect();
    assert_eq!(taken.len(), EventKind::ALL.len());
    for line in taken {
        assert_eq!((&line["shop"], &line["span"]["trace_id"]), (&SHOP.into(), &TRACE.into()), "{line}");
        assert!(
            line["position"].is_string() && line["event"].as_str().is_some_and(|id| id.len() == 36),
            "{line}"
        );
        assert!(line["span"]["id"].is_string(), "{line}");
    }
    let url = ground.test.url_service();
    let password = url.expose_secret().split("password=").nth(1).map(|rest| rest.split(' ').next().unwrap());
    let kek = "07".repeat(32);
    let mut secrets = vec![ground.key.as_str(), kek.as_str()];
    secrets.extend(signatures.iter().map(String::as_str));
    secrets.extend(password);
    for line in log.lines() {
        assert!(!line.to_lowercase().contains("canary"), "{line}");
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
    }
}
