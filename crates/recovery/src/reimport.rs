//! Bringing back what is missing.

use database::{Client, Database, sql};
use domain::{Position, ReceivedFact, ShopId, Timestamp};
use event_log::{Event, Guard, NewOutcome, insert_reimported, leaf_hash};
use packed_rows::PackedRows;
use read_models::CONSUMER;
use tlog::{Frontier, Hash};

use crate::{Error, Published};

/// Rows are read so many at a time.
const PAGE: i64 = 5_000;

/// What a database lacks of its published log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many events the database has.
    pub local: u64,
    /// How many were published.
    pub published: u64,
}

impl Missing {
    /// How many events are missing.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.published.saturating_sub(self.local)
    }
}

/// What was brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reimported {
    /// The last position that the database had; -1: none.
    pub after: Position,
    /// The last one that it has now.
    pub through: Position,
    /// So many outcomes of the last decided fact stood behind the end of what was published; they were decided again.
    pub completed: usize,
    /// When the last event that was published was recorded.
    pub last_at: Option<Timestamp>,
}

/// What is missing, after everything was looked at: that the log here is the beginning of the published one (or the other
/// way round), and that every entry there is what the checkpoint says.
///
/// # Errors
/// [`Error::OtherHistory`] with the first position that differs, [`Error::Damaged`]; what cannot be read.
pub async fn missing(client: &Client, shop: &ShopId, published: &Published) -> Result<Missing, Error> {
    let size = published.size();
    let mut tree = local_tree(client, shop, size).await?;
    let mut local = tree.size();
    while tree.size() < size {
        let leaves = published.leaves_from(tree.size())?;
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
    }
    if tree.root() != *published.checkpoint().root() {
        return Err(part(client, shop, published).await?);
    }
    if local == size {
        // It may have more.
        let head = event_log::head(client, shop).await?;
        local = head.map_or(0, |(position, _)| u64::try_from(position.0 + 1).unwrap_or(0));
    }
    Ok(Missing { local, published: size })
}

/// The tree over what the database has, at most so much of it.
async fn local_tree(client: &Client, shop: &ShopId, size: u64) -> Result<Frontier, Error> {
    let mut tree = Frontier::new();
    loop {
        let leaves = local_leaves(client, shop, tree.size(), size).await?;
        if leaves.is_empty() {
            return Ok(tree);
        }
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
    }
}

async fn local_leaves(client: &Client, shop: &ShopId, from: u64, until: u64) -> Result<Vec<Hash>, Error> {
    let as_position = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let limit = as_position(until.saturating_sub(from)).min(PAGE);
    Ok(event_log::leaves(client, shop, Position(as_position(from) - 1), limit).await?)
}

/// Says why the two do not lead to the root: where they part, else that the files are damaged.
async fn part(client: &Client, shop: &ShopId, published: &Published) -> Result<Error, Error> {
    let (mut tree, mut first) = (Frontier::new(), None);
    while tree.size() < published.size() {
        let from = tree.size();
        let theirs = published.leaves_from(from)?;
        let ours = local_leaves(client, shop, from, from + theirs.len() as u64).await?;
        let differs = theirs.iter().zip(&ours).position(|(theirs, ours)| theirs != ours);
        first = first.or(differs.map(|differs| from + differs as u64));
        theirs.into_iter().for_each(|leaf| tree.push(leaf));
    }
    Ok(match first {
        Some(first) if tree.root() == *published.checkpoint().root() => {
            Error::OtherHistory(Position(i64::try_from(first).unwrap_or(i64::MAX)))
        }
        _ => Error::Damaged("its entries do not lead to the root of its checkpoint".to_owned()),
    })
}

/// Brings back what is missing, in one transaction, which fences off every relay: the events behind the head, and the fold
/// of the outcomes among them in the read models. What deduplicates the facts among them, and their evidence, is not in a
/// published log: they are known by their ids from now on, and what PayPal sends again brings its evidence.
///
/// # Errors
/// As [`missing`]; what was decided cannot be folded; the database's.
pub async fn reimport(
    database: &Database,
    shop: &ShopId,
    published: &Published,
) -> Result<Reimported, Error> {
    missing(&database.client().await?, shop, published).await?;
    let (shop, published) = (shop.clone(), published.clone());
    let reimported = database
        .run_tx("reimport", move |client| {
            let (shop, published) = (shop.clone(), published.clone());
            Box::pin(async move { bring_back(client, &shop, &published).await.map_err(Error::abort) })
        })
        .await;
    Ok(reimported?)
}

