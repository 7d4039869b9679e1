//! What PayPal really signed, where it is at hand: `PAYPAL_VECTORS`, or `shared/paypal` beside the workspace.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::at;
use crate::translate::summary;
use crate::{
    Environment, ExplainRequest, Report, TransmissionHeaders, TrustAnchors, Verifier, explain, translate,
};

/// The folder, or `None`, saying so.
fn vectors() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/paypal");
    let folder = std::env::var_os("PAYPAL_VECTORS").map_or_else(beside, PathBuf::from);
    let there = folder.join("signed").is_dir();
    if !there {
        println!("skipped: no genuine callbacks in {} (set PAYPAL_VECTORS)", folder.display());
    }
    there.then_some(folder)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).unwrap()
}

fn anchors(folder: &Path) -> TrustAnchors {
    let find = |start: &str| {
        let entries = std::fs::read_dir(folder.join("ca")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start)).last().unwrap()
    };
    let roots = TrustAnchors::from_file(&find("root")).unwrap();
    roots.with_intermediates_file(&find("intermediate")).unwrap()
}

struct Vector {
    name: String,
    body: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    webhook_id: String,
    crc32: u64,
    signed_string: String,
    certificate: Vec<u8>,
}

fn signed(folder: &Path) -> Vec<Vector> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("signed")).unwrap() {
        let path = entry.unwrap().path();
        let (meta, headers) = (read_json(&path.join("meta.json")), read_json(&path.join("headers.json")));
        let text = |name: &str| meta[name].as_str().unwrap().to_owned();
        let headers = headers.as_object().unwrap().iter();
        found.push(Vector {
            name: text("name"),
            body: read(&path.join("body.bin")),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().as_bytes().to_vec()))
                .collect(),
            webhook_id: text("webhook_id"),
            crc32: meta["crc32"].as_u64().unwrap(),
            signed_string: text("signed_string"),
            certificate: read(&folder.join(text("cert_file"))),
        });
    }
    assert!(!found.is_empty());
    found
}

impl Vector {
    fn report(&self, anchors: &TrustAnchors, body: &[u8]) -> Report {
        explain(&ExplainRequest {
            body,
            headers: &self.headers,
            webhook_id: &self.webhook_id,
            environment: None,
            at: None,
            certificate: Some(&self.certificate),
            anchors,
        })
    }
}

#[test]
fn genuine_callbacks_pass_every_step_at_their_time() {
    let Some(folder) = vectors() else { return };
    let anchors = anchors(&folder);
    for vector in signed(&folder) {
        let report = vector.report(&anchors, &vector.body);
        assert!(report.authentic, "{}: {:#?}", vector.name, report.steps);
        assert_eq!(u64::from(report.crc32), vector.crc32);
        assert_eq!(report.signed_string, Some(vector.signed_string));
    }
}

#[tokio::test]
async fn genuine_callbacks_are_refused_a_minute_after_their_certificate_ended() {
    let Some(folder) = vectors() else { return };
    let anchors = std::sync::Arc::new(anchors(&folder));
    for vector in signed(&folder) {
        let pairs = vector.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let headers = TransmissionHeaders::parse(pairs).unwrap();
        let id = headers.certificate_url.rsplit('/').next().unwrap().to_owned();
        let sources = crate::Sources { given: [(id, vector.certificate)].into(), ..Default::default() };
        let environment = if headers.certificate_url.contains("sandbox") {
            Environment::Sandbox
        } else {
            Environment::Live
        };
        let certificates = crate::Certificates::new(sources).unwrap();
        // The door refuses the simulator's id, which most vectors have: here its checks are wanted all the same.
        let dev = Verifier::new(
            Environment::Dev,
            vec![vector.webhook_id.clone()],
            anchors.clone(),
            certificates.clone(),
        );
        let verifier =
            match Verifier::new(environment, vec![vector.webhook_id], anchors.clone(), certificates) {
                Ok(verifier) => verifier,
                Err(_) => dev.unwrap().in_environment(environment),
            };
        let authentic = verifier.verify(&headers, &vector.body, at(&headers.time)).await;
        let leaf = authentic.unwrap_or_else(|error| panic!("{}: {error}", vector.name)).certificate;
        let end = at("1970-01-01T00:00:00Z").plus_seconds(leaf.not_after()).unwrap();
        assert!(verifier.verify(&headers, &vector.body, end).await.is_ok(), "{}", vector.name);
        let later = end.plus_seconds(60).unwrap();
        assert!(verifier.verify(&headers, &vector.body, later).await.is_err(), "{}", vector.name);
    }
}

