//! Between the domain's rows and the tables'.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    AuthorizationId, CaptureId, Coupon, CouponBuyer, CouponTerms, Currency, DisputeId, Fulfilment, GivenBack,
    Group, Member, Order, OrderFlags, OrderMoney, OrderState, Payment, PaymentKey, PaymentKind, PaymentState,
    PaypalOrderId, Points, Position, RefundId, Standing, Stock, Terms, Timestamp, Tracks,
};
use relay::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::rows::{
    CouponBuyerRow, CouponRow, OrderRow, OrderStandingRow, OrderTermsRow, ParkedGroupRow, ParkedRow,
    PaymentCaptureRow, PaymentRow, PointsRow, StockRow,
};

pub(crate) fn corrupt(what: &str, why: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!("{what}: {why}"))
}

pub(crate) fn parse<T: FromStr>(what: &str, text: &str) -> Result<T, Error>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| corrupt(what, error))
}

fn parse_opt<T: FromStr>(what: &str, text: Option<&String>) -> Result<Option<T>, Error>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| parse(what, text)).transpose()
}

fn text<T: ToString>(id: Option<&T>) -> Option<String> {
    id.map(ToString::to_string)
}

pub(crate) fn time(at: Option<Timestamp>) -> Option<DateTime<Utc>> {
    at.map(Timestamp::as_datetime)
}

pub(crate) fn stamp(at: Option<DateTime<Utc>>) -> Option<Timestamp> {
    at.map(Timestamp::new)
}

fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| corrupt("a value that is no JSON", error))
}

fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

/// Lists are lines: no id and no key has a line break in it.
pub(crate) fn lines<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join("\n")
}

pub(crate) fn from_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.is_empty())
}

macro_rules! names {
    ($to:ident, $from:ident, $type:ident { $($variant:ident = $name:literal,)* }) => {
        pub(crate) fn $to(value: $type) -> &'static str {
            match value { $($type::$variant => $name,)* }
        }

        fn $from(name: &str) -> Result<$type, Error> {
            match name { $($name => Ok($type::$variant),)* _ => Err(corrupt(stringify!($type), name)) }
        }
    };
}

names! { order_state, to_order_state, OrderState {
    Refused = "refused", Open = "open", PartiallyPaid = "partially_paid", Paid = "paid",
    Unfulfillable = "unfulfillable", Cancelled = "cancelled", Expired = "expired", Closed = "closed",
} }
names! { fulfilment, to_fulfilment, Fulfilment {
    Wait = "wait", Ship = "ship", Stop = "stop", Shipped = "shipped",
} }
names! { payment_kind, to_payment_kind, PaymentKind {
    PaypalOrder = "paypal_order", Authorization = "authorization", Capture = "capture", Tender = "tender",
    Refund = "refund", Reversal = "reversal", Dispute = "dispute",
} }
names! { payment_state, to_payment_state, PaymentState {
    Named = "named", Approved = "approved", Authorized = "authorized", Voided = "voided", Pending = "pending",
    Denied = "denied", Captured = "captured", Refunded = "refunded", Open = "open", Resolved = "resolved",
} }
names! { standing, to_standing, Standing {
    Matched = "matched", Unmatched = "unmatched", Foreign = "foreign", Mismatched = "mismatched",
    Dismissed = "dismissed", Awaiting = "awaiting", Refuted = "refuted",
} }

macro_rules! raised {
    ($to:ident, $from:ident, $type:ident { $($field:ident,)* } $(but $other:ident)?) => {
        fn $to(value: &$type) -> String {
            let mut raised = Vec::new();
            $(if value.$field { raised.push(stringify!($field)); })*
            raised.join("\n")
        }

        fn $from(text: &str) -> Result<$type, Error> {
            let mut value = $type { $($field: false,)* $($other: Default::default(),)? };
            for name in from_lines(text) {
                match name {
                    $(stringify!($field) => value.$field = true,)*
                    _ => return Err(corrupt(stringify!($type), name)),
                }
            }
            Ok(value)
        }
    };
}

