//! What an operator does for an audit by the console: a log is verified, replayed and handed over, one at a time, and the log
//! says who did it and why.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use access::Role;
use aws_lc_rs::digest::{SHA256, digest};
use http_api::Limits;
use serde_json::{Value, json};
use test_support::wait_until;
use zip::ZipArchive;

use super::{Browser, Page, day, last};
use crate::binary::{TempDir, command, said};
use crate::browser::{grow, published, shop};
use crate::led_shop::DEADLINE;
use crate::served::Served;

/// An archive, as an auditor has it who has unpacked it.
pub(crate) struct Unpacked {
    dir: TempDir,
    bundle: PathBuf,
}

impl Unpacked {
    pub(crate) fn new(zip: &[u8]) -> Self {
        let dir = TempDir::new();
        let unpacked = dir.path().join("unpacked");
        ZipArchive::new(Cursor::new(zip)).unwrap().extract(&unpacked).unwrap();
        let entries: Vec<_> = fs::read_dir(&unpacked).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [bundle] = &entries[..] else { panic!("everything is in one folder: {entries:?}") };
        Self { bundle: bundle.clone(), dir }
    }

    /// What the binary says of it, without a database.
    pub(crate) fn holds(&self, served: &Served, verb: &str) -> Value {
        let roots = self.dir.path().join("roots");
        fs::create_dir_all(&roots).unwrap();
        fs::write(roots.join("root.pem"), served.root_pem()).unwrap();
        let mut command = command(self.dir.path());
        command.args([verb, "-o", "json", "--bundle"]).arg(&self.bundle).env("COUNTERFOIL_ROOTS", &roots);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.bundle.join(name)).unwrap()
    }
}

/// What the page says of the last job of a kind.
fn told(page: &Page, id: &str) -> String {
    let begin = format!("id=\"{id}-job\">");
    let told = page.text.split_once(&begin).unwrap_or_else(|| panic!("no {id} in {}", page.text)).1;
    told.split_once("</section>").unwrap().0.to_owned()
}

/// Begins one and watches it to its end.
async fn done(browser: &mut Browser<'_>, id: &str, fields: &[(&str, &str)]) -> String {
    let page = browser.post(&format!("/console/log/{id}"), fields).await;
    assert_eq!((page.status, page.location), (303, Some(format!("/console/log#{id}"))), "{}", page.text);
    ended(browser, id).await
}

