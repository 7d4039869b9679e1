//! The door for PayPal's callbacks.
//!
//! The order of the steps is the point: shop, headers, signature, and only then the body. Nothing of a body is parsed
//! before its signature holds, and once it does the callback is kept whatever it says. The signature is a step of its own,
//! so that whoever is at the door can bound how much is verified at a time, and nothing of what comes behind it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use domain::{Fact, Position, ShopId, Timestamp, Unreadable};
use event_log::{AppendError, Appended, Certificate, Dedupe, NewFact, SealedEvidence, Transmission};
use evidence::{CallbackEvidence, VerifiedBy};
use paypal::{Authentic, Refused, Translation, TransmissionHeaders};
use trace_context::TraceParent;

use crate::door::as_sealed;
use crate::postback::{Opinion, Postback};
use crate::shops::Shop;
use crate::{CallbackError, Intake, ShopError};

/// Who a callback is by, in its entry.
const PAYPAL: &str = "paypal";

/// A callback that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Where it stands; of a duplicate, where the first stands.
    pub position: Position,
    /// What came of it.
    pub kind: ReceivedKind,
}

/// What makes a callback authentic.
#[derive(Debug)]
enum Proof {
    Signature(Authentic),
    Postback { webhook_id: String },
}

/// What came of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceivedKind {
    /// A new fact.
    New,
    /// A new fact that cannot be understood: kept, with an alarm.
    Unreadable,
    /// Known, byte for byte.
    Duplicate,
    /// Known, and now with other bytes: kept beside the first.
    Revised,
}

/// A callback that PayPal sent to this shop. Only [`Intake::verify_callback`] makes one.
#[derive(Debug)]
pub struct AuthenticCallback {
    headers: TransmissionHeaders,
    body: Vec<u8>,
    proof: Proof,
    trace: Option<TraceParent>,
}

impl AuthenticCallback {
    /// It belongs to this trace, and what is appended of it.
    #[must_use]
    pub fn of_trace(self, trace: Option<TraceParent>) -> Self {
        Self { trace, ..self }
    }
}

/// The headers of a callback, in their form.
///
/// # Errors
/// [`CallbackError::Malformed`].
pub fn callback_headers<'h>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> Result<TransmissionHeaders, CallbackError> {
    TransmissionHeaders::parse(headers).map_err(|e| CallbackError::Malformed(e.to_string()))
}

impl Intake {
    /// The shop that a callback is for, by its name in the path.
    ///
    /// # Errors
    /// [`CallbackError::UnknownShop`], or why it cannot be read.
    pub async fn shop_of_callback(&self, shop: &str) -> Result<Arc<Shop>, CallbackError> {
        let shop = ShopId::parse(shop).map_err(|_| CallbackError::UnknownShop)?;
        self.shop(&shop).await.map_err(|error| of_shop(&error))
    }

    /// Whether a callback with these headers can be verified, or refused, without calling out for its certificate.
    pub async fn is_at_hand(&self, shop: &Shop, headers: &TransmissionHeaders) -> bool {
        match &shop.verifier {
            Some(verifier) => verifier.is_at_hand(headers).await,
            None => true,
        }
    }

    /// Refuses a callback while too many of its shop wait already, before anything is computed for it: where more comes than
    /// can be taken, whoever is sent away costs those who are not as little as can be.
    ///
    /// # Errors
    /// [`CallbackError::Busy`], with a turn to come again at.
    pub fn refuse_if_busy(&self, shop: &Shop) -> Result<(), CallbackError> {
        match self.0.appender.busy(&shop.id) {
            Some(after) => Err(CallbackError::Busy { after }),
            None => Ok(()),
        }
    }

    /// Sees that PayPal sent exactly these bytes to this shop.
    ///
    /// # Errors
    /// [`CallbackError::NotAuthentic`], or [`CallbackError::NoCertificate`].
    pub async fn verify_callback(
        &self,
        shop: &Shop,
        headers: TransmissionHeaders,
        body: Vec<u8>,
    ) -> Result<AuthenticCallback, CallbackError> {
        let proof = self.prove(shop, &headers, &body).await?;
        Ok(AuthenticCallback { headers, body, proof, trace: None })
    }