raised! { flags, to_flags, OrderFlags {
    refused, cancelled, expired, accepted, closed, unfulfillable, review, overpaid, mismatched, disputed,
    pending, live, awaiting,
} }
raised! { given_back, to_given_back, GivenBack { points, coupons, stock, } but points_revoked }
raised! { tracks, to_tracks, Tracks { stock, coupons, points, } }

pub(crate) fn order_to_row(order: &Order) -> Result<OrderRow, Error> {
    Ok(OrderRow {
        standing: order_standing_to_row(order)?,
        terms: order_terms_to_row(order.terms.as_deref())?,
    })
}

pub(crate) fn order_standing_to_row(order: &Order) -> Result<OrderStandingRow, Error> {
    Ok(OrderStandingRow {
        order_id: order.order.to_string(),
        currency: order.currency.to_string(),
        total_minor: order.total_minor,
        state: order_state(order.state).to_owned(),
        fulfilment: fulfilment(order.fulfilment).to_owned(),
        reasons: json(&order.reasons)?,
        refusals: json(&order.refusals)?,
        flags: flags(&order.flags),
        captured_minor: order.money.captured_minor,
        refunded_minor: order.money.refunded_minor,
        reversed_minor: order.money.reversed_minor,
        refund_due_minor: order.money.refund_due_minor,
        held_until: time(order.held_until),
        paid_at: time(order.paid_at),
        points_revoked: order.given_back.points_revoked,
        given_back: given_back(&order.given_back),
        shipped: json(&order.shipped)?,
        position: order.position.0,
        at: time(order.at),
    })
}

fn order_terms_to_row(terms: Option<&Terms>) -> Result<OrderTermsRow, Error> {
    let json_of = |part: fn(&Terms) -> Result<String, Error>| terms.map(part).transpose();
    Ok(OrderTermsRow {
        revision: terms.map(|terms| terms.revision),
        buyer_id: text(terms.and_then(|terms| terms.buyer.as_ref())),
        lines: json_of(|terms| json(&terms.lines))?,
        coupons: json_of(|terms| json(&terms.coupons))?,
        points: terms.and_then(|terms| terms.points.as_ref()).map(json).transpose()?,
        paypal_order_id: text(terms.and_then(|terms| terms.paypal_order_id.as_ref())),
        ship_to: text(terms.and_then(|terms| terms.ship_to.as_ref())),
        tracks: terms.map(|terms| tracks(&terms.tracks)),
        hold_s: terms.map(|terms| terms.hold_s),
        placed_at: terms.map(|terms| terms.placed_at.as_datetime()),
    })
}

fn terms_from_row(row: &OrderTermsRow) -> Result<Option<Terms>, Error> {
    let (Some(revision), Some(lines), Some(coupons)) = (row.revision, &row.lines, &row.coupons) else {
        return Ok(None);
    };
    let (Some(tracks), Some(hold_s), Some(placed_at)) = (&row.tracks, row.hold_s, row.placed_at) else {
        return Err(corrupt("orders", "terms without tracks, hold_s or placed_at"));
    };
    Ok(Some(Terms {
        revision,
        buyer: parse_opt("orders.buyer_id", row.buyer_id.as_ref())?,
        lines: from_json("orders.lines", lines)?,
        coupons: from_json("orders.coupons", coupons)?,
        points: row.points.as_deref().map(|points| from_json("orders.points", points)).transpose()?,
        paypal_order_id: parse_opt("orders.paypal_order_id", row.paypal_order_id.as_ref())?,
        ship_to: parse_opt("orders.ship_to", row.ship_to.as_ref())?,
        tracks: to_tracks(tracks)?,
        hold_s,
        placed_at: Timestamp::new(placed_at),
    }))
}

