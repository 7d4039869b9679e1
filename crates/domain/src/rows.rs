//! The rows of the read models, as outcomes carry them and as decisions read them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AuthorizationId, BuyerId, CaptureId, CouponTerms, CouponUse, Currency, DisputeId, Fulfilment, Line,
    Minor, OrderId, PayeeId, PaypalOrderId, PointsUse, Position, Reason, RefundId, ShippedLine, Timestamp,
    Tracks,
};

/// What was agreed: the part of an order that only a placement or a revision changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terms {
    /// Whose points and coupon uses count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<BuyerId>,
    /// Coupons with what each takes off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponUse>,
    /// How long a hold lasts, in seconds.
    pub hold_s: i64,
    /// What is bought.
    pub lines: Vec<Line>,
    /// The order at PayPal as the shop named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order_id: Option<PaypalOrderId>,
    /// When it was placed or revised; a coupon's validity is judged by it.
    pub placed_at: Timestamp,
    /// Points spent and earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsUse>,
    /// Goes up with each accepted revision.
    pub revision: i64,
    /// The shop's reference for where the goods go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<BuyerId>,
    /// What of it is held and deducted: the shop's settings when it was placed.
    pub tracks: Tracks,
}

/// Where an order stands, in one word. Flags stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Nothing was held; a revision may try again.
    Refused,
    /// Placed, nothing paid.
    Open,
    /// Some money in, less than the total.
    PartiallyPaid,
    /// Settled, once.
    Paid,
    /// Money in, goods not to be had: a refund is due.
    Unfulfillable,
    /// Cancelled before it was paid.
    Cancelled,
    /// The hold's deadline passed unpaid; a late payment may still settle it.
    Expired,
    /// An operator closed it.
    Closed,
}

/// What the shop and the operator have said of an order, and what has come of it: all but terms and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OrderFlags {
    /// The operator settles with what was paid.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// A capture waits until PayPal confirms it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub awaiting: bool,
    /// The shop cancelled it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// The operator closed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// A dispute is open.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// The hold ran out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// Something live keeps the hold from running out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// A capture names it that does not count: currency, payee, another order, or PayPal refuted it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mismatched: bool,
    /// More came in than the total.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overpaid: bool,
    /// A capture is pending.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// Its placement was refused and nothing has been held since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// A capture said it was the last, and the total was not reached.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// Paid, and the goods were not to be had.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unfulfillable: bool,
}

/// What came back of a settled order, as a function of its money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GivenBack {
    /// The coupons are back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub coupons: bool,
    /// The spent points are back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub points: bool,
    /// Earned points that were revoked.
    #[serde(skip_serializing_if = "is_zero")]
    pub points_revoked: i64,
    /// The unshipped stock is back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stock: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// An order's money: a function of the sets of its payments, never of their arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderMoney {
    /// Counted captures and other tenders, gross.
    pub captured_minor: Minor,
    /// What is to be paid back; Counterfoil moves no money.
    pub refund_due_minor: Minor,
    /// Their refunds and reversals.
    pub refunded_minor: Minor,
    /// The reversals among them.
    pub reversed_minor: Minor,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// The currency of every amount here.
    pub currency: Currency,
    /// Flags beside the state.
    pub flags: OrderFlags,
    /// May it be shipped?
    pub fulfilment: Fulfilment,
    /// What came back since.
    #[serde(default)]
    pub given_back: GivenBack,
    /// Until when unpaid stock, coupons and points are held; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// Captured, refunded, due.
    pub money: OrderMoney,
    /// The shop's id of it.
    pub order: OrderId,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Why not, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Why its placement was refused, or its goods were not to be had, the last time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Reason>,
    /// What has been shipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipped: Vec<ShippedLine>,
    /// Where it stands.
    pub state: OrderState,
    /// What was agreed; in an outcome only where it is new or the outcome must stand alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<std::sync::Arc<Terms>>,
    /// What the buyer is to pay.
    pub total_minor: Minor,
    /// The fact that changed the row last: its ETag.
    #[serde(skip, default = "nowhere")]
    pub position: Position,
    /// When that was.
    #[serde(skip)]
    pub at: Option<Timestamp>,
}

fn nowhere() -> Position {
    Position(-1)
}

/// What a payment row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// An order at PayPal.
    PaypalOrder,
    /// An authorisation.
    Authorization,
    /// A capture, a v1 sale.
    Capture,
    /// Another tender.
    Tender,
    /// A refund.
    Refund,
    /// A reversal.
    Reversal,
    /// A dispute.
    Dispute,
}

/// The key of a payment row: its own id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKey {
    /// An order at PayPal.
    PaypalOrder(PaypalOrderId),
    /// An authorisation.
    Authorization(AuthorizationId),
    /// A capture, a v1 sale, or another tender.
    Capture(CaptureId),
    /// A refund or reversal.
    Refund(RefundId),
    /// A dispute.
    Dispute(DisputeId),
}

/// How far a payment has come. It only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Only named by others so far.
    Named,
    /// A PayPal order that the buyer approved.
    Approved,
    /// An authorisation.
    Authorized,
    /// A PayPal order or authorisation that ended.
    Voided,
    /// A capture under way.
    Pending,
    /// A denied capture.
    Denied,
    /// Money came in.
    Captured,
    /// Money went back.
    Refunded,
    /// A dispute that is open.
    Open,
    /// A dispute that ended.
    Resolved,
}