async fn ended(browser: &mut Browser<'_>, id: &str) -> String {
    let mut says = String::new();
    let has_ended = wait_until(DEADLINE, async || {
        says = told(&browser.get("/console/log").await, id);
        !says.contains("<progress")
    });
    assert!(has_ended.await, "{id}: {says}");
    says
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_verified_and_replayed_from_the_console_with_who_and_why_and_what_was_changed_is_found() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    let token = browser.get("/console").await.hidden("token");
    let why = [("token", token.as_str()), ("reason", "the auditor comes")];
    let by = served.identity(&served.operator_key).await.key_id;
    let jobs = [
        ("verify", "log.verified", "<p>All of it holds"),
        ("replay", "log.replayed", "<p>As it was recorded"),
    ];
    for (id, note, says) in jobs {
        let refused = browser.post(&format!("/console/log/{id}"), &[("token", &token)]).await;
        assert_eq!(refused.status, 422, "without a reason: {}", refused.text);
        let (through, told) = (served.events().await, done(&mut browser, id, &why).await);
        assert!(told.starts_with(says), "{told}");
        let noted = last(&served, note).await;
        let data = &noted["data"];
        assert_eq!(
            (&noted["by"], &data["holds"], &data["through"]),
            (&json!(by), &json!(true), &json!(through))
        );
        assert!(data["facts"].as_i64() > Some(3) && !noted.to_string().contains("auditor comes"), "{noted}");
        // Whoever looks, at whichever instance, sees who did it last, and why by opening it.
        let position = noted["position"].as_str().unwrap().split_once('-').unwrap().1.to_owned();
        let page = browser.get("/console/log").await;
        assert!(page.has(&format!("<a href=\"/console/events/{position}\">")), "{}", page.text);
        let page = browser.post(&format!("/console/events/{position}/evidence"), &why).await;
        assert!(page.has("the auditor comes"), "{}", page.text);
    }
    let superuser = served.test_superuser().await;
    let change = "UPDATE counterfoil.stock SET adjusted = adjusted + 1 WHERE sku = 'tea'";
    superuser.batch_execute(change).await.unwrap();
    let jobs = [
        ("verify", "log.verified", "<p>It does NOT hold"),
        ("replay", "log.replayed", "<p>NOT as it was recorded"),
    ];
    for (id, note, says) in jobs {
        let told = done(&mut browser, id, &why).await;
        assert!(told.starts_with(says) && told.contains("tea"), "{told}");
        assert_eq!(last(&served, note).await["data"]["holds"], false);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_handed_over_to_who_says_why_and_verifies_without_the_service() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let folder = TempDir::new();
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    let token = browser.get("/console").await.hidden("token");
    let why = [("token", token.as_str()), ("reason", "for the auditor")];
    let path = "/console/log/evidence";
    assert_eq!(browser.post(path, &why).await.status, 422, "nothing is published");
    let growing = grow(&served, folder.path());
    published(&served).await;
    assert_eq!(browser.post(path, &why[..1]).await.status, 422, "without a reason");
    let wrong = [("from", "yesterday"), ("from", "99999"), ("to", "2026-01-01"), ("from", "2126-01-01")];
    for field in wrong {
        let page = browser.post(path, &[why[0], why[1], field]).await;
        assert_eq!(page.status, 422, "{field:?}: {}", page.text);
    }
    assert!(last(&served, "evidence.handed_over").await.is_null(), "nothing was handed over");

    // Sealed, unless it is said otherwise.
    let says = done(&mut browser, "evidence", &why).await;
    assert!(says.starts_with("<p>Ready: ") && says.contains(&format!("href=\"{path}\" download")), "{says}");
    let (zip, noted) = fetched(&mut browser, &served).await;
    let sealed = Unpacked::new(&zip);
    let verified = sealed.holds(&served, "verify");
    assert_eq!((&verified["evidence"]["opened"], &noted["keys"]), (&json!(0), &json!(0)), "{verified}");
    assert!(verified["evidence"]["hashed"].as_u64() > Some(1) && verified["facts"].as_u64() > Some(3));
    assert_eq!(sealed.file("keys.json"), b"{}");
    let manifest = digest(&SHA256, &sealed.file("manifest.sha256"));
    assert_eq!(
        noted["manifest_sha256"],
        Value::from(manifest.as_ref().iter().map(|b| format!("{b:02x}")).collect::<String>())
    );
    assert_eq!(sealed.holds(&served, "replay")["mismatches"], json!([]));

    // A part of it, with the keys.
    let captured = last(&served, "payment.captured").await["position"].as_str().unwrap().to_owned();
    let at = captured.strip_prefix("0-").unwrap();
    let part = [why[0], why[1], ("keys", "yes"), ("from", at), ("to", at)];
    done(&mut browser, "evidence", &part).await;
    let (zip, noted) = fetched(&mut browser, &served).await;
    let at: i64 = at.parse().unwrap();
    assert_eq!((&noted["from"], &noted["to"], &noted["keys"]), (&json!(at), &json!(at), &json!(1)));
    let counts = &Unpacked::new(&zip).holds(&served, "verify")["evidence"];
    assert_eq!((&counts["opened"], &counts["signed"]), (&json!(1), &json!(1)), "{counts}");

    // For nobody else: the log says of nobody else that they have it.
    let another = served.key_with([Role::Operator]).await;
    for (key, status) in [(&served.viewer_key, 403), (&another, 404)] {
        let mut browser = Browser::signed_in(&served, key).await;
        let page = browser.get("/console/log").await;
        assert!(page.has("<p>Ready: ") && !page.has("/console/log/evidence\" download"), "{}", page.text);
        assert_eq!(page.has("id=\"evidence-form\""), status != 403);
        let got = browser.get(path).await;
        assert_eq!(got.status, status, "{}", got.text);
        assert_eq!(got.has("No bundle of yours is kept"), status == 404);
    }
    let mut viewer = Browser::signed_in(&served, &served.viewer_key).await;
    let token = viewer.get("/console").await.hidden("token");
    for id in ["verify", "replay", "evidence"] {
        let fields = [("token", token.as_str()), ("reason", "curious")];
        assert_eq!(viewer.post(&format!("/console/log/{id}"), &fields).await.status, 403);
    }
    growing.stop().await;
    served.stop().await;
}

/// The archive, and what the log says of it.
async fn fetched(browser: &mut Browser<'_>, served: &Served) -> (Vec<u8>, Value) {
    let noted = last(served, "evidence.handed_over").await;
    assert_eq!(noted["by"], served.identity(&served.operator_key).await.key_id.as_str(), "{noted}");
    let data = noted["data"].clone();
    let (headers, bytes) = browser.download("/console/log/evidence").await;
    let name = format!("attachment; filename=\"{}-evidence-{}-{}.zip\"", shop(), data["from"], data["to"]);
    assert_eq!(headers["content-disposition"], name.as_str());
    assert_eq!(
        (&headers["content-type"], &headers["cache-control"]),
        (&"application/zip".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert_eq!(headers["content-length"], bytes.len().to_string().as_str());
    (bytes, data)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_audit_is_under_way_at_a_time_and_a_log_that_is_too_long_is_left_to_the_command_line() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let mut browser = Browser::signed_in(&served, &served.operator_key).await;
    let token = browser.get("/console").await.hidden("token");
    let why = [("token", token.as_str()), ("reason", "the auditor comes")];
    // What is compared last cannot be read.
    let superuser = served.test_superuser().await;
    let hold = "BEGIN; LOCK TABLE counterfoil.coupons IN ACCESS EXCLUSIVE MODE";
    superuser.batch_execute(hold).await.unwrap();
    assert_eq!(browser.post("/console/log/verify", &why).await.status, 303);
    let page = browser.get("/console/log").await;
    assert!(told(&page, "verify").contains("<progress") && !page.has("id=\"verify-form\""), "{}", page.text);
    for id in ["verify", "replay"] {
        let page = browser.post(&format!("/console/log/{id}"), &why).await;
        assert!(page.status == 422 && page.has("under way"), "{id}: {}", page.text);
    }
    superuser.batch_execute("ROLLBACK").await.unwrap();
    let says = ended(&mut browser, "verify").await;
    assert!(says.starts_with("<p>All of it holds"), "{says}");

    let longer = "INSERT INTO counterfoil.events
        SELECT (jsonb_populate_record(e, '{\"position\": 1000000}')).* FROM counterfoil.events AS e WHERE position = 0";
    superuser.batch_execute(longer).await.unwrap();
    for id in ["verify", "replay", "evidence"] {
        let page = browser.post(&format!("/console/log/{id}"), &why).await;
        assert!(page.status == 422 && page.has("counterfoil verify"), "{id}: {}", page.text);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_page_says_who_has_seen_the_log_or_how_somebody_is_asked_to() {
    let served = Served::start(Limits::default()).await;
    day(&served).await;
    let folder = TempDir::new();
    let growing = grow(&served, folder.path());
    published(&served).await;
    let mut browser = Browser::signed_in(&served, &served.viewer_key).await;
    let page = browser.get("/console/log").await;
    assert!(page.has("serve --witnesses policy.txt") && page.has("--tsa-url"), "{}", page.text);
    let origin = page.text.split_once("<pre class=\"code wrap\">").unwrap().1.lines().next().unwrap();
    let superuser = served.test_superuser().await;
    let (name, seen) =
        (shop().to_string(), "INSERT INTO counterfoil.witnesses (shop_id, origin, witness, size, at, error)");
    let rows = format!(
        "{seen} VALUES ($1, $2, 'w.example/1', 3, now(), 'no answer: it sleeps'), ($1, 'another', 'w.example/old', 2, now(), NULL)"
    );
    superuser.execute(&rows, &[&name, &origin]).await.unwrap();
    let stamp = "INSERT INTO counterfoil.stamps (shop_id, origin, size, at, checkpoint, response) VALUES ($1, $2, 2, '2026-11-25T08:00:00Z', '', '')";
    superuser.execute(stamp, &[&name, &origin]).await.unwrap();
    let page = browser.get("/console/log").await;
    for text in ["w.example/1", "no answer: it sleeps", "2026-11-25 08:00:00"] {
        assert!(page.has(text), "{text} in {}", page.text);
    }
    assert!(!page.has("w.example/old") && !page.has("--tsa-url"), "{}", page.text);
    growing.stop().await;
    served.stop().await;
}

impl Browser<'_> {
    /// A file, as it came.
    async fn download(&mut self, path: &str) -> (reqwest::header::HeaderMap, Vec<u8>) {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer =
            self.client.get(self.served.url(path)).header("cookie", cookies.join("; ")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
    }
}
