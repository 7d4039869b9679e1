//! The commonest mistakes, each brought about: `doctor` names it, and says what to do.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

use audit::tree::{LogKeys, Origin, settle_key};
use domain::ShopId;
use event_log::Guard;
use evidence::{KeyEncryptionKey, Vault};
use intake::shops;
use paypal::Environment;
use paypal_simulator::{Authority, PayPal, Webhook};
use read_models::ReadModels;
use relay::Projection as _;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::TestDatabase;

use crate::binary::{self, TempDir, said};
use crate::ground;

const SHOP: &str = "clinic";
const WEBHOOK_ID: &str = "7CR00000000000001";
const NOBODY: &str = "host=127.0.0.1 port=1 user=nobody dbname=nothing connect_timeout=2";

/// A service that has all it needs, as long as nobody makes a mistake.
struct Patient {
    test: TestDatabase,
    dir: TempDir,
}

impl Patient {
    /// A shop of this environment, its keys, and nothing in its log.
    async fn of(environment: Environment) -> Self {
        let patient = Self::without_shop().await;
        let owner = patient.test.database_owner();
        let kek = KeyEncryptionKey::from_file(&patient.dir.path().join("kek")).unwrap();
        shops::create(&owner, &Vault::new(kek), &patient.shop(), environment).await.unwrap();
        shops::add_webhook(&owner, &patient.shop(), environment, WEBHOOK_ID).await.unwrap();
        patient
    }

    async fn well() -> Self {
        Self::of(Environment::Dev).await
    }

    async fn without_shop() -> Self {
        let patient = Self { test: TestDatabase::create().await, dir: TempDir::new() };
        patient.write("kek", &"07".repeat(32), 0o600);
        patient.write("log.pem", LogKeys::generate().unwrap().to_pem().expose_secret(), 0o600);
        patient
    }

    fn shop(&self) -> ShopId {
        ShopId::parse(SHOP).unwrap()
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let file = self.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A `doctor` that is told what this service is told.
    fn doctor(&self) -> Command {
        let mut command = self.doctor_for_people();
        command.args(["-o", "json"]);
        command
    }

    fn doctor_for_people(&self) -> Command {
        let mut command = binary::command(self.dir.path());
        command.arg("doctor");
        for (name, value) in [
            ("MAINTENANCE_DATABASE_URL", self.test.url_owner().expose_secret()),
            ("DATABASE_URL", self.test.url_service().expose_secret()),
            ("COUNTERFOIL_KEK_FILE", "kek"),
            ("COUNTERFOIL_LOG_KEY_FILE", "log.pem"),
            ("COUNTERFOIL_LOG_ORIGIN", "shop.example/log"),
        ] {
            command.env(name, value);
        }
        command
    }
}

/// What it found, and how it ended.
struct Report(Vec<Value>, Option<i32>);

impl Report {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let found = serde_json::from_slice(&output.stdout);
        Self(found.unwrap_or_else(|_| panic!("{}", said(&output))), output.status.code())
    }

    /// The finding of this check that says so.
    fn finding(&self, check: &str, what: &str) -> &Value {
        let says =
            |finding: &&Value| finding["check"] == check && finding["what"].as_str().unwrap().contains(what);
        self.0.iter().find(says).unwrap_or_else(|| panic!("no {check}: ..{what}.. in {:#?}", self.0))
    }

    #[track_caller]
    fn fails(&self, check: &str, what: &str, cure: &str) {
        self.says("fail", check, what, cure);
        assert_eq!(self.1, Some(1), "{:#?}", self.0);
    }

    #[track_caller]
    fn warns(&self, check: &str, what: &str, cure: &str) {
        self.says("warn", check, what, cure);
    }

    #[track_caller]
    fn says(&self, result: &str, check: &str, what: &str, cure: &str) {
        let finding = self.finding(check, what);
        assert_eq!(finding["result"], result, "{finding}");
        assert!(finding["cure"].as_str().unwrap_or_default().contains(cure), "no {cure:?} in {finding}");
    }
}

