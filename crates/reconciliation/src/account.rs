//! The accounts at PayPal that shops are reconciled with.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ShopId;
use paypal::rest::Client;

/// A shop's account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Asks PayPal.
    pub client: Client,
}

/// The accounts of all shops that have one. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Accounts(Arc<BTreeMap<ShopId, Account>>);

impl Accounts {
    /// These accounts.
    #[must_use]
    pub fn new(accounts: BTreeMap<ShopId, Account>) -> Self {
        Self(Arc::new(accounts))
    }

    /// The shop's account.
    #[must_use]
    pub fn get(&self, shop: &ShopId) -> Option<&Account> {
        self.0.get(shop)
    }

    /// All of them, by shop.
    pub fn iter(&self) -> impl Iterator<Item = (&ShopId, &Account)> {
        self.0.iter()
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