pub(crate) fn order_from_row(OrderRow { standing: row, terms }: &OrderRow) -> Result<Order, Error> {
    Ok(Order {
        order: parse("orders.order_id", &row.order_id)?,
        currency: currency(&row.currency)?,
        total_minor: row.total_minor,
        state: to_order_state(&row.state)?,
        fulfilment: to_fulfilment(&row.fulfilment)?,
        reasons: from_json("orders.reasons", &row.reasons)?,
        refusals: from_json("orders.refusals", &row.refusals)?,
        flags: to_flags(&row.flags)?,
        money: OrderMoney {
            captured_minor: row.captured_minor,
            refunded_minor: row.refunded_minor,
            reversed_minor: row.reversed_minor,
            refund_due_minor: row.refund_due_minor,
        },
        held_until: stamp(row.held_until),
        paid_at: stamp(row.paid_at),
        given_back: GivenBack { points_revoked: row.points_revoked, ..to_given_back(&row.given_back)? },
        shipped: from_json("orders.shipped", &row.shipped)?,
        terms: terms_from_row(terms)?.map(Arc::new),
        position: Position(row.position),
        at: stamp(row.at),
    })
}

fn currency(code: &str) -> Result<Currency, Error> {
    Currency::parse(code).map_err(|error| corrupt("currency", error))
}

/// Whose id a payment's key is.
pub(crate) fn id_kind(key: &PaymentKey) -> &'static str {
    match key {
        PaymentKey::PaypalOrder(_) => "paypal_order",
        PaymentKey::Authorization(_) => "authorization",
        PaymentKey::Capture(_) => "capture",
        PaymentKey::Refund(_) => "refund",
        PaymentKey::Dispute(_) => "dispute",
    }
}

pub(crate) fn payment_key(id_kind: &str, id: &str) -> Result<PaymentKey, Error> {
    Ok(match id_kind {
        "paypal_order" => PaymentKey::PaypalOrder(parse::<PaypalOrderId>("payments.id", id)?),
        "authorization" => PaymentKey::Authorization(parse::<AuthorizationId>("payments.id", id)?),
        "capture" => PaymentKey::Capture(parse::<CaptureId>("payments.id", id)?),
        "refund" => PaymentKey::Refund(parse::<RefundId>("payments.id", id)?),
        "dispute" => PaymentKey::Dispute(parse::<DisputeId>("payments.id", id)?),
        other => return Err(corrupt("payments.id_kind", other)),
    })
}

pub(crate) fn payment_to_row(payment: &Payment) -> PaymentRow {
    PaymentRow {
        id_kind: id_kind(&payment.id).to_owned(),
        id: payment.id.id().to_owned(),
        kind: payment_kind(payment.kind).to_owned(),
        state: payment_state(payment.state).to_owned(),
        standing: standing(payment.standing).to_owned(),
        order_id: text(payment.order.as_ref()),
        other_order_id: text(payment.other_order.as_ref()),
        assigned: payment.assigned,
        paypal_order_id: text(payment.paypal_order.as_ref()),
        authorization_id: text(payment.authorization.as_ref()),
        captures: lines(&payment.captures),
        amount_minor: payment.amount_minor,
        currency: text(payment.currency.as_ref()),
        fee_minor: payment.fee_minor,
        net_minor: payment.net_minor,
        payee: text(payment.payee.as_ref()),
        is_final: payment.is_final,
        outcome: payment.outcome.clone(),
        position: payment.position.0,
        at: time(payment.at),
    }
}

pub(crate) fn payment_captures(payment: &Payment) -> impl Iterator<Item = PaymentCaptureRow> + '_ {
    payment.captures.iter().map(|capture| PaymentCaptureRow {
        capture_id: capture.to_string(),
        id_kind: id_kind(&payment.id).to_owned(),
        id: payment.id.id().to_owned(),
    })
}

