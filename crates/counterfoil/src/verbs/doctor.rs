//! `doctor`: looks at everything that a service needs, and says what to do.

use std::path::{Path, PathBuf};

use audit::tree::LogKeys;
use clap::Args;
use database::{Clock, Database, SystemClock};
use event_log::StateFiles;
use evidence::KeyEncryptionKey;
use read_models::ReadModels;
use relay::{Projection, Standing};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::doctor_paypal;
use crate::accounts::PaypalArgs;
use crate::cli::Globals;
use crate::config::{DatabaseArgs, KekArgs, LogArgs, TrustArgs};
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::project::Project;
use crate::trust;

/// The most by which two clocks may differ before certificates are misjudged at their ends.
const CLOCK_DIFFERENCE_MS: i64 = 2_000;

/// Check the database, the keys and the leaders, and say what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit 1 when a check fails; warnings do not count.

Examples:
  counterfoil doctor
  counterfoil doctor -o ndjson")]
pub(crate) struct Doctor {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    kek: KekArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// The folder of `serve --state-dir`, which says where each log ended
    #[arg(long, env = "COUNTERFOIL_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    paypal: PaypalArgs,
    /// Where this service is reached from outside, to compare the URLs of webhooks at PayPal with
    #[arg(long, env = "COUNTERFOIL_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Default)]
pub(super) struct Findings(Vec<(Verdict, &'static str, String)>);

impl Findings {
    pub(super) fn add(&mut self, verdict: Verdict, check: &'static str, detail: impl Into<String>) {
        self.0.push((verdict, check, detail.into()));
    }

    pub(super) fn judge<T, E: std::fmt::Display>(
        &mut self,
        check: &'static str,
        result: Result<T, E>,
        good: &str,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.add(Verdict::Ok, check, good);
                Some(value)
            }
            Err(error) => {
                self.add(Verdict::Fail, check, error.to_string());
                None
            }
        }
    }
}

impl Doctor {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        let mut findings = Findings::default();
        let owner =
            findings.judge("configuration", self.database.owner_url(project.as_ref()), "a database is named");
        if let Some(owner) = owner {
            self.examine(&owner, &mut findings).await;
        }
        self.examine_login(&mut findings).await;
        let kek = self.kek.file(project.as_ref()).and_then(|file| Ok(KeyEncryptionKey::from_file(&file)?));
        findings.judge("key-encryption key", kek, "can be read");
        match self.log.key_file(project.as_ref()) {
            Some(file) => _ = findings.judge("log key", LogKeys::from_file(&file), "can be read"),
            None => {
                let cure = "there is none, so no tree is grown: make one with `counterfoil keys log create`, and set \
                            COUNTERFOIL_LOG_KEY_FILE";
                findings.add(Verdict::Warn, "log key", cure);
            }
        }
        if self.trust.roots.is_none() && project.as_ref().and_then(Project::dev_state).is_some() {
            findings.add(Verdict::Ok, "roots", "`dev` believes its own authority alone");
        } else {
            findings.judge("roots", trust::anchors(self.trust.roots.as_deref()), "can be read");
        }
        show(globals.output, &findings)?;
        let failed = findings.0.iter().any(|(verdict, ..)| *verdict == Verdict::Fail);
        Ok(if failed { Exit::Finding } else { Exit::Ok })
    }

    async fn examine(&self, url: &SecretString, findings: &mut Findings) {
        let connected = Database::connect(self.database.pool(url.clone(), "counterfoil doctor", 2)).await;
        let Some(pool) = findings.judge("database", connected, "answers") else { return };
        match pool.server_version().await {
            Ok(version) => findings.add(Verdict::Ok, "version", format!("PostgreSQL {version}")),
            Err(error) => findings.add(Verdict::Fail, "version", error.to_string()),
        }
        findings.judge("settings", pool.check().await, "commits are durable");
        clock(&pool, findings).await;
        match database::migration_status(url, &self.database.schema).await {
            Ok(status) if status.newer => {
                findings.add(
                    Verdict::Fail,
                    "migrations",
                    "the schema is newer than this program: use the newer one",
                );
                return;
            }
            Ok(status) if !status.ours || !status.pending.is_empty() => {
                let missing = format!("{} to be applied: run `counterfoil migrate`", status.pending.len());
                findings.add(Verdict::Fail, "migrations", missing);
                return;
            }
            status => {
                if findings.judge("migrations", status, "all applied").is_none() {
                    return;
                }
            }
        }
        shops(&pool, findings).await;
        forks(&pool, self.state_dir.as_deref(), findings).await;
        cosigners(&pool, findings).await;
        leaders(&pool, findings).await;
        readers(&pool, findings).await;
        trees(&pool, findings).await;
        doctor_paypal::examine(&pool, &self.paypal, self.public_url.as_deref(), findings).await;
    }