#[test]
fn reserialised_bodies_fail_and_a_crc_collision_is_not_seen() {
    let Some(folder) = vectors() else { return };
    let anchors = anchors(&folder);
    let all = signed(&folder);
    let vector = all.iter().find(|v| v.name == "sim_2024-08-02_payment_capture_completed").unwrap();
    let derived = |name: &str| read(&folder.join("derived").join(name));
    for name in ["pretty", "sorted_keys"] {
        let body = derived(&format!("reserialised_{name}_of_sim_capture_completed.bin"));
        assert!(!vector.report(&anchors, &body).authentic, "{name}");
    }
    // PayPal signs a checksum. What was made to have the same one passes; a known transmission with other bytes does not.
    let collision = derived("crc32_collision_of_sim_capture_completed.bin");
    assert_ne!(collision, vector.body);
    assert!(vector.report(&anchors, &collision).authentic);
}

/// file, fact, "order paypal_order authorization capture refund dispute" with `-` for none, amount and currency.
type Row = (&'static str, &'static str, &'static str, Option<(i64, &'static str)>);

const USD: &str = "USD";
const EUR: &str = "EUR";

const EVENTS: &[Row] = &[
    ("CHECKOUT.ORDER.APPROVED__ankurk91-real", "payment.approved", "16 17F09989G0765703D - - - -", None),
    ("CHECKOUT.ORDER.APPROVED__oxid", "payment.approved", "- 5O190127TN364715T - - - -", None),
    (
        "CHECKOUT.ORDER.COMPLETED__oxid-pui-real",
        "payment.captured",
        "- 991964214H722703D - 3PS45663J6172273V - -",
        Some((3380, EUR)),
    ),
    (
        "CHECKOUT.ORDER.COMPLETED__oxid",
        "payment.captured",
        "- 5O190127TN364715T - 3C679366HH908993F - -",
        Some((10_000, USD)),
    ),
    ("CHECKOUT.ORDER.SAVED__drewdan", "callback.ignored", "- - - - - -", None),
    ("CHECKOUT.ORDER.VOIDED__drewdan", "payment.voided", "- 9NK63094MA726991F - - - -", None),
    (
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED__oxid",
        "payment.voided",
        "MERCHANT_CUSTOM_ID 5O190127TN364715T - - - -",
        None,
    ),
    (
        "CUSTOMER.DISPUTE.CREATED__jellyroll",
        "dispute.opened",
        "- - - PLACEHOLDER-ORDER-PAYMENT - PP-000-042-663-135",
        Some((300, USD)),
    ),
    (
        "CUSTOMER.DISPUTE.RESOLVED__sim-2018",
        "dispute.resolved",
        "- - - 00D10444LD479031K - PP-000-042-663-135",
        Some((300, USD)),
    ),
    ("MERCHANT.PARTNER-CONSENT.REVOKED__gumroad", "callback.ignored", "- - - - - -", None),
    (
        "PAYMENT.AUTHORIZATION.CREATED__drewdan-v1",
        "payment.authorized",
        "- PAY-7PD36489JY0066936KREEERQ 29R443392M774720E - - -",
        Some((48, USD)),
    ),
    (
        "PAYMENT.AUTHORIZATION.CREATED__drewdan-v2",
        "payment.authorized",
        "- 08X604183X066183S 30S64539YV2718350 - - -",
        Some((251, USD)),
    ),
    (
        "PAYMENT.AUTHORIZATION.CREATED__paypal-openapi-v1",
        "payment.authorized",
        "- PAY-36246664YD343335CKHFA4AY 2DC87612EK520411B - - -",
        Some((747, USD)),
    ),
    (
        "PAYMENT.AUTHORIZATION.VOIDED__zencart",
        "payment.voided",
        "- 9RC99380MW614700D 8PP38301D7923932J - - -",
        None,
    ),
    (
        "PAYMENT.CAPTURE.COMPLETED__oxid-v1",
        "payment.captured",
        "- PAY-3YE025760C441402AKTRY2PQ - 42311647XV020574X - -",
        Some((747, USD)),
    ),
    (
        "PAYMENT.CAPTURE.COMPLETED__oxid-v2",
        "payment.captured",
        "- - 7W5147081L658180V 27M47624FP291604U - -",
        Some((251, USD)),
    ),
    (
        "PAYMENT.CAPTURE.DENIED__oxid-pui",
        "payment.denied",
        "MERCHANT_CUSTOM_ID 5O190127TN364715T - 826413372K501814R - -",
        Some((10_000, EUR)),
    ),
    (
        "PAYMENT.CAPTURE.DENIED__oxid-v1",
        "payment.denied",
        "- PAY-6AG64245W53716013KYKUWNI - 1YH34677BD7819356 - -",
        Some((50, EUR)),
    ),
    (
        "PAYMENT.CAPTURE.REFUNDED__gumroad",
        "payment.refunded",
        "- - - 0JF852973C016714D 1Y107995YT783435V -",
        Some((99, USD)),
    ),
    (
        "PAYMENT.SALE.DENIED__jellyroll",
        "payment.denied",
        "- PLACEHOLDER-ORDER-PAYMENT - 0UV619993K905211J - -",
        Some((1747, EUR)),
    ),
    (
        "PAYMENT.SALE.PENDING__iways-v1",
        "payment.pending",
        "- PAY-74T71634YM527604VKW3W3YI - 11139561TK568332L - -",
        Some((376, EUR)),
    ),
    (
        "PAYMENT.SALE.REFUNDED__iways-v1",
        "payment.refunded",
        "- - - 9T0916710M1105906 6YX43824R4443062K -",
        Some((1, USD)),
    ),
    (
        "PAYMENT.SALE.REVERSED__iways-v1",
        "payment.reversed",
        "- - - 80021663DE681814L 77689802DL785834G -",
        Some((49, USD)),
    ),
    ("RISK.DISPUTE.CREATED__iways-v1", "callback.ignored", "- - - - - -", None),
    (
        "java_2015-05-12_sale_completed",
        "payment.captured",
        "- PAY-1A142943SV880364LKVJEFPQ - 7DW85331GX749735N - -",
        Some((2000, USD)),
    ),
    (
        "node_2016-10-05_sale_completed",
        "payment.captured",
        "- PAY-11X29866PC6848407K72RIQA - 8RS6210148826604N - -",
        Some((601, USD)),
    ),
    (
        "py_2015-05-18_sale_completed",
        "payment.captured",
        "- PAY-86C81811X5228590KKVNARQQ - 4EU7004268015634R - -",
        Some((2000, USD)),
    ),
    (
        "sim_2024-07-30_payment_sale_completed_v1",
        "payment.captured",
        "- PAY-1PA12106FU478450MKRETS4A - 80021663DE681814L - -",
        Some((48, USD)),
    ),
    (
        "sim_2024-08-02_payment_capture_completed",
        "payment.captured",
        "5840243-146 1AB234567A1234567 - 12A34567BC123456S - -",
        Some((3000, USD)),
    ),
    (
        "sim_2024-08-02_payment_capture_pending",
        "payment.pending",
        "- 8PR65097T8571330M - 02T21492PP3782704 - -",
        Some((251, USD)),
    ),
    (
        "sim_2024-08-02_payment_capture_refunded",
        "payment.refunded",
        "- - - 0JF852973C016714D 1Y107995YT783435V -",
        Some((99, USD)),
    ),
    (
        "sim_2025-11-28_payment_capture_completed",
        "payment.captured",
        "5840243-146 1AB234567A1234567 - 12A34567BC123456S - -",
        Some((3000, USD)),
    ),
];

