//! Whatever rows there can be.

use std::sync::Arc;

use domain::{
    Coupon, CouponBuyer, CouponTerms, CouponUse, Currency, Fulfilment, GivenBack, Line, Order, OrderFlags,
    OrderMoney, OrderState, Payment, PaymentKey, PaymentKind, PaymentState, Points, PointsUse, Position,
    Reason, ShippedLine, Standing, State, Stock, Terms, Timestamp, Tracks,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn id<T: std::str::FromStr + std::fmt::Debug>() -> impl Strategy<Value = T>
where
    T::Err: std::fmt::Debug,
{
    // Few of them, so that the same text is the id of several things, and some as long as can be.
    prop_oneof!["[ab]{1,2}", "[A-Za-z0-9_.:-]{64}"].prop_map(|text| text.parse().unwrap())
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -3_i64..100, any::<i64>()]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let micros = prop_oneof![
        1_790_000_000_000_000_i64..1_790_000_100_000_000,
        -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64
    ];
    micros.prop_map(|micros| Timestamp::from_micros(micros).unwrap())
}

fn position() -> impl Strategy<Value = Position> {
    number().prop_map(Position)
}

fn currency() -> impl Strategy<Value = Currency> {
    select(vec!["EUR", "USD", "JPY"]).prop_map(|code| Currency::parse(code).unwrap())
}

fn reasons() -> impl Strategy<Value = Vec<Reason>> {
    vec(("[a-z_]{0,9}", ".{0,40}").prop_map(|(code, detail)| Reason::new(code, detail)), 0..4)
}

fn terms() -> impl Strategy<Value = Terms> {
    let lines = vec((id(), number(), number()), 0..5);
    let coupons = vec((id(), number()), 0..3);
    let points = option::of((number(), number(), number()));
    let ids = (option::of(id()), option::of(id()), option::of(id()));
    let flags = any::<[bool; 3]>();
    (lines, coupons, points, ids, flags, number(), number(), time()).prop_map(
        |(lines, coupons, points, (buyer, paypal_order_id, ship_to), flags, hold_s, revision, placed_at)| {
            Terms {
                buyer,
                coupons: coupons.into_iter().map(|(code, minor)| CouponUse { code, minor }).collect(),
                hold_s,
                lines: lines
                    .into_iter()
                    .map(|(sku, qty, unit_minor)| Line { sku, qty, unit_minor })
                    .collect(),
                paypal_order_id,
                placed_at,
                points: points.map(|(earn, minor, spend)| PointsUse { earn, minor, spend }),
                revision,
                ship_to,
                tracks: Tracks { coupons: flags[0], points: flags[1], stock: flags[2] },
            }
        },
    )
}

fn flags() -> impl Strategy<Value = OrderFlags> {
    any::<[bool; 13]>().prop_map(|is| OrderFlags {
        accepted: is[0],
        awaiting: is[1],
        cancelled: is[2],
        closed: is[3],
        disputed: is[4],
        expired: is[5],
        live: is[6],
        mismatched: is[7],
        overpaid: is[8],
        pending: is[9],
        refused: is[10],
        review: is[11],
        unfulfillable: is[12],
    })
}

fn order() -> impl Strategy<Value = Order> {
    let state = select(vec![
        OrderState::Refused,
        OrderState::Open,
        OrderState::PartiallyPaid,
        OrderState::Paid,
        OrderState::Unfulfillable,
        OrderState::Cancelled,
        OrderState::Expired,
        OrderState::Closed,
    ]);
    let fulfilment = select(vec![Fulfilment::Wait, Fulfilment::Ship, Fulfilment::Stop, Fulfilment::Shipped]);
    let money = (number(), number(), number(), number());
    let times = (option::of(time()), option::of(time()), option::of(time()));
    let back = (any::<[bool; 3]>(), number());
    let lists = (reasons(), reasons(), vec((id(), number()), 0..3), option::of(terms()));
    (id(), currency(), (state, fulfilment, flags()), money, times, back, lists, (number(), position()))
        .prop_map(
            |(
                order,
                currency,
                (state, fulfilment, flags),
                money,
                times,
                back,
                lists,
                (total_minor, position),
            )| Order {
                currency,
                flags,
                fulfilment,
                given_back: GivenBack {
                    coupons: back.0[0],
                    points: back.0[1],
                    points_revoked: back.1,
                    stock: back.0[2],
                },
                held_until: times.0,
                money: OrderMoney {
                    captured_minor: money.0,
                    refund_due_minor: money.1,
                    refunded_minor: money.2,
                    reversed_minor: money.3,
                },
                order,
                paid_at: times.1,
                reasons: lists.0,
                refusals: lists.1,
                shipped: lists.2.into_iter().map(|(sku, qty)| ShippedLine { sku, qty }).collect(),
                state,
                terms: lists.3.map(Arc::new),
                total_minor,
                position,
                at: times.2,
            },
        )
}

