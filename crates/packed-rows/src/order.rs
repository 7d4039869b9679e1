//! An order's row, and what was agreed.

use std::sync::Arc;

use domain::{
    CouponUse, Fulfilment, GivenBack, Line, Order, OrderFlags, OrderId, OrderMoney, OrderState, PointsUse,
    ShippedLine, Terms, Timestamp, Tracks,
};

use crate::code::{Pack, Reader, Writer};
use crate::entities::Kind;

const STATES: [OrderState; 8] = [
    OrderState::Refused,
    OrderState::Open,
    OrderState::PartiallyPaid,
    OrderState::Paid,
    OrderState::Unfulfillable,
    OrderState::Cancelled,
    OrderState::Expired,
    OrderState::Closed,
];

const FULFILMENTS: [Fulfilment; 4] =
    [Fulfilment::Wait, Fulfilment::Ship, Fulfilment::Stop, Fulfilment::Shipped];

/// Whether a row says at its beginning that it holds stock for an order: those that do not need not be read for that.
pub(crate) fn may_hold(row: &[u8]) -> bool {
    row.first().is_some_and(|first| first & 1 != 0)
}

impl Pack for Order {
    fn pack(&self, writer: &mut Writer<'_>) {
        writer.order(self);
    }
}

impl Writer<'_> {
    fn order(&mut self, order: &Order) {
        let Order { given_back, money, .. } = order;
        self.flags([
            order.held_until.is_some(),
            order.paid_at.is_some(),
            order.at.is_some(),
            order.terms.is_some(),
            *given_back != GivenBack::default(),
            money.captured_minor == order.total_minor,
            (money.refund_due_minor, money.refunded_minor, money.reversed_minor) != (0, 0, 0),
        ]);
        self.flags([!order.refusals.is_empty(), !order.shipped.is_empty()]);
        let state = STATES.iter().position(|state| *state == order.state).unwrap_or_default();
        let fulfilment = FULFILMENTS.iter().position(|it| *it == order.fulfilment).unwrap_or_default();
        self.number((state << 2 | fulfilment) as u64);
        self.order_flags(&order.flags);
        self.currency(order.currency);
        self.signed(order.total_minor);
        if money.captured_minor != order.total_minor {
            self.signed(money.captured_minor);
        }
        if (money.refund_due_minor, money.refunded_minor, money.reversed_minor) != (0, 0, 0) {
            self.all_signed([money.refund_due_minor, money.refunded_minor, money.reversed_minor]);
        }
        self.position(order.position);
        order.at.into_iter().for_each(|at| self.time(at));
        order.held_until.into_iter().for_each(|time| self.time_near(time, order.at));
        order.paid_at.into_iter().for_each(|time| self.time_near(time, order.at));
        if *given_back != GivenBack::default() {
            self.flags([given_back.coupons, given_back.points, given_back.stock]);
            self.signed(given_back.points_revoked);
        }
        self.shared_reasons(&order.reasons);
        if !order.refusals.is_empty() {
            self.reasons(&order.refusals);
        }
        if !order.shipped.is_empty() {
            self.number(order.shipped.len() as u64);
            for line in &order.shipped {
                self.id(Kind::Sku, line.sku.as_str());
                self.signed(line.qty);
            }
        }
        if let Some(terms) = &order.terms {
            self.terms(terms, order.at);
        }
    }

    fn order_flags(&mut self, flags: &OrderFlags) {
        let OrderFlags {
            accepted,
            awaiting,
            cancelled,
            closed,
            disputed,
            expired,
            live,
            mismatched,
            overpaid,
            pending,
            refused,
            review,
            unfulfillable,
        } = *flags;
        // Those that are seen most come first.
        self.flags([
            live,
            expired,
            cancelled,
            refused,
            disputed,
            overpaid,
            pending,
            accepted,
            awaiting,
            closed,
            mismatched,
            review,
            unfulfillable,
        ]);
    }

    fn terms(&mut self, terms: &Terms, at: Option<Timestamp>) {
        let Tracks { coupons, points, stock } = terms.tracks;
        self.flags([
            coupons,
            points,
            stock,
            terms.buyer.is_some(),
            terms.points.is_some(),
            terms.paypal_order_id.is_some(),
            terms.ship_to.is_some(),
        ]);
        self.signed(terms.revision);
        self.signed(terms.hold_s);
        self.time_near(terms.placed_at, at);
        terms.buyer.iter().for_each(|buyer| self.id(Kind::Buyer, buyer.as_str()));
        if let Some(points) = &terms.points {
            self.all_signed([points.earn, points.minor, points.spend]);
        }
        terms.paypal_order_id.iter().for_each(|id| self.id(Kind::PaypalOrder, id.as_str()));
        terms.ship_to.iter().for_each(|id| self.id(Kind::Buyer, id.as_str()));
        self.number(terms.lines.len() as u64);
        for line in &terms.lines {
            self.id(Kind::Sku, line.sku.as_str());
            self.signed(line.qty);
            self.signed(line.unit_minor);
        }
        self.number(terms.coupons.len() as u64);
        for coupon in &terms.coupons {
            self.id(Kind::Code, coupon.code.as_str());
            self.signed(coupon.minor);
        }
    }
}

