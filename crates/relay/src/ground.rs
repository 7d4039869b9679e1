//! What a leader stands on: all that it reads, writes and waits for. What to do next is the leader's alone, so that the same
//! decisions are taken over PostgreSQL ([`crate::Relay`]) and in a simulation, where every step can fail.

use std::future::Future;

use domain::{Missing, Outcome, Position, ReceivedFact, State, Undecided};
use event_log::OutcomeAppend;
use tokio::time::Instant;
use trace_context::TraceParent;
use tracing::Span;
use uuid::Uuid;

use crate::Error;

/// A fact with the id that its outcomes' ids follow from.
#[derive(Clone, Debug)]
pub struct LoggedFact {
    /// The fact's id.
    pub id: Uuid,
    /// The fact.
    pub received: ReceivedFact,
    /// The trace that it belongs to, and its outcomes with it.
    pub trace: Option<TraceParent>,
}

/// What stands behind a position.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// The facts, in their order.
    pub facts: Vec<LoggedFact>,
    /// Up to where the log was seen.
    pub seen: i64,
    /// There may be more.
    pub is_full: bool,
}

/// A batch that was decided and is not written yet.
#[derive(Debug)]
pub struct Decided<C> {
    /// Where the checkpoint is to stand.
    pub to: i64,
    /// How many facts it is of.
    pub facts: usize,
    /// Where the first of them stands.
    pub first: Position,
    /// The rows to be stored.
    pub changes: C,
    /// The outcomes to be appended.
    pub outcomes: OutcomeAppend,
    /// Of facts that belong to traces: they end when it is written.
    pub spans: Vec<Span>,
}

/// What a leader stands on, for one lease of one shop.
pub trait Ground: Send + Sync {
    /// What a batch has changed, apart from the state, which the next batch goes on with while this is stored.
    type Changes: Send + Sync;

    /// Reads for one batch.
    type Reader<'a>: Reader + Send
    where
        Self: 'a;

    /// Begins to read for a batch.
    fn reader(&self) -> impl Future<Output = Result<Self::Reader<'_>, Error>> + Send;

    /// Decides a fact; the state evolves by what is answered.
    ///
    /// # Errors
    /// [`Undecided::Missing`] names a row to load.
    fn decide(&self, state: &mut State, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided>;

    /// The state's changes, ready to be stored.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a row that cannot be written as one.
    fn changes(&self, state: &State) -> Result<Self::Changes, Error>;

    /// Writes all that was decided, or nothing, and moves the checkpoint from where it stands: nothing is written for one
    /// who has lost the lease. Answers where the last outcome stands. After an error other than a fact's nobody knows whether
    /// it was written.
    fn write(
        &self,
        from: i64,
        decided: &Decided<Self::Changes>,
    ) -> impl Future<Output = Result<Option<Position>, Error>> + Send;

    /// Shows that the leader is alive; [`Error::LeaseLost`] where another leads.
    fn renew(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Where the checkpoint stands; [`Error::LeaseLost`] where another leads.
    fn checkpoint(&self) -> impl Future<Output = Result<i64, Error>> + Send;

    /// Lets the next one lead at once.
    fn release(&self) -> impl Future<Output = ()> + Send;

    /// Appends the facts that time has made due. One that is refused now is due again next time.
    fn append_due(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Everything up to here is decided and stored; where outcomes were appended, up to where.
    fn applied(&self, position: i64, head: Option<Position>);

    /// Waits until something is appended behind what was seen, here or elsewhere, or it is time to look anyway.
    fn wait(&mut self, seen: i64) -> impl Future<Output = ()> + Send;

    /// Waits after so many failures in a row.
    fn pause(&self, failures: u32) -> impl Future<Output = ()> + Send;

    /// Whether to end after the batch that is under way.
    fn is_stopped(&self) -> bool;

    /// How many leaders, this one among them, share the memory for rows that are kept.
    fn leaders(&self) -> usize {
        1
    }

    /// A clock that never goes back.
    fn now(&self) -> Instant;
}

/// Reads the log and the rows as they are stored.
pub trait Reader {
    /// At most `limit` facts behind a position. They never change, so that this needs no transaction.
    fn read_ahead(&self, after: i64, limit: usize) -> impl Future<Output = Result<Ahead, Error>> + Send;

    /// A state with what every batch of the shop needs.
    fn open(&self) -> impl Future<Output = Result<State, Error>> + Send;

    /// Gives the rows to the state. Rows that the state knows already stay as they are.
    fn load(&self, state: &mut State, missing: &[Missing]) -> impl Future<Output = Result<(), Error>> + Send;
}