fn payment_key() -> impl Strategy<Value = PaymentKey> {
    prop_oneof![
        id().prop_map(PaymentKey::PaypalOrder),
        id().prop_map(PaymentKey::Authorization),
        id().prop_map(PaymentKey::Capture),
        id().prop_map(PaymentKey::Refund),
        id().prop_map(PaymentKey::Dispute),
    ]
}

pub(super) fn payment() -> impl Strategy<Value = Payment> {
    let kind = select(vec![
        PaymentKind::PaypalOrder,
        PaymentKind::Authorization,
        PaymentKind::Capture,
        PaymentKind::Tender,
        PaymentKind::Refund,
        PaymentKind::Reversal,
        PaymentKind::Dispute,
    ]);
    let state = select(vec![
        PaymentState::Named,
        PaymentState::Approved,
        PaymentState::Authorized,
        PaymentState::Voided,
        PaymentState::Pending,
        PaymentState::Denied,
        PaymentState::Captured,
        PaymentState::Refunded,
        PaymentState::Open,
        PaymentState::Resolved,
    ]);
    let standing = select(vec![
        Standing::Matched,
        Standing::Unmatched,
        Standing::Foreign,
        Standing::Mismatched,
        Standing::Awaiting,
        Standing::Refuted,
        Standing::Dismissed,
    ]);
    let ids = (option::of(id()), option::of(id()), option::of(id()), option::of(id()), option::of(id()));
    let sums = (number(), option::of(number()), option::of(number()), option::of(currency()));
    let rest = (option::of(".{0,20}"), any::<[bool; 2]>(), position(), option::of(time()));
    (payment_key(), (kind, state, standing), ids, sums, btree_set(id(), 0..4), rest).prop_map(
        |(id, (kind, state, standing), ids, sums, captures, (outcome, is, position, at))| Payment {
            amount_minor: sums.0,
            assigned: is[0],
            authorization: ids.0,
            captures,
            currency: sums.3,
            fee_minor: sums.1,
            is_final: is[1],
            id,
            kind,
            net_minor: sums.2,
            order: ids.1,
            other_order: ids.2,
            outcome,
            payee: ids.3,
            paypal_order: ids.4,
            standing,
            state,
            position,
            at,
        },
    )
}

fn stock() -> impl Strategy<Value = Stock> {
    (vec(number(), 5), option::of(position())).prop_map(|(n, position)| Stock {
        received: n[0],
        adjusted: n[1],
        settled: n[2],
        returned: n[3],
        held: n[4],
        position,
    })
}

fn points() -> impl Strategy<Value = Points> {
    (vec(number(), 7), option::of(position())).prop_map(|(n, position)| Points {
        granted: n[0],
        earned: n[1],
        revoked: n[2],
        spent: n[3],
        returned: n[4],
        expired: n[5],
        held: n[6],
        position,
    })
}

fn coupon() -> impl Strategy<Value = Coupon> {
    let terms = (id(), number(), option::of(number()), option::of(time()), option::of(time()));
    (terms, any::<bool>(), number(), number(), position()).prop_map(
        |((code, max_uses, max_per_buyer, valid_from, valid_until), voided, held, used, position)| Coupon {
            terms: CouponTerms { code, max_uses, max_per_buyer, valid_from, valid_until },
            voided,
            held,
            used,
            position,
        },
    )
}

/// A row that is given to a state.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Order(Box<Order>),
    Payment(Box<Payment>),
    Stock(domain::Sku, Stock),
    Coupon(Coupon),
    CouponBuyer(domain::CouponCode, domain::BuyerId, CouponBuyer),
    Points(domain::BuyerId, Points),
}

pub(super) fn row() -> impl Strategy<Value = Row> {
    prop_oneof![
        order().prop_map(|order| Row::Order(Box::new(order))),
        payment().prop_map(|payment| Row::Payment(Box::new(payment))),
        (id(), stock()).prop_map(|(sku, row)| Row::Stock(sku, row)),
        coupon().prop_map(Row::Coupon),
        (id(), id(), number(), number()).prop_map(|(code, buyer, held, used)| Row::CouponBuyer(
            code,
            buyer,
            CouponBuyer { held, used }
        )),
        (id(), points()).prop_map(|(buyer, row)| Row::Points(buyer, row)),
    ]
}

/// All rows of these, the first of each key.
pub(super) fn state(rows: &[Row]) -> State {
    let mut state = State::empty();
    for row in rows.iter().cloned() {
        match row {
            Row::Order(row) => state.orders.give(row.order.clone(), Some(*row)),
            Row::Payment(row) => state.payments.give(row.id.clone(), Some(*row)),
            Row::Stock(sku, row) => state.stock.give(sku, Some(row)),
            Row::Coupon(row) => state.coupons.give(row.terms.code.clone(), Some(row)),
            Row::CouponBuyer(code, buyer, row) => state.coupon_buyers.give((code, buyer), Some(row)),
            Row::Points(buyer, row) => state.points.give(buyer, Some(row)),
        }
    }
    state
}
