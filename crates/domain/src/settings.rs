//! A shop's settings: everything about it that decisions read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Currency, Minor, PayeeId, Reason};

/// What `shop.configured` says. The defaults are those of a shop that has not been configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The confirmation amount: a capture above it counts once PayPal has been asked and has confirmed it, since a
    /// signature binds only a checksum of the body. One for each currency; a currency that is not among them has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirm_above: Vec<Threshold>,
    /// How long an unpaid order keeps its hold, in seconds.
    pub hold_s: i64,
    /// What the shop's order ids begin with; a payment that names an order without it is foreign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_prefix: Option<String>,
    /// The merchant account that must receive the money; checked where a body names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payee: Option<PayeeId>,
    /// What comes back when an order is refunded.
    pub returns: Returns,
    /// The shop's own systems still act: everything is decided and marked as shadow, and sinks deliver none of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// What the shop lets Counterfoil keep; what is not tracked is neither held nor deducted.
    pub tracks: Tracks,
}

/// An amount of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The currency.
    pub currency: Currency,
    /// In its smallest unit, 0 or more.
    pub minor: Minor,
}

/// Which read models the shop lets Counterfoil keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tracks {
    /// Coupons are held and used.
    pub coupons: bool,
    /// Points are held, spent and earned.
    pub points: bool,
    /// Stock is held and taken.
    pub stock: bool,
}

/// What comes back at a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Returns {
    /// Coupons, while nothing is kept.
    pub coupons: bool,
    /// Spent points, while nothing is kept; earned ones are always revoked in proportion.
    pub points: bool,
    /// Unshipped stock, once refunds alone reach what was captured.
    pub stock: bool,
}

impl Default for Tracks {
    fn default() -> Self {
        Self { stock: true, coupons: true, points: true }
    }
}

impl Default for Returns {
    fn default() -> Self {
        Self { stock: true, coupons: true, points: true }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            confirm_above: Vec::new(),
            tracks: Tracks::default(),
            hold_s: 3600,
            payee: None,
            order_prefix: None,
            returns: Returns::default(),
            shadow: false,
        }
    }
}

impl Settings {
    /// The longest hold, 90 days: longer than any payment method at PayPal stays pending.
    pub const HOLD_MAX_S: i64 = 90 * 24 * 3600;

    /// The most currencies that may have a confirmation amount.
    pub const CONFIRM_MAX: usize = 32;

    /// Whether a capture of so much is to be confirmed by PayPal before it counts.
    #[must_use]
    pub fn confirms(&self, minor: Minor, currency: Currency) -> bool {
        self.confirm_above.iter().any(|above| above.currency == currency && minor > above.minor)
    }

    /// What is wrong with the settings, all of it.
    #[must_use]
    pub fn problems(&self) -> Vec<Reason> {
        let mut problems = Vec::new();
        if !(1..=Self::HOLD_MAX_S).contains(&self.hold_s) {
            problems.push(Reason::new("hold_s", format!("must be 1 to {} seconds", Self::HOLD_MAX_S)));
        }
        let is_repeated = |at: usize| {
            self.confirm_above[..at].iter().any(|other| other.currency == self.confirm_above[at].currency)
        };
        if let Some(at) = (0..self.confirm_above.len()).find(|at| is_repeated(*at)) {
            let name = format!("confirm_above[{at}].currency");
            problems.push(Reason::new(&name, "is there already: each currency has one amount"));
        }
        if let Some(prefix) = &self.order_prefix
            && crate::OrderId::parse(prefix).is_err()
        {
            problems.push(Reason::new("order_prefix", "must have the shape of an order id"));
        }
        problems
    }
}