const FIELDS: [&str; 6] = ["order", "paypal_order", "authorization", "capture", "refund", "dispute"];

#[test]
fn genuine_bodies_mean_what_the_table_says() {
    let Some(folder) = vectors() else { return };
    for (name, fact, ids, amount) in EVENTS {
        let event = folder.join("events").join(format!("{name}.json"));
        let path = if event.exists() { event } else { folder.join("signed").join(name).join("body.bin") };
        let body = read(&path);
        let translation = translate(&body, &|_| "odd".to_owned());
        let whole: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(translation.event_id.as_deref(), whole["id"].as_str(), "{name}");
        let found = summary(&translation);
        assert_eq!(found["fact"], *fact, "{name}: {found}");
        for (field, id) in FIELDS.into_iter().zip(ids.split(' ')) {
            let expected = if id == "-" { Value::Null } else { json!(id) };
            assert_eq!(found[field], expected, "{name}: {field}");
        }
        assert_eq!(found["amount_minor"], json!(amount.map(|(minor, _)| minor)), "{name}");
        assert_eq!(found["currency"], json!(amount.map(|(_, currency)| currency)), "{name}");
    }
}

#[test]
fn no_genuine_body_is_unreadable() {
    let Some(folder) = vectors() else { return };
    for entry in std::fs::read_dir(folder.join("events")).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("index.json") {
            continue;
        }
        let found = summary(&translate(&read(&path), &|_| "odd".to_owned()));
        assert_ne!(found["fact"], "callback.unreadable", "{}: {found}", path.display());
    }
}
