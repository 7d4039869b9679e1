//! What tests of the tree stand on: a shop with a log, keys, and the tree made from scratch to compare with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audit::tree::{
    CONSUMER, Growing, Integrated, Integrator, LogKeys, Options, Origin, Published, Settled, TreeStatus,
    Trees, settle_key, trees,
};
use database::Database;
use domain::ShopId;
use event_log::Appender;
use relay::Lease;
use secrecy::ExposeSecret;
use test_support::{TestDatabase, wait_until};
use tlog::{Checkpoint, Growth, Hash, Note, Policy, leaf_hash};

use crate::binary::TempDir;
use crate::led_shop::{DEADLINE, plant_shop};

pub(crate) const ORIGIN: &str = "counterfoil.example/log";

/// A shop, and keys for its log.
pub(crate) struct TreeShop {
    pub(crate) shop: ShopId,
    pub(crate) database: Database,
    pub(crate) appender: Appender,
    pub(crate) trees: Trees,
    pub(crate) folder: TempDir,
    // Dropped last: it takes the sessions of the others with it.
    pub(crate) test: TestDatabase,
}

impl TreeShop {
    pub(crate) async fn create() -> Self {
        let test = TestDatabase::create().await;
        plant_shop(&test, "shop").await;
        let database = test.database();
        let appender = Appender::start(database.clone(), event_log::Options::default());
        let trees = Trees::new(database.clone());
        let shop = Self {
            shop: ShopId::parse("shop").unwrap(),
            database,
            appender,
            trees,
            folder: TempDir::new(),
            test,
        };
        shop.write_keys(&LogKeys::generate().unwrap());
        shop
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("log.pem")
    }

    pub(crate) fn write_keys(&self, keys: &LogKeys) {
        std::fs::write(self.key_file(), keys.to_pem().expose_secret()).unwrap();
    }

    pub(crate) fn keys(&self) -> LogKeys {
        LogKeys::from_file(&self.key_file()).unwrap()
    }

    pub(crate) fn origin(&self) -> Origin {
        ORIGIN.parse().unwrap()
    }

    pub(crate) fn policy(&self) -> Policy {
        let name = self.origin().of(&self.shop, 0);
        Policy::of_log(self.keys().verifiers(&name).unwrap().remove(0)).unwrap()
    }

    /// Looks often, so that tests need not wait.
    pub(crate) fn options(&self) -> Options {
        Options {
            every: Duration::from_millis(5),
            publish_every: Duration::from_millis(20),
            poll: Duration::from_millis(20),
            supervise: Duration::from_millis(20),
            refused_for: Duration::from_millis(100),
            ..Options::new("a test".to_owned(), self.origin(), self.key_file())
        }
    }

    pub(crate) fn grow(&self) -> Growing {
        self.grow_with(self.options())
    }

    pub(crate) fn grow_with(&self, options: Options) -> Growing {
        Growing::start(self.database.clone(), self.appender.clone(), options)
    }

    /// The tree in one's own hands, and its lease.
    pub(crate) async fn integrator(&self) -> Integrator {
        self.open(self.lease().await).await.unwrap()
    }

    pub(crate) async fn lease(&self) -> Lease {
        let lease = Lease::acquire(&self.database, &self.shop, CONSUMER, "a test", Duration::from_secs(60));
        lease.await.unwrap().expect("nobody else has it").0
    }

    pub(crate) async fn open(&self, lease: Lease) -> Result<Integrator, audit::tree::Error> {
        let keys = self.keys();
        let Settled { noted_at, .. } =
            settle_key(self.appender.guard(), &self.database, &self.shop, &self.origin(), &keys, "test")
                .await?;
        Integrator::open(self.database.clone(), lease, self.origin(), Arc::new(keys), noted_at).await
    }

    /// Appends so many events by SQL, in a transaction of their own.
    pub(crate) async fn append(&self, events: i64) {
        let session = self.test.superuser().await;
        session.batch_execute("BEGIN").await.unwrap();
        append(&session, &self.shop, events).await;
        session.batch_execute("COMMIT").await.unwrap();
    }

