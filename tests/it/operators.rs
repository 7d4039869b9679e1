//! What operators do beside the log stands in it, with who and why.

use std::process::Output;

use domain::{Position, ShopId};
use event_log::{Event, Filter, Kind};
use evidence::{KeyEncryptionKey, Vault};
use http_api::Limits;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::wait_until;

use crate::binary::{self, TempDir, said};
use crate::led_shop::DEADLINE;
use crate::served::{SHOP, Served};

/// The notes of the log, in order.
async fn notes(served: &Served) -> Vec<Event> {
    let filter = Filter { kinds: vec![Kind::Note], ..Filter::default() };
    let client = served.database.client().await.unwrap();
    event_log::read(&client, &ShopId::parse(SHOP).unwrap(), Position(-1), 1000, &filter).await.unwrap()
}

/// Type, data and author of each.
fn said_by(notes: &[Event]) -> Vec<(String, Value, String)> {
    let of = |note: &Event| {
        let data = serde_json::from_str(note.data()).unwrap();
        (note.type_name.clone(), data, note.by.clone().unwrap_or_default())
    };
    notes.iter().map(of).collect()
}

/// The reason behind a note, as whoever has the key-encryption key opens it.
async fn reason(served: &Served, note: &Event) -> Option<Value> {
    let client = served.database.client().await.unwrap();
    let row = evidence::load(&client, SHOP, note.position.0).await.unwrap()?;
    let vault = Vault::new(KeyEncryptionKey::parse(&[7; 32]).unwrap());
    let (_, wrapped) = row.key.unwrap();
    Some(serde_json::from_slice(&vault.open(SHOP, &row.sealed, &wrapped).unwrap()).unwrap())
}

