//! One batch over one session: look up under the lock, insert, commit. Two round trips.
//!
//! The UNIQUE constraints decide what is known; looking it up tells what to do about it. Nearly nothing that comes is
//! known, so that a batch may be tried without: one that holds something known fails as a whole, and is tried again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use database::{Class, Client, Database, READ_COMMITTED, Statement, classify, sql};
use domain::{Position, ShopId, Timestamp};
use futures_util::join;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::entry::fact_id;
use crate::fact::{Digest, Prepared};
use crate::rows::FactRows;
use crate::settle::{Known, KnownCallback, revision_key};
use crate::{Certificate, Dedupe, Error, Event, Fork, Guard};

/// Why a batch was not committed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One of its rows is not taken (class 22 or 23).
    Row(String),
    /// Nothing was done, or nobody knows: the same batch may be tried again, for its keys decide.
    Again(String),
    /// It cannot be done now.
    Unavailable(String),
    /// No shop has this id.
    UnknownShop,
    /// The log is not the one that is remembered.
    Forked(Fork),
    /// The shop has events that came back from its published log: they must be looked up too.
    Reimported,
}

/// What is taken for granted of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// That all of it is new, but for what it repeats of itself.
    New,
    /// Nothing.
    Nothing,
    /// Nothing, in a shop with events that came back from its published log: they are known by their ids alone.
    Reimported,
}

/// A session of the pool with the statements of an append. Given back only between transactions.
pub(crate) struct Session {
    client: Option<Client>,
    in_transaction: bool,
    lock: Statement,
    head: Statement,
    transmissions: Statement,
    callbacks: Statement,
    commands: Statement,
    reimported: Statement,
    insert: Statement,
}

impl Session {
    pub(crate) async fn open(database: &Database) -> Result<Self, database::Error> {
        let client = database.client().await?;
        Ok(Self {
            lock: client.prepare(&sql::event_log::LOCK_SHOP).await?,
            head: client.prepare(&sql::event_log::FIND_HEAD).await?,
            transmissions: client.prepare(&sql::event_log::FIND_TRANSMISSIONS).await?,
            callbacks: client.prepare(&sql::event_log::FIND_CALLBACKS).await?,
            commands: client.prepare(&sql::event_log::FIND_COMMANDS).await?,
            reimported: client.prepare(&sql::event_log::FIND_REIMPORTED).await?,
            insert: client.prepare(&sql::event_log::INSERT_FACTS).await?,
            client: Some(client),
            in_transaction: false,
        })
    }

    fn client(&self) -> Result<&Client, Failure> {
        self.client.as_ref().ok_or_else(|| Failure::Again("the session was closed".to_owned()))
    }

    /// Compares the log with what is remembered of it, once a session.
    pub(crate) async fn check(&self, guard: &Guard, shop: &ShopId) -> Result<(), Failure> {
        guard.check(self.client()?, shop).await.map_err(|error| match error {
            Error::Forked(fork) => Failure::Forked(fork),
            Error::Database(database::Error::Unavailable(why)) => Failure::Again(why),
            error => Failure::Unavailable(error.to_string()),
        })
    }

    /// The first round trip: begins, locks the shop, and looks up what the batch asks. Each statement sees what was
    /// committed before it began, so those behind the lock see all that the lock's last holder did.
    ///
    /// With `Trust::New` nothing but the head is looked up: whatever is known makes the insert fail.
    pub(crate) async fn look_up(
        &mut self,
        guard: &Guard,
        shop: &ShopId,
        batch: &[&Prepared],
        trust: Trust,
    ) -> Result<Known, Failure> {
        self.in_transaction = true;
        let asked = match trust {
            Trust::New => Asked::default(),
            Trust::Nothing => Asked::of(batch),
            Trust::Reimported => Asked { ids: ids(batch), ..Asked::of(batch) },
        };
        let expected = self.ask(guard, shop, &asked).await.and_then(|known| {
            let ends = guard.expect(shop, known.epoch, known.next);
            ends.map(|()| known).map_err(|why| Failure::Again(why.to_string()))
        });
        let result = match expected {
            Ok(known) if known.has_reimported && trust != Trust::Reimported => Err(Failure::Reimported),
            asked => asked,
        };
        if result.is_err() {
            self.roll_back().await;
        }
        result
    }

