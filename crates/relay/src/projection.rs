//! What the relay drives: something that loads rows, decides over them, and stores what changed.

use std::future::Future;

use database::Client;
use domain::{Fact, Missing, Outcome, ReceivedFact, ShopId, State, Undecided};

use crate::Error;

/// A fact that is due because time has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The fact.
    pub fact: Fact,
    /// Its deduplication key: the same deadline or attempt is appended once, whoever asks.
    pub id: String,
}

/// Loads, decides and stores. What is loaded is as the last batch left it, for nobody else writes while the lease
/// holds; that it did is made sure of by the transaction that stores.
pub trait Projection: Send + Sync + 'static {
    /// What a batch has changed, apart from the state, which the next batch goes on with while this is stored.
    type Changes: Send + Sync;

    /// The consumer's name, which its checkpoint and lease are kept under.
    fn consumer(&self) -> &'static str;

    /// A state with what every batch of the shop needs.
    fn open(&self, client: &Client, shop: &ShopId) -> impl Future<Output = Result<State, Error>> + Send;

    /// Gives the rows to the state, set-wise. Rows that the state knows already stay as they are.
    fn load(
        &self,
        client: &Client,
        shop: &ShopId,
        state: &mut State,
        missing: &[Missing],
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Decides a fact; the state evolves by what is answered.
    ///
    /// # Errors
    /// [`Undecided::Missing`] names a row to load.
    fn decide(&self, state: &mut State, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided> {
        state.decide(fact)
    }

    /// The state's changes, ready to be stored.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a row that cannot be written as one.
    fn changes(&self, state: &State) -> Result<Self::Changes, Error>;

    /// Stores changes, in the relay's transaction.
    fn store(
        &self,
        client: &Client,
        shop: &ShopId,
        changes: &Self::Changes,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The facts that are due by the database's clock.
    fn due(&self, client: &Client, shop: &ShopId) -> impl Future<Output = Result<Vec<Timer>, Error>> + Send;
}
