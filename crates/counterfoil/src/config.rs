//! The configuration: flags, then the environment, then files for secrets, then defaults.
//!
//! Never: a secret on the command line, where every user of the machine can read it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use access::{Rate, TrustedProxies};
use audit::tree::Origin;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use delivery::RetentionOptions;
use event_log::{Guard, StateFiles};
use http_api::{Limits, Tls};
use intake::{Postback, When};
use ipnet::IpNet;
use reconciliation::Accounts;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::{ExposeSecret, SecretString};

use crate::accounts::PaypalArgs;
use crate::exit;
use crate::project::Project;
use crate::witnessing::WitnessArgs;

/// The keys of the logs of `dev`, and what those are called.
pub(crate) const LOG_KEY_FILE: &str = "log.pem";
pub(crate) const DEV_ORIGIN: &str = "localhost/log";

/// How the database is reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct DatabaseArgs {
    /// The schema that holds everything
    #[arg(long, env = "COUNTERFOIL_SCHEMA", default_value = "counterfoil", value_name = "NAME")]
    pub(crate) schema: String,
}

impl DatabaseArgs {
    /// The service's URL: `DATABASE_URL`.
    pub(crate) fn service_url(&self) -> anyhow::Result<Option<SecretString>> {
        secret("DATABASE_URL")
    }

    /// The owner's URL: `MAINTENANCE_DATABASE_URL`, else `DATABASE_URL`, else the running cluster of `dev`.
    pub(crate) fn owner_url(&self, project: Option<&Project>) -> anyhow::Result<SecretString> {
        if let Some(url) = secret("MAINTENANCE_DATABASE_URL")? {
            return Ok(url);
        }
        if let Some(url) = self.service_url()? {
            return Ok(url);
        }
        let of_dev = project.and_then(Project::dev_state).and_then(|state| state.owner_url);
        of_dev.map(SecretString::from).ok_or_else(|| {
            exit::config(
                "no database: set MAINTENANCE_DATABASE_URL (or DATABASE_URL, or either with _FILE), or start \
                 `counterfoil dev` in this folder",
            )
        })
    }

    /// A pool's configuration.
    pub(crate) fn pool(&self, url: SecretString, name: &str, size: usize) -> database::Config {
        let mut config = database::Config::new(url);
        config.schema.clone_from(&self.schema);
        config.application_name = name.to_owned();
        config.pool_size = size;
        config
    }
}

/// The key-encryption key.
#[derive(Clone, Debug, Args)]
pub(crate) struct KekArgs {
    /// File with the key-encryption key: 32 bytes, or 64 hexadecimal digits; keep a copy elsewhere
    #[arg(long, env = "COUNTERFOIL_KEK_FILE", value_name = "FILE")]
    pub(crate) kek_file: Option<PathBuf>,
}

impl KekArgs {
    /// The file that was named, else that of `dev`.
    pub(crate) fn file(&self, project: Option<&Project>) -> anyhow::Result<PathBuf> {
        if let Some(file) = &self.kek_file {
            return Ok(file.clone());
        }
        let of_dev = project.map(|project| project.path("kek")).filter(|file| file.is_file());
        of_dev.ok_or_else(|| {
            exit::config(
                "no key-encryption key: set COUNTERFOIL_KEK_FILE (make one with \
                 `openssl rand -hex 32 > kek && chmod 600 kek`, and keep a copy elsewhere)",
            )
        })
    }
}

/// What `serve` remembers of the logs, for others that append to them.
#[derive(Clone, Debug, Args)]
pub(crate) struct StateArgs {
    /// The folder of `serve --state-dir`, so that nothing is appended to a log that has forked
    #[arg(long, env = "COUNTERFOIL_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

impl StateArgs {
    /// A guard that knows what is in the folder that was named, else in that of `dev`.
    pub(crate) fn guard(&self, project: Option<&Project>) -> anyhow::Result<Guard> {
        Ok(self.known(project)?.unwrap_or_default())
    }

    /// The same; none where no folder is known.
    pub(crate) fn known(&self, project: Option<&Project>) -> anyhow::Result<Option<Guard>> {
        let of_dev = || project.map(|project| project.path("state")).filter(|dir| dir.is_dir());
        let Some(dir) = self.state_dir.clone().or_else(of_dev) else { return Ok(None) };
        let guard = StateFiles::open(&dir).and_then(|files| files.guard());
        guard.map(Some).map_err(|error| exit::config(error.to_string()))
    }
}

/// The keys that sign the logs, and what the logs are called.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// File with the keys that sign the logs, from `keys log create`; without it no Merkle tree is grown
    #[arg(long = "log-key-file", env = "COUNTERFOIL_LOG_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// What the logs are called before the shop, for ever: where they are published, as shop.example/log
    #[arg(long = "log-origin", env = "COUNTERFOIL_LOG_ORIGIN", value_name = "HOST/PATH")]
    pub(crate) origin: Option<String>,
}

