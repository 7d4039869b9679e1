//! Trees as they are stored: what others read of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use database::{Client, Database, sql};
use domain::{Position, ShopId};
use tlog::{
    Bundle, Checkpoint, EMPTY_ROOT, Frontier, Growth, Hash, Note, Plan, ProofFile, TILE_WIDTH, Tile,
    encode_bundle, leaf_hash, verify_inclusion,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Error, Resource};

/// The trees of all shops, for reading. Clones share the pool.
#[derive(Clone, Debug)]
pub struct Trees {
    database: Database,
}

/// The checkpoint of a log that was published last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many entries it is of.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The epoch of the log, which its origin tells.
    pub epoch: i32,
    /// The note, with the signatures of the log and of those who cosigned.
    pub note: String,
    /// When it was published.
    pub at: DateTime<Utc>,
}

/// How far a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) published: u64,
}

/// Stored tiles by their place, each as wide as it is by now: whoever asks for a narrower one is given its beginning.
pub(crate) struct Tiles(HashMap<(u8, u64), Vec<u8>>);

impl Trees {
    /// Of a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// What was published last; none before the first time.
    ///
    /// # Errors
    /// The database's.
    pub async fn published(&self, shop: &ShopId) -> Result<Option<Published>, Error> {
        let client = self.database.client().await?;
        let row = client.query_opt(&sql::audit::READ_PUBLISHED, &[&shop.as_str()]).await?;
        row.as_ref().map(read_published).transpose()
    }