    async fn examine_login(&self, findings: &mut Findings) {
        let url = match self.database.service_url() {
            Ok(Some(url)) => url,
            Ok(None) => {
                findings.add(
                    Verdict::Warn,
                    "service's login",
                    "DATABASE_URL is not set, so it was not checked",
                );
                return;
            }
            Err(error) => {
                findings.add(Verdict::Fail, "service's login", error.to_string());
                return;
            }
        };
        let connected = Database::connect(self.database.pool(url, "counterfoil doctor", 1)).await;
        if let Some(pool) = findings.judge("service's login", connected, "can log in") {
            findings.judge("service's rights", pool.refuse_privileged().await, "owns nothing");
        }
    }
}

async fn clock(pool: &Database, findings: &mut Findings) {
    let before = SystemClock.now();
    match pool.now().await {
        Ok(theirs) => {
            let ours = before + (SystemClock.now() - before) / 2;
            let difference = (theirs - ours).num_milliseconds();
            let verdict = if difference.abs() > CLOCK_DIFFERENCE_MS { Verdict::Warn } else { Verdict::Ok };
            let cure =
                if verdict == Verdict::Ok { "" } else { ": synchronise both (chrony, systemd-timesyncd)" };
            findings.add(verdict, "clock", format!("the database's differs by {difference} ms{cure}"));
        }
        Err(error) => findings.add(Verdict::Fail, "clock", error.to_string()),
    }
}

async fn shops(pool: &Database, findings: &mut Findings) {
    let Some(shops) = findings.judge("shops", intake::shops::list(pool).await, "can be listed") else {
        return;
    };
    if shops.is_empty() {
        findings.add(Verdict::Warn, "shops", "there is none: run `counterfoil shops create`");
    }
    for shop in shops.iter().filter(|shop| shop.webhook_ids.is_empty()) {
        let cure = format!("{0} has no webhook id: run `counterfoil shops webhooks {0} --add ID`", shop.shop);
        findings.add(Verdict::Warn, "shops", cure);
    }
}

/// Whether each log is the one that it was.
async fn forks(pool: &Database, state_dir: Option<&Path>, findings: &mut Findings) {
    let Some(dir) = state_dir else { return };
    let guard = StateFiles::open(dir).and_then(|files| files.guard());
    let Some(guard) = findings.judge("state files", guard, "can be read") else { return };
    if findings.judge("logs", guard.check_all(pool).await, "can be compared with the state files").is_some() {
        for fork in guard.forks() {
            findings.add(Verdict::Fail, "logs", fork.to_string());
        }
    }
}

/// What each witness has seen, of the present epochs and of those before.
async fn cosigners(pool: &Database, findings: &mut Findings) {
    let Some(seen) = findings.judge("witnesses", witnesses::seen(pool).await, "can be asked for") else {
        return;
    };
    for witnesses::Seen { origin, witness, size, at, error, .. } in seen {
        let at = at.map_or("never".to_owned(), |at| at.to_rfc3339());
        let (verdict, why) = match error {
            Some(why) => (Verdict::Warn, format!("; now: {why}")),
            None => (Verdict::Ok, String::new()),
        };
        let said = format!("{witness} has seen {size} events of {origin}, the last time {at}{why}");
        findings.add(verdict, "witnesses", said);
    }
}

