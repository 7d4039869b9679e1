//! What a file comes to.

use std::collections::BTreeMap;

use domain::{Currency, Fact, Minor, OpeningStatus};
use serde::Serialize;
use serde_json::{Value, json};

/// How many of each kind, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Lines that may enter the log.
    pub lines: u64,
    /// Those of them that are in it already.
    pub known: u64,
    /// Articles.
    pub articles: u64,
    /// Their pieces on hand.
    pub pieces: i64,
    /// Coupons.
    pub coupons: u64,
    /// How often they were used.
    pub uses: i64,
    /// Buyers' uses of coupons.
    pub coupon_buyers: u64,
    /// Buyers with points.
    pub buyers: u64,
    /// Their points.
    pub points: i64,
    /// Orders by status and currency.
    pub orders: Vec<OrderTotal>,
}

/// Orders of one status and currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderTotal {
    /// open or paid.
    pub status: OpeningStatus,
    /// The currency of the amounts.
    pub currency: Currency,
    /// How many.
    pub orders: u64,
    /// What they come to.
    pub total_minor: Minor,
    /// What came in: captures that are not pending, and other tenders.
    pub captured_minor: Minor,
    /// What went back.
    pub refunded_minor: Minor,
}

/// Orders are counted by status, those that are paid last, and currency.
pub(crate) type Orders = BTreeMap<(bool, Currency), OrderTotal>;

impl Totals {
    pub(crate) fn add(&mut self, fact: &Fact, orders: &mut Orders) {
        self.lines += 1;
        match fact {
            Fact::StockImported(f) => {
                self.articles += 1;
                self.pieces = self.pieces.saturating_add(f.on_hand);
            }
            Fact::CouponImported(f) => {
                self.coupons += 1;
                self.uses = self.uses.saturating_add(f.used);
            }
            Fact::CouponBuyerImported(_) => self.coupon_buyers += 1,
            Fact::PointsImported(f) => {
                self.buyers += 1;
                self.points = self.points.saturating_add(f.balance);
            }
            Fact::OrderImported(f) => {
                let (status, currency) = (f.status, f.placement.currency);
                let new = OrderTotal {
                    status,
                    currency,
                    orders: 0,
                    total_minor: 0,
                    captured_minor: 0,
                    refunded_minor: 0,
                };
                let total = orders.entry((status == OpeningStatus::Paid, currency)).or_insert(new);
                let captured = Minor::try_from(f.captured_minor()).unwrap_or(Minor::MAX);
                total.orders += 1;
                total.total_minor = total.total_minor.saturating_add(f.placement.total_minor);
                total.captured_minor = total.captured_minor.saturating_add(captured);
                for refund in &f.refunds {
                    total.refunded_minor = total.refunded_minor.saturating_add(refund.amount_minor);
                }
            }
            _ => {}
        }
    }

    /// As rows of a table: kind, status, currency, count, and how much of what.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        let mut rows = vec![
            json!({"kind": "stock", "count": self.articles, "amount": self.pieces}),
            json!({"kind": "coupon", "count": self.coupons, "amount": self.uses}),
            json!({"kind": "coupon_buyer", "count": self.coupon_buyers}),
            json!({"kind": "points", "count": self.buyers, "amount": self.points}),
        ];
        rows.retain(|row| row["count"] != 0);
        rows.extend(self.orders.iter().map(|total| {
            json!({
                "kind": "order", "status": total.status, "currency": total.currency, "count": total.orders,
                "total_minor": total.total_minor, "captured_minor": total.captured_minor,
                "refunded_minor": total.refunded_minor,
            })
        }));
        rows
    }
}
