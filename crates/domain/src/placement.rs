//! An order as the shop places it: what is bought, what it costs, what is held for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BuyerId, CouponCode, Currency, MINOR_MAX, Minor, OrderId, PaypalOrderId, Reason, Settings, Sku};

/// The command `order.placed`, and `order.revised` with a higher revision. Absent parts are 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Whose points and coupon uses count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<BuyerId>,
    /// Coupons with what each takes off, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<CouponUse>,
    /// The currency of every amount here.
    pub currency: Currency,
    /// Taken off the lines.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discount_minor: Minor,
    /// Handling.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handling_minor: Minor,
    /// How long the hold is kept, in seconds; else the shop's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<i64>,
    /// Insurance.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub insurance_minor: Minor,
    /// What is bought, at most 200 lines.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// The shop's id of the order.
    pub order: OrderId,
    /// The order at PayPal, where the shop knows it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paypal_order_id: Option<PaypalOrderId>,
    /// Points that are spent and earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsUse>,
    /// 0 at first; each revision is higher than the one before.
    #[serde(default)]
    pub revision: i64,
    /// The shop's own reference for where the goods go (never the address itself).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<BuyerId>,
    /// Taken off the shipping.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shipping_discount_minor: Minor,
    /// Shipping.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shipping_minor: Minor,
    /// The lines' prices hold the tax already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tax_included: bool,
    /// Taxes on top of the lines, or within them (`tax_included`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax_minor: Minor,
    /// What the buyer is to pay.
    pub total_minor: Minor,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// How many, at least 1.
    pub qty: i64,
    /// What.
    pub sku: Sku,
    /// The price of one.
    pub unit_minor: Minor,
}

/// A coupon that an order uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponUse {
    /// Which.
    pub code: CouponCode,
    /// What it takes off.
    pub minor: Minor,
}

/// Points that an order moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsUse {
    /// Points earned when the order is paid.
    #[serde(default)]
    pub earn: i64,
    /// What they take off.
    #[serde(default)]
    pub minor: Minor,
    /// Points spent.
    #[serde(default)]
    pub spend: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(minor: &Minor) -> bool {
    *minor == 0
}

impl Placement {
    /// The most lines an order may have.
    pub const LINES_MAX: usize = 200;
    /// The most coupons an order may use.
    pub const COUPONS_MAX: usize = 10;

    /// What is wrong with it, all of it; empty when it may enter the log.
    #[must_use]
    pub fn problems(&self) -> Vec<Reason> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, field: &str, detail: String| {
            if !ok {
                problems.push(Reason::new(field, detail));
            }
        };
        check(self.revision >= 0 && self.revision <= MINOR_MAX, "revision", "must be 0 or more".into());
        check(self.lines.len() <= Self::LINES_MAX, "lines", format!("at most {}", Self::LINES_MAX));
        check(self.coupons.len() <= Self::COUPONS_MAX, "coupons", format!("at most {}", Self::COUPONS_MAX));
        for (at, line) in self.lines.iter().enumerate() {
            check(
                (1..=MINOR_MAX).contains(&line.qty),
                &format!("lines[{at}].qty"),
                "must be 1 or more".into(),
            );
            check(amount_fits(line.unit_minor), &format!("lines[{at}].unit_minor"), OUT_OF_RANGE.into());
        }
        for (at, coupon) in self.coupons.iter().enumerate() {
            check(amount_fits(coupon.minor), &format!("coupons[{at}].minor"), OUT_OF_RANGE.into());
            let twice = self.coupons[..at].iter().any(|other| other.code == coupon.code);
            check(!twice, &format!("coupons[{at}].code"), "is named twice".into());
        }
        if let Some(points) = &self.points {
            let fits = |points: i64| (0..=QUANTITY_MAX).contains(&points);
            check(fits(points.spend), "points.spend", format!("must be 0 to {QUANTITY_MAX}"));
            check(fits(points.earn), "points.earn", format!("must be 0 to {QUANTITY_MAX}"));
            check(amount_fits(points.minor), "points.minor", OUT_OF_RANGE.into());
            check(self.buyer.is_some(), "buyer", "is needed where points are used".into());
        }
        for (field, minor) in self.amounts() {
            check(amount_fits(minor), field, OUT_OF_RANGE.into());
        }
        if let Some(hold_s) = self.hold_s {
            let fits = (1..=Settings::HOLD_MAX_S).contains(&hold_s);
            check(fits, "hold_s", format!("must be 1 to {} seconds", Settings::HOLD_MAX_S));
        }
        let mut pieces = std::collections::BTreeMap::<&Sku, i128>::new();
        for line in &self.lines {
            *pieces.entry(&line.sku).or_default() += i128::from(line.qty);
        }
        if pieces.values().any(|qty| *qty > i128::from(QUANTITY_MAX)) {
            problems.push(Reason::new("lines", format!("at most {QUANTITY_MAX} pieces of one article")));
        }
        if problems.is_empty() {
            problems.extend(self.wrong_sum());
        }
        problems
    }

    fn amounts(&self) -> [(&'static str, Minor); 7] {
        [
            ("total_minor", self.total_minor),
            ("tax_minor", self.tax_minor),
            ("shipping_minor", self.shipping_minor),
            ("handling_minor", self.handling_minor),
            ("insurance_minor", self.insurance_minor),
            ("shipping_discount_minor", self.shipping_discount_minor),
            ("discount_minor", self.discount_minor),
        ]
    }

    /// The sums in 128 bits: 200 lines of the largest amounts cannot overflow it.
    fn wrong_sum(&self) -> Option<Reason> {
        let lines: i128 = self.lines.iter().map(|l| i128::from(l.qty) * i128::from(l.unit_minor)).sum();
        let coupons: i128 = self.coupons.iter().map(|c| i128::from(c.minor)).sum();
        let points = self.points.map_or(0, |p| i128::from(p.minor));
        let tax = if self.tax_included { 0 } else { i128::from(self.tax_minor) };
        let plus = lines
            + tax
            + i128::from(self.shipping_minor)
            + i128::from(self.handling_minor)
            + i128::from(self.insurance_minor);
        let minus =
            i128::from(self.shipping_discount_minor) + i128::from(self.discount_minor) + coupons + points;
        let sum = plus - minus;
        (sum != i128::from(self.total_minor)).then(|| {
            Reason::new(
                "total_minor",
                format!(
                    "is {} but the parts make {sum}: lines {lines} + tax {tax} + shipping {} + handling {} + insurance {} \
                     - shipping discount {} - discount {} - coupons {coupons} - points {points}",
                    self.total_minor, self.shipping_minor, self.handling_minor, self.insurance_minor,
                    self.shipping_discount_minor, self.discount_minor,
                ),
            )
        })
    }
}

/// The most pieces or points that one order moves: far below what an entry can write, so that sums over thousands of
/// orders fit.
pub const QUANTITY_MAX: i64 = 1_000_000_000_000;

const OUT_OF_RANGE: &str = "must be 0 to 9007199254740991";

fn amount_fits(minor: Minor) -> bool {
    (0..=MINOR_MAX).contains(&minor)
}