async fn leaders(pool: &Database, findings: &mut Findings) {
    let consumer = ReadModels::default().consumer();
    let Some(shops) = findings.judge("relay", relay::health(pool, consumer).await, "can be asked") else {
        return;
    };
    for shop in shops {
        let standing = shop.standing();
        let verdict = match standing {
            Standing::Idle | Standing::Working => Verdict::Ok,
            Standing::Vacant => Verdict::Warn,
            Standing::Stalled | Standing::Leaderless => Verdict::Fail,
        };
        let (name, holder, lag) = (&shop.shop, shop.holder.as_deref().unwrap_or("nobody"), shop.lag());
        let waited = shop.undecided_age_ms.unwrap_or(0) / 1000;
        let said = match standing {
            Standing::Idle => format!("{name} is led by {holder}, and all is decided"),
            Standing::Working => format!("{name} is led by {holder}, {lag} events behind"),
            Standing::Vacant => format!("{name} is led by nobody: start `counterfoil serve`"),
            Standing::Stalled => format!(
                "{name} is led by {holder}, which decides nothing, {lag} events behind and the first of them {waited} s \
                 old: see that process's log"
            ),
            Standing::Leaderless => format!(
                "{name} is led by nobody, {lag} events behind and the first of them {waited} s old: start \
                 `counterfoil serve`"
            ),
        };
        findings.add(verdict, "relay", said);
    }
}

async fn readers(pool: &Database, findings: &mut Findings) {
    let Some(readers) = findings.judge("downstream", delivery::readers(pool).await, "can be asked") else {
        return;
    };
    for reader in readers {
        let delivery::Reader { shop, kind, name, state, lag_events, .. } = &reader;
        let why = reader.error.as_deref().unwrap_or_default();
        let (verdict, said) = match (state.as_str(), kind.as_str()) {
            ("running", _) if reader.dead > 0 => {
                let cure = format!("see `counterfoil sinks undelivered {name} --state dead`");
                (Verdict::Warn, format!("has {} dead letters: {cure}", reader.dead))
            }
            ("running", _) => (Verdict::Ok, format!("is {lag_events} events behind")),
            ("failing", _) => (Verdict::Fail, format!("delivers nothing, {lag_events} events behind: {why}")),
            ("lost", "consumer") => {
                let cure = format!("`counterfoil consumers reset {name}`, or delete it");
                (Verdict::Warn, format!("has not moved for long, and the outbox waits no longer: {cure}"))
            }
            ("lost", _) => (Verdict::Fail, format!("{why}: `counterfoil sinks reset {name}`, or delete it")),
            (state, _) => (Verdict::Warn, format!("is {state}, {lag_events} events behind: {why}")),
        };
        findings.add(verdict, "downstream", format!("{shop}: {kind} {name} {said}"));
    }
}

async fn trees(pool: &Database, findings: &mut Findings) {
    let Some(trees) = findings.judge("tree", audit::tree::trees(pool).await, "can be asked") else { return };
    for tree in trees.iter().filter(|tree| tree.is_begun()) {
        let (name, lag) = (&tree.shop, tree.lag());
        let (verdict, said) = match &tree.error {
            Some(error) => (Verdict::Fail, format!("does not grow: {error}")),
            None if !tree.is_well() => (
                Verdict::Fail,
                format!("is {lag} events behind, and does not grow: is `serve` given a log key?"),
            ),
            None => (Verdict::Ok, format!("has {} events, and {lag} to come", tree.size)),
        };
        findings.add(verdict, "tree", format!("{name} {said}"));
    }
}

fn show(format: Format, findings: &Findings) -> anyhow::Result<()> {
    let word = |verdict: Verdict| match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
    };
    if format == Format::Table {
        return findings.0.iter().try_for_each(|(verdict, check, detail)| {
            output::line(&format!("{:<5} {check}: {detail}", word(*verdict)))
        });
    }
    let rows = findings.0.iter().map(|(verdict, check, detail)| {
        json!({ "result": word(*verdict).to_lowercase(), "check": check, "detail": detail })
    });
    output::rows(format, &rows.collect::<Vec<Value>>(), &[])
}
