//! Sessions with the database, shared.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime,
};
use futures_util::join;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::config::{create_timeout, transaction_settings};
use crate::{Config, Error, Meters, Notifications, Query, Statement, sql};

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
    /// What is set behind each BEGIN; none where sessions are ours and have it already.
    pooled: Option<String>,
    /// Whether the server plans each statement for its parameters.
    plans_as_given: Arc<AtomicBool>,
    meters: Meters,
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
        let pooled = session.is_pooled.then(transaction_settings);
        let manager = Manager::from_config(session.config, session.tls, recycling);
        let distrust = Arc::new(Distrust::default());
        // Behind a pooler every plan is as given.
        let plans_as_given = Arc::new(AtomicBool::new(pooled.is_some()));
        let mut builder = Pool::builder(manager);
        if pooled.is_none() {
            builder = builder.post_create(plan_as_given_on_citus(Arc::clone(&plans_as_given)));
        }
        let pool = builder
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
        let (mut texts, meters) = (HashMap::new(), Meters::default());
        if config.schema != sql::DEFAULT_SCHEMA {
            for query in sql::all() {
                texts.insert(query.name(), sql::with_schema(query.text(), &config.schema));
            }
        }
        Ok(Self { inner: Arc::new(Inner { config, pool, texts, distrust, pooled, plans_as_given, meters }) })
    }

    /// A session of the pool; [`Error::Unavailable`] when none becomes free in time.
    pub async fn client(&self) -> Result<Client, Error> {
        let began = Instant::now();
        let object = self.inner.pool.get().await;
        self.inner.meters.waited(began.elapsed());
        let object = object?;
        Ok(Client { object, database: self.clone(), in_transaction: AtomicBool::new(false) })
    }

    /// A session of one's own, outside the pool, and what it is notified of after LISTEN. The notifications end when
    /// the session does; the session ends when the client is dropped. A pooler has none to give.
    pub async fn dedicated(&self) -> Result<(tokio_postgres::Client, Notifications), Error> {
        let session = self.inner.config.session()?;
        if session.is_pooled {
            return Err(Error::Refused(
                "a pooler that lends sessions for transactions has none to keep".to_owned(),
            ));
        }
        let (client, connection) = session.config.connect(session.tls).await?;
        Ok((client, Notifications::drive(connection)))
    }

    /// Whether a pooler lends the sessions, anew for each transaction: nobody can LISTEN, and what one has seen says
    /// nothing of the next.
    pub fn is_pooled(&self) -> bool {
        self.inner.pooled.is_some()
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

    /// What is counted of the pool.
    pub fn meters(&self) -> &Meters {
        &self.inner.meters
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

/// Citus sends a statement to the node of a parameter's value, and so plans it for that: a session that insists on one plan
/// for all values would have none.
fn plan_as_given_on_citus(plans_as_given: Arc<AtomicBool>) -> Hook {
    Hook::async_fn(move |client, _| {
        let plans_as_given = Arc::clone(&plans_as_given);
        Box::pin(async move {
            let plan = sql::database::PLAN_AS_GIVEN_ON_CITUS.text();
            if !client.query_typed(plan, &[]).await.map_err(HookError::Backend)?.is_empty() {
                plans_as_given.store(true, Ordering::Relaxed);
            }
            Ok(())
        })
    })
}

/// The parameters of a query.
pub type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A session of the pool. Dereferences to the driver's client, so that futures may be joined: what is polled together is
/// sent together.
///
/// Whoever begins a transaction by [`Client::begin`] must end it too, or [`Client::discard`] the session: it goes back into
/// the pool as it is. [`Database::run_tx`] sees to that. BEGIN is never sent otherwise: behind a pooler each statement
/// outside of a transaction becomes one of its own, for its settings.
pub struct Client {
    object: Object,
    database: Database,
    in_transaction: AtomicBool,
}

/// What [`Client::begin`] begins where nothing else is said.
pub const READ_COMMITTED: &str = "ISOLATION LEVEL READ COMMITTED";

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares the query once for each session; behind a pooler, reads its types.
    pub async fn prepare(&self, query: &Query) -> Result<Statement, Error> {
        let text = self.database.sql(query);
        if self.database.is_pooled() {
            return Ok(Statement::unnamed(text.to_owned(), query.types()));
        }
        Ok(Statement::named(self.object.prepare_cached(text).await?))
    }

    /// All rows.
    pub async fn query(&self, query: &Query, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(query).await?;
        self.sent(statement.query(self, parameters)).await
    }

    /// All rows, by a plan that is made for these parameters alone: for lists with optional filters, which go by another
    /// index with each. Never within a transaction.
    pub async fn query_as_given(&self, query: &Query, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        if self.database.inner.plans_as_given.load(Ordering::Relaxed) {
            return self.query(query, parameters).await;
        }
        let statement = self.prepare(query).await?;
        // Sent together: whoever goes away leaves the session as it was.
        let (set, rows, reset) = join!(
            self.raw().batch_execute("SET plan_cache_mode = force_custom_plan"),
            statement.query(self, parameters),
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
        self.sent(statement.query_one(self, parameters)).await
    }

    /// The one row, if there is one.
    pub async fn query_opt(&self, query: &Query, parameters: Parameters<'_>) -> Result<Option<Row>, Error> {
        let statement = self.prepare(query).await?;
        self.sent(statement.query_opt(self, parameters)).await
    }

    /// How many rows were changed.
    pub async fn execute(&self, query: &Query, parameters: Parameters<'_>) -> Result<u64, Error> {
        let statement = self.prepare(query).await?;
        self.sent(statement.execute(self, parameters)).await
    }

    /// Begins a transaction with these modes, and behind a pooler with our settings. Sends at its first poll.
    ///
    /// # Errors
    /// The driver's, as of those that end it.
    pub async fn begin(&self, modes: &str) -> Result<(), tokio_postgres::Error> {
        self.in_transaction.store(true, Ordering::Relaxed);
        let settings = self.database.inner.pooled.as_deref().unwrap_or_default();
        self.raw().batch_execute(&format!("BEGIN {modes}{settings}")).await
    }

    /// Commits. An aborted transaction is an error, and stays open: COMMIT alone rolls it back and says nothing, so
    /// something that fails there goes before it. Sends at its first poll.
    pub async fn commit(&self) -> Result<(), tokio_postgres::Error> {
        self.end("SELECT 1; COMMIT").await
    }

    /// As [`Client::commit`], but an aborted transaction is rolled back without a word: for joining behind a statement
    /// whose answer tells.
    pub async fn commit_or_roll_back(&self) -> Result<(), tokio_postgres::Error> {
        self.end("COMMIT").await
    }

    /// Rolls back.
    pub async fn roll_back(&self) -> Result<(), tokio_postgres::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(&self, how: &str) -> Result<(), tokio_postgres::Error> {
        self.raw().batch_execute(how).await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Behind a pooler, what is in no transaction goes into one of its own: in the same round trip, as all of it is sent
    /// at the first poll.
    async fn sent<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let answered = match &self.database.inner.pooled {
            Some(settings) if !self.in_transaction.load(Ordering::Relaxed) => {
                let begin = format!("BEGIN{settings}");
                let (begun, answered, committed) =
                    join!(self.raw().batch_execute(&begin), statement, self.raw().batch_execute("COMMIT"),);
                // The first error is the cause.
                begun.and(answered).and_then(|value| committed.map(|()| value))
            }
            _ => statement.await,
        };
        self.heeded(answered)
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

    /// Whether a transaction was begun by [`Client::begin`] and has not ended.
    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction.load(Ordering::Relaxed)
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
