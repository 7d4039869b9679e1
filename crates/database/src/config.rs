//! How to reach the database, and the limits that every session gets.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;
use crate::address::Address;
use crate::sql::DEFAULT_SCHEMA;

/// A stopped process must not hold a lock for longer than this many seconds, whatever it was doing: others take over from
/// it in less than five, or once the statement has ended that the server is at work on. Whoever waits for a lock gives up
/// before that, and so before a lease of his own runs out.
/// Every statement is prepared and goes by an index, so one plan does for all parameters, and a table that was small when
/// it was made is not read as a whole when it has grown. Left to itself the server plans each look-up by a short list
/// anew, which takes three times as long as the look-up. `Client::query_as_given` is for what needs another plan.
const SESSION_SETTINGS: &[(&str, &str)] = &[
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "3s"),
    ("statement_timeout", "30s"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
    ("client_min_messages", "warning"),
    (PLANS, "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];
/// A statement without a name is planned as it comes, and then best for what it asks.
const PLANS: &str = "plan_cache_mode";
/// Migrations wait for what runs now, and rewrite tables for as long as it takes.
const MIGRATION_SETTINGS: &[(&str, &str)] = &[
    ("lock_timeout", "60s"),
    ("statement_timeout", "0"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
    ("client_min_messages", "warning"),
];

/// How long one host may stay silent. A connection request that was lost is sent again after 1 s and after 3 s.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3500);
/// The same where another host may have the primary: one request may be lost.
const CONNECT_TIMEOUT_OF_SEVERAL: Duration = Duration::from_millis(1500);
/// What a session needs beside that: the name's address, the log-in.
const LOG_IN: Duration = Duration::from_millis(1500);

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Config {
    /// A URL, or key words and values as libpq reads them: with `sslmode` (prefer, if it is not said) and `sslrootcert`;
    /// and with `pooler=transaction` where it is PgBouncer's, which lends a session for each transaction.
    pub url: SecretString,
    /// The schema that holds everything.
    pub schema: String,
    /// The most sessions at a time.
    pub pool_size: usize,
    /// What the server shows as the session's name.
    pub application_name: String,
    /// How long to wait for a free session.
    pub wait_timeout: Duration,
}

impl Config {
    /// The usual settings.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            schema: DEFAULT_SCHEMA.to_owned(),
            pool_size: 8,
            application_name: "counterfoil".to_owned(),
            wait_timeout: Duration::from_secs(2),
        }
    }

    pub(crate) fn session(&self) -> Result<Session, Error> {
        check_schema_name(&self.schema)?;
        connection(&self.url, &self.application_name, SESSION_SETTINGS)
    }
}

/// How a session is opened.
pub(crate) struct Session {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeRustlsConnect,
    /// It is lent anew for each transaction: nothing may be left in it.
    pub(crate) is_pooled: bool,
}

/// What goes behind the BEGIN of each transaction where sessions are lent.
pub(crate) fn transaction_settings() -> String {
    let settings = SESSION_SETTINGS.iter().filter(|(name, _)| *name != PLANS);
    settings.map(|(name, value)| format!("; SET LOCAL {name} = '{value}'")).collect()
}

/// How long opening a session may take: every host but one may be silent.
pub(crate) fn create_timeout(session: &tokio_postgres::Config) -> Duration {
    let each = session.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
    // An address stands for a host, or beside its name.
    let hosts = session.get_hosts().len().max(session.get_hostaddrs().len()).max(1);
    each * u32::try_from(hosts).unwrap_or(u32::MAX) + LOG_IN
}

pub(crate) fn migration_session(url: &SecretString) -> Result<Session, Error> {
    connection(url, "counterfoil migrate", MIGRATION_SETTINGS)
}

fn connection(url: &SecretString, name: &str, settings: &[(&str, &str)]) -> Result<Session, Error> {
    let address = Address::parse(url.expose_secret())?;
    // The parser's own words may quote the URL, and with it the password.
    let mut config = tokio_postgres::Config::from_str(&address.rest).map_err(|_| {
        Error::Refused("the database URL cannot be read: postgres://user:password@host/database".to_owned())
    })?;
    if !address.is_pooled {
        let ours = settings.iter().map(|(name, value)| format!("-c {name}={value}"));
        // What the user sets in the URL comes later, and so wins; the start-up check looks at the result.
        let all: Vec<String> = ours.chain(config.get_options().map(str::to_owned)).collect();
        config.options(all.join(" "));
    } else if config.get_options().is_some() {
        return Err(Error::Refused(
            "a pooler lends sessions as they are: take options out of the database URL, or pooler=transaction"
                .to_owned(),
        ));
    }
    // Of several hosts the primary is wanted; and a session that takes no writes is of no use to anybody here.
    if !url.expose_secret().contains("target_session_attrs") {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    let is_one = config.get_hosts().len().max(config.get_hostaddrs().len()) < 2;
    config
        .application_name(name)
        .connect_timeout(if is_one { CONNECT_TIMEOUT } else { CONNECT_TIMEOUT_OF_SEVERAL })
        .tcp_user_timeout(Duration::from_secs(10))
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .ssl_mode(address.tls.mode.driver());
    Ok(Session { config, tls: address.tls.connector()?, is_pooled: address.is_pooled })
}

/// The name is put into SQL text, so it is of the plainest kind.
pub(crate) fn check_schema_name(schema: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let ok = (1..=63).contains(&schema.len())
        && schema.chars().all(plain)
        && !schema.starts_with(|c: char| c.is_ascii_digit())
        && !schema.starts_with("pg_")
        && schema != "public";
    if ok {
        Ok(())
    } else {
        Err(Error::Refused(format!(
            "the schema's name {schema:?} must be of lower case letters, digits and underscores, and neither public nor pg_.."
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_no_debug_output_and_no_error() {
        let config = Config::new("postgres://shop:hunter2@host/db".into());
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = Config::new("postgres://shop:hunter2@host:port:port/db".into()).session().err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn options_of_the_url_come_after_ours() {
        let config = Config::new("host=/tmp options='-c work_mem=64MB'".into()).session().unwrap().config;
        let options = config.get_options().unwrap();
        assert!(options.starts_with("-c lock_timeout=2s"), "{options}");
        assert!(options.ends_with("-c work_mem=64MB"), "{options}");
    }

    #[test]
    fn a_pooler_is_sent_no_options_and_each_transaction_its_settings() {
        let session = Config::new("host=h pooler=transaction".into()).session().unwrap();
        assert!(session.is_pooled && session.config.get_options().is_none());
        let error = Config::new("host=h pooler=transaction options='-c work_mem=1GB'".into()).session().err();
        assert!(error.unwrap().to_string().contains("take options out"));
        let settings = transaction_settings();
        assert!(settings.starts_with("; SET LOCAL lock_timeout = '2s'; "), "{settings}");
        assert!(!settings.contains(PLANS), "{settings}");
    }

    #[test]
    fn a_session_that_takes_writes_is_looked_for_unless_the_url_says_otherwise() {
        let attrs = |url: &str| Config::new(url.into()).session().unwrap().config.get_target_session_attrs();
        assert_eq!(attrs("postgres://a,b/db"), TargetSessionAttrs::ReadWrite);
        assert_eq!(attrs("postgres://a,b/db?target_session_attrs=any"), TargetSessionAttrs::Any);
        assert_eq!(attrs("host=a,b target_session_attrs=any"), TargetSessionAttrs::Any);
    }

    #[test]
    fn a_session_is_waited_for_until_every_host_could_have_been_asked() {
        let session = |url: &str| Config::new(url.into()).session().unwrap().config;
        let timeouts = |url: &str| {
            let session = session(url);
            (session.get_connect_timeout().copied().unwrap(), create_timeout(&session))
        };
        let ms = Duration::from_millis;
        assert_eq!(timeouts("postgres://a/db"), (ms(3500), ms(5000)));
        assert_eq!(timeouts("postgres://a,b/db"), (ms(1500), ms(4500)));
        assert_eq!(timeouts("hostaddr=192.0.2.1,192.0.2.2,192.0.2.3"), (ms(1500), ms(6000)));
    }

    #[test]
    fn odd_schema_names_are_refused() {
        for name in ["", "public", "pg_x", "a\"b", "A", "1a", "a.b"] {
            assert!(check_schema_name(name).is_err(), "{name}");
        }
        assert!(check_schema_name("shop_2").is_ok());
    }
}