/// Whether a capture counts for its order, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It counts, or it is no money of itself.
    Matched,
    /// No order is known for it yet.
    Unmatched,
    /// It names an order that is not the shop's.
    Foreign,
    /// Wrong currency or payee, or ids that name two orders.
    Mismatched,
    /// Above the confirmation amount, and PayPal has not confirmed it yet.
    Awaiting,
    /// PayPal was asked, and has another capture or none.
    Refuted,
    /// An operator set it aside.
    Dismissed,
}

/// A payment row, keyed by its own id; kept also while its order is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payment {
    /// Gross, 0 or more.
    #[serde(default)]
    pub amount_minor: Minor,
    /// An operator assigned the order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assigned: bool,
    /// The authorisation it was captured from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<AuthorizationId>,
    /// What a refund pays back from; what a dispute is about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub captures: BTreeSet<CaptureId>,
    /// Its currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// PayPal's fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// No further capture follows.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
    /// Its own id.
    pub id: PaymentKey,
    /// What it is.
    pub kind: PaymentKind,
    /// What is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_minor: Option<Minor>,
    /// The order it belongs to, named or found through its links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Its ids name another order as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_order: Option<OrderId>,
    /// A dispute's outcome code, as PayPal gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The merchant account that received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<PayeeId>,
    /// The PayPal order it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order: Option<PaypalOrderId>,
    /// Whether it counts.
    pub standing: Standing,
    /// How far it has come.
    pub state: PaymentState,
    /// The fact that changed the row last.
    #[serde(skip, default = "nowhere")]
    pub position: Position,
    /// When that was.
    #[serde(skip)]
    pub at: Option<Timestamp>,
}

/// An article's stock, in pieces. On hand = received + adjusted - settled + returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Came in.
    pub received: i64,
    /// Found by counting, signed.
    pub adjusted: i64,
    /// Left with paid orders.
    pub settled: i64,
    /// Came back.
    pub returned: i64,
    /// Set aside for open orders.
    pub held: i64,
    /// The fact that changed the row last.
    pub position: Option<Position>,
}

impl Stock {
    /// Pieces on hand; every row that is kept has 0 or more.
    #[must_use]
    pub fn on_hand(&self) -> i64 {
        // Each part is within +-2^53, so the sum of four fits.
        self.received + self.adjusted - self.settled + self.returned
    }

    /// Pieces that may still be held.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.on_hand() - self.held
    }
}

/// A coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// What it was issued with.
    pub terms: CouponTerms,
    /// It takes no new holds.
    pub voided: bool,
    /// Set aside for open orders.
    pub held: i64,
    /// Used by paid orders.
    pub used: i64,
    /// The fact that changed the row last.
    pub position: Position,
}

impl Coupon {
    /// Whether it matters who uses it.
    #[must_use]
    pub fn limits_buyers(&self) -> bool {
        self.terms.max_per_buyer.is_some()
    }
}

/// One buyer's uses of one coupon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CouponBuyer {
    /// Set aside for open orders.
    pub held: i64,
    /// Used by paid orders.
    pub used: i64,
}

/// A buyer's points. Balance = granted + earned - revoked - spent + returned - expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// Given by the shop.
    pub granted: i64,
    /// Earned by paid orders.
    pub earned: i64,
    /// Earned ones taken back at refunds.
    pub revoked: i64,
    /// Spent on paid orders.
    pub spent: i64,
    /// Spent ones that came back.
    pub returned: i64,
    /// Lapsed.
    pub expired: i64,
    /// Set aside for open orders.
    pub held: i64,
    /// The fact that changed the row last.
    pub position: Option<Position>,
}

impl Points {
    /// Points the buyer has; below 0 when earned ones were spent before they were revoked.
    #[must_use]
    pub fn balance(&self) -> i64 {
        // Each part is within +-2^53, so the sum of six fits.
        self.granted + self.earned - self.revoked - self.spent + self.returned - self.expired
    }

    /// Points that may still be held.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.balance() - self.held
    }
}

impl Order {
    /// Everything that was bought has been shipped.
    #[must_use]
    pub fn has_shipped_all(&self) -> bool {
        let Some(terms) = &self.terms else { return false };
        !terms.lines.is_empty() && terms.by_sku().iter().all(|(sku, qty)| self.shipped_of(sku) >= *qty)
    }

    /// How many pieces of an article have been shipped.
    #[must_use]
    pub fn shipped_of(&self, sku: &crate::Sku) -> i64 {
        self.shipped.iter().filter(|line| line.sku == *sku).map(|line| line.qty).sum()
    }
}

impl Terms {
    /// Pieces by article: a placement may name one in several lines. Saturates: a placement of more pieces than an entry
    /// can write is refused before.
    #[must_use]
    pub fn by_sku(&self) -> std::collections::BTreeMap<crate::Sku, i64> {
        let mut pieces = std::collections::BTreeMap::new();
        for line in &self.lines {
            let qty: &mut i64 = pieces.entry(line.sku.clone()).or_default();
            *qty = qty.saturating_add(line.qty);
        }
        pieces
    }
}
