//! What a log is compared with before anything is appended to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use database::{BoxFuture, Client, Database, sql};
use domain::ShopId;
use event_log::{Error as LogError, Fork, Memory};
use futures_util::future::join_all;
use tlog::{Checkpoint, Note, Policy, Verifier, Witness};
use tokio::time::timeout;

use crate::client::SHORT;
use crate::tree::{Told, compare_told};
use crate::{Error, Tree, WitnessClient, compare_checkpoint};

/// The checkpoint that was published last, of every shop.
#[derive(Clone, Debug)]
pub struct PublishedMemory {
    tree: Arc<dyn Tree>,
}

impl PublishedMemory {
    /// Of these trees.
    #[must_use]
    pub fn new(tree: Arc<dyn Tree>) -> Self {
        Self { tree }
    }
}

impl Memory for PublishedMemory {
    fn compare<'a>(
        &'a self,
        client: &'a Client,
        shop: &'a ShopId,
    ) -> BoxFuture<'a, Result<Option<Fork>, LogError>> {
        Box::pin(async move {
            let notes = self.tree.published(shop).await.unwrap_or_else(|error| {
                tracing::error!(%shop, %error, "the published checkpoint cannot be read: it is not compared");
                Vec::new()
            });
            for note in notes {
                let checkpoint = match believed(self.tree.as_ref(), &note) {
                    Ok(checkpoint) => checkpoint,
                    Err(error) => {
                        tracing::error!(%shop, %error, "a published checkpoint is not of this log: it is not compared");
                        continue;
                    }
                };
                let by = "the published checkpoint";
                let fork = compared(self.tree.as_ref(), client, shop, &checkpoint, by).await?;
                if fork.is_some() {
                    return Ok(fork);
                }
            }
            Ok(None)
        })
    }
}

/// What witnesses are known to have seen. Clones are the same.
#[derive(Clone, Debug)]
pub struct Witnessed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tree: Arc<dyn Tree>,
    client: WitnessClient,
    witnesses: Vec<Witness>,
    /// By shop and witness.
    known: Mutex<HashMap<(ShopId, String), Known>>,
}

/// What is known of what a witness has seen.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The largest checkpoint, signed by the log.
    shown: Option<Checkpoint>,
    told: Option<Told>,
}

impl Known {
    /// What the witness only said. What it shows, or has cosigned since, counts more: anybody can say anything.
    fn only_told(&self) -> Option<&Told> {
        let is_shown = |told: &Told| {
            let shown = self.shown.as_ref();
            shown.is_some_and(|shown| shown.origin() == told.origin && shown.size() >= told.size)
        };
        self.told.as_ref().filter(|told| !is_shown(told))
    }
}

impl Witnessed {
    /// By the witnesses of a policy that have a URL.
    #[must_use]
    pub fn new(tree: Arc<dyn Tree>, client: WitnessClient, policy: &Policy) -> Self {
        let witnesses = policy.witnesses().iter().filter(|witness| witness.url.is_some()).cloned().collect();
        Self { inner: Arc::new(Inner { tree, client, witnesses, known: Mutex::default() }) }
    }

    /// Asks every witness for the last checkpoint that it has of each shop's log, before a process appends; to one that shows
    /// none, what was published last is submitted. One that cannot be reached forbids nothing; it tells when it is submitted to.
    ///
    /// # Errors
    /// The database's.
    pub async fn ask_all(&self, database: &Database) -> Result<(), Error> {
        let client = database.client().await?;
        let mut asked = Vec::new();
        for row in client.query(&sql::event_log::LIST_SHOPS, &[]).await? {
            let Ok(shop) = ShopId::parse(row.try_get("shop_id")?) else { continue };
            let end = client.query_one(&sql::witnesses::READ_END, &[&shop.as_str()]).await?;
            let epoch: i32 = end.try_get("feed_epoch")?;
            // That of the next epoch tells a database that was restored to before this one ended.
            for epoch in [epoch, epoch.saturating_add(1)] {
                asked.push((shop.clone(), self.inner.tree.origin(&shop, epoch)));
            }
        }
        drop(client);
        let asks = asked.iter().flat_map(|(shop, origin)| {
            self.inner.witnesses.iter().map(move |witness| async move {
                if let Err(error) = self.ask_or_submit(witness, shop, origin).await {
                    tracing::warn!(%shop, witness = witness.name, %error, "a witness does not show what it has seen");
                }
            })
        });
        join_all(asks).await;
        Ok(())
    }

    async fn ask_or_submit(&self, witness: &Witness, shop: &ShopId, origin: &str) -> Result<(), Error> {
        if self.ask(witness, shop, origin).await? {
            return Ok(());
        }
        let Some(note) = self.tree().latest(shop).await? else { return Ok(()) };
        let checkpoint = believed(self.tree(), &note)?;
        if checkpoint.origin() != origin {
            return Ok(());
        }
        let submitted = timeout(SHORT, self.submit(witness, shop, &note, &checkpoint, 0)).await;
        match submitted.unwrap_or_else(|_| Err(Error::Unreachable("it takes too long".to_owned()))) {
            Ok(_) => {
                self.remember(witness, shop, checkpoint);
                Ok(())
            }
            Err(error) => {
                self.heed(witness, shop, origin, &error);
                Err(error)
            }
        }
    }

