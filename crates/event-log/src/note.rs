//! Notes: what the log says about itself. They decide nothing, and replay passes them by.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use database::{Client, Database, sql};
use domain::{Key, Position, ShopId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::canonical::canonical;
use crate::entry::{Fields, Untimed, fact_id};
use crate::write::next_of;
use crate::{EntryError, EntryEvidence, Error, Guard, Point, SealedEvidence};

macro_rules! notes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// Every type of note.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum NoteType {
            $($(#[$doc])* $variant,)*
        }

        impl NoteType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As entries have it: `log.forked`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

notes! {
    /// A new epoch of the log begins.
    LogForked = "log.forked";
    /// What the log's own fold of each read model comes to.
    ProjectionDigest = "projection.digest";
    /// The log is signed with another key from here on.
    KeyRotated = "key.rotated";
    /// The keys of a buyer's evidence were destroyed.
    SubjectErased = "subject.erased";
    /// A buyer's evidence must not be destroyed.
    HoldPlaced = "legal_hold.placed";
    /// It may be destroyed again.
    HoldLifted = "legal_hold.lifted";
    /// PayPal's settlement report was compared with the log.
    SettlementReconciled = "settlement.reconciled";
    /// An operator has made, changed, paused, moved or removed a sink.
    SinkChanged = "sink.changed";
    /// An operator has moved, given up or removed a consumer.
    ConsumerChanged = "consumer.changed";
    /// An operator has made, rotated or revoked an API key.
    ApiKeyChanged = "api_key.changed";
    /// An operator has added or removed a webhook id.
    WebhookChanged = "webhook.changed";
    /// An operator has opened a piece of evidence, to read it.
    EvidenceOpened = "evidence.opened";
    /// An operator has made an evidence bundle, to be handed over.
    EvidenceHandedOver = "evidence.handed_over";
    /// An operator has had the log compared with all there is of it.
    LogVerified = "log.verified";
    /// An operator has had the log decided and folded again.
    LogReplayed = "log.replayed";
}

/// A note that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// What it says.
    pub kind: NoteType,
    /// What it is about.
    pub key: Key,
    /// Who says it.
    pub by: String,
    /// The same type and id are appended once.
    pub id: String,
    /// What it carries: never personal data.
    pub data: Value,
    /// What it rests on, sealed.
    pub evidence: Option<Arc<SealedEvidence>>,
}

/// Where a note stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedAt {
    /// Its position.
    pub position: Position,
    /// It was there before, and nothing was added; what it carries may be other than what was given.
    pub was_known: bool,
    /// What was appended.
    point: Option<Point>,
}

impl NotedAt {
    /// A note that is there already.
    #[must_use]
    pub fn known(position: Position) -> Self {
        Self { position, was_known: true, point: None }
    }

    /// Has the guard remember it, once it is committed.
    pub(crate) fn remember(&self, guard: &Guard, shop: &ShopId) {
        if let Some(point) = self.point {
            guard.remember(shop, point);
        }
    }
}

/// Appends a note within a transaction (READ COMMITTED), as its last statements: it locks the shop's row. The caller
/// commits. For [`database::Database::run_tx`], see [`Error::abort`].
///
/// # Errors
/// The database's; a log that has forked; no such shop; a note that cannot be an entry.
pub async fn append_note(
    guard: &Guard,
    client: &Client,
    shop: &ShopId,
    note: &NewNote,
) -> Result<NotedAt, Error> {
    let written = Written::new(shop, note)?;
    guard.check(client, shop).await?;
    let name = shop.as_str();
    let locked = client.query_opt(&sql::event_log::LOCK_SHOP, &[&name]).await?.ok_or(Error::UnknownShop)?;
    if let Some(position) = find_note(client, shop, note.kind, &note.id).await? {
        return Ok(NotedAt::known(position));
    }
    if locked.try_get("has_reimported")? {
        let ids = vec![written.id];
        if let Some(known) = client.query_opt(&sql::event_log::FIND_REIMPORTED, &[&name, &ids]).await? {
            return Ok(NotedAt::known(Position(known.try_get("position")?)));
        }
    }
    let head = client.query_one(&sql::event_log::FIND_HEAD, &[&name]).await?;
    let (position, at) = next_of(&head)?;
    let epoch = locked.try_get("feed_epoch")?;
    guard.expect(shop, epoch, position)?;
    let leaf_hash = written.insert(client, shop, position, at).await?;
    let position = Position(position);
    Ok(NotedAt { position, was_known: false, point: Some(Point { epoch, position, leaf_hash }) })
}