    /// The bytes of what a log publishes in an epoch; none beyond what was published, and none of another epoch.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(
        &self,
        shop: &ShopId,
        epoch: i32,
        resource: Resource,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(published) = self.published(shop).await?.filter(|published| published.epoch == epoch) else {
            return Ok(None);
        };
        match resource {
            Resource::Checkpoint => Ok(Some(published.note.into_bytes())),
            Resource::Tile(tile) => self.tile(shop, tile).await,
            Resource::Bundle(bundle) => self.bundle(shop, bundle).await,
        }
    }

    /// The bytes of a tile; none beyond what was published.
    ///
    /// # Errors
    /// The database's.
    pub async fn tile(&self, shop: &ShopId, tile: Tile) -> Result<Option<Vec<u8>>, Error> {
        let client = self.database.client().await?;
        if !tile.is_within(Size::read(&client, shop).await?.published) {
            return Ok(None);
        }
        let mut stored = Tiles::read(&client, shop, &[tile]).await?;
        let bytes = stored.0.remove(&(tile.level, tile.index)).ok_or(tlog::Error::MissingTile(tile))?;
        Ok(Some(tile.hashes(&bytes)?.as_flattened().to_vec()))
    }

    /// The bytes of an entry bundle, made of the log's events; none beyond what was published. At most 15 MB.
    ///
    /// # Errors
    /// The database's.
    pub async fn bundle(&self, shop: &ShopId, bundle: Bundle) -> Result<Option<Vec<u8>>, Error> {
        let client = self.database.client().await?;
        if !bundle.is_within(Size::read(&client, shop).await?.published) {
            return Ok(None);
        }
        read_bundle(&client, shop, bundle).await.map(Some)
    }

    /// The root that the tree had at a size, of those that it has grown through.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; the database's.
    pub async fn root_at(&self, shop: &ShopId, size: u64) -> Result<Hash, Error> {
        let client = self.database.client().await?;
        let there = Size::read(&client, shop).await?.size;
        if size > there {
            return Err(Error::OutOfRange { wanted: size, size: there });
        }
        Ok(grown(&client, shop, size).await?.root())
    }

    /// That an event is in the log, for whoever has its entry and knows the log's key: up to the checkpoint that was
    /// published last. It holds for the entry that the log has now.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it is not in it yet, [`Error::NotPublished`], [`Error::LogDiffers`]; the database's.
    pub async fn prove(&self, shop: &ShopId, position: Position) -> Result<ProofFile, Error> {
        let published = self.published(shop).await?.ok_or(Error::NotPublished)?;
        let index = u64::try_from(position.0).unwrap_or(u64::MAX);
        if index >= published.size {
            return Err(Error::OutOfRange { wanted: index, size: published.size });
        }
        let hashes = self.hashes(shop, &Plan::inclusion(index, published.size)?).await?;
        let client = self.database.client().await?;
        let entry = read_entry(&client, shop, position).await?;
        let leaf =
            leaf_hash(entry.ok_or(Error::LogDiffers { position, why: "the event is gone" })?.as_bytes());
        verify_inclusion(&leaf, index, published.size, &hashes, &published.root)
            .map_err(|_| Error::LogDiffers { position, why: "the tree has another entry there" })?;
        let checkpoint = Note::parse(published.note.as_bytes())?;
        Ok(ProofFile { extra: None, index, hashes, checkpoint })
    }

    /// That the tree of one size begins with that of an older one.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; the database's.
    pub async fn prove_consistency(&self, shop: &ShopId, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let there = {
            let client = self.database.client().await?;
            Size::read(&client, shop).await?.size
        };
        if old > new || new > there {
            return Err(Error::OutOfRange { wanted: old.max(new), size: there });
        }
        self.hashes(shop, &Plan::consistency(old, new)?).await
    }

    /// The right edge of the tree at a size, or of what there is of it, as this session sees it.
    ///
    /// # Errors
    /// The database's; the stored tiles are not whole.
    pub async fn frontier(client: &Client, shop: &ShopId, most: u64) -> Result<Frontier, Error> {
        let there = Size::read(client, shop).await?.size;
        Ok(grown(client, shop, most.min(there)).await?.frontier())
    }

    /// Adds cosignatures to a checkpoint that was signed, as the note that has them. False: what is there is of another root
    /// or epoch, or is gone.
    ///
    /// # Errors
    /// It is no checkpoint; the database's.
    pub async fn add_cosignatures(&self, shop: &ShopId, epoch: i32, note: &Note) -> Result<bool, Error> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let size = i64::try_from(checkpoint.size()).unwrap_or(i64::MAX);
        let client = self.database.client().await?;
        let parameters: database::Parameters<'_> =
            &[&shop.as_str(), &size, &checkpoint.root().as_slice(), &epoch, &note.to_string()];
        Ok(client.execute(&sql::audit::SET_COSIGNED, parameters).await? == 1)
    }

    /// Where an event stands in a log. One that is no longer in the outbox is looked for in all of the log.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, shop: &ShopId, id: Uuid) -> Result<Option<Position>, Error> {
        let client = self.database.client().await?;
        let row = client.query_one(&sql::audit::FIND_EVENT, &[&shop.as_str(), &id]).await?;
        Ok(row.try_get::<_, Option<i64>>("position")?.map(Position))
    }

    /// The hashes of a proof: the tiles that it needs are read together.
    async fn hashes(&self, shop: &ShopId, plan: &Plan) -> Result<Vec<Hash>, Error> {
        let client = self.database.client().await?;
        let tiles = Tiles::read(&client, shop, &plan.tiles()).await?;
        Ok(plan.hashes(|tile| tiles.get(tile))?)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl Size {
    /// Of an empty tree where there is none.
    pub(crate) async fn read(client: &Client, shop: &ShopId) -> Result<Self, Error> {
        let row = client.query_opt(&sql::audit::READ_TREE, &[&shop.as_str()]).await?;
        let Some(row) = row else { return Ok(Self { size: 0, root: EMPTY_ROOT, published: 0 }) };
        Ok(Self { size: size(&row, "size")?, root: root(&row)?, published: size(&row, "published_size")? })
    }
}

impl Tiles {
    /// Those of them that are there.
    pub(crate) async fn read(client: &Client, shop: &ShopId, tiles: &[Tile]) -> Result<Self, Error> {
        let levels: Vec<i16> = tiles.iter().map(|tile| tile.level.into()).collect();
        let indexes: Vec<i64> =
            tiles.iter().map(|tile| i64::try_from(tile.index).unwrap_or(i64::MAX)).collect();
        let rows = client.query(&sql::audit::READ_TILES, &[&shop.as_str(), &levels, &indexes]).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let (level, index): (i16, i64) = (row.try_get("level")?, row.try_get("index")?);
            let place = (u8::try_from(level).unwrap_or(u8::MAX), u64::try_from(index).unwrap_or(u64::MAX));
            found.insert(place, row.try_get("hashes")?);
        }
        Ok(Self(found))
    }

    /// The tile, or a wider one.
    pub(crate) fn get(&self, tile: Tile) -> Option<&[u8]> {
        self.0.get(&(tile.level, tile.index)).map(Vec::as_slice)
    }
}