impl LogArgs {
    /// The file that was named, else that of `dev`.
    pub(crate) fn key_file(&self, project: Option<&Project>) -> Option<PathBuf> {
        let of_dev = || project.map(|project| project.path(LOG_KEY_FILE)).filter(|file| file.is_file());
        self.key_file.clone().or_else(of_dev)
    }

    /// What was given, else that of `dev`.
    pub(crate) fn origin(&self, project: Option<&Project>) -> anyhow::Result<Origin> {
        let of_dev = project.and_then(Project::dev_state).map(|_| DEV_ORIGIN.to_owned());
        let origin = self.origin.clone().or(of_dev).ok_or_else(|| {
            exit::config(
                "no log origin: set COUNTERFOIL_LOG_ORIGIN to what the logs are called, as shop.example/log",
            )
        })?;
        origin.parse().map_err(|error| exit::config(format!("{error}")))
    }
}

/// Whose signatures are believed.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustArgs {
    /// Folder of PEM files: self-signed ones are roots, others intermediates; else the system's roots
    #[arg(long, env = "COUNTERFOIL_ROOTS", value_name = "DIR")]
    pub(crate) roots: Option<PathBuf>,
    /// Folder of signing certificates, as `CERT-<id>.pem`, that need not be fetched
    #[arg(long, env = "COUNTERFOIL_CERTS", value_name = "DIR")]
    pub(crate) certs: Option<PathBuf>,
}

/// How the door is guarded.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoorArgs {
    /// Serve HTTPS with this chain (PEM, the leaf first); read again when the file changes
    #[arg(long, env = "COUNTERFOIL_TLS_CERT", requires = "tls_key", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, env = "COUNTERFOIL_TLS_KEY", requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Networks of proxies that are believed when they say for whom they ask (Forwarded, X-Forwarded-For); by default none
    #[arg(
        long,
        env = "COUNTERFOIL_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_parser = TrustedProxies::parse_network,
        value_name = "NETWORK,.."
    )]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Requests of one API key: so many a second, and so many at once
    #[arg(long, env = "COUNTERFOIL_KEY_RATE", default_value = "1000/2000", value_name = "N/BURST")]
    pub(crate) key_rate: Rate,
    /// Requests from one address (IPv6: one /64) that are not authentic or have no valid key; authentic callbacks never count
    #[arg(long, env = "COUNTERFOIL_FAILURE_RATE", default_value = "10/300", value_name = "N/BURST")]
    pub(crate) failure_rate: Rate,
    /// The most connections at a time; who comes then waits
    #[arg(
        long,
        env = "COUNTERFOIL_MAX_CONNECTIONS",
        default_value_t = 2048,
        value_parser = clap::value_parser!(u32).range(16..=1_000_000),
        value_name = "N"
    )]
    pub(crate) max_connections: u32,
}

/// Descriptors beside those of connections: sessions with the database, files, sinks.
const OTHER_FILES: u64 = 512;

impl DoorArgs {
    /// Lets this process have as many descriptors as connections need, as far as it may: most systems begin with 1024 for
    /// the sake of old programs.
    pub(crate) fn raise_file_limit(&self) {
        let needed = u64::from(self.max_connections) + OTHER_FILES;
        let limit = getrlimit(Resource::Nofile);
        if limit.current.is_some_and(|current| current < needed) {
            let most = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
            let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
            if raised.is_err() || most < needed {
                tracing::warn!(
                    needed,
                    "fewer files may be open than connections: raise the limit (`ulimit -n`, LimitNOFILE), or lower --max-connections"
                );
            }
        }
    }

    /// The bounds that the door has.
    pub(crate) fn limits(&self) -> Limits {
        let limits = Limits::default();
        let connections = usize::try_from(self.max_connections).unwrap_or(usize::MAX);
        Limits {
            key_rate: self.key_rate,
            failures: self.failure_rate,
            trusted_proxies: TrustedProxies::new(self.trusted_proxies.clone()),
            max_connections: connections.div_ceil(limits.workers),
            ..limits
        }
    }

    /// The certificate that the door shows, if it shows one.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        Tls::open(certificate, key).map(Some).map_err(|error| exit::config(error.to_string()))
    }
}