/// Appends a note in a transaction of its own.
///
/// # Errors
/// As [`append_note`].
pub async fn record_note(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    note: NewNote,
) -> Result<NotedAt, Error> {
    let (guard, shop) = (guard.clone(), shop.clone());
    let (knows, of) = (guard.clone(), shop.clone());
    let noted = database.run_tx("append a note", move |client| {
        let (guard, shop, note) = (guard.clone(), shop.clone(), note.clone());
        Box::pin(async move { append_note(&guard, client, &shop, &note).await.map_err(Error::abort) })
    });
    let noted: NotedAt = noted.await?;
    noted.remember(&knows, &of);
    Ok(noted)
}

/// Where a note stands, if it was appended.
///
/// # Errors
/// The database's.
pub async fn find_note(
    client: &Client,
    shop: &ShopId,
    kind: NoteType,
    id: &str,
) -> Result<Option<Position>, Error> {
    let (types, ids) = (vec![kind.name()], vec![id]);
    let row = client.query_opt(&sql::event_log::FIND_COMMANDS, &[&shop.as_str(), &types, &ids]).await?;
    Ok(row.map(|row| row.try_get("position")).transpose()?.map(Position))
}

/// A note as an entry that only lacks its time.
pub(crate) struct Written<'a> {
    note: &'a NewNote,
    entry: Untimed,
    id: Uuid,
}

impl<'a> Written<'a> {
    pub(crate) fn new(shop: &ShopId, note: &'a NewNote) -> Result<Self, Error> {
        let id = fact_id(shop.as_str(), "note", &format!("{}:{}", note.kind.name(), note.id));
        let odd = |why: EntryError| Error::Note(why.to_string());
        let data = canonical(&note.data).map_err(odd)?;
        let fields = Fields {
            id,
            type_name: note.kind.name(),
            key: &note.key,
            by: Some(&note.by),
            cause: None,
            n: None,
            answers: None,
            evidence: note.evidence.as_deref().map(EntryEvidence::from),
            data: &data,
        };
        Ok(Self { note, entry: Untimed::new(&fields).map_err(odd)?, id })
    }

    /// Under the shop's lock.
    pub(crate) async fn insert(
        &self,
        client: &Client,
        shop: &ShopId,
        position: i64,
        at: Timestamp,
    ) -> Result<[u8; 32], Error> {
        let (bytes, leaf_hash) = self.entry.at(at);
        let content = digest(&SHA256, self.entry.data().as_bytes());
        let evidence = self.note.evidence.as_deref();
        client
            .execute(
                &sql::event_log::INSERT_NOTE,
                &[
                    &shop.as_str(),
                    &position,
                    &self.id,
                    &self.note.kind.name(),
                    &self.note.key.to_string(),
                    &at.as_datetime(),
                    &bytes,
                    &&leaf_hash[..],
                    &&*self.note.key.name(),
                    &self.entry.data(),
                    &self.note.id,
                    &content.as_ref(),
                    &evidence.map(|evidence| &evidence.bytes[..]),
                    &evidence.map(|evidence| evidence.kek_id.as_str()),
                    &evidence.map(|evidence| &evidence.wrapped_key[..]),
                ],
            )
            .await?;
        Ok(leaf_hash)
    }
}