    async fn ask(&self, guard: &Guard, shop: &ShopId, asked: &Asked<'_>) -> Result<Known, Failure> {
        let name = shop.as_str();
        let database = self.client()?.database();
        let client = self.client()?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&name];
        // Joined futures are polled in order, and each sends at its first poll.
        let (begun, compared, locked, head, transmissions, callbacks, commands, reimported) = join!(
            client.begin(READ_COMMITTED),
            guard.has_compared(client, shop),
            self.lock.query_opt(client, &parameters),
            self.head.query_opt(client, &parameters),
            async {
                if asked.transmissions.is_empty() {
                    return Ok(Vec::new());
                }
                self.transmissions.query(client, &[&name, &asked.transmissions]).await
            },
            async {
                if asked.event_keys.is_empty() {
                    return Ok(Vec::new());
                }
                self.callbacks.query(client, &[&name, &asked.event_keys, &asked.body_macs]).await
            },
            async {
                if asked.command_ids.is_empty() {
                    return Ok(Vec::new());
                }
                self.commands.query(client, &[&name, &asked.command_types, &asked.command_ids]).await
            },
            async {
                if asked.ids.is_empty() {
                    return Ok(Vec::new());
                }
                self.reimported.query(client, &[&name, &asked.ids]).await
            },
        );
        // The first error is the cause; those behind it only say that the transaction is aborted.
        begun.map_err(failed)?;
        if !compared.map_err(|error| Failure::Again(error.to_string()))? {
            return Err(Failure::Again(
                "the pooler has another server, whose log is compared first".to_owned(),
            ));
        }
        // Taking the lock is the first thing that a server without writes refuses.
        let locked = locked.inspect_err(|error| database.heed(error)).map_err(failed)?;
        let Some(locked) = locked else { return Err(Failure::UnknownShop) };
        let epoch = locked.try_get("feed_epoch").map_err(failed)?;
        let has_reimported = locked.try_get("has_reimported").map_err(failed)?;
        let Some(head) = head.map_err(failed)? else { return Err(Failure::UnknownShop) };
        let (next, at) = next_of(&head).map_err(failed)?;
        let known = read_known(
            Known {
                epoch,
                has_reimported,
                next,
                at,
                transmissions: HashMap::new(),
                callbacks: HashMap::new(),
                commands: HashMap::new(),
                reimported: HashMap::new(),
            },
            &transmissions.map_err(failed)?,
            &callbacks.map_err(failed)?,
            &commands.map_err(failed)?,
        );
        let mut known = known.map_err(failed)?;
        for row in reimported.map_err(failed)? {
            let position: i64 = row.try_get("position").map_err(failed)?;
            let event = Event::decode(Position(position), row.try_get("entry").map_err(failed)?);
            let event = event.map_err(|error| Failure::Unavailable(error.to_string()))?;
            known.reimported.insert(row.try_get("id").map_err(failed)?, event);
        }
        Ok(known)
    }

    /// The second round trip: inserts everything and commits. Certificates that this process has stored already are
    /// left out.
    pub(crate) async fn commit(
        &mut self,
        shop: &str,
        rows: &FactRows<'_>,
        stored: &HashSet<Digest>,
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            self.roll_back().await;
            return Ok(());
        }
        let certificates: Vec<&Certificate> = rows
            .certificates
            .iter()
            .copied()
            .filter(|certificate| !stored.contains(&certificate.sha256))
            .collect();
        let sha256: Vec<&[u8]> = certificates.iter().map(|certificate| &certificate.sha256[..]).collect();
        let der: Vec<&[u8]> = certificates.iter().map(|certificate| &certificate.der[..]).collect();
        let urls: Vec<&str> = certificates.iter().map(|certificate| certificate.url.as_str()).collect();
        let at = rows.at.as_datetime();
        let events = &rows.events;
        let client = self.client()?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 32] = [
            &shop,
            &at,
            &events.positions,
            &events.ids,
            &events.types,
            &events.keys,
            &events.entries,
            &events.leaf_hashes,
            &events.aggregate_types,
            &events.aggregate_ids,
            &events.payloads,
            &rows.evidence_positions,
            &rows.sealed,
            &rows.kek_ids,
            &rows.wrapped_keys,
            &sha256,
            &der,
            &urls,
            &rows.callback_keys,
            &rows.callback_macs,
            &rows.callback_positions,
            &rows.command_types,
            &rows.command_ids,
            &rows.command_contents,
            &rows.command_positions,
            &rows.transmission_ids,
            &rows.transmission_keys,
            &rows.transmission_macs,
            &rows.transmission_headers,
            &rows.conflict_ids,
            &rows.conflict_macs,
            &events.traces,
        ];
        let (inserted, committed) =
            join!(self.insert.execute(client, &parameters), client.commit_or_roll_back());
        self.committed(inserted, committed).await
    }

    /// What became of the statement and of the COMMIT behind it.
    async fn committed(
        &mut self,
        inserted: Result<u64, tokio_postgres::Error>,
        committed: Result<(), tokio_postgres::Error>,
    ) -> Result<(), Failure> {
        match (inserted, committed) {
            (Ok(_), Ok(())) => {
                self.in_transaction = false;
                Ok(())
            }
            // The COMMIT behind a failed statement rolls back; without its answer nothing is known.
            (Err(error), Ok(())) => {
                self.in_transaction = false;
                Err(failed(error))
            }
            (Err(error), Err(_)) if classify(&error) != Class::Unavailable => {
                self.roll_back().await;
                Err(failed(error))
            }
            (_, Err(error)) => {
                self.close();
                Err(Failure::Again(format!("whether it was committed is not known: {}", why(error))))
            }
        }
    }

    /// Closes the session instead of giving it back.
    pub(crate) fn discard(mut self) {
        self.close();
    }

    /// Ends the transaction; a session that cannot be brought to an end is closed.
    async fn roll_back(&mut self) {
        let ended = match self.client() {
            Ok(client) => client.roll_back().await.is_ok(),
            Err(_) => false,
        };
        if ended { self.in_transaction = false } else { self.close() }
    }

    fn close(&mut self) {
        if let Some(client) = self.client.take() {
            client.discard();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An open transaction would hold the shop's lock for whoever gets the session next.
        if self.in_transaction {
            self.close();
        }
    }
}

