//! Grows one shop's tree by what was committed, and signs what was stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use database::{Client, Database, READ_COMMITTED, Statement, sql};
use domain::{Position, ShopId};
use futures_util::{TryStreamExt, pin_mut};
use relay::Lease;
use tlog::{Checkpoint, EMPTY_ROOT, Growth, Hash, Signer, leaf_hash};
use tokio_postgres::types::ToSql;

use super::store::{grown, last_leaf, read_entry, root, size};
use super::{Error, LogKeys, Origin};

/// The most that is read for one integration, or an entry more: a moment's work, so that the lease is renewed in time.
const BATCH_BYTES: usize = 16 << 20;

/// What was taken in.
struct Read {
    events: usize,
    /// That the log was in.
    epoch: i32,
    /// There was more than is read at a time.
    is_cut: bool,
}

/// What came of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrated {
    /// So many events were added. Full: there may be more.
    Added {
        /// How many.
        events: usize,
        /// As many as one integration takes.
        is_full: bool,
    },
    /// The log names another key from here on: nothing was added, begin anew.
    KeyChanged,
}

/// A shop's tree, held by whoever has its lease. Where an integration fails, what became of it is not known: open it again.
pub struct Integrator {
    database: Database,
    lease: Lease,
    origin: Origin,
    keys: Arc<LogKeys>,
    /// By the epoch, which is part of their name.
    signers: HashMap<i32, Vec<Signer>>,
    growth: Growth,
    /// The most events that the next integration takes: fewer where they are large.
    limit: usize,
    /// The note of the key that was seen when it was opened stands before this.
    key_known_through: i64,
}

impl std::fmt::Debug for Integrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lease, growth, .. } = self;
        f.debug_struct("Integrator")
            .field("shop", &lease.shop)
            .field("size", &growth.size())
            .finish_non_exhaustive()
    }
}

