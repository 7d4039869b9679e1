//! The verbs that look at callbacks, on PayPal's own data.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::{self, TempDir, files, json, run, said};

/// PayPal's own data, where it is.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn vectors() -> Option<PathBuf> {
    let named = std::env::var_os("PAYPAL_VECTORS").map(PathBuf::from);
    let dir = named.unwrap_or_else(|| binary::root().join("../shared/paypal"));
    if dir.join("signed").is_dir() {
        return Some(dir);
    }
    println!("skipped: PayPal's data is not in {} (set PAYPAL_VECTORS)", dir.display());
    None
}

/// Whether `webhook explain` finds the body authentic at that time.
fn is_authentic(vectors: &Path, vector: &Path, body: &Path, at: &str) -> bool {
    let meta = json(&vector.join("meta.json"));
    let certificate = vectors.join(meta["cert_file"].as_str().unwrap());
    let dir = TempDir::new();
    let output = binary::command(dir.path())
        .args([
            "webhook",
            "explain",
            "-o",
            "json",
            "--at",
            at,
            "--webhook-id",
            meta["webhook_id"].as_str().unwrap(),
        ])
        .arg("--body")
        .arg(body)
        .arg("--headers")
        .arg(vector.join("headers.json"))
        .arg("--cert")
        .arg(&certificate)
        .arg("--roots")
        .arg(vectors.join("ca"))
        .output()
        .unwrap();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let authentic = report["authentic"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!authentic)), "{}", said(&output));
    assert!(report["steps"].as_array().unwrap().len() > 4, "{report}");
    authentic
}

fn sent_at(vector: &Path) -> String {
    json(&vector.join("headers.json"))["paypal-transmission-time"].as_str().unwrap().to_owned()
}

#[test]
fn explain_believes_genuine_callbacks_until_their_certificate_ends() {
    let Some(vectors) = vectors() else { return };
    for vector in files(&vectors.join("signed")) {
        let body = vector.join("body.bin");
        assert!(is_authentic(&vectors, &vector, &body, &sent_at(&vector)), "{}", vector.display());
        let meta = json(&vector.join("meta.json"));
        let pem = std::fs::read(vectors.join(meta["cert_file"].as_str().unwrap())).unwrap();
        let end = paypal::Leaf::from_pem(&pem, "").unwrap().not_after();
        let after = chrono::DateTime::from_timestamp(end + 60, 0).unwrap().to_rfc3339();
        assert!(!is_authentic(&vectors, &vector, &body, &after), "{} at {after}", vector.display());
    }
}

#[test]
fn explain_refuses_bodies_that_were_written_anew() {
    let Some(vectors) = vectors() else { return };
    let vector = vectors.join("signed/sim_2024-08-02_payment_capture_completed");
    let anew = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("reserialised_");
    let bodies: Vec<PathBuf> = files(&vectors.join("derived")).into_iter().filter(anew).collect();
    assert!(!bodies.is_empty());
    for body in bodies {
        assert!(!is_authentic(&vectors, &vector, &body, &sent_at(&vector)), "{}", body.display());
    }
}

#[test]
fn translate_names_every_field_of_every_genuine_body() {
    let Some(vectors) = vectors() else { return };
    let dir = TempDir::new();
    let signed = files(&vectors.join("signed")).into_iter().map(|vector| vector.join("body.bin"));
    let events = files(&vectors.join("events")).into_iter().filter(|path| !path.ends_with("index.json"));
    for body in events.chain(signed) {
        let output = run(dir.path(), &["webhook", "translate", body.to_str().unwrap(), "-o", "json"]);
        assert!(output.status.success(), "{}: {}", body.display(), said(&output));
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(shown["fact"].is_string(), "{}: {shown}", body.display());
        for field in ["order", "paypal_order", "capture", "refund", "dispute", "amount_minor", "currency"] {
            assert!(shown.get(field).is_some(), "{}: no {field} in {shown}", body.display());
        }
        assert!(shown["amount_minor"].as_i64().is_none_or(|minor| minor > 0), "{}: {shown}", body.display());
    }
}