    /// Appends until the log has so many events.
    pub(crate) async fn append_up_to(&self, size: u64) {
        let there = self.entries().await.len() as u64;
        self.append(i64::try_from(size - there).unwrap()).await;
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.test.superuser().await.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.test.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn entries(&self) -> Vec<String> {
        entries(&self.test, &self.shop).await
    }

    /// Waits until a checkpoint of all that is in the log is published.
    pub(crate) async fn published(&self) -> Published {
        let size = self.entries().await.len() as u64;
        self.published_at(size).await
    }

    /// Waits until a checkpoint of this size or a larger one is published.
    pub(crate) async fn published_at(&self, size: u64) -> Published {
        let mut published = Ok(None);
        let done = wait_until(DEADLINE, async || {
            // A session that a test has just ended may be among those that this finds.
            published = self.trees.published(&self.shop).await;
            matches!(&published, Ok(Some(published)) if published.size >= size)
        });
        assert!(done.await, "{size} events, and {published:?}, {:?}", self.status().await);
        published.unwrap().unwrap()
    }

    pub(crate) async fn status(&self) -> TreeStatus {
        trees(&self.database).await.unwrap().remove(0)
    }

    /// Waits until the tree is refused, and says why.
    pub(crate) async fn refused(&self) -> String {
        let mut error = None;
        let done = wait_until(DEADLINE, async || {
            error = self.status().await.error;
            error.is_some()
        });
        assert!(done.await, "the tree goes on");
        error.unwrap()
    }

    /// What `verify` finds.
    pub(crate) async fn verified(&self) -> Vec<String> {
        let found = audit::verify(&self.test.database_owner(), &self.shop).await.unwrap().findings;
        found.first.iter().map(ToString::to_string).collect()
    }

    /// See [`assert_tree_sound`].
    pub(crate) async fn assert_sound(&self) {
        assert_tree_sound(&self.test, &self.shop).await;
    }
}

/// Whatever happened: every checkpoint is of the tree over the entries, as are the tiles, and there is no gap.
pub(crate) async fn assert_tree_sound(test: &TestDatabase, shop: &ShopId) {
    let entries = entries(test, shop).await;
    let client = test.superuser().await;
    let checkpoints =
        "SELECT size, root, note, epoch FROM counterfoil.tree_checkpoints WHERE shop_id = $1 ORDER BY size";
    let (mut growth, mut next) = (Growth::new(), entries.iter());
    for row in &client.query(checkpoints, &[&shop.as_str()]).await.unwrap() {
        let size: i64 = row.get(0);
        while growth.size() < size as u64 {
            growth.push(leaf_hash(next.next().expect("only what is in the log is signed").as_bytes()));
        }
        assert_eq!(row.get::<_, &[u8]>(1), growth.root(), "the root at {size}");
        let note = Note::parse(row.get::<_, &str>(2).as_bytes()).unwrap();
        let signed = Checkpoint::parse(note.text()).unwrap();
        let name = ORIGIN.parse::<Origin>().unwrap().of(shop, row.get(3));
        assert_eq!(signed, Checkpoint::new(name, growth.size(), growth.root()).unwrap());
    }
    let stored = "SELECT size FROM counterfoil.trees WHERE shop_id = $1";
    let size: i64 = client.query_one(stored, &[&shop.as_str()]).await.unwrap().get(0);
    assert_eq!(size as u64, growth.size(), "the last checkpoint is of the whole tree");
    let stored = "SELECT level, index, width, hashes FROM counterfoil.tree_tiles WHERE shop_id = $1
                  ORDER BY level, index";
    let stored = client.query(stored, &[&shop.as_str()]).await.unwrap();
    let stored: Vec<(i16, i64, i16, Vec<u8>)> =
        stored.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    let wanted: Vec<(i16, i64, i16, Vec<u8>)> = scratch(&entries[..usize::try_from(size).unwrap()])
        .into_iter()
        .map(|(tile, bytes)| (tile.level.into(), tile.index as i64, tile.width as i16, bytes))
        .collect();
    assert!(stored == wanted, "the tiles of {size} entries");
}

/// The entries of a log, in order.
pub(crate) async fn entries(test: &TestDatabase, shop: &ShopId) -> Vec<String> {
    let sql = "SELECT entry FROM counterfoil.events WHERE shop_id = $1 ORDER BY position";
    let rows = test.superuser().await.query(sql, &[&shop.as_str()]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// All tiles of a tree, in order.
pub(crate) fn scratch(entries: &[String]) -> Vec<(tlog::Tile, Vec<u8>)> {
    let mut growth = Growth::new();
    entries.iter().for_each(|entry| growth.push(leaf_hash(entry.as_bytes())));
    let mut tiles = growth.take();
    tiles.sort_unstable_by_key(|(tile, _)| *tile);
    tiles
}

pub(crate) fn root_of(entries: &[String]) -> Hash {
    let mut growth = Growth::new();
    entries.iter().for_each(|entry| growth.push(leaf_hash(entry.as_bytes())));
    growth.root()
}

/// Appends so many events at the end, with the leaf hashes that they have; within a transaction.
pub(crate) async fn append(client: &tokio_postgres::Client, shop: &ShopId, events: i64) {
    // What is read behind the lock is read by a statement of its own.
    let lock = "SELECT FROM counterfoil.shops WHERE shop_id = $1 FOR NO KEY UPDATE";
    client.query_one(lock, &[&shop.as_str()]).await.unwrap();
    let sql = "INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
               SELECT $1, p, md5('e' || p)::uuid, 'fact', 'stock.received', 'sku:x', clock_timestamp(), e.entry,
                   sha256('\\x00'::bytea || convert_to(e.entry, 'UTF8'))
               FROM (SELECT coalesce(max(position) + 1, 0) AS size FROM counterfoil.events WHERE shop_id = $1) AS head
               CROSS JOIN LATERAL generate_series(head.size, head.size + $2 - 1) AS p
               CROSS JOIN LATERAL (SELECT '{\"made\":\"up\",\"n\":' || p || '}' AS entry) AS e";
    client.execute(sql, &[&shop.as_str(), &events]).await.unwrap();
}

/// Adds all there is.
pub(crate) async fn integrate_all(integrator: &mut Integrator) {
    loop {
        match integrator.integrate(5_000).await.unwrap() {
            Integrated::Added { is_full: true, .. } => {}
            Integrated::Added { .. } => return,
            Integrated::KeyChanged => panic!("the key was changed"),
        }
    }
}

/// What a directory has, by path, without what is the directory's own business. What goes while it is looked at, as partial
/// tiles do when they are of no use any more, it has not.
pub(crate) fn files_of(dir: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        let Some(entries) = unless_gone(std::fs::read_dir(next)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                dirs.push(path);
            } else if name != ".lock" {
                files.extend(unless_gone(std::fs::read(path)).map(|bytes| (name, bytes)));
            }
        }
    }
    files
}

fn unless_gone<T>(read: std::io::Result<T>) -> Option<T> {
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read.unwrap()),
    }
}