async fn bring_back(client: &Client, shop: &ShopId, published: &Published) -> Result<Reimported, Error> {
    // The log takes nothing meanwhile anyway.
    client.lift_limits().await?;
    // Whoever writes read models holds the checkpoint's row, so that the shop's may be locked before they are.
    client.execute(&sql::recovery::MAKE_CHECKPOINT, &[&shop.as_str(), &CONSUMER]).await?;
    let row = client.query_one(&sql::recovery::LOCK_CHECKPOINT, &[&shop.as_str(), &CONSUMER]).await?;
    let decided = Position(row.try_get("position")?);
    let locked = client.query_opt(&sql::event_log::LOCK_SHOP, &[&shop.as_str()]).await?;
    locked.ok_or(event_log::Error::UnknownShop)?;

    let size = published.size();
    let mut tree = local_tree(client, shop, size).await?;
    let after = Position(i64::try_from(tree.size()).unwrap_or(i64::MAX) - 1);
    let mut last_at = None;
    while tree.size() < size {
        let events = published.events_from(tree.size())?;
        insert_reimported(client, shop, &events).await?;
        events.iter().for_each(|event| tree.push(leaf_hash(&event.entry)));
        last_at = events.last().map(|event| event.at).or(last_at);
    }
    if tree.root() != *published.checkpoint().root() {
        return Err(Error::Damaged(
            "its entries do not lead to the root of its checkpoint any more".to_owned(),
        ));
    }
    let completed = catch_up(client, shop, decided).await?;
    let through = event_log::head(client, shop).await?.map_or(Position(-1), |(position, _)| position);
    Ok(Reimported { after, through, completed, last_at })
}

/// Has the read models show all that was decided, and the checkpoint say so. How many outcomes were lost with the end of
/// the published log, and are there again.
async fn catch_up(client: &Client, shop: &ShopId, decided: Position) -> Result<usize, Error> {
    let row = client.query_opt(&sql::recovery::READ_LAST_CAUSE, &[&shop.as_str()]).await?;
    let cause = row.map(|row| row.try_get(0)).transpose()?.map_or(Position(-1), Position);
    if cause <= decided {
        return Ok(0);
    }
    let (rows, last, rest) = fold(client, shop, cause).await?;
    let completed = rest.len();
    event_log::append_outcomes(&Guard::default(), client, shop, outcomes(&last, rest)).await?;
    read_models::replace(client, shop, &rows).await?;
    client.execute(&sql::recovery::SET_CHECKPOINT, &[&shop.as_str(), &CONSUMER, &cause.0]).await?;
    Ok(completed)
}

/// The last fact that was decided, with its outcomes.
struct Last {
    fact: Event,
    outcomes: Vec<Event>,
}

fn outcomes(last: &Last, rest: Vec<domain::Outcome>) -> Vec<NewOutcome> {
    let first = u32::try_from(last.outcomes.len()).unwrap_or(u32::MAX);
    let (cause, cause_id) = (last.fact.position, last.fact.id);
    (first..).zip(rest).map(|(n, outcome)| NewOutcome { outcome, cause, cause_id, n, trace: None }).collect()
}

/// Folds what was decided, up to this fact, whose outcomes may not all be there: the others come with the rows.
async fn fold(
    client: &Client,
    shop: &ShopId,
    cause: Position,
) -> Result<(PackedRows, Last, Vec<domain::Outcome>), Error> {
    let mut fold = audit::Fold::default();
    let (mut fact, mut outcomes, mut after) = (None, Vec::new(), Position(-1));
    loop {
        let events = event_log::read_all(client, shop, after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        for event in events {
            match event.cause {
                Some(of) if of == cause => outcomes.push(event),
                None if event.position == cause => fact = Some(event),
                None if event.position > cause => {}
                _ => fold.push(event),
            }
        }
    }
    let unfoldable = |position, what| Error::Unfoldable { position, what };
    let fact = fact.ok_or_else(|| unfoldable(cause, "it has outcomes and is not there".to_owned()))?;
    let received: ReceivedFact = relay::received(&fact);
    let (rows, rest, mismatches) = fold.complete(received, &outcomes);
    match mismatches.into_iter().next() {
        Some(mismatch) => Err(unfoldable(mismatch.position, mismatch.what)),
        None => Ok((rows, Last { fact, outcomes }, rest)),
    }
}
