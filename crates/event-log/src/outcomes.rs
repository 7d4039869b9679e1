//! The relay's append, inside its own transaction, behind all that it has stored.

use std::borrow::Cow;

use database::{Client, Statement, sql};
use domain::{Outcome, Position, ShopId, Timestamp};
use futures_util::join;
use trace_context::TraceParent;
use uuid::Uuid;

use crate::canonical::{EntryError, canonical};
use crate::entry::{Fields, Untimed, outcome_id};
use crate::rows::EventColumns;
use crate::write::next_of;
use crate::{Error, Guard, Point};

/// An outcome that wants to be appended.
#[derive(Clone, Debug)]
pub struct NewOutcome {
    /// What follows.
    pub outcome: Outcome,
    /// From which fact.
    pub cause: Position,
    /// That fact's id.
    pub cause_id: Uuid,
    /// Its number among that fact's outcomes, from 0.
    pub n: u32,
    /// The trace that it belongs to: its fact's.
    pub trace: Option<TraceParent>,
}

/// Outcomes with everything done that needs no lock.
#[derive(Debug)]
pub struct OutcomeAppend {
    outcomes: Vec<(NewOutcome, Uuid, Untimed)>,
}

/// Locks the shop, gives the next positions to the outcomes in this order, and inserts them with their outbox rows. The
/// caller's transaction must be READ COMMITTED, take no other lock after this, and commit at once.
///
/// # Errors
/// The database's, and [`Error::Outcome`] before anything was sent.
pub async fn append_outcomes(
    guard: &Guard,
    client: &Client,
    shop: &ShopId,
    outcomes: Vec<NewOutcome>,
) -> Result<Vec<Position>, Error> {
    let append = OutcomeAppend::new(outcomes)?;
    let placed = append.place(guard, client, shop).await?;
    placed.insert(client, shop).await?;
    Ok(placed.positions())
}

impl OutcomeAppend {
    /// Writes the entries, all but their time.
    ///
    /// # Errors
    /// [`Error::Outcome`] for the first that cannot be an entry.
    pub fn new(outcomes: Vec<NewOutcome>) -> Result<Self, Error> {
        let encoded = outcomes.into_iter().map(|new| {
            let (id, entry) = encode(&new).map_err(|why| Error::Outcome { cause: new.cause, why })?;
            Ok((new, id, entry))
        });
        Ok(Self { outcomes: encoded.collect::<Result<_, Error>>()? })
    }

    /// Locks the shop, and gives the next positions to the outcomes in their order. Nothing but the inserting and COMMIT
    /// may follow. Whoever has locks has gone by the guard before, so that it need not be asked here.
    ///
    /// # Errors
    /// The database's; a log that has forked.
    pub async fn place(&self, guard: &Guard, client: &Client, shop: &ShopId) -> Result<Placed<'_>, Error> {
        if self.outcomes.is_empty() {
            return Ok(Placed {
                insert: None,
                epoch: 0,
                columns: EventColumns::default(),
                causes: Vec::new(),
            });
        }
        guard.check(client, shop).await?;
        let lock = client.prepare(&sql::event_log::LOCK_SHOP).await?;
        let head = client.prepare(&sql::event_log::FIND_HEAD).await?;
        let insert = client.prepare(&sql::event_log::INSERT_OUTCOMES).await?;
        let name = shop.as_str();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&name];
        let (locked, head) = join!(lock.query_opt(client, &parameters), head.query_opt(client, &parameters));
        let epoch = locked?.ok_or(Error::UnknownShop)?.try_get("feed_epoch")?;
        let (first, at) = next_of(&head?.ok_or(Error::UnknownShop)?)?;
        guard.expect(shop, epoch, first)?;
        let (columns, causes) = self.columns(first, at);
        Ok(Placed { insert: Some((at, insert)), epoch, columns, causes })
    }

    /// The outcomes' rows from this position on, and where their causes stand.
    pub(crate) fn columns(&self, first: i64, at: Timestamp) -> (EventColumns<'_>, Vec<i64>) {
        let mut columns = EventColumns::default();
        let mut causes = Vec::with_capacity(self.outcomes.len());
        for ((new, id, entry), position) in self.outcomes.iter().zip(first..) {
            let kind = new.outcome.kind;
            let key = (new.outcome.key.to_string(), new.outcome.key.name());
            columns.push(at, (position, *id, kind.name()), key, kind.aggregate(), Cow::Borrowed(entry));
            columns.belongs_to(new.trace);
            causes.push(new.cause.0);
        }
        (columns, causes)
    }
}

/// Outcomes that have their positions, and with them the shop's lock.
#[derive(Debug)]
pub struct Placed<'a> {
    /// When, and the statement, prepared already: what is sent together must not wait for that. None when there is nothing
    /// to insert.
    insert: Option<(Timestamp, Statement)>,
    epoch: i32,
    columns: EventColumns<'a>,
    causes: Vec<i64>,
}

impl Placed<'_> {
    /// Inserts the outcomes and their outbox rows. It sends at its first poll, so that COMMIT may be joined behind it.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert(&self, client: &Client, shop: &ShopId) -> Result<(), Error> {
        let (Some((at, insert)), columns) = (&self.insert, &self.columns) else { return Ok(()) };
        insert
            .execute(
                client,
                &[
                    &shop.as_str(),
                    &at.as_datetime(),
                    &columns.positions,
                    &columns.ids,
                    &columns.types,
                    &columns.keys,
                    &self.causes,
                    &columns.entries,
                    &columns.leaf_hashes,
                    &columns.aggregate_types,
                    &columns.aggregate_ids,
                    &columns.payloads,
                    &columns.traces,
                ],
            )
            .await?;
        Ok(())
    }

    /// The last of them, to be remembered once they are committed.
    #[must_use]
    pub fn last(&self) -> Option<Point> {
        self.columns.last(self.epoch)
    }

    /// Their types.
    #[must_use]
    pub fn types(&self) -> &[&'static str] {
        &self.columns.types
    }

    /// Their positions.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        self.columns.positions.iter().copied().map(Position).collect()
    }
}

fn encode(new: &NewOutcome) -> Result<(Uuid, Untimed), EntryError> {
    let id = outcome_id(&new.cause_id, new.n);
    let entry = Untimed::new(&Fields {
        id,
        type_name: new.outcome.kind.name(),
        key: &new.outcome.key,
        by: None,
        cause: Some(new.cause),
        n: Some(new.n),
        answers: new.outcome.answers,
        evidence: None,
        data: &canonical(&new.outcome.change)?,
    })?;
    Ok((id, entry))
}