/// What `serve` is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServiceArgs {
    /// Where to listen
    #[arg(long, env = "COUNTERFOIL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// The most sessions with the database at a time
    #[arg(long, env = "COUNTERFOIL_POOL_SIZE", default_value_t = 8, value_name = "N")]
    pub(crate) pool_size: u16,
    /// When what could not be decided is tried again: seconds after the first failure, the second, ..
    #[arg(
        long,
        env = "COUNTERFOIL_REDRIVE_AFTER",
        value_delimiter = ',',
        default_value = "10,60,600,3600,21600",
        value_name = "SECONDS,.."
    )]
    pub(crate) redrive_after: Vec<u64>,
    /// Keep the outbox for at least so long, as 7d or 12h, for readers that come anew; the log is kept for ever
    #[arg(long, env = "COUNTERFOIL_OUTBOX_KEEP", default_value = "7d", value_parser = duration, value_name = "TIME")]
    pub(crate) outbox_keep: Duration,
    /// Declare a consumer or sink lost that has not moved for so long: the outbox waits for it no longer
    #[arg(
        long,
        env = "COUNTERFOIL_READER_LOST_AFTER",
        default_value = "14d",
        value_parser = duration,
        value_name = "TIME"
    )]
    pub(crate) reader_lost_after: Duration,
    /// Record a digest of the read models in the log so often, at multiples of it in UTC, as 1d or 12h
    #[arg(long, env = "COUNTERFOIL_DIGEST_EVERY", default_value = "1d", value_parser = duration, value_name = "TIME")]
    pub(crate) digest_every: Duration,
    /// Folder in which it is written down where each log ends, so that a database that was restored to an earlier state is
    /// known for what it is, also by the next process; on this host, never with the database
    #[arg(long, env = "COUNTERFOIL_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) door: DoorArgs,
    /// Decide and deliver nothing: take callbacks and commands, and answer; another process has to
    #[arg(long, env = "COUNTERFOIL_NO_RELAY", value_parser = FalseyValueParser::new())]
    pub(crate) no_relay: bool,
    /// Write what is published of the logs to this folder too, for any web server; one below it for each shop
    #[arg(long, env = "COUNTERFOIL_LOG_DIR", value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) witnesses: WitnessArgs,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(flatten)]
    pub(crate) kek: KekArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) paypal: PaypalArgs,
    /// Ask PayPal itself about callbacks: where their certificate cannot be had, or of each as a second opinion; needs
    /// --paypal-credentials
    #[arg(long, env = "COUNTERFOIL_POSTBACK", value_name = "WHEN")]
    pub(crate) postback: Option<PostbackWhen>,
}

/// When PayPal is asked about a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PostbackWhen {
    /// Where its certificate cannot be had
    WithoutCertificate,
    /// Of each: what PayPal says that it has not sent is refused
    Always,
}

/// Where the data verbs find the service.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApiArgs {
    /// The service's URL; else that of `dev` in this folder
    #[arg(long, env = "COUNTERFOIL_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// File with the API key; else COUNTERFOIL_KEY, else that of `dev` in this folder
    #[arg(long, env = "COUNTERFOIL_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

impl ServiceArgs {
    /// Who asks PayPal about callbacks.
    pub(crate) fn postback(&self, accounts: &Accounts) -> anyhow::Result<Option<Postback>> {
        let Some(when) = self.postback else { return Ok(None) };
        if accounts.is_empty() {
            return Err(exit::config("--postback asks PayPal: give --paypal-credentials"));
        }
        let when = match when {
            PostbackWhen::WithoutCertificate => When::WithoutCertificate,
            PostbackWhen::Always => When::Always,
        };
        let clients = accounts.iter().map(|(shop, account)| (shop.clone(), account.client.clone()));
        Ok(Some(Postback::new(clients.collect(), when)))
    }

    /// How long the outbox is kept. It is looked at so often that what is kept too long is a tenth at most.
    pub(crate) fn retention(&self) -> RetentionOptions {
        let every = (self.outbox_keep / 10).clamp(Duration::from_millis(500), Duration::from_secs(60));
        RetentionOptions { keep: self.outbox_keep, lost_after: self.reader_lost_after, every }
    }
}

/// A number with its unit: s, m, h or d.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let odd = || "give a number with its unit, as 90s, 30m, 12h or 7d".to_owned();
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(odd()),
    };
    let number: u32 = number.parse().map_err(|_| odd())?;
    if number == 0 {
        return Err("it must be more than nothing".to_owned());
    }
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// A secret from the environment: its value in `NAME`, or its file in `NAME_FILE`.
pub(crate) fn secret(name: &str) -> anyhow::Result<Option<SecretString>> {
    let value = variable(name)?;
    let file = variable(&format!("{name}_FILE"))?;
    match (value, file) {
        (Some(_), Some(_)) => Err(exit::config(format!("{name} and {name}_FILE are both set: unset one"))),
        (Some(value), None) => Ok(Some(value)),
        (None, Some(file)) => secret_file(name, PathBuf::from(file.expose_secret())).map(Some),
        (None, None) => Ok(None),
    }
}

/// A secret from a file, without the newline at its end.
pub(crate) fn secret_file(what: &str, file: PathBuf) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(&file)
        .map_err(|error| exit::config(format!("{what}: {} cannot be read: {error}", file.display())))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(exit::config(format!("{what}: {} is empty", file.display())));
    }
    Ok(text.into())
}

#[expect(clippy::disallowed_methods, reason = "this crate is the one that reads the environment")]
fn variable(name: &str) -> anyhow::Result<Option<SecretString>> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value.into())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(exit::config(format!("{name} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_its_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for bad in ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7ä"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
