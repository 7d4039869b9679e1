//! The service does what its OpenAPI document says, whatever is sent.

use std::path::Path;
use std::process::Command;

use access::Role;
use http_api::Limits;
use serde_json::{Value, json};
use test_support::foreign;

use crate::binary::{TempDir, said};
use crate::served::Served;

/// What schemathesis is to find wrong.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_the_api_is_for_everybody() {
    let served = Served::start(Limits::default()).await;
    let answer = served.client.get(format!("http://{}/openapi.json", served.address)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let document: Value = answer.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_the_api_take_nothing_from_elsewhere_and_speak_two_languages() {
    let served = Served::start(Limits::default()).await;
    let get = async |path: &str, language: &str| {
        let answer =
            served.client.get(served.url(path)).header("accept-language", language).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers().clone();
        (headers, answer.text().await.unwrap())
    };
    let (headers, page) = get("/docs", "en").await;
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self';"));
    for part in ["id=\"place_order\"", "POST /v1/orders", "/docs/problems/invalid_command", "total_minor"] {
        assert!(page.contains(part), "{part}");
    }
    let (headers, style) = get("/docs/style.css", "en").await;
    assert_eq!(headers["content-type"], "text/css; charset=utf-8");
    assert!(!style.contains("url(") && !style.contains("@import"));
    for (language, tag, title) in
        [("en-GB", "en", "The command is not valid"), ("zh-CN,zh;q=0.9", "zh-CN", "命令无效")]
    {
        let (headers, page) = get("/docs/problems/invalid_command", language).await;
        assert_eq!(
            (&headers["content-language"], &headers["vary"]),
            (&tag.parse().unwrap(), &"Accept-Language".parse().unwrap())
        );
        assert!(page.contains(title) && page.contains(&format!("<html lang=\"{tag}\">")), "{page}");
        assert!(get("/docs/problems", language).await.1.contains(title));
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openapi-python-client, from PyPI: make test-all"]
async fn a_client_that_is_generated_from_the_document_places_an_order_reads_it_and_reads_the_feed() {
    let Some(python) = foreign::python(&["openapi-python-client==0.29.1"]).await else { return };
    let served = Served::start(Limits::default()).await;
    let key = served.key_with(Role::ALL).await;
    let dir = TempDir::new();
    let run = async |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(dir.path()).env("PYTHONPATH", dir.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    let generator = python.with_file_name("openapi-python-client");
    let document = served.url("/openapi.json");
    run(&generator, &["generate", "--url", &document, "--meta", "none", "--output-path", "client"]).await;
    // All of it, also what is not used here.
    run(&python, &["-m", "compileall", "-q", "client"]).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/generated_client.py");
    run(&python, &[script, &served.url(""), &key]).await;
    served.stop().await;
}

/// The same requests every time: what they are follows from the seed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis, from PyPI, and two minutes: make test-all"]
async fn schemathesis_finds_no_server_error_and_no_answer_that_is_not_described() {
    let Some(python) = foreign::python(&["schemathesis==4.32.5"]).await else { return };
    // Whoever sends so much that is wrong would be turned away, and whoever asks for nothing held back.
    let limits = Limits {
        failures: access::Rate::new(1_000_000, 1_000_000),
        key_rate: access::Rate::new(1_000_000, 1_000_000),
        key_waits: 1,
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    let key = served.key_with(Role::ALL).await;
    furnish(&served, &key).await;
    let dir = TempDir::new();
    let mut schemathesis = Command::new(python.with_file_name("schemathesis"));
    schemathesis
        .current_dir(dir.path())
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/foreign"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "openapi")
        .args(["--no-color", "run"])
        .arg(format!("http://{}/openapi.json", served.address))
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "10", "--seed", "6", "--generation-deterministic"])
        .args(["--request-timeout", "60", "--workers", "1", "--continue-on-failure"]);
    let output = tokio::task::spawn_blocking(move || schemathesis.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    served.stop().await;
}

/// Has what the document's examples name.
async fn furnish(served: &Served, key: &str) {
    let order = json!({
        "order": "1042", "buyer": "b-7", "currency": "USD", "total_minor": 1000,
        "lines": [{ "sku": "tea", "qty": 2, "unit_minor": 500 }],
    });
    for (path, body) in [
        ("/v1/stock/tea/receive", json!({ "id": "first", "qty": 1000 })),
        ("/v1/coupons/TEN/issue", json!({ "id": "first", "max_uses": 1000 })),
        ("/v1/points/b-7/grant", json!({ "id": "first", "points": 1000 })),
        ("/v1/orders", order),
    ] {
        let (status, answer) = served.post(path, key, &body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let sink = json!({
        "name": "books", "kind": "nats", "target": { "servers": "127.0.0.1:9" },
    });
    let (status, answer) = served.post("/v1/sinks", key, &sink).await;
    assert_eq!(status, 201, "{answer}");
    let url = format!("http://{}/v1/consumers/books", served.address);
    let made =
        served.client.put(url).bearer_auth(key).json(&json!({ "cursor": "start" })).send().await.unwrap();
    assert_eq!(made.status(), 201);
}