    /// Asks a witness for the last checkpoint that it has of this origin, and remembers it; whether that is new.
    ///
    /// # Errors
    /// It cannot be asked, or what it has was not signed by the log.
    pub async fn ask(&self, witness: &Witness, shop: &ShopId, origin: &str) -> Result<bool, Error> {
        let Some(url) = &witness.url else { return Ok(false) };
        let Some(note) = self.inner.client.latest(url, origin).await? else { return Ok(false) };
        let checkpoint = believed(self.inner.tree.as_ref(), &note)?;
        if checkpoint.origin() != origin {
            return Err(Error::Unbelievable(format!("it is of {}", checkpoint.origin())));
        }
        Ok(self.remember(witness, shop, checkpoint))
    }

    /// Remembers a checkpoint that a witness cosigned; whether it is new.
    pub(crate) fn remember(&self, witness: &Witness, shop: &ShopId, checkpoint: Checkpoint) -> bool {
        let mut known = self.known();
        let shown = &mut known.entry((shop.clone(), witness.name.clone())).or_default().shown;
        // Of another origin is of another epoch, and of the same size another history: both count.
        let is_new = shown.as_ref().is_none_or(|shown| {
            shown.origin() != checkpoint.origin()
                || shown.size() < checkpoint.size()
                || (shown.size() == checkpoint.size() && *shown != checkpoint)
        });
        if is_new {
            *shown = Some(checkpoint);
        }
        is_new
    }

    /// Remembers what a witness said as it refused a checkpoint of this origin. Not every witness shows what it has seen: the
    /// protocol only says that it should.
    pub(crate) fn heed(&self, witness: &Witness, shop: &ShopId, origin: &str, refusal: &Error) {
        let (size, is_other) = match refusal {
            Error::OtherHistory { seen, .. } => (*seen, true),
            Error::Ahead { seen, .. } => (*seen, false),
            _ => return,
        };
        // Nothing is at odds with nothing: that is no witness.
        if size > 0 {
            let told = Some(Told { origin: origin.to_owned(), size, is_other });
            self.known().entry((shop.clone(), witness.name.clone())).or_default().told = told;
        }
    }

    /// Whether a witness said of this shop's log what it does not show.
    pub(crate) fn is_told(&self, shop: &ShopId) -> bool {
        self.known().iter().any(|((of, _), known)| of == shop && known.only_told().is_some())
    }

    pub(crate) fn witnesses(&self) -> &[Witness] {
        &self.inner.witnesses
    }

    pub(crate) fn client(&self) -> &WitnessClient {
        &self.inner.client
    }

    pub(crate) fn tree(&self) -> &dyn Tree {
        self.inner.tree.as_ref()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(ShopId, String), Known>> {
        // A panic elsewhere leaves the map whole: each change of it is one step.
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory for Witnessed {
    fn compare<'a>(
        &'a self,
        client: &'a Client,
        shop: &'a ShopId,
    ) -> BoxFuture<'a, Result<Option<Fork>, LogError>> {
        Box::pin(async move {
            for witness in &self.inner.witnesses {
                let known = self.known().get(&(shop.clone(), witness.name.clone())).cloned();
                let Some(known) = known else { continue };
                let by = format!("witness {}", witness.name);
                if let Some(told) = known.only_told()
                    && let Some(fork) = compare_told(self.tree(), client, shop, told, &by).await?
                {
                    return Ok(Some(fork));
                }
                let Some(checkpoint) = &known.shown else { continue };
                let fork = compared(self.tree(), client, shop, checkpoint, &by).await?;
                if fork.is_some() {
                    return Ok(fork);
                }
            }
            Ok(None)
        })
    }
}

/// A checkpoint that the log itself signed under its own origin.
pub(crate) fn believed(tree: &dyn Tree, note: &Note) -> Result<Checkpoint, Error> {
    let checkpoint = Checkpoint::parse(note.text())?;
    let keys = tree.keys(checkpoint.origin());
    note.open(&keys.iter().collect::<Vec<&Verifier>>())?;
    Ok(checkpoint)
}

async fn compared(
    tree: &dyn Tree,
    client: &Client,
    shop: &ShopId,
    checkpoint: &Checkpoint,
    by: &str,
) -> Result<Option<Fork>, LogError> {
    compare_checkpoint(tree, client, shop, checkpoint, by).await.or_else(|error| match error {
        Error::Log(error) => Err(error),
        error => {
            tracing::error!(%shop, %error, by, "the tree cannot be read: nothing is compared");
            Ok(None)
        }
    })
}