    /// Takes a callback that is authentic: translates, seals, appends. It needs no session with the database of its own,
    /// and once it has begun to append, dropping it cancels nothing.
    ///
    /// # Errors
    /// [`CallbackError`], by what is answered.
    pub async fn callback(
        &self,
        shop: &Shop,
        callback: AuthenticCallback,
    ) -> Result<Received, CallbackError> {
        let AuthenticCallback { headers, body, proof, trace } = callback;
        let translation = translate(shop, &body);
        let body_mac = shop.hash_key.mac(&body);
        let event_key = translation.event_id.unwrap_or_else(|| format!("body:{}", hex::encode(body_mac)));
        let (certificate, webhook_id, verified_by) = match proof {
            Proof::Signature(authentic) => {
                (Some(certificate(&headers, &authentic)), authentic.webhook_id, VerifiedBy::Signature)
            }
            Proof::Postback { webhook_id } => (None, webhook_id, VerifiedBy::Postback),
        };
        let sha256 = certificate.as_ref().map(|certificate| hex::encode(certificate.sha256));
        let evidence = CallbackEvidence {
            body,
            headers: pairs(&headers),
            certificate_sha256: sha256.unwrap_or_default(),
            webhook_id,
            verified_by,
        };
        let sealed = self.seal(shop, &evidence)?;
        let transmission = Some(Transmission { id: headers.id, headers: evidence.headers });
        let fact = NewFact {
            fact: translation.fact,
            by: PAYPAL.to_owned(),
            dedupe: Dedupe::Callback { event_key, body_mac, transmission },
            evidence: Some(Arc::new(sealed)),
            certificate,
        };
        self.append_callback(shop, fact, translation.paypal_type, trace).await
    }

    /// Takes a callback that was read from PayPal's API instead of delivered: it has no transmission and no signature, is
    /// never compared, and adds nothing where its event is known. `key` stands for the event's id where what was read is no
    /// event.
    ///
    /// # Errors
    /// [`CallbackError`], by what can be done.
    pub async fn copy(
        &self,
        shop: &Shop,
        body: Vec<u8>,
        key: Option<String>,
    ) -> Result<Received, CallbackError> {
        let translation = translate(shop, &body);
        let body_mac = shop.hash_key.mac(&body);
        let event_key =
            key.or(translation.event_id).unwrap_or_else(|| format!("body:{}", hex::encode(body_mac)));
        let evidence = CallbackEvidence {
            body,
            headers: Vec::new(),
            certificate_sha256: String::new(),
            webhook_id: String::new(),
            verified_by: VerifiedBy::Api,
        };
        let fact = NewFact {
            fact: translation.fact,
            by: PAYPAL.to_owned(),
            dedupe: Dedupe::Callback { event_key, body_mac, transmission: None },
            evidence: Some(Arc::new(self.seal(shop, &evidence)?)),
            certificate: None,
        };
        self.append_callback(shop, fact, translation.paypal_type, None).await
    }

    /// By the signature; and by PayPal's own word, where that is wanted and can be had.
    async fn prove(
        &self,
        shop: &Shop,
        headers: &TransmissionHeaders,
        body: &[u8],
    ) -> Result<Proof, CallbackError> {
        let began = Instant::now();
        let verified = self.verify(shop, headers, body).await;
        self.0.meters.verified(began.elapsed());
        let Some(postback) = &self.0.postback else { return verified.map(Proof::Signature) };
        let disowned = || CallbackError::NotAuthentic("PayPal says that it has not sent this".to_owned());
        match verified {
            Ok(authentic) if postback.is_asked_always() => {
                match self.ask(postback, shop, headers, body).await {
                    Opinion::NotSent => Err(disowned()),
                    Opinion::Sent(_) | Opinion::None => Ok(Proof::Signature(authentic)),
                }
            }
            Err(error @ CallbackError::NoCertificate(_)) => {
                match self.ask(postback, shop, headers, body).await {
                    Opinion::Sent(webhook_id) => Ok(Proof::Postback { webhook_id }),
                    Opinion::NotSent => Err(disowned()),
                    Opinion::None => Err(error),
                }
            }
            verified => verified.map(Proof::Signature),
        }
    }

    async fn ask(
        &self,
        postback: &Postback,
        shop: &Shop,
        headers: &TransmissionHeaders,
        body: &[u8],
    ) -> Opinion {
        let began = Instant::now();
        let opinion = postback.ask(shop, headers, body).await;
        self.0.meters.asked(began.elapsed());
        opinion
    }