/// The tree as it was at a size, of those that it has grown through.
pub(crate) async fn grown(client: &Client, shop: &ShopId, size: u64) -> Result<Growth, Error> {
    let tiles = Tiles::read(client, shop, &tlog::right_edge(size)).await?;
    Ok(Growth::load(size, |tile| tiles.get(tile))?)
}

/// The last leaf of a tree of that size.
pub(crate) async fn last_leaf(client: &Client, shop: &ShopId, size: u64) -> Result<Option<Hash>, Error> {
    let Some(last) = size.checked_sub(1) else { return Ok(None) };
    let Some(tile) = Tile::at(0, last / u64::from(TILE_WIDTH), size) else { return Ok(None) };
    let tiles = Tiles::read(client, shop, &[tile]).await?;
    let bytes = tiles.get(tile).ok_or(tlog::Error::MissingTile(tile))?;
    Ok(tile.hashes(bytes)?.last().copied())
}

/// The entry at a position.
pub(crate) async fn read_entry(
    client: &Client,
    shop: &ShopId,
    position: Position,
) -> Result<Option<String>, Error> {
    let parameters: database::Parameters<'_> = &[&shop.as_str(), &position.0, &1_i64];
    let rows = client.query(&sql::audit::READ_BUNDLE, parameters).await?;
    match rows.first() {
        Some(row) if row.try_get::<_, i64>("position")? == position.0 => Ok(Some(row.try_get("entry")?)),
        _ => Ok(None),
    }
}

/// The entries of a bundle, from the log.
pub(crate) async fn read_bundle(client: &Client, shop: &ShopId, bundle: Bundle) -> Result<Vec<u8>, Error> {
    let positions = bundle.positions();
    let first = i64::try_from(positions.start).unwrap_or(i64::MAX);
    let parameters: database::Parameters<'_> = &[&shop.as_str(), &first, &i64::from(bundle.width)];
    let rows = client.query(&sql::audit::READ_BUNDLE, parameters).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for (row, position) in rows.iter().zip(first..) {
        if row.try_get::<_, i64>("position")? == position {
            entries.push(row.try_get::<_, &str>("entry")?);
        }
    }
    if entries.len() < usize::from(bundle.width) {
        let position = Position(first);
        return Err(Error::LogDiffers { position, why: "events behind it are missing" });
    }
    Ok(encode_bundle(&entries)?)
}

fn read_published(row: &Row) -> Result<Published, Error> {
    Ok(Published {
        size: size(row, "size")?,
        root: root(row)?,
        epoch: row.try_get("epoch")?,
        note: row.try_get("note")?,
        at: row.try_get("published_at")?,
    })
}

pub(crate) fn size(row: &Row, column: &str) -> Result<u64, Error> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
}

pub(crate) fn root(row: &Row) -> Result<Hash, Error> {
    let bytes: &[u8] = row.try_get("root")?;
    bytes.try_into().map_err(|_| Error::Failed("a stored root has not 32 bytes".to_owned()))
}
