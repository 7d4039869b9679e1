//! PayPal's own word on a callback ("postback"): where its certificate cannot be had, or as a second opinion. Off unless it
//! is asked for, since it makes each callback wait for PayPal's API.
//!
//! An outage of that API never refuses what a signature proves.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ShopId;
use paypal::TransmissionHeaders;
use paypal::rest::Client;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::shops::Shop;

/// So many callbacks are asked about at a time: whoever sends certificate URLs that lead nowhere must not use up what PayPal
/// lets us ask.
const AT_ONCE: usize = 4;
/// The most that a callback waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// When PayPal is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Where the certificate cannot be had: instead of answering 503.
    WithoutCertificate,
    /// Also where the signature holds: what PayPal then says that it has not sent is refused.
    Always,
}

/// Asks PayPal about callbacks.
#[derive(Debug)]
pub struct Postback {
    clients: BTreeMap<ShopId, Client>,
    when: When,
    at_once: Semaphore,
}

/// What PayPal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// It has sent it, to this webhook.
    Sent(String),
    /// It has not.
    NotSent,
    /// It cannot be asked now.
    None,
}

impl Postback {
    /// Asks by these clients.
    #[must_use]
    pub fn new(clients: BTreeMap<ShopId, Client>, when: When) -> Self {
        Self { clients, when, at_once: Semaphore::new(AT_ONCE) }
    }

    pub(crate) fn is_asked_always(&self) -> bool {
        self.when == When::Always
    }

    pub(crate) async fn ask(&self, shop: &Shop, headers: &TransmissionHeaders, body: &[u8]) -> Opinion {
        let (Some(client), Ok(_turn)) = (self.clients.get(&shop.id), self.at_once.try_acquire()) else {
            return Opinion::None;
        };
        let asked = async {
            for id in &shop.webhook_ids {
                if client.verify(headers, id, body).await? {
                    return Ok(Opinion::Sent(id.clone()));
                }
            }
            Ok::<_, paypal::rest::RestError>(Opinion::NotSent)
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(opinion)) => opinion,
            Ok(Err(error)) => {
                tracing::warn!(shop = %shop.id, %error, "PayPal cannot be asked about a callback");
                Opinion::None
            }
            Err(_) => Opinion::None,
        }
    }
}