    async fn verify(
        &self,
        shop: &Shop,
        headers: &TransmissionHeaders,
        body: &[u8],
    ) -> Result<Authentic, CallbackError> {
        let Some(verifier) = &shop.verifier else {
            return Err(CallbackError::NotAuthentic(
                "no authority is trusted for this shop's environment".into(),
            ));
        };
        let now = Timestamp::new(self.0.clock.now());
        verifier.verify(headers, body, now).await.map_err(|refused| match refused {
            Refused::NotAuthentic { .. } => CallbackError::NotAuthentic(refused.to_string()),
            Refused::Unavailable { .. } => CallbackError::NoCertificate(refused),
        })
    }

    fn seal(&self, shop: &Shop, evidence: &CallbackEvidence) -> Result<SealedEvidence, CallbackError> {
        let sealed = self.0.vault.seal(shop.id.as_str(), &evidence.encode());
        sealed.map(as_sealed).map_err(|e| CallbackError::Internal(e.to_string()))
    }

    async fn append_callback(
        &self,
        shop: &Shop,
        fact: NewFact,
        paypal_type: Option<String>,
        trace: Option<TraceParent>,
    ) -> Result<Received, CallbackError> {
        let unreadable = matches!(fact.fact, Fact::CallbackUnreadable(_));
        let spare = fact.clone();
        let appender = &self.0.appender;
        let (appended, unreadable) = match appender.append_in(&shop.id, fact, trace).await {
            Err(AppendError::TooLarge { .. } | AppendError::Invalid(_)) if !unreadable => {
                let why = "says more than an entry can hold".to_owned();
                let fact = Fact::CallbackUnreadable(Unreadable { paypal_type, why });
                (appender.append_in(&shop.id, NewFact { fact, ..spare }, trace).await, true)
            }
            appended => (appended, unreadable),
        };
        match appended {
            Ok(Appended::New { position, id }) => {
                tracing::debug!(shop = %shop.id, %position, event = %id, "a callback is in the log");
                if unreadable {
                    tracing::error!(shop = %shop.id, %position, "an authentic callback cannot be understood");
                }
                let kind = if unreadable { ReceivedKind::Unreadable } else { ReceivedKind::New };
                Ok(Received { position, kind })
            }
            Ok(Appended::Known { position }) => Ok(Received { position, kind: ReceivedKind::Duplicate }),
            Ok(Appended::Revised { position, .. }) => Ok(Received { position, kind: ReceivedKind::Revised }),
            Ok(Appended::Conflict { .. }) => Err(CallbackError::ConflictingTransmission),
            Err(AppendError::Busy { after }) => Err(CallbackError::Busy { after }),
            Err(AppendError::UnknownShop) => Err(CallbackError::UnknownShop),
            Err(AppendError::Forked(fork)) => Err(CallbackError::Forked(fork)),
            Err(error @ AppendError::Unavailable(..)) => {
                Err(CallbackError::Unavailable { what: "the database", source: Box::new(error) })
            }
            Err(error @ (AppendError::TooLarge { .. } | AppendError::Invalid(_))) => {
                Err(CallbackError::Internal(error.to_string()))
            }
        }
    }
}

/// A bug in the translation must not refuse what is authentic: PayPal gives up after three days. It is kept, under its
/// bytes' own key, and can be read again by a version without the bug.
fn translate(shop: &Shop, body: &[u8]) -> Translation {
    let translated = catch_unwind(AssertUnwindSafe(|| {
        paypal::translate(body, &|text: &str| shop.hash_key.pseudonym(text))
    }));
    translated.unwrap_or_else(|_| Translation {
        event_id: None,
        paypal_type: None,
        fact: Fact::CallbackUnreadable(Unreadable {
            paypal_type: None,
            why: "translating it panicked".to_owned(),
        }),
    })
}

fn of_shop(error: &Arc<ShopError>) -> CallbackError {
    match &**error {
        ShopError::Unknown => CallbackError::UnknownShop,
        ShopError::Unusable(why) => CallbackError::Internal(why.clone()),
        _ => CallbackError::Unavailable { what: "the database", source: Box::new(Arc::clone(error)) },
    }
}

fn pairs(headers: &TransmissionHeaders) -> Vec<(String, String)> {
    headers.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn certificate(headers: &TransmissionHeaders, authentic: &Authentic) -> Arc<Certificate> {
    Arc::new(Certificate {
        sha256: *authentic.certificate.sha256(),
        der: authentic.certificate.der().to_vec(),
        url: headers.certificate_url.clone(),
    })
}