impl Reader<'_> {
    pub(crate) fn order(&mut self, order: OrderId) -> Option<Order> {
        let [is_held, is_paid, has_at, has_terms, has_given_back, is_captured, has_money] = self.flags()?;
        let [is_refused, is_shipped] = self.flags()?;
        let state = self.length()?;
        let (state, fulfilment) = (*STATES.get(state >> 2)?, FULFILMENTS[state & 3]);
        let flags = self.order_flags()?;
        let currency = self.currency()?;
        let total_minor = self.signed()?;
        let captured_minor = if is_captured { total_minor } else { self.signed()? };
        let mut money = OrderMoney { captured_minor, ..OrderMoney::default() };
        if has_money {
            money.refund_due_minor = self.signed()?;
            money.refunded_minor = self.signed()?;
            money.reversed_minor = self.signed()?;
        }
        let position = self.position()?;
        let at = self.optional(has_at, Self::time)?;
        let held_until = self.optional(is_held, |reader| reader.time_near(at))?;
        let paid_at = self.optional(is_paid, |reader| reader.time_near(at))?;
        let given_back = self.optional(has_given_back, |reader| {
            let [coupons, points, stock] = reader.flags()?;
            Some(GivenBack { coupons, points, points_revoked: reader.signed()?, stock })
        })?;
        let reasons = self.shared_reasons()?;
        let refusals = self.optional(is_refused, Self::reasons)?.unwrap_or_default();
        let shipped = self.optional(is_shipped, |reader| {
            reader.many(|reader| Some(ShippedLine { sku: reader.id()?, qty: reader.signed()? }))
        })?;
        let terms = self.optional(has_terms, |reader| reader.terms(at))?;
        Some(Order {
            currency,
            flags,
            fulfilment,
            given_back: given_back.unwrap_or_default(),
            held_until,
            money,
            order,
            paid_at,
            reasons,
            refusals,
            shipped: shipped.unwrap_or_default(),
            state,
            terms: terms.map(Arc::new),
            total_minor,
            position,
            at,
        })
    }

    fn order_flags(&mut self) -> Option<OrderFlags> {
        let [
            live,
            expired,
            cancelled,
            refused,
            disputed,
            overpaid,
            pending,
            accepted,
            awaiting,
            closed,
            mismatched,
            review,
            unfulfillable,
        ] = self.flags()?;
        Some(OrderFlags {
            accepted,
            awaiting,
            cancelled,
            closed,
            disputed,
            expired,
            live,
            mismatched,
            overpaid,
            pending,
            refused,
            review,
            unfulfillable,
        })
    }

    fn terms(&mut self, at: Option<Timestamp>) -> Option<Terms> {
        let [coupons, points, stock, has_buyer, has_points, has_paypal_order, has_ship_to] = self.flags()?;
        let revision = self.signed()?;
        let hold_s = self.signed()?;
        let placed_at = self.time_near(at)?;
        let buyer = self.optional(has_buyer, Self::id)?;
        let points_use = self.optional(has_points, |reader| {
            Some(PointsUse { earn: reader.signed()?, minor: reader.signed()?, spend: reader.signed()? })
        })?;
        let paypal_order_id = self.optional(has_paypal_order, Self::id)?;
        let ship_to = self.optional(has_ship_to, Self::id)?;
        let lines = self.many(|reader| {
            Some(Line { sku: reader.id()?, qty: reader.signed()?, unit_minor: reader.signed()? })
        })?;
        let coupon_uses =
            self.many(|reader| Some(CouponUse { code: reader.id()?, minor: reader.signed()? }))?;
        Some(Terms {
            buyer,
            coupons: coupon_uses,
            hold_s,
            lines,
            paypal_order_id,
            placed_at,
            points: points_use,
            revision,
            ship_to,
            tracks: Tracks { coupons, points, stock },
        })
    }
}