#[tokio::test]
async fn given_a_service_that_has_all_it_needs_when_it_is_examined_then_nothing_fails() {
    let patient = Patient::well().await;
    let report = Report::of(&mut patient.doctor());
    assert_eq!(report.1, Some(0), "{:#?}", report.0);
    assert!(
        report.0.iter().all(|finding| finding["result"] == "ok" || finding["cure"].is_string()),
        "{:#?}",
        report.0
    );
    let output = patient.doctor_for_people().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.starts_with("ok    ") || line.starts_with("warn  ")), "{text}");
    assert!(!text.contains('\u{1b}'), "colours, and nobody watches: {text:?}");
    let painted = patient.doctor_for_people().env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(String::from_utf8_lossy(&painted.stdout).contains('\u{1b}'), "{}", said(&painted));
}

#[tokio::test]
async fn given_a_database_that_is_not_there_when_it_is_examined_then_the_url_is_to_be_looked_at() {
    let patient = Patient::well().await;
    let report = Report::of(patient.doctor().env("MAINTENANCE_DATABASE_URL", NOBODY));
    report.fails("database", "cannot be had", "names a server that runs");
    let without =
        Report::of(patient.doctor().env_remove("MAINTENANCE_DATABASE_URL").env_remove("DATABASE_URL"));
    without.fails("database", "no database", "set MAINTENANCE_DATABASE_URL");
}

#[tokio::test]
async fn given_the_owners_login_for_serve_when_it_is_examined_then_another_login_is_asked_for() {
    let patient = Patient::well().await;
    let owner = patient.test.url_owner();
    let report = Report::of(patient.doctor().env("DATABASE_URL", owner.expose_secret()));
    report.fails("service's login", "could change the log", "counterfoil_service");
}

#[tokio::test]
async fn given_a_schema_that_is_too_old_or_too_new_when_it_is_examined_then_it_says_which_program_to_run() {
    let patient = Patient::well().await;
    let empty = TestDatabase::create_empty().await;
    let old = Report::of(patient.doctor().env("MAINTENANCE_DATABASE_URL", empty.url_owner().expose_secret()));
    old.fails("migrations", "are to be applied", "counterfoil migrate");

    let newer = "INSERT INTO counterfoil.schema_history (version, name, applied_on, checksum) \
                 SELECT 9999, 'of_tomorrow', max(applied_on), '1' FROM counterfoil.schema_history";
    patient.test.superuser().await.batch_execute(newer).await.unwrap();
    let new = Report::of(&mut patient.doctor());
    new.fails("migrations", "9999, which this program does not know", "newer program");
}

#[tokio::test]
async fn given_a_key_that_is_missing_open_to_all_or_another_when_it_is_examined_then_each_is_named() {
    let patient = Patient::well().await;
    let missing = Report::of(patient.doctor().env("COUNTERFOIL_KEK_FILE", "nowhere"));
    missing.fails("key-encryption key", "nowhere cannot be read", "from its copy");

    patient.write("open", &"07".repeat(32), 0o644);
    let open = Report::of(patient.doctor().env("COUNTERFOIL_KEK_FILE", "open"));
    open.fails("key-encryption key", "every user of this host may read", "chmod 600 open");

    patient.write("other", &"08".repeat(32), 0o600);
    let other = Report::of(patient.doctor().env("COUNTERFOIL_KEK_FILE", "other"));
    other.fails(
        "key-encryption key",
        "the evidence of clinic is sealed under the key",
        "when the shop was made",
    );
}

