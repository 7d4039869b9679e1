//! What a shop that already sells brings along: opening balances, and the orders that are open or were paid lately.
//!
//! Balances are taken as they stand: they hold what is set aside for imported orders that are open, and lack what imported
//! orders that are paid have taken. So an open order takes its hold by the rules, and a paid one moves nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    BuyerId, Capture, CaptureId, CouponCode, CouponTerms, Currency, InvalidId, Minor, Placement, ProviderId,
    Reason, Refund, RefundId, ShippedLine, Sku, Timestamp,
};

/// Data of `stock.imported`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockOpening {
    /// Pieces on hand, those for open orders among them.
    pub on_hand: i64,
    /// Which article.
    pub sku: Sku,
}

/// Data of `coupon.imported`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponOpening {
    /// Which.
    pub code: CouponCode,
    /// How many orders of one buyer may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_buyer: Option<i64>,
    /// How many orders may use it, those that have used it among them.
    pub max_uses: i64,
    /// How often it was used by orders that are paid, imported or not.
    #[serde(default)]
    pub used: i64,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Not from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// It takes no new holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voided: bool,
}

/// Data of `coupon.buyer_imported`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponBuyerOpening {
    /// Whose uses.
    pub buyer: BuyerId,
    /// Of which coupon, which limits them.
    pub code: CouponCode,
    /// How many of the coupon's uses are theirs.
    pub used: i64,
}

/// Data of `points.imported`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsOpening {
    /// What the buyer has, those for open orders among them; below 0 where earned ones were spent and then revoked.
    pub balance: i64,
    /// Whose.
    pub buyer: BuyerId,
}

/// Data of `order.imported`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderOpening {
    /// PayPal's captures, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<OpeningCapture>,
    /// When it was paid; else when it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// When it was placed, by which its coupons are judged; else when it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// What was agreed.
    pub placement: Placement,
    /// Refunds and reversals of these captures and tenders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<OpeningRefund>,
    /// What was shipped of a paid order; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<OpeningShipment>,
    /// Whether the shop has settled it.
    pub status: OpeningStatus,
    /// Other tenders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenders: Vec<OpeningTender>,
}

/// Whether the shop has settled an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpeningStatus {
    /// Not paid in full: the balances still hold what it needs.
    Open,
    /// Paid: stock, coupons and points have left with it, and the balances were taken after that.
    Paid,
}

/// A capture that the shop knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningCapture {
    /// Gross.
    pub amount_minor: Minor,
    /// The authorisation it was captured from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<crate::AuthorizationId>,
    /// PayPal's id of it.
    pub capture: CaptureId,
    /// PayPal's fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// What is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_minor: Option<Minor>,
    /// The merchant account that received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<crate::PayeeId>,
    /// The PayPal order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<crate::PaypalOrderId>,
    /// Its money has not come yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// Another tender that the shop has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningTender {
    /// What was paid.
    pub amount_minor: Minor,
    /// The provider's id of the payment.
    pub payment: ProviderId,
    /// Who took the money.
    pub provider: ProviderId,
}

/// Money that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningRefund {
    /// What went back.
    pub amount_minor: Minor,
    /// What it was paid back from.
    pub capture: CaptureId,
    /// PayPal's id of it.
    pub refund: RefundId,
    /// PayPal took it back: a reversal, no refund of the shop's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversal: bool,
}

/// What was shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningShipment {
    /// What; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ShippedLine>>,
}

impl CouponOpening {
    /// What it was issued with.
    #[must_use]
    pub fn terms(&self) -> CouponTerms {
        CouponTerms {
            code: self.code.clone(),
            max_uses: self.max_uses,
            max_per_buyer: self.max_per_buyer,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        }
    }
}

impl OpeningTender {
    /// The capture id that stands for it: `<provider>:<payment>`.
    ///
    /// # Errors
    /// None in practice: both parts have the shape of an id.
    pub fn capture(&self) -> Result<CaptureId, InvalidId> {
        CaptureId::parse(&format!("{}:{}", self.provider, self.payment))
    }
}

