//! What becomes of each fact of a batch: the rules of deduplication, the same for what is stored and for what comes
//! earlier in the same batch. Pure; the UNIQUE constraints are the ones that decide. This agrees with them where everything
//! was looked up under the lock; where it was taken for new instead, they refuse the batch if it was not.

use std::borrow::Cow;
use std::collections::HashMap;

use domain::{Fact, Key, Position, Revision, Timestamp};

use uuid::Uuid;

use crate::entry::{Untimed, fact_id};
use crate::fact::{Digest, Prepared, entry_of};
use crate::rows::FactRows;
use crate::{AppendError, Appended, Conflict, Dedupe, Event, Transmission};

/// A stored callback.
#[derive(Clone, Debug)]
pub(crate) struct KnownCallback {
    /// None for a copy from the API.
    pub(crate) mac: Option<Digest>,
    pub(crate) position: i64,
    /// A signed delivery came after the copy.
    pub(crate) signed_since: bool,
}

/// What the database knew under the lock of what the batch asks; empty where all of it is taken for new.
#[derive(Debug)]
pub(crate) struct Known {
    /// The epoch of the log.
    pub(crate) epoch: i32,
    /// The position that the next event gets.
    pub(crate) next: i64,
    /// The time that it gets.
    pub(crate) at: Timestamp,
    pub(crate) transmissions: HashMap<String, (Digest, i64)>,
    pub(crate) callbacks: HashMap<String, KnownCallback>,
    pub(crate) commands: HashMap<(String, String), (Digest, i64)>,
    /// Whether the shop has events that came back from its published log, which has not what deduplicates them.
    pub(crate) has_reimported: bool,
    /// Those of them that have the ids of the batch's facts, or of their revisions.
    pub(crate) reimported: HashMap<Uuid, Event>,
}

/// Something that should not happen to a shop, told once it is committed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    what: &'static str,
    transmission: String,
    position: i64,
    known_mac: Option<Digest>,
    body_mac: Digest,
}

impl Alarm {
    /// Ids and hashes only.
    pub(crate) fn raise(&self, shop: &str) {
        let known_mac = self.known_mac.map(hex::encode);
        let body_mac = hex::encode(self.body_mac);
        tracing::warn!(
            shop,
            transmission = self.transmission,
            position = self.position,
            known_mac,
            body_mac,
            "{}",
            self.what
        );
    }
}

/// A batch, settled.
#[derive(Debug)]
pub(crate) struct Settled<'a> {
    pub(crate) answers: Vec<Result<Appended, AppendError>>,
    pub(crate) rows: FactRows<'a>,
    pub(crate) alarms: Vec<Alarm>,
}

/// Settles a batch. `known` is left as it will be after the commit.
pub(crate) fn settle<'a>(known: &mut Known, batch: &[&'a Prepared]) -> Settled<'a> {
    let mut settled = Settled {
        answers: Vec::with_capacity(batch.len()),
        rows: FactRows::new(known.at),
        alarms: Vec::new(),
    };
    for fact in batch {
        let answer = match &fact.dedupe {
            Dedupe::Command { id, content_sha256 } => {
                Ok(command(known, &mut settled, fact, id, content_sha256))
            }
            Dedupe::Callback { event_key, body_mac: _, transmission: None } => {
                Ok(api_copy(known, &mut settled, fact, event_key))
            }
            Dedupe::Callback { event_key, body_mac, transmission: Some(transmission) } => {
                delivery(known, &mut settled, fact, event_key, *body_mac, transmission)
            }
        };
        settled.answers.push(answer);
    }
    settled
}

fn command<'a>(
    known: &mut Known,
    settled: &mut Settled<'a>,
    fact: &'a Prepared,
    id: &'a str,
    content: &'a Digest,
) -> Appended {
    let asked = (fact.type_name.to_owned(), id.to_owned());
    if let Some(event) = known.reimported.get(&fact.id)
        && !known.commands.contains_key(&asked)
    {
        let position = event.position;
        if event.data() != fact.entry.data() {
            return Appended::Conflict { position, what: Conflict::Command };
        }
        settled.rows.command(fact.type_name, id, content, position.0);
        known.commands.insert(asked, (*content, position.0));
        return Appended::Known { position };
    }
    match known.commands.get(&asked) {
        Some((same, position)) if same == content => Appended::Known { position: Position(*position) },
        Some((_, position)) => Appended::Conflict { position: Position(*position), what: Conflict::Command },
        None => {
            let position = append(known, settled, fact, None);
            settled.rows.command(fact.type_name, id, content, position);
            known.commands.insert(asked, (*content, position));
            Appended::New { position: Position(position), id: fact.id }
        }
    }
}

fn api_copy<'a>(
    known: &mut Known,
    settled: &mut Settled<'a>,
    fact: &'a Prepared,
    event_key: &'a str,
) -> Appended {
    learn(known, settled, &fact.id, event_key, None);
    if let Some(callback) = known.callbacks.get(event_key) {
        return Appended::Known { position: Position(callback.position) };
    }
    let position = append(known, settled, fact, None);
    settled.rows.callback(event_key.to_owned(), None, position);
    known.callbacks.insert(event_key.to_owned(), KnownCallback { mac: None, position, signed_since: false });
    Appended::New { position: Position(position), id: fact.id }
}

