//! What a log says of the key that signs it: the note `key.rotated`, for the first key and for each that came after it.

use database::{Client, Database, sql};
use domain::{Key, Position, ShopId};
use event_log::{Event, Guard, NewNote, NoteType, record_note};
use serde::Deserialize;
use serde_json::json;
use tlog::Verifier;

use super::{Error, LogKeys, Origin};

/// Each one loses against somebody who changes the key at the same moment.
const ATTEMPTS: usize = 4;

/// What a log says last of its key.
struct KeyNote {
    position: Position,
    key: Verifier,
}

/// A log that names the first of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Where it does.
    pub noted_at: Position,
    /// Whether that was noted just now.
    pub is_new: bool,
}

#[derive(Deserialize)]
struct Data {
    new_vkey: String,
}

/// The epoch of the log, and what it says last of its key.
async fn read(client: &Client, shop: &ShopId) -> Result<(i32, Option<KeyNote>), Error> {
    let about = Key::Shop(shop.clone()).to_string();
    let row = client.query_opt(&sql::audit::READ_KEY_NOTE, &[&shop.as_str(), &about]).await?;
    let row = row.ok_or(event_log::Error::UnknownShop)?;
    let epoch = row.try_get("epoch")?;
    let Some(position) = row.try_get::<_, Option<i64>>("position")?.map(Position) else {
        return Ok((epoch, None));
    };
    let odd = Error::LogDiffers { position, why: "the note does not say which key signs from there on" };
    let event = Event::decode(position, row.try_get("entry")?)?;
    let Ok(Data { new_vkey }) = serde_json::from_str(event.data()) else { return Err(odd) };
    let Ok(key) = new_vkey.parse() else { return Err(odd) };
    Ok((epoch, Some(KeyNote { position, key })))
}

/// The key that the log says it is signed with; none, where none has signed it yet.
///
/// # Errors
/// [`Error::Log`] for an unknown shop; [`Error::LogDiffers`] for a note that cannot be read; the database's.
pub async fn noted_key(database: &Database, shop: &ShopId) -> Result<Option<Verifier>, Error> {
    let (_, noted) = read(&database.client().await?, shop).await?;
    Ok(noted.map(|noted| noted.key))
}

/// The keys that these notes name, in order: the last one signs now.
pub(crate) fn known_keys(notes: &[Event]) -> Vec<Verifier> {
    let key = |note: &Event| {
        let Data { new_vkey } = serde_json::from_str(note.data()).ok()?;
        new_vkey.parse().ok()
    };
    notes.iter().filter_map(key).collect()
}

/// Sees that the log names the first of the keys as the one that signs it. Where it names none, that is noted; where it names
/// another of the file, the key was changed, and that is noted. Several may do so at a time: each note has one that follows.
///
/// # Errors
/// [`Error::WrongKey`] if the log names a key that is not in the file, [`Error::OtherOrigin`] if it goes by another name.
pub async fn settle_key(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    origin: &Origin,
    keys: &LogKeys,
    by: &str,
) -> Result<Settled, Error> {
    let mut is_new = false;
    // Whoever comes second finds what the first one has noted.
    for _ in 0..ATTEMPTS {
        let (epoch, known) = {
            let client = database.client().await?;
            read(&client, shop).await?
        };
        let name = origin.of(shop, epoch);
        if let Some(KeyNote { position, key }) = &known {
            if !origin.names(shop, key.name()) {
                let (known, given) = (key.name().to_owned(), name);
                return Err(Error::OtherOrigin { shop: shop.clone(), known, given });
            }
            match keys.place_of(key.public_key()) {
                Some(0) => return Ok(Settled { noted_at: *position, is_new }),
                Some(_) => {}
                None => return Err(Error::WrongKey { shop: shop.clone(), known: key.to_string() }),
            }
        }
        let first = keys.verifiers(&name)?.into_iter().next();
        let first = first.ok_or_else(|| Error::Key("there is none".to_owned()))?;
        is_new |= note(guard, database, shop, known.as_ref(), &first, by).await?;
    }
    Err(Error::Failed("the keys of the log are being changed by somebody else".to_owned()))
}

/// Whether it was not noted before.
async fn note(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    known: Option<&KeyNote>,
    new: &Verifier,
    by: &str,
) -> Result<bool, Error> {
    let (id, data) = match known {
        None => ("first".to_owned(), json!({ "new_vkey": new.to_string() })),
        Some(old) => (
            format!("after {}", old.position),
            json!({ "new_vkey": new.to_string(), "old_vkey": old.key.to_string() }),
        ),
    };
    let key = Key::Shop(shop.clone());
    let note = NewNote { kind: NoteType::KeyRotated, key, by: by.to_owned(), id, data, evidence: None };
    Ok(!record_note(guard, database, shop, note).await?.was_known)
}
