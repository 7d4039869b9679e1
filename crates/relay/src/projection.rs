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

/// Loads, decides and stores. All of it runs in the relay's transaction, but for `due`.
pub trait Projection: Send + Sync + 'static {
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

    /// Stores the state's changes.
    fn store(
        &self,
        client: &Client,
        shop: &ShopId,
        state: &State,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The facts that are due by the database's clock.
    fn due(&self, client: &Client, shop: &ShopId) -> impl Future<Output = Result<Vec<Timer>, Error>> + Send;
}
