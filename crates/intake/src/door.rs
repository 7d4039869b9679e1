//! The one way into the log: [`Intake`], with what callbacks and commands have in common.

use std::sync::Arc;

use database::{Clock, Database};
use domain::{Position, ShopId};
use event_log::{AppendError, Appended, Appender, Dedupe, Guard, NewFact, Operator, SealedEvidence};
use evidence::Vault;
use paypal::{Certificates, TrustAnchors};
use trace_context::TraceParent;
use uuid::Uuid;

use crate::command::{self, Command};
use crate::meters::Meters;
use crate::postback::Postback;
use crate::shops::{Registry, Shop};
use crate::{CommandError, ShopError};

/// Whose signatures are believed, and where their certificates are had.
#[derive(Clone)]
pub struct Trust {
    /// Roots and intermediates.
    pub anchors: Arc<TrustAnchors>,
    /// Certificates by URL.
    pub certificates: Certificates,
}

/// Trust by environment.
#[derive(Clone)]
pub struct Trusts {
    /// For shops of the environments live and sandbox: PayPal's.
    pub paypal: Option<Trust>,
    /// For shops of the environment dev: a development authority's. `None` anywhere but in development.
    pub dev: Option<Trust>,
    /// Asks PayPal about callbacks; `None` asks nothing.
    pub postback: Option<Arc<Postback>>,
}

/// From an authentic callback or a valid command to an appended fact. Cheap to clone.
#[derive(Clone)]
pub struct Intake(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) appender: Appender,
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shops: Registry,
    pub(crate) postback: Option<Arc<Postback>>,
    pub(crate) meters: Meters,
}

/// Who asks: an API key.
#[derive(Clone, Debug)]
pub struct By {
    /// The shop that the key is bound to.
    pub shop: ShopId,
    /// The key's opaque id; it stands in the entry.
    pub key_id: String,
}

/// A command that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Where its fact stands.
    pub position: Position,
    /// That fact's id.
    pub id: Uuid,
    /// It was there before.
    pub known: bool,
}

impl Intake {
    /// An intake over a database, its log, and its keys.
    #[must_use]
    pub fn new(
        database: Database,
        appender: Appender,
        vault: Vault,
        trusts: Trusts,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let postback = trusts.postback.clone();
        let shops = Registry::new(database.clone(), vault.clone(), trusts);
        let meters = Meters::default();
        Self(Arc::new(Inner { database, appender, vault, clock, shops, postback, meters }))
    }

    /// The shop as this process knows it, at most a few seconds old.
    ///
    /// # Errors
    /// [`ShopError::Unknown`], or why it cannot be read.
    pub async fn shop(&self, id: &ShopId) -> Result<Arc<Shop>, Arc<ShopError>> {
        self.0.shops.get(id).await?.ok_or_else(|| Arc::new(ShopError::Unknown))
    }

    /// The shop, if this process remembers it: without a session with the database.
    pub async fn remembered(&self, id: &ShopId) -> Option<Arc<Shop>> {
        self.0.shops.remembered(id).await
    }

    /// What every append goes by: it knows which logs have forked.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        self.0.appender.guard()
    }

    /// What is counted of verification.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// What is counted of the log that it appends to.
    #[must_use]
    pub fn log_meters(&self) -> &event_log::Meters {
        self.0.appender.meters()
    }

    /// Forgets what is remembered of a shop, after it was changed by this process.
    pub async fn forget_shop(&self, id: &ShopId) {
        self.0.shops.forget(id).await;
    }

    /// Appends a command, once, however often it comes.
    ///
    /// # Errors
    /// [`CommandError`], by what the caller can do.
    pub async fn command(&self, by: &By, command: Command) -> Result<Accepted, CommandError> {
        let Command { fact, id, reason, trace } = command;
        let content_sha256 =
            command::content_sha256(&fact).map_err(|e| CommandError::Internal(e.to_string()))?;
        let evidence = self.seal_reason(&by.shop, reason.as_deref())?;
        let dedupe = Dedupe::Command { id, content_sha256 };
        let fact = NewFact { fact, by: by.key_id.clone(), dedupe, evidence, certificate: None };
        self.append_command(&by.shop, fact, trace).await
    }

    /// Who does something to what stands beside the log, with why, sealed.
    ///
    /// # Errors
    /// [`CommandError::Internal`]: the reason cannot be sealed.
    pub fn operator(&self, by: &By, reason: Option<&str>) -> Result<Operator, CommandError> {
        let reason = self.seal_reason(&by.shop, reason)?;
        Ok(Operator { guard: Some(self.guard().clone()), by: by.key_id.clone(), reason })
    }

    fn seal_reason(
        &self,
        shop: &ShopId,
        reason: Option<&str>,
    ) -> Result<Option<Arc<SealedEvidence>>, CommandError> {
        let sealed = reason.map(|reason| seal_reason(&self.0.vault, shop, reason)).transpose();
        sealed.map_err(|error| CommandError::Internal(error.to_string()))
    }

    pub(crate) async fn append_command(
        &self,
        shop: &ShopId,
        fact: NewFact,
        trace: Option<TraceParent>,
    ) -> Result<Accepted, CommandError> {
        match self.0.appender.append_in(shop, fact, trace).await {
            Ok(Appended::New { position, id }) => Ok(Accepted { position, id, known: false }),
            Ok(Appended::Known { position } | Appended::Revised { position, .. }) => {
                self.known(shop, position).await
            }
            Ok(Appended::Conflict { position, .. }) => Err(CommandError::Conflict { position }),
            Err(AppendError::Busy { after }) => Err(CommandError::Busy { after }),
            Err(AppendError::TooLarge { bytes }) => Err(CommandError::TooLarge { bytes }),
            Err(AppendError::Invalid(why)) => Err(CommandError::Invalid(why)),
            Err(AppendError::UnknownShop) => Err(CommandError::NotFound("there is no such shop".into())),
            Err(AppendError::Forked(fork)) => Err(CommandError::Forked(fork)),
            Err(error @ AppendError::Unavailable(..)) => Err(unavailable(error)),
        }
    }

    /// The answer to a command that came again is the first one's, with its id.
    async fn known(&self, shop: &ShopId, position: Position) -> Result<Accepted, CommandError> {
        let client = self.0.database.client().await.map_err(unavailable)?;
        let events = event_log::read_at(&client, shop, &[position]).await.map_err(unavailable)?;
        match events.first() {
            Some(event) => Ok(Accepted { position, id: event.id, known: true }),
            None => Err(CommandError::Internal(format!("nothing stands at {position}"))),
        }
    }
}

/// A free-text reason as the log takes it.
///
/// # Errors
/// The cryptographic library gives up.
pub fn seal_reason(
    vault: &Vault,
    shop: &ShopId,
    reason: &str,
) -> Result<Arc<SealedEvidence>, evidence::Error> {
    let plain = serde_json::json!({ "reason": reason }).to_string();
    Ok(Arc::new(as_sealed(vault.seal(shop.as_str(), plain.as_bytes())?)))
}

/// Sealed evidence as the log takes it.
pub(crate) fn as_sealed(sealed: evidence::Sealed) -> SealedEvidence {
    let evidence::Sealed { bytes, wrapped_key, kek_id, sha256, commitment } = sealed;
    SealedEvidence { bytes, wrapped_key, kek_id, sha256, commitment }
}

pub(crate) fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> CommandError {
    CommandError::Unavailable { what: "the database", source: Box::new(source) }
}