impl OpeningCapture {
    /// The same as a callback says it.
    pub(crate) fn as_told(&self, currency: Currency) -> Capture {
        Capture {
            amount_minor: self.amount_minor,
            authorization: self.authorization.clone(),
            capture: self.capture.clone(),
            currency,
            fee_minor: self.fee_minor,
            is_final: false,
            net_minor: self.net_minor,
            odd_id: None,
            order: None,
            payee: self.payee.clone(),
            paypal_order: self.paypal_order.clone(),
        }
    }
}

impl OpeningRefund {
    /// The same as a callback says it.
    pub(crate) fn as_told(&self, currency: Currency) -> Refund {
        Refund {
            amount_minor: self.amount_minor,
            capture: self.capture.clone(),
            currency,
            odd_id: None,
            order: None,
            refund: self.refund.clone(),
        }
    }
}

impl OrderOpening {
    /// The most captures, refunds and tenders that it may have, each.
    pub const PAYMENTS_MAX: usize = 20;

    /// What came in of it, gross.
    #[must_use]
    pub fn captured_minor(&self) -> i128 {
        let captures = self.captures.iter().filter(|capture| !capture.pending);
        let tenders = self.tenders.iter().map(|tender| tender.amount_minor);
        captures.map(|capture| capture.amount_minor).chain(tenders).map(i128::from).sum()
    }

    /// What is wrong with it, all of it; empty when it may enter the log.
    #[must_use]
    pub fn problems(&self) -> Vec<Reason> {
        let placement = self.placement.problems().into_iter();
        let mut problems: Vec<Reason> = placement
            .map(|reason| Reason::new(format!("placement.{}", reason.code), reason.detail))
            .collect();
        let mut check = |ok: bool, field: &str, detail: &str| {
            if !ok {
                problems.push(Reason::new(field, detail.to_owned()));
            }
        };
        if self.status == OpeningStatus::Open {
            check(self.shipment.is_none(), "shipment", "an open order has shipped nothing");
            check(self.paid_at.is_none(), "paid_at", "an open order was not paid");
        } else if self.placement.total_minor > 0 {
            let detail = "a paid order has its payments: captures that are not pending, or tenders";
            check(self.captured_minor() > 0, "captures", detail);
        }
        let mut ids: Vec<CaptureId> = self.captures.iter().map(|capture| capture.capture.clone()).collect();
        for (at, tender) in self.tenders.iter().enumerate() {
            let named = !tender.provider.as_str().contains(':');
            check(named, &format!("tenders[{at}].provider"), "must not contain a colon");
            ids.extend(tender.capture());
        }
        for (at, id) in ids.iter().enumerate() {
            check(!ids[..at].contains(id), "captures", "one payment stands twice");
        }
        for (at, refund) in self.refunds.iter().enumerate() {
            let field = format!("refunds[{at}].capture");
            check(ids.contains(&refund.capture), &field, "is none of the captures and tenders here");
            let twice = self.refunds[..at].iter().any(|other| other.refund == refund.refund);
            check(!twice, &format!("refunds[{at}].refund"), "stands twice");
        }
        self.check_shipment(&mut check);
        problems
    }

    fn check_shipment(&self, check: &mut impl FnMut(bool, &str, &str)) {
        let lines = self.shipment.iter().filter_map(|shipment| shipment.lines.as_ref()).flatten();
        let mut left = std::collections::BTreeMap::<&Sku, i128>::new();
        for line in &self.placement.lines {
            *left.entry(&line.sku).or_default() += i128::from(line.qty);
        }
        for (at, line) in lines.enumerate() {
            let left = left.entry(&line.sku).or_default();
            *left -= i128::from(line.qty);
            check(*left >= 0, &format!("shipment.lines[{at}]"), "is more than was ordered");
        }
    }
}