/// The next position and time, from a row of `find_head`.
pub(crate) fn next_of(row: &Row) -> Result<(i64, Timestamp), tokio_postgres::Error> {
    let now = Timestamp::new(row.try_get::<_, DateTime<Utc>>("now")?);
    let position: Option<i64> = row.try_get("position")?;
    let last: Option<DateTime<Utc>> = row.try_get("at")?;
    let at = last.map_or(now, |last| now.max(Timestamp::new(last)));
    Ok((position.map_or(0, |position| position + 1), at))
}

/// What a batch asks, each thing once.
#[derive(Default)]
struct Asked<'a> {
    transmissions: Vec<&'a str>,
    event_keys: Vec<&'a str>,
    body_macs: Vec<&'a [u8]>,
    command_types: Vec<&'static str>,
    command_ids: Vec<&'a str>,
    ids: Vec<Uuid>,
}

/// The ids that the facts and their revisions would have.
fn ids(batch: &[&Prepared]) -> Vec<Uuid> {
    let revisions = batch.iter().filter_map(|fact| match &fact.dedupe {
        Dedupe::Callback { event_key, body_mac, transmission: Some(_) } => {
            Some(fact_id(fact.shop.as_str(), "callback", &revision_key(event_key, body_mac)))
        }
        _ => None,
    });
    let mut ids: Vec<Uuid> = batch.iter().map(|fact| fact.id).chain(revisions).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl<'a> Asked<'a> {
    fn of(batch: &[&'a Prepared]) -> Self {
        let mut asked = Self::default();
        for fact in batch {
            match &fact.dedupe {
                Dedupe::Callback { event_key, body_mac, transmission } => {
                    asked.event_keys.push(event_key);
                    asked.body_macs.push(body_mac);
                    if let Some(transmission) = transmission {
                        asked.transmissions.push(&transmission.id);
                    }
                }
                Dedupe::Command { id, .. } => {
                    asked.command_types.push(fact.type_name);
                    asked.command_ids.push(id);
                }
            }
        }
        asked
    }
}

fn read_known(
    mut known: Known,
    transmissions: &[Row],
    callbacks: &[Row],
    commands: &[Row],
) -> Result<Known, tokio_postgres::Error> {
    for row in transmissions {
        let value = (digest(row.try_get("body_mac")?), row.try_get("position")?);
        known.transmissions.insert(row.try_get("transmission_id")?, value);
    }
    for row in callbacks {
        let mac: Option<&[u8]> = row.try_get("body_mac")?;
        let callback = KnownCallback {
            mac: mac.map(digest),
            position: row.try_get("position")?,
            signed_since: row.try_get("signed_since")?,
        };
        known.callbacks.insert(row.try_get("event_key")?, callback);
        if let (Some(key), Some(position)) = (row.try_get("revision_key")?, row.try_get("revision")?) {
            let mac: Option<&[u8]> = row.try_get("revision_mac")?;
            known.callbacks.insert(key, KnownCallback { mac: mac.map(digest), position, signed_since: true });
        }
    }
    for row in commands {
        let value = (digest(row.try_get("content_sha256")?), row.try_get("position")?);
        known.commands.insert((row.try_get("type")?, row.try_get("id")?), value);
    }
    Ok(known)
}

/// A stored digest of another length is equal to none that is computed.
fn digest(bytes: &[u8]) -> Digest {
    bytes.try_into().unwrap_or([0; 32])
}

fn failed(error: tokio_postgres::Error) -> Failure {
    match classify(&error) {
        Class::Data | Class::Integrity => Failure::Row(why(error)),
        Class::Unavailable | Class::Serialization => Failure::Again(why(error)),
        Class::Sql => Failure::Unavailable(why(error)),
    }
}

/// Without the values that the driver's own text may quote.
fn why(error: tokio_postgres::Error) -> String {
    database::Error::from(error).to_string()
}
