//! Opening evidence, to be read: that it was opened, by whom and why, stands in the log before anybody has read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Key, Position};
use event_log::NoteType;
use evidence::{CallbackEvidence, VerifiedBy};
use paypal::Report;

use crate::door::unavailable;
use crate::{By, CommandError, Intake, ShopError};

/// Evidence that was opened.
pub struct Opened {
    /// What the fact rests on: a callback as it was received.
    pub callback: Option<CallbackEvidence>,
    /// Of what is no callback: a command's reason, as it was sealed.
    pub text: Option<String>,
    /// The checks of the callback's authenticity, made again; none where it was not signed to us.
    pub report: Option<Report>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl Intake {
    /// Opens the evidence of the event at `of`, and notes who has done so and why.
    ///
    /// # Errors
    /// [`CommandError::NotFound`] where it has none, or its key was destroyed; nothing is opened that cannot be noted.
    pub async fn open_evidence(&self, by: &By, of: Position, reason: &str) -> Result<Opened, CommandError> {
        let shop = by.shop.as_str();
        let client = self.0.database.client().await.map_err(unavailable)?;
        let row = evidence::load(&client, shop, of.0).await.map_err(unavailable)?;
        let row = row.ok_or_else(|| CommandError::NotFound("the event has no evidence".into()))?;
        let (_, wrapped) =
            row.key.ok_or_else(|| CommandError::NotFound("the evidence's key was destroyed".into()))?;
        drop(client);
        self.note_opening(by, of, reason).await?;
        let internal = |error: evidence::Error| CommandError::Internal(error.to_string());
        let plain = self.0.vault.open(shop, &row.sealed, &wrapped).map_err(internal)?;
        // A command's reason is one object, and has no line of headers before it.
        let Ok(callback) = CallbackEvidence::decode(&plain) else {
            let text = Some(String::from_utf8_lossy(&plain).into_owned());
            return Ok(Opened { callback: None, text, report: None });
        };
        let report = match callback.verified_by {
            VerifiedBy::Signature => self.explained(by, &callback).await?,
            VerifiedBy::Postback | VerifiedBy::Api => None,
        };
        Ok(Opened { callback: Some(callback), text: None, report })
    }

    async fn note_opening(&self, by: &By, of: Position, reason: &str) -> Result<(), CommandError> {
        let operator = self.operator(by, Some(reason))?;
        let (kind, key) = (NoteType::EvidenceOpened, Key::Event(of.0));
        let data = serde_json::json!({ "of": of.0 });
        match operator.note(&self.0.database, &by.shop, kind, key, data).await {
            Ok(_) => Ok(()),
            Err(event_log::Error::Forked(fork)) => Err(CommandError::Forked(fork)),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The checks, made again of what was kept; none where no authority is trusted for the shop's environment.
    async fn explained(&self, by: &By, callback: &CallbackEvidence) -> Result<Option<Report>, CommandError> {
        let shop = self.shop(&by.shop).await.map_err(|error| match &*error {
            ShopError::Unknown => CommandError::NotFound("there is no such shop".into()),
            _ => CommandError::Unavailable { what: "the shop's row", source: error.to_string().into() },
        })?;
        let Some(verifier) = &shop.verifier else { return Ok(None) };
        let certificate = match hex::decode(&callback.certificate_sha256) {
            Ok(sha256) => {
                let client = self.0.database.client().await.map_err(unavailable)?;
                evidence::certificate(&client, by.shop.as_str(), &sha256).await.map_err(unavailable)?
            }
            Err(_) => None,
        };
        let pem = certificate.map(|der| {
            let text = STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        });
        let headers: Vec<(String, Vec<u8>)> =
            callback.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        let pem = pem.as_deref().map(str::as_bytes);
        Ok(Some(verifier.explain(&callback.body, &headers, &callback.webhook_id, pem)))
    }
}