impl Integrator {
    /// Loads the tree, and sees that it is the tree of this log: the stored tiles lead to the stored root, and the log still
    /// has the last event. The keys must be the log's already: [`super::settle_key`].
    ///
    /// # Errors
    /// The lease is lost; [`Error::TreeDiffers`], [`Error::LogDiffers`]; the database's.
    pub async fn open(
        database: Database,
        lease: Lease,
        origin: Origin,
        keys: Arc<LogKeys>,
        key_known_through: Position,
    ) -> Result<Self, Error> {
        let shop = lease.shop.clone();
        let client = database.client().await?;
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &&*lease.consumer, &lease.epoch, &EMPTY_ROOT.as_slice()];
        let row = client.query_opt(&sql::audit::OPEN_TREE, parameters).await?;
        let row = row.ok_or(relay::Error::LeaseLost)?;
        let (size, root) = (size(&row, "size")?, root(&row)?);
        let differs = |why: String| Error::TreeDiffers { size, why };
        let growth = grown(&client, &shop, size).await.map_err(|error| match error {
            Error::Format(error) => differs(error.to_string()),
            error => error,
        })?;
        if growth.root() != root {
            return Err(differs("its tiles do not lead to its root".to_owned()));
        }
        if let Some(leaf) = last_leaf(&client, &shop, size).await? {
            let position = Position(signed(size - 1));
            let entry = read_entry(&client, &shop, position).await?;
            match entry.map(|entry| leaf_hash(entry.as_bytes())) {
                Some(there) if there == leaf => {}
                Some(_) => {
                    return Err(Error::LogDiffers { position, why: "the tree has another entry there" });
                }
                None => {
                    return Err(Error::LogDiffers {
                        position,
                        why: "the tree has an event there that is gone",
                    });
                }
            }
        }
        drop(client);
        let key_known_through = key_known_through.0;
        let (signers, limit) = (HashMap::new(), usize::MAX);
        Ok(Self { database, lease, origin, keys, signers, growth, limit, key_known_through })
    }

    /// Adds at most so many events, and signs the tree that they make: in one transaction, behind the fence. Nothing happens
    /// where there are none.
    ///
    /// # Errors
    /// [`Error::LogDiffers`]; the lease is lost; the database's: then what became of it is not known.
    pub async fn integrate(&mut self, most: usize) -> Result<Integrated, Error> {
        let from = self.growth.size();
        let limit = self.limit.min(most);
        let Some(Read { events, epoch, is_cut }) = self.read(limit).await? else {
            return Ok(Integrated::KeyChanged);
        };
        if events == 0 {
            return Ok(Integrated::Added { events, is_full: false });
        }
        let root = self.growth.root();
        let note = self.sign(epoch, root)?;
        self.store(from, root, epoch, &note).await?;
        self.limit = if is_cut { events } else { limit.saturating_mul(2) };
        Ok(Integrated::Added { events, is_full: is_cut || events == limit })
    }

    /// Takes events in as they come: none is kept. None if the key was changed.
    async fn read(&mut self, most: usize) -> Result<Option<Read>, Error> {
        let client = self.database.client().await?;
        let statement = client.prepare(&sql::audit::READ_LEAVES).await?;
        if !client.database().is_pooled() {
            return self.take(&client, &statement, most).await;
        }
        // A stream has its time-outs from a transaction there.
        client.begin(READ_COMMITTED).await?;
        let read = self.take(&client, &statement, most).await;
        match client.commit_or_roll_back().await {
            Ok(()) => read,
            Err(error) => {
                client.discard();
                read.and(Err(error.into()))
            }
        }
    }

    async fn take(
        &mut self,
        client: &Client,
        statement: &Statement,
        most: usize,
    ) -> Result<Option<Read>, Error> {
        let first = signed(self.growth.size());
        let (shop, most) = (self.lease.shop.as_str(), i64::try_from(most).unwrap_or(i64::MAX));
        let parameters: [&(dyn ToSql + Sync); 3] = [&shop, &first, &most];
        let rows = statement.stream(client, &parameters).await?;
        pin_mut!(rows);
        let (mut read, mut bytes) = (Read { events: 0, epoch: 0, is_cut: false }, 0);
        while let Some(row) = rows.try_next().await? {
            let position = signed(self.growth.size());
            let differs = |why| Error::LogDiffers { position: Position(position), why };
            if row.try_get::<_, i64>(0)? != position {
                return Err(differs("the event is gone"));
            }
            let entry: &str = row.try_get(1)?;
            let leaf = leaf_hash(entry.as_bytes());
            // The column is a copy, which others read instead of the entry.
            if row.try_get::<_, &[u8]>(2)? != leaf {
                return Err(differs("the leaf hash beside the entry is not the entry's"));
            }
            if row.try_get::<_, bool>(3)? && position > self.key_known_through {
                return Ok(None);
            }
            self.growth.push(leaf);
            (read.events, read.epoch) = (read.events + 1, row.try_get(4)?);
            bytes += entry.len();
            if bytes >= BATCH_BYTES {
                // The rest is not asked for again before it is its turn.
                read.is_cut = true;
                break;
            }
        }
        Ok(Some(read))
    }

    fn sign(&mut self, epoch: i32, root: Hash) -> Result<String, Error> {
        let name = self.origin.of(&self.lease.shop, epoch);
        let signers = match self.signers.entry(epoch) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(self.keys.signers(&name)?),
        };
        let signers: Vec<&Signer> = signers.iter().collect();
        Ok(Checkpoint::new(name, self.growth.size(), root)?.sign(&signers)?.to_string())
    }

    async fn store(&mut self, from: u64, root: Hash, epoch: i32, note: &str) -> Result<(), Error> {
        let (mut levels, mut indexes, mut widths, mut hashes) = (vec![], vec![], vec![], vec![]);
        for (tile, bytes) in self.growth.take() {
            levels.push(i16::from(tile.level));
            indexes.push(signed(tile.index));
            widths.push(i16::try_from(tile.width).unwrap_or(i16::MAX));
            hashes.push(bytes);
        }
        let Lease { shop, consumer, epoch: fence, duration_ms } = &self.lease;
        let (from, to) = (signed(from), signed(self.growth.size()));
        let client = self.database.client().await?;
        let row = client
            .query_one(
                &sql::audit::GROW_TREE,
                &[
                    &shop.as_str(),
                    &&**consumer,
                    fence,
                    duration_ms,
                    &from,
                    &to,
                    &root.as_slice(),
                    &epoch,
                    &note,
                    &levels,
                    &indexes,
                    &widths,
                    &hashes,
                ],
            )
            .await?;
        if row.try_get::<_, i64>("grown")? == 1 { Ok(()) } else { Err(relay::Error::LeaseLost.into()) }
    }

    /// Publishes the tree as it is now, if the last time is long enough ago. Whether it is published.
    ///
    /// # Errors
    /// The database's.
    pub async fn publish(&self, every: Duration) -> Result<bool, Error> {
        let Lease { shop, consumer, epoch, .. } = &self.lease;
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let client = self.database.client().await?;
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &&**consumer, epoch, &signed(self.growth.size()), &every];
        let row = client.query_one(&sql::audit::PUBLISH_CHECKPOINT, parameters).await?;
        Ok(row.try_get("is_published")?)
    }

    /// How many events are in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.growth.size()
    }

    /// Whose log it is.
    #[must_use]
    pub fn shop(&self) -> &ShopId {
        &self.lease.shop
    }
}

/// A log has no more events than its positions can say.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