#[tokio::test]
async fn given_no_shop_or_one_without_a_webhook_id_when_it_is_examined_then_it_says_how_to_make_one() {
    let patient = Patient::without_shop().await;
    Report::of(&mut patient.doctor()).fails("shops", "there is none", "counterfoil shops create");

    let patient = Patient::well().await;
    patient.test.superuser().await.batch_execute("DELETE FROM counterfoil.webhooks").await.unwrap();
    let report = Report::of(&mut patient.doctor());
    report.fails("shops", "clinic has no webhook id", "counterfoil shops webhooks clinic --add ID");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_a_webhook_that_leads_elsewhere_and_lacks_types_when_it_is_examined_then_it_says_what_to_set() {
    let patient = Patient::of(Environment::Sandbox).await;
    let paypal = PayPal::start(Arc::new(Authority::in_memory().unwrap()), 3, ground::now).unwrap();
    let client = paypal.client();
    let credentials = json!({ "client_id": client.id, "client_secret": client.secret.expose_secret(), "base_url": paypal.url() });
    std::fs::create_dir(patient.dir.path().join("credentials")).unwrap();
    patient.write(&format!("credentials/{SHOP}.json"), &credentials.to_string(), 0o600);
    let examine = || {
        let mut doctor = patient.doctor();
        doctor.env("COUNTERFOIL_PAYPAL_CREDENTIALS", "credentials");
        Report::of(doctor.env("COUNTERFOIL_PUBLIC_URL", "https://127.0.0.1:1"))
    };
    examine().fails("PayPal", "there is no webhook 7CR", "counterfoil shops webhooks clinic --add");
    let mut other = Webhook::new(WEBHOOK_ID, "https://other.example/");
    other.event_types = vec!["CHECKOUT.ORDER.APPROVED".to_owned()];
    paypal.subscribe(other).unwrap();
    let report = examine();
    report.fails("PayPal", "leads to https://other.example/", "https://127.0.0.1:1/webhooks/paypal/clinic");
    report.fails("PayPal", "is not subscribed to", "All events");
}

#[tokio::test]
async fn given_roots_without_paypals_issuer_when_it_is_examined_then_it_is_named() {
    let patient = Patient::of(Environment::Sandbox).await;
    Report::of(&mut patient.doctor()).warns("roots", "no folder is given", "DigiCert");
    std::fs::create_dir(patient.dir.path().join("roots")).unwrap();
    let other = rcgen::generate_simple_self_signed(["another.example".to_owned()]).unwrap();
    patient.write("roots/other.pem", &other.cert.pem(), 0o644);
    let report = Report::of(patient.doctor().env("COUNTERFOIL_ROOTS", "roots"));
    report.fails("roots", "no certificate of DigiCert", "High Assurance EV Root CA");
}

#[tokio::test]
async fn given_a_database_whose_clock_is_wrong_when_it_is_examined_then_it_says_by_how_much() {
    let patient = Patient::well().await;
    let late = "CREATE SCHEMA late; GRANT USAGE ON SCHEMA late TO public; \
                CREATE FUNCTION late.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
                AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 hour'''";
    patient.test.superuser().await.batch_execute(late).await.unwrap();
    let url =
        format!("{} options='-c search_path=late,pg_catalog'", patient.test.url_owner().expose_secret());
    let report = Report::of(patient.doctor().env("MAINTENANCE_DATABASE_URL", url));
    report.warns("clock", "differs from this host's by 3", "chrony");
}

#[tokio::test]
async fn given_commits_that_are_not_durable_when_it_is_examined_then_it_says_which_setting() {
    let patient = Patient::well().await;
    let url = format!("{} options='-c synchronous_commit=off'", patient.test.url_owner().expose_secret());
    let report = Report::of(patient.doctor().env("MAINTENANCE_DATABASE_URL", url));
    report.fails("settings", "synchronous_commit is off", "set it to on");
}

#[tokio::test]
async fn given_a_shop_that_nobody_leads_when_it_is_examined_then_serve_is_to_be_started() {
    let patient = Patient::well().await;
    let report = Report::of(&mut patient.doctor());
    report.warns("relay", "clinic is led by nobody", "start `counterfoil serve`");
}

/// A fact of an hour ago that nobody has decided.
const UNDECIDED: &str =
    "INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
     VALUES ('clinic', 0, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'fact', 'stock.received', 'sku:A',
         now() - interval '1 h', '{}', '\\x00')";

#[tokio::test]
async fn given_a_shop_whose_relay_gets_nowhere_when_it_is_examined_then_its_leader_is_to_be_looked_at() {
    let patient = Patient::well().await;
    let superuser = patient.test.superuser().await;
    superuser.batch_execute(UNDECIDED).await.unwrap();
    let nobody = Report::of(&mut patient.doctor());
    nobody.fails(
        "relay",
        "clinic is led by nobody, 1 events behind and the first of them 36",
        "start `counterfoil serve`",
    );

    // One that is heard of, and decides nothing.
    let leader = "INSERT INTO counterfoil.checkpoints
            (shop_id, consumer, epoch, lease_holder, lease_expires_at, heartbeat_at, progressed_at)
         VALUES ('clinic', $1, 1, 'host:7', now() + interval '1 h', now() + interval '1 h', now() - interval '1 h')
         ON CONFLICT (shop_id, consumer) DO UPDATE SET epoch = 1, lease_holder = excluded.lease_holder,
            lease_expires_at = excluded.lease_expires_at, heartbeat_at = excluded.heartbeat_at,
            progressed_at = excluded.progressed_at";
    superuser.execute(leader, &[&ReadModels::default().consumer()]).await.unwrap();
    let stalled = Report::of(&mut patient.doctor());
    stalled.fails(
        "relay",
        "clinic is led by host:7, which decides nothing, 1 events behind and the first of them 36",
        "see the log of that process, and start it anew",
    );

    superuser.batch_execute("UPDATE counterfoil.checkpoints SET progressed_at = now()").await.unwrap();
    let report = Report::of(&mut patient.doctor());
    assert_eq!(report.finding("relay", "is led by host:7, 1 events behind")["result"], "ok");
}

#[tokio::test]
async fn given_a_log_key_that_is_missing_or_another_when_it_is_examined_then_the_published_one_is_named() {
    let patient = Patient::well().await;
    Report::of(patient.doctor().env_remove("COUNTERFOIL_LOG_KEY_FILE")).warns(
        "log key",
        "there is none",
        "keys log create",
    );

    let keys = LogKeys::from_file(&patient.dir.path().join("log.pem")).unwrap();
    let (database, origin): (_, Origin) = (patient.test.database(), "shop.example/log".parse().unwrap());
    settle_key(&Guard::default(), &database, &patient.shop(), &origin, &keys, "a test").await.unwrap();
    assert_eq!(Report::of(&mut patient.doctor()).1, Some(0), "it is the one that was published");
    let missing = Report::of(patient.doctor().env_remove("COUNTERFOIL_LOG_KEY_FILE"));
    missing.fails("log key", "is signed with shop.example/log/clinic", "COUNTERFOIL_LOG_KEY_FILE");
    patient.write("other.pem", LogKeys::generate().unwrap().to_pem().expose_secret(), 0o600);
    let other = Report::of(patient.doctor().env("COUNTERFOIL_LOG_KEY_FILE", "other.pem"));
    other.fails("log key", "which is not in the file", "give the file that `serve` had");
}

#[tokio::test]
async fn given_a_public_url_without_tls_or_that_nobody_answers_when_it_is_examined_then_it_says_so() {
    let patient = Patient::well().await;
    let plain = Report::of(patient.doctor().env("COUNTERFOIL_PUBLIC_URL", "http://shop.example"));
    plain.fails("public URL", "PayPal sends to no other", "--tls-cert");
    let silent = Report::of(patient.doctor().env("COUNTERFOIL_PUBLIC_URL", "https://127.0.0.1:1"));
    silent.warns("public URL", "cannot be reached", "DNS");
}

#[tokio::test]
async fn given_a_pool_that_is_larger_than_the_server_when_it_is_examined_then_both_sizes_are_named() {
    let patient = Patient::well().await;
    let report = Report::of(patient.doctor().env("COUNTERFOIL_POOL_SIZE", "60000"));
    report.warns("sessions", "may want 60000", "max_connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_there_is_no_shop_when_its_owner_creates_one_then_it_takes_callbacks() {
    let patient = Patient::without_shop().await;
    let mut create = binary::command(patient.dir.path());
    create.args(["shops", "create", SHOP, "--environment", "sandbox", "--webhook-id", WEBHOOK_ID]);
    create.env("MAINTENANCE_DATABASE_URL", patient.test.url_owner().expose_secret());
    let output = create.env("COUNTERFOIL_KEK_FILE", "kek").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let report = Report::of(&mut patient.doctor());
    report.finding("shops", &format!("{SHOP} (sandbox) takes callbacks of the webhook {WEBHOOK_ID}"));
}
