//! Legal holds: what a court wants must not be destroyed. They stand in the log, as notes about the buyer.

use database::{Client, Database, sql};
use domain::{BuyerId, Key, Position, ShopId, Timestamp};
use event_log::{Event, Filter, Guard, Kind, NewNote, NoteType, NotedAt, append_note};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;

/// Notes are read so many at a time.
const PAGE: i64 = 1_000;

/// A hold that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Whose evidence it keeps.
    pub buyer: BuyerId,
    /// Why: a reference of the shop's.
    pub case: String,
    /// Since when.
    pub placed_at: Timestamp,
    /// Who placed it.
    pub by: Option<String>,
    /// Where the log says so.
    pub position: Position,
}

#[derive(Deserialize)]
struct HoldData {
    buyer: BuyerId,
    case: String,
}

/// The holds that are in force: on one buyer, or on all.
///
/// # Errors
/// The database's, or an entry that cannot be read.
pub async fn list_holds(
    database: &Database,
    shop: &ShopId,
    buyer: Option<&BuyerId>,
) -> Result<Vec<Hold>, Error> {
    let client = database.client().await?;
    Ok(in_force(&notes(&client, shop, buyer).await?))
}

pub(super) async fn holds_of(client: &Client, shop: &ShopId, buyer: &BuyerId) -> Result<Vec<Hold>, Error> {
    Ok(in_force(&notes(client, shop, Some(buyer)).await?))
}

/// Places a hold; where it is in force already, nothing is added.
///
/// # Errors
/// The database's; no such shop; a log that has forked.
pub async fn place_hold(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    (buyer, case): (&BuyerId, &str),
    by: &str,
) -> Result<NotedAt, Error> {
    change(guard, database, shop, Change::new(NoteType::HoldPlaced, (buyer, case), by)).await
}

/// Lifts a hold.
///
/// # Errors
/// [`Error::NoHold`]; the database's; no such shop.
pub async fn lift_hold(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    (buyer, case): (&BuyerId, &str),
    by: &str,
) -> Result<NotedAt, Error> {
    change(guard, database, shop, Change::new(NoteType::HoldLifted, (buyer, case), by)).await
}

#[derive(Clone)]
struct Change {
    kind: NoteType,
    buyer: BuyerId,
    case: String,
    by: String,
}

impl Change {
    fn new(kind: NoteType, (buyer, case): (&BuyerId, &str), by: &str) -> Self {
        Self { kind, buyer: buyer.clone(), case: case.to_owned(), by: by.to_owned() }
    }
}

async fn change(guard: &Guard, database: &Database, shop: &ShopId, change: Change) -> Result<NotedAt, Error> {
    let (guard, shop) = (guard.clone(), shop.clone());
    let noted = database
        .run_tx("change a legal hold", move |client| {
            let (guard, shop, change) = (guard.clone(), shop.clone(), change.clone());
            Box::pin(async move { append(&guard, client, &shop, &change).await.map_err(Error::abort) })
        })
        .await;
    Ok(noted?)
}

async fn append(guard: &Guard, client: &Client, shop: &ShopId, change: &Change) -> Result<NotedAt, Error> {
    let locked = client.query_opt(&sql::event_log::LOCK_SHOP, &[&shop.as_str()]).await?;
    locked.ok_or(event_log::Error::UnknownShop)?;
    let notes = notes(client, shop, Some(&change.buyer)).await?;
    let hold = in_force(&notes).into_iter().find(|hold| hold.case == change.case);
    match (change.kind, hold) {
        (NoteType::HoldPlaced, Some(hold)) => {
            return Ok(NotedAt::known(hold.position));
        }
        (NoteType::HoldLifted, None) => {
            return Err(Error::NoHold { buyer: change.buyer.clone(), case: change.case.clone() });
        }
        _ => {}
    }
    let note = NewNote {
        kind: change.kind,
        key: Key::Buyer(change.buyer.clone()),
        by: change.by.clone(),
        // The same hold may be placed and lifted again.
        id: format!("{}/{}/{}", change.buyer, change.case, notes.len()),
        data: json!({"buyer": change.buyer, "case": change.case}),
        evidence: None,
    };
    Ok(append_note(guard, client, shop, &note).await?)
}

/// The notes about holds, in order.
async fn notes(client: &Client, shop: &ShopId, buyer: Option<&BuyerId>) -> Result<Vec<Event>, Error> {
    let types = [NoteType::HoldPlaced, NoteType::HoldLifted].map(|note| note.name().to_owned());
    let filter = Filter { kinds: vec![Kind::Note], types: types.into(), key: buyer.cloned().map(Key::Buyer) };
    read_notes(client, shop, &filter).await
}

/// All notes that pass a filter, in order.
pub(super) async fn read_notes(client: &Client, shop: &ShopId, filter: &Filter) -> Result<Vec<Event>, Error> {
    let (mut notes, mut after) = (Vec::new(), Position(-1));
    loop {
        let page = event_log::read(client, shop, after, PAGE, filter).await?;
        let Some(last) = page.last() else { return Ok(notes) };
        after = last.position;
        notes.extend(page);
    }
}

fn in_force(notes: &[Event]) -> Vec<Hold> {
    let mut holds: Vec<Hold> = Vec::new();
    for note in notes {
        let Ok(HoldData { buyer, case }) = serde_json::from_str(note.data()) else { continue };
        let known = holds.iter().position(|hold| hold.buyer == buyer && hold.case == case);
        let is_placed = note.type_name == NoteType::HoldPlaced.name();
        match known {
            None if is_placed => holds.push(Hold {
                buyer,
                case,
                placed_at: note.at,
                by: note.by.clone(),
                position: note.position,
            }),
            Some(index) if !is_placed => drop(holds.remove(index)),
            _ => {}
        }
    }
    holds
}