fn delivery<'a>(
    known: &mut Known,
    settled: &mut Settled<'a>,
    fact: &'a Prepared,
    event_key: &'a str,
    mac: Digest,
    transmission: &'a Transmission,
) -> Result<Appended, AppendError> {
    if let Some((known_mac, position)) = known.transmissions.get(&transmission.id) {
        let position = *position;
        if *known_mac == mac {
            return Ok(Appended::Known { position: Position(position) });
        }
        settled.rows.conflict(&transmission.id, mac);
        settled.alarms.push(Alarm {
            what: "a known transmission came again with other bytes: refused",
            transmission: transmission.id.clone(),
            position,
            known_mac: Some(*known_mac),
            body_mac: mac,
        });
        return Ok(Appended::Conflict { position: Position(position), what: Conflict::Transmission });
    }
    if !known.reimported.is_empty() {
        let revision = revision_key(event_key, &mac);
        let id = fact_id(fact.shop.as_str(), "callback", &revision);
        learn(known, settled, &fact.id, event_key, None);
        learn(known, settled, &id, &revision, Some(mac));
    }
    let (answer, event_key) = match known.callbacks.get(event_key) {
        None => {
            let position = append(known, settled, fact, None);
            settled.rows.callback(event_key.to_owned(), Some(mac), position);
            remember(known, event_key, mac, position);
            (Appended::New { position: Position(position), id: fact.id }, event_key.to_owned())
        }
        Some(callback) if callback.mac == Some(mac) => {
            (Appended::Known { position: Position(callback.position) }, event_key.to_owned())
        }
        Some(_) => revision(known, settled, fact, event_key, mac, transmission)?,
    };
    let position = answer.position().0;
    // What this delivery brought has its headers in its evidence: they stand once.
    let is_in_evidence =
        matches!(answer, Appended::New { .. } | Appended::Revised { .. }) && fact.evidence.is_some();
    let headers = if is_in_evidence { String::new() } else { transmission.headers_json() };
    settled.rows.transmission(&transmission.id, event_key, mac, headers);
    known.transmissions.insert(transmission.id.clone(), (mac, position));
    Ok(answer)
}

/// A callback that came back from the published log, and is not known yet by its key: it is from now on, as a copy from the
/// API is. So whatever PayPal sends again of it adds its evidence, as a revision, and decides nothing.
fn learn(known: &mut Known, settled: &mut Settled<'_>, id: &Uuid, event_key: &str, mac: Option<Digest>) {
    let Some(event) = known.reimported.get(id) else { return };
    if known.callbacks.contains_key(event_key) {
        return;
    }
    let position = event.position.0;
    settled.rows.callback(event_key.to_owned(), mac, position);
    let callback = KnownCallback { mac, position, signed_since: mac.is_some() };
    known.callbacks.insert(event_key.to_owned(), callback);
}

/// A known callback with other bytes, in a new transmission.
fn revision<'a>(
    known: &mut Known,
    settled: &mut Settled<'a>,
    fact: &'a Prepared,
    event_key: &str,
    mac: Digest,
    transmission: &Transmission,
) -> Result<(Appended, String), AppendError> {
    let revision_key = revision_key(event_key, &mac);
    if let Some(revision) = known.callbacks.get(&revision_key) {
        return Ok((Appended::Known { position: Position(revision.position) }, revision_key));
    }
    let Some(callback) = known.callbacks.get_mut(event_key) else {
        return Err(AppendError::Invalid("a revision of nothing".to_owned()));
    };
    let of = callback.position;
    // A copy from the API never has the bytes of a delivery, so the first delivery after one is no surprise.
    let expected = callback.mac.is_none() && !std::mem::replace(&mut callback.signed_since, true);
    let known_mac = callback.mac;
    let entry = revised_entry(fact, &revision_key, of)?;
    let position = append(known, settled, fact, Some((entry, &revision_key)));
    settled.rows.callback(revision_key.clone(), Some(mac), position);
    remember(known, &revision_key, mac, position);
    if !expected {
        settled.alarms.push(Alarm {
            what: "a known callback came again with other bytes: kept as callback.revised",
            transmission: transmission.id.clone(),
            position,
            known_mac,
            body_mac: mac,
        });
    }
    Ok((Appended::Revised { position: Position(position), of: Position(of) }, revision_key))
}

/// Under which a revision stands among the callbacks.
pub(crate) fn revision_key(event_key: &str, mac: &Digest) -> String {
    format!("{event_key}/{}", hex::encode(mac))
}

fn revised_entry(fact: &Prepared, revision_key: &str, of: i64) -> Result<Untimed, AppendError> {
    let id = fact_id(fact.shop.as_str(), "callback", revision_key);
    let revised = Fact::CallbackRevised(Revision { of: Position(of) });
    let key = Key::Callback(revision_key.to_owned());
    Ok(entry_of(&revised, id, &key, &fact.by, fact.evidence.as_deref())?)
}

fn remember(known: &mut Known, event_key: &str, mac: Digest, position: i64) {
    let callback = KnownCallback { mac: Some(mac), position, signed_since: true };
    known.callbacks.insert(event_key.to_owned(), callback);
}

/// Gives the next position to the fact, or to its revision.
fn append<'a>(
    known: &mut Known,
    settled: &mut Settled<'a>,
    fact: &'a Prepared,
    revised: Option<(Untimed, &str)>,
) -> i64 {
    let position = known.next;
    known.next += 1;
    match revised {
        None => {
            let key = (fact.key.to_string(), fact.key.name());
            settled.rows.event(
                position,
                fact.id,
                fact.type_name,
                key,
                fact.aggregate_type,
                Cow::Borrowed(&fact.entry),
            );
        }
        Some((entry, key)) => {
            let id = fact_id(fact.shop.as_str(), "callback", key);
            let key = (format!("callback:{key}"), Cow::Owned(key.to_owned()));
            settled.rows.event(position, id, "callback.revised", key, "callback", Cow::Owned(entry));
        }
    }
    settled.rows.events.belongs_to(fact.trace);
    settled.rows.evidence_of(position, fact);
    position
}