pub(crate) fn payment_from_row(row: &PaymentRow) -> Result<Payment, Error> {
    Ok(Payment {
        id: payment_key(&row.id_kind, &row.id)?,
        kind: to_payment_kind(&row.kind)?,
        state: to_payment_state(&row.state)?,
        standing: to_standing(&row.standing)?,
        order: parse_opt("payments.order_id", row.order_id.as_ref())?,
        other_order: parse_opt("payments.other_order_id", row.other_order_id.as_ref())?,
        assigned: row.assigned,
        paypal_order: parse_opt("payments.paypal_order_id", row.paypal_order_id.as_ref())?,
        authorization: parse_opt("payments.authorization_id", row.authorization_id.as_ref())?,
        captures: from_lines(&row.captures)
            .map(|id| parse("payments.captures", id))
            .collect::<Result<_, _>>()?,
        amount_minor: row.amount_minor,
        currency: row.currency.as_deref().map(currency).transpose()?,
        fee_minor: row.fee_minor,
        net_minor: row.net_minor,
        payee: parse_opt("payments.payee", row.payee.as_ref())?,
        is_final: row.is_final,
        outcome: row.outcome.clone(),
        position: Position(row.position),
        at: stamp(row.at),
    })
}

pub(crate) fn stock_to_row(sku: &domain::Sku, stock: &Stock) -> StockRow {
    StockRow {
        sku: sku.to_string(),
        received: stock.received,
        adjusted: stock.adjusted,
        settled: stock.settled,
        returned: stock.returned,
        held: stock.held,
        position: stock.position.map(|position| position.0),
    }
}

pub(crate) fn stock_from_row(row: &StockRow) -> Stock {
    Stock {
        received: row.received,
        adjusted: row.adjusted,
        settled: row.settled,
        returned: row.returned,
        held: row.held,
        position: row.position.map(Position),
    }
}

pub(crate) fn coupon_to_row(coupon: &Coupon) -> CouponRow {
    CouponRow {
        code: coupon.terms.code.to_string(),
        max_uses: coupon.terms.max_uses,
        max_per_buyer: coupon.terms.max_per_buyer,
        valid_from: time(coupon.terms.valid_from),
        valid_until: time(coupon.terms.valid_until),
        voided: coupon.voided,
        held: coupon.held,
        used: coupon.used,
        position: coupon.position.0,
    }
}

pub(crate) fn coupon_from_row(row: &CouponRow) -> Result<Coupon, Error> {
    let terms = CouponTerms {
        code: parse("coupons.code", &row.code)?,
        max_uses: row.max_uses,
        max_per_buyer: row.max_per_buyer,
        valid_from: stamp(row.valid_from),
        valid_until: stamp(row.valid_until),
    };
    let position = Position(row.position);
    Ok(Coupon { terms, voided: row.voided, held: row.held, used: row.used, position })
}

pub(crate) fn coupon_buyer_to_row(
    (code, buyer): &(domain::CouponCode, domain::BuyerId),
    uses: &CouponBuyer,
) -> CouponBuyerRow {
    CouponBuyerRow { code: code.to_string(), buyer_id: buyer.to_string(), held: uses.held, used: uses.used }
}

pub(crate) fn points_to_row(buyer: &domain::BuyerId, points: &Points) -> PointsRow {
    PointsRow {
        buyer_id: buyer.to_string(),
        granted: points.granted,
        earned: points.earned,
        revoked: points.revoked,
        spent: points.spent,
        returned: points.returned,
        expired: points.expired,
        held: points.held,
        position: points.position.map(|position| position.0),
    }
}

pub(crate) fn points_from_row(row: &PointsRow) -> Points {
    Points {
        granted: row.granted,
        earned: row.earned,
        revoked: row.revoked,
        spent: row.spent,
        returned: row.returned,
        expired: row.expired,
        held: row.held,
        position: row.position.map(Position),
    }
}

pub(crate) fn parked_to_row(position: Position, group: Position, member: &Member) -> ParkedRow {
    ParkedRow {
        position: position.0,
        group_position: group.0,
        keys: lines(&member.keys),
        error: member.error.clone(),
        parked_at: member.parked_at.as_datetime(),
    }
}

pub(crate) fn group_to_row(id: Position, group: &Group) -> ParkedGroupRow {
    ParkedGroupRow {
        group_position: id.0,
        attempts: i64::from(group.attempts),
        error: group.error.clone(),
        failed_at: time(group.failed_at),
    }
}
