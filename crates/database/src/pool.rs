//! Sessions with the database, shared.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime,
};
use futures_util::join;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use crate::config::create_timeout;
use crate::{Config, Error, Notifications, Query, sql};

/// The database. Clones share the pool.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    pool: Pool,
    /// The texts for this schema, by name; empty when the schema is called as in the files.
    texts: HashMap<&'static str, String>,
    distrust: Arc<Distrust>,
}

/// Sessions that were opened before this are not used again.
#[derive(Default)]
struct Distrust(Mutex<Option<Instant>>);

impl Distrust {
    fn since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // One value, set in one step: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Database {
    /// Makes the pool, and opens one session to see that the database is there.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let database = Self::lazy(config)?;
        database.client().await?;
        Ok(database)
    }

    /// Makes the pool, and opens sessions as they are needed.
    pub fn lazy(config: Config) -> Result<Self, Error> {
        // A session is looked at only for being open: its settings never change after it was opened.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let session = config.session()?;
        let create_timeout = create_timeout(&session.config);
        let manager = Manager::from_config(session.config, session.tls, recycling);
        let distrust = Arc::new(Distrust::default());
        let pool = Pool::builder(manager)
            .pre_recycle(Hook::sync_fn({
                let distrust = Arc::clone(&distrust);
                move |_, metrics| match *distrust.since() {
                    Some(since) if metrics.created <= since => {
                        Err(HookError::message("the server takes no writes any more"))
                    }
                    _ => Ok(()),
                }
            }))
            .max_size(config.pool_size.max(1))
            // The session that was used last has its plans and its catalogue at hand.
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(config.wait_timeout))
            .create_timeout(Some(create_timeout))
            .recycle_timeout(Some(Duration::from_secs(2)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::Refused(format!("the pool cannot be made: {error}")))?;
        let mut texts = HashMap::new();
        if config.schema != sql::DEFAULT_SCHEMA {
            for query in sql::all() {
                texts.insert(query.name(), sql::with_schema(query.text(), &config.schema));
            }
        }
        Ok(Self { inner: Arc::new(Inner { config, pool, texts, distrust }) })
    }

    /// A session of the pool; [`Error::Unavailable`] when none becomes free in time.
    pub async fn client(&self) -> Result<Client, Error> {
        let object = self.inner.pool.get().await?;
        Ok(Client { object, database: self.clone() })
    }

    /// A session of one's own, outside the pool, and what it is notified of after LISTEN. The notifications end when
    /// the session does; the session ends when the client is dropped.
    pub async fn dedicated(&self) -> Result<(tokio_postgres::Client, Notifications), Error> {
        let session = self.inner.config.session()?;
        let (client, connection) = session.config.connect(session.tls).await?;
        Ok((client, Notifications::drive(connection)))
    }

    /// The text of a query for this database's schema.
    pub fn sql(&self, query: &Query) -> &str {
        self.inner.texts.get(query.name()).map_or(query.text(), String::as_str)
    }

    /// The name of the schema.
    pub fn schema(&self) -> &str {
        &self.inner.config.schema
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>, Error> {
        self.client().await?.now().await
    }

    /// How many sessions the pool has, how many of them are free, and how many callers wait.
    pub fn pool_status(&self) -> (usize, usize, usize) {
        let status = self.inner.pool.status();
        (status.size, status.available, status.waiting)
    }

    /// Looks at what a session was answered. A server that takes no writes any more is not the primary any more, and every
    /// session that is open now is with it: none is used again, and new ones look for the primary. Whoever sends
    /// statements past [`Client`]'s own methods tells it here.
    pub fn heed(&self, error: &tokio_postgres::Error) {
        if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
            tracing::warn!(
                "the database takes no writes: its sessions are closed, and new ones look for the primary"
            );
            *self.inner.distrust.since() = Some(Instant::now());
        }
    }

    /// Lets nobody in any more, and closes the sessions as they come back.
    pub fn close(&self) {
        self.inner.pool.close();
    }
}

/// The parameters of a query.
pub type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A session of the pool. Dereferences to the driver's client, so that futures may be joined: what is polled together is
/// sent together.
///
/// Whoever sends BEGIN by hand must send COMMIT or ROLLBACK too, or [`Client::discard`] the session: it goes back into
/// the pool as it is. [`Database::run_tx`] sees to that.
pub struct Client {
    object: Object,
    database: Database,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares the query once for each session.
    pub async fn prepare(&self, query: &Query) -> Result<Statement, Error> {
        Ok(self.object.prepare_cached(self.database.sql(query)).await?)
    }

    /// All rows.
    pub async fn query(&self, query: &Query, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(query).await?;
        self.heeded(self.raw().query(&statement, parameters).await)
    }

    /// All rows, by a plan that is made for these parameters alone: for lists with optional filters, which go by another
    /// index with each. Never within a transaction.
    pub async fn query_as_given(&self, query: &Query, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(query).await?;
        // Sent together: whoever goes away leaves the session as it was.
        let (set, rows, reset) = join!(
            self.raw().batch_execute("SET plan_cache_mode = force_custom_plan"),
            self.raw().query(&statement, parameters),
            self.raw().batch_execute("RESET plan_cache_mode"),
        );
        set?;
        reset?;
        self.heeded(rows)
    }

    /// Within a transaction: its statements, and the time between them, may take as long as they take. For what an operator
    /// waits for.
    pub async fn lift_limits(&self) -> Result<(), Error> {
        const NO_LIMITS: &str =
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
        self.heeded(self.raw().batch_execute(NO_LIMITS).await)
    }

    /// The one row that there must be.
    pub async fn query_one(&self, query: &Query, parameters: Parameters<'_>) -> Result<Row, Error> {
        let statement = self.prepare(query).await?;
        self.heeded(self.raw().query_one(&statement, parameters).await)
    }

    /// The one row, if there is one.
    pub async fn query_opt(&self, query: &Query, parameters: Parameters<'_>) -> Result<Option<Row>, Error> {
        let statement = self.prepare(query).await?;
        self.heeded(self.raw().query_opt(&statement, parameters).await)
    }

    /// How many rows were changed.
    pub async fn execute(&self, query: &Query, parameters: Parameters<'_>) -> Result<u64, Error> {
        let statement = self.prepare(query).await?;
        self.heeded(self.raw().execute(&statement, parameters).await)
    }

    fn heeded<T>(&self, answered: Result<T, tokio_postgres::Error>) -> Result<T, Error> {
        if let Err(error) = &answered {
            self.database.heed(error);
        }
        Ok(answered?)
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>, Error> {
        Ok(self.query_one(&sql::database::READ_CLOCK, &[]).await?.try_get("now")?)
    }

    /// The driver's client, whose methods of the same names take texts and statements.
    pub fn raw(&self) -> &tokio_postgres::Client {
        &self.object
    }

    /// When the session was opened: no two of a pool at the same instant, so that one may be told from another.
    pub fn opened(&self) -> Instant {
        Object::metrics(&self.object).created
    }

    /// The database that it is of.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Closes the session instead of giving it back: nobody knows what state it is in.
    pub fn discard(self) {
        drop(Object::take(self.object));
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        self.raw()
    }
}
