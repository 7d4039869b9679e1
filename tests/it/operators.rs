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
use crate::served::{SHOP, Served, WEBHOOK_ID};

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
        command.env("COUNTERFOIL_STATE_DIR", "state");
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

/// An append must know that the log is the one that it was: where nobody says what it was, nothing is appended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_without_a_state_folder_is_done_and_not_noted_and_says_so() {
    let (served, dir) = (Served::start(Limits::default()).await, TempDir::new());
    let mut command = binary::command(dir.path());
    command.env("MAINTENANCE_DATABASE_URL", served.url_owner().expose_secret());
    let line = format!("keys create {SHOP} --holder checkout --role shop -o json");
    let output = command.args(line.split_whitespace()).output().unwrap();
    assert!(output.status.success() && said(&output).contains("--state-dir"), "{}", said(&output));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(served.get("/v1/orders", made["key"].as_str().unwrap()).await.0, 200);
    assert_eq!(notes(&served).await.len(), 0);
    served.stop().await;
}

/// Readers move their own cursors as they like: the log has nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_does_to_its_own_consumer_is_no_act_of_an_operator() {
    let served = Served::start(Limits::default()).await;
    for (method, path, body, status) in [
        (Method::PUT, "/v1/consumers/ship", json!({ "cursor": "start" }), 201),
        (Method::POST, "/v1/consumers/ship/reset", json!({ "to": "end" }), 200),
        (Method::DELETE, "/v1/consumers/ship", json!({}), 204),
    ] {
        let request = served.client.request(method, served.url(path)).bearer_auth(&served.feed_key);
        assert_eq!(request.json(&body).send().await.unwrap().status(), status, "{path}");
    }
    assert_eq!(notes(&served).await.len(), 0);
    served.stop().await;
}

/// A log that has forked takes nothing: what gives rights waits until it is mended, what takes them away does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_log_that_has_forked_nothing_is_changed_but_what_stops_something() {
    let (served, dir) = (Served::start(Limits::default()).await, TempDir::new());
    let sink = json!({ "name": "books", "kind": "nats", "target": { "servers": "127.0.0.1:9" } });
    assert_eq!(send(&served, Method::POST, "/v1/sinks", Some(sink)).await, 201);
    let key_id = served.identity(&served.shop_key).await.key_id;
    // Its database was restored to before everything.
    let gone = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
        DELETE FROM counterfoil.events;
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    served.test_superuser().await.batch_execute(gone).await.unwrap();
    let refused = wait_until(DEADLINE, async || {
        let url = served.url("/v1/sinks/books");
        let answer = served.client.delete(url).bearer_auth(&served.operator_key).send().await.unwrap();
        assert_eq!(answer.status(), 503);
        answer.text().await.unwrap().contains("log_forked")
    });
    assert!(refused.await);
    assert_eq!(send(&served, Method::POST, "/v1/sinks/books/resume", None).await, 503);
    assert_eq!(send(&served, Method::POST, "/v1/sinks/books/pause", None).await, 200);

    let state = json!({
        "shop": SHOP, "epoch": 0, "position": 0, "leaf_hash": "00".repeat(32), "system_identifier": null,
    });
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("state").join(format!("{SHOP}.json")), state.to_string()).unwrap();
    let run = |line: &str| {
        let mut command = binary::command(dir.path());
        command.env("MAINTENANCE_DATABASE_URL", served.url_owner().expose_secret());
        let output = command.args(line.split_whitespace()).args(["--state-dir", "state"]).output().unwrap();
        (output.status.code(), said(&output))
    };
    for line in [
        format!("keys create {SHOP} --holder thief --role shop"),
        format!("keys rotate {SHOP} {key_id}"),
        format!("shops webhooks {SHOP} --add WH-9"),
    ] {
        let (code, text) = run(&line);
        assert!(code == Some(1) && text.contains("has forked at 0"), "{line}: {code:?} {text}");
    }
    let (code, text) = run(&format!("keys revoke {SHOP} {key_id}"));
    assert!(
        code == Some(0) && text.contains("it is done, and cannot be noted in the log"),
        "{code:?} {text}"
    );
    let (code, text) = run(&format!("shops webhooks {SHOP} --remove {WEBHOOK_ID}"));
    assert!(
        code == Some(0) && text.contains("it is done, and cannot be noted in the log"),
        "{code:?} {text}"
    );
    let (sinks, keys) = ("SELECT state FROM counterfoil.sinks", "SELECT count(*) FROM counterfoil.api_keys");
    let superuser = served.test_superuser().await;
    assert_eq!(superuser.query_one(sinks, &[]).await.unwrap().get::<_, &str>(0), "paused");
    assert_eq!(superuser.query_one(keys, &[]).await.unwrap().get::<_, i64>(0), 4, "none was made");
    let webhooks = superuser.query("SELECT webhook_id FROM counterfoil.webhooks", &[]).await.unwrap();
    assert_eq!((webhooks.len(), notes(&served).await.len()), (0, 0));
    served.stop().await;
}

/// Sessions outlive what was done to the tables under them, and were compared before: the end of the log tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_not_appended_where_the_log_ends_before_the_last_one() {
    let served = Served::start(Limits::default()).await;
    let sink = json!({ "name": "books", "kind": "nats", "target": { "servers": "127.0.0.1:9" } });
    assert_eq!(send(&served, Method::POST, "/v1/sinks", Some(sink)).await, 201);
    let gone = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
        DELETE FROM counterfoil.events; DELETE FROM counterfoil.outbox";
    served.test_superuser().await.batch_execute(gone).await.unwrap();
    assert_eq!(send(&served, Method::DELETE, "/v1/sinks/books", None).await, 503);
    let (status, _) = served.get("/v1/sinks/books", &served.operator_key).await;
    assert_eq!((status, notes(&served).await.len()), (200, 0));
    served.stop().await;
}