async fn send(served: &Served, method: Method, path: &str, body: Option<Value>) -> u16 {
    let mut request = served.client.request(method, served.url(path)).bearer_auth(&served.operator_key);
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_does_to_sinks_and_consumers_stands_in_the_log_with_who_and_why() {
    let served = Served::start(Limits::default()).await;
    let key_id = served.identity(&served.operator_key).await.key_id;
    let sink = json!({ "name": "books", "kind": "nats", "target": { "servers": "127.0.0.1:9" }, "reason": "moving in" });
    let changed = json!({ "kind": "nats", "target": { "servers": "127.0.0.1:10" } });
    let why = |text: &str| Some(json!({ "reason": text }));
    let acts = [
        (Method::POST, "/v1/sinks", Some(sink.clone()), 201),
        (Method::POST, "/v1/sinks", Some(sink), 409),
        (Method::PUT, "/v1/sinks/books", Some(changed), 200),
        (Method::POST, "/v1/sinks/books/pause", why("Ada moves the broker"), 200),
        (Method::POST, "/v1/sinks/books/resume", None, 200),
        (Method::POST, "/v1/sinks/books/reset", Some(json!({ "to": "start", "reason": " " })), 200),
        // There are none: nothing is done, and nothing is said.
        (Method::POST, "/v1/sinks/books/redrive", Some(json!({ "types": "order.*" })), 200),
        (Method::POST, "/v1/sinks/other/pause", why("a slip"), 404),
        (Method::POST, "/v1/sinks/books/pause", why(&"x".repeat(2001)), 422),
        (Method::DELETE, "/v1/sinks/books", why("moved out"), 204),
        (Method::DELETE, "/v1/sinks/books", None, 404),
        (Method::PUT, "/v1/consumers/ship", Some(json!({ "cursor": "start" })), 201),
        (
            Method::POST,
            "/v1/consumers/ship/reset",
            Some(json!({ "to": "end", "reason": "a new reader" })),
            200,
        ),
        (Method::POST, "/v1/consumers/ship/lose", None, 200),
        (Method::DELETE, "/v1/consumers/ship", None, 204),
    ];
    for (method, path, body, status) in acts {
        assert_eq!(send(&served, method.clone(), path, body).await, status, "{method} {path}");
    }
    let notes = notes(&served).await;
    let expected = [
        ("sink.changed", json!({ "name": "books", "change": "made", "kind": "nats", "cursor": "0-start" })),
        ("sink.changed", json!({ "name": "books", "change": "updated" })),
        ("sink.changed", json!({ "name": "books", "change": "paused" })),
        ("sink.changed", json!({ "name": "books", "change": "resumed" })),
        ("sink.changed", json!({ "name": "books", "change": "reset", "cursor": "0-start" })),
        ("sink.changed", json!({ "name": "books", "change": "removed" })),
        ("consumer.changed", json!({ "name": "ship", "change": "reset", "cursor": "0-5" })),
        ("consumer.changed", json!({ "name": "ship", "change": "lost" })),
        ("consumer.changed", json!({ "name": "ship", "change": "removed" })),
    ];
    let expected = expected.map(|(type_name, data)| (type_name.to_owned(), data, key_id.clone()));
    assert_eq!(said_by(&notes), expected);
    let mut reasons = Vec::new();
    for note in &notes {
        assert!(!note.entry.contains("Ada"), "no text of a person's stands in the log: {}", note.entry);
        reasons.push(reason(&served, note).await.map(|said| said["reason"].as_str().unwrap().to_owned()));
    }
    let some = |text: &str| Some(text.to_owned());
    let given = [some("moving in"), None, some("Ada moves the broker"), None, None, some("moved out")];
    assert_eq!(reasons[..6], given);
    assert_eq!(reasons[6..], [some("a new reader"), None, None]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_does_to_keys_and_webhooks_stands_in_the_log_with_who_and_why() {
    let (served, dir) = (Served::start(Limits::default()).await, TempDir::new());
    std::fs::write(dir.path().join("kek"), "07".repeat(32)).unwrap();
    let run = |line: &str| -> Output {
        let mut command = binary::command(dir.path());
        command.env("MAINTENANCE_DATABASE_URL", served.url_owner().expose_secret());
        command.current_dir(dir.path()).args(line.split_whitespace()).output().unwrap()
    };
    let does = |line: &str| -> Value {
        let output = run(line);
        assert!(output.status.success(), "{line}\n{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    let made = does(&format!(
        "keys create {SHOP} --holder checkout --role shop,feed --by ada --reason audit --kek-file kek -o json"
    ));
    let first = made["key_id"].as_str().unwrap();
    let rotated = does(&format!("keys rotate {SHOP} {first} -o json"));
    let second = rotated["key_id"].as_str().unwrap();
    does(&format!("keys revoke {SHOP} {first} --by ada"));
    assert_eq!(run(&format!("keys revoke {SHOP} {first}")).status.code(), Some(1), "it is revoked already");
    does(&format!("shops webhooks {SHOP} --add WH-2 --remove WH-2 --by ada"));
    let nameless = run(&format!("keys revoke {SHOP} {second} --by ada@example.com"));
    assert_eq!(nameless.status.code(), Some(2), "{}", said(&nameless));
    let sealed = run(&format!("keys revoke {SHOP} {second} --reason leaked"));
    assert!(said(&sealed).contains("COUNTERFOIL_KEK_FILE"), "{}", said(&sealed));

    let notes = notes(&served).await;
    let by = |verb: &str| format!("counterfoil {verb}");
    let expected = [
        (
            "api_key.changed",
            json!({ "change": "made", "key_id": first, "roles": ["shop", "feed"] }),
            "ada".to_owned(),
        ),
        (
            "api_key.changed",
            json!({ "change": "rotated", "key_id": first, "replaced_by": second }),
            by("keys rotate"),
        ),
        ("api_key.changed", json!({ "change": "revoked", "key_id": first }), "ada".to_owned()),
        ("webhook.changed", json!({ "change": "added", "webhook_id": "WH-2" }), "ada".to_owned()),
        ("webhook.changed", json!({ "change": "removed", "webhook_id": "WH-2" }), "ada".to_owned()),
    ];
    let expected = expected.map(|(type_name, data, by)| (type_name.to_owned(), data, by));
    assert_eq!(said_by(&notes), expected);
    assert_eq!(reason(&served, &notes[0]).await, Some(json!({ "reason": "audit" })));
    let verified = run(&format!("verify --shop {SHOP} --kek-file kek"));
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    served.stop().await;
}

/// What cannot be told is not done.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_beside_a_log_that_has_forked() {
    let served = Served::start(Limits::default()).await;
    let consumer = Some(json!({ "cursor": "start" }));
    assert_eq!(send(&served, Method::PUT, "/v1/consumers/ship", consumer).await, 201);
    let (status, answer) =
        served.post("/v1/stock/tea/receive", &served.shop_key, &json!({ "id": "one", "qty": 1 })).await;
    assert_eq!(status, 200, "{answer}");
    // Its database was restored to before everything.
    let gone = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
        DELETE FROM counterfoil.events;
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    served.test_superuser().await.batch_execute(gone).await.unwrap();
    let refused = wait_until(DEADLINE, async || {
        let url = served.url("/v1/consumers/ship");
        let answer = served.client.delete(url).bearer_auth(&served.operator_key).send().await.unwrap();
        assert_eq!(answer.status(), 503);
        answer.text().await.unwrap().contains("log_forked")
    });
    assert!(refused.await);
    let (status, _) = served.get("/v1/consumers/ship", &served.operator_key).await;
    assert_eq!((status, notes(&served).await.len()), (200, 0));
    served.stop().await;
}
