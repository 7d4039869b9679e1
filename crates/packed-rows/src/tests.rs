//! Whatever rows are stored, the very same ones come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{
    Context, Coupon, CouponBuyer, CouponTerms, CouponUse, Currency, Fact, Fulfilment, GivenBack, Line,
    Missing, Order, OrderFlags, OrderMoney, OrderState, Payment, PaymentKey, PaymentKind, PaymentState,
    Points, PointsUse, Position, Reason, ReceivedFact, ShippedLine, Shop, Standing, State, Stock, Terms,
    Timestamp, Tracks,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{PackedRows, Workbench};

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

fn payment() -> impl Strategy<Value = Payment> {
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
enum Row {
    Order(Box<Order>),
    Payment(Box<Payment>),
    Stock(domain::Sku, Stock),
    Coupon(Coupon),
    CouponBuyer(domain::CouponCode, domain::BuyerId, CouponBuyer),
    Points(domain::BuyerId, Points),
}

fn row() -> impl Strategy<Value = Row> {
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
fn state(rows: &[Row]) -> State {
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

/// The payments that name an order, a PayPal order, an authorisation or a capture.
fn that(state: &State, names: impl Fn(&Payment) -> bool) -> BTreeSet<PaymentKey> {
    state.payments.iter().filter(|(_, payment)| names(payment)).map(|(key, _)| key.clone()).collect()
}

proptest! {
    /// Given any rows, when they are packed, then the very same ones come back, one by one and in the order of their keys.
    #[test]
    fn whatever_rows_are_packed_the_same_ones_come_back(rows in vec(row(), 0..60)) {
        let state = state(&rows);
        let packed = PackedRows::of(&state);
        for (id, order) in state.orders.iter() {
            prop_assert_eq!(packed.order(id), Some(order.clone()));
        }
        for (id, payment) in state.payments.iter() {
            prop_assert_eq!(packed.payment(id), Some(payment.clone()));
        }
        let orders: Vec<_> = packed.orders().map(|order| order.order).collect();
        prop_assert!(orders.is_sorted() && orders.len() == state.orders.iter().count());
        prop_assert_eq!(packed.payments().count(), state.payments.iter().count());
        prop_assert!(packed.all_stock().eq(sorted(state.stock.iter())));
        prop_assert!(packed.coupons().eq(sorted(state.coupons.iter()).map(|(_, row)| row)));
        prop_assert!(packed.coupon_buyers().eq(sorted(state.coupon_buyers.iter())));
        prop_assert!(packed.all_points().eq(sorted(state.points.iter())));
    }

    /// Given any rows, when others take their places and a state asks, then it is given what is there by now, and all that
    /// hangs on it.
    #[test]
    fn whatever_changes_a_state_is_given_what_is_there(
        first in vec(payment(), 0..20),
        then in vec(payment(), 0..20),
    ) {
        let mut packed = PackedRows::default();
        let mut all = State::empty();
        for batch in [first, then] {
            let mut changing = State::partial(Shop::default());
            for payment in &batch {
                packed.load(&mut changing, &Missing::Payment(payment.id.clone()));
                for on in &payment.captures {
                    packed.load(&mut changing, &Missing::PaymentsOfCapture(on.clone()));
                }
            }
            for payment in batch {
                let change = domain::Change { payments: vec![payment.clone()], ..domain::Change::default() };
                let cx = domain::Context { position: payment.position, at: Timestamp::from_micros(0).unwrap(), fact_at: Timestamp::from_micros(0).unwrap(), answers: None };
                let kind = domain::OutcomeType::PaymentNoted;
                while let Err(domain::Undecided::Missing(missing)) = changing.evolve(&cx, kind, &change) {
                    packed.load(&mut changing, &missing);
                }
                all.evolve(&cx, kind, &change).unwrap();
            }
            packed.store(&changing);
        }
        let mut given = State::partial(Shop::default());
        for (id, payment) in all.payments.iter() {
            packed.load(&mut given, &Missing::Payment(id.clone()));
            prop_assert_eq!(given.payments.get(id), Some(payment));
            if let Some(order) = &payment.order {
                packed.load(&mut given, &Missing::PaymentsOfOrder(order.clone()));
                let of_it = that(&all, |payment| payment.order.as_ref() == Some(order));
                prop_assert_eq!(given.by_order.get(order), Some(&of_it));
            }
            for capture in &payment.captures {
                packed.load(&mut given, &Missing::PaymentsOfCapture(capture.clone()));
                let about = that(&all, |payment| payment.captures.contains(capture));
                prop_assert_eq!(given.by_capture.get(capture), Some(&about));
            }
        }
    }
}

fn sorted<'a, K: Clone + Ord + 'a, V: Clone + 'a>(
    rows: impl Iterator<Item = (&'a K, &'a V)>,
) -> impl Iterator<Item = (K, V)> {
    let mut rows: Vec<(K, V)> = rows.map(|(key, row)| (key.clone(), row.clone())).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.into_iter()
}

/// A fact that stands there.
fn fact(position: i64, name: &str, data: &str) -> ReceivedFact {
    let fact = Fact::from_data(name, data).unwrap();
    let at = Timestamp::from_micros(1_790_000_000_000_000 + position * 1_234).unwrap();
    ReceivedFact { position: Position(position), at, key: fact.key("WH"), fact: Ok(fact) }
}

/// Facts of a shop where nearly everything is about the same few things, some of which cannot be decided.
fn any_fact() -> impl Strategy<Value = (&'static str, String)> {
    let step = (0..16_usize, 0..3_i64, 0..3_i64, 1..4_i64);
    step.prop_map(|(kind, order, other, qty)| {
        let placement = |revision: i64| {
            format!(
                r#"{{"order":"o{order}","buyer":"b{other}","currency":"EUR","total_minor":{},"revision":{revision},
                "lines":[{{"sku":"s{other}","qty":{qty},"unit_minor":1000}}],"coupons":[{{"code":"c0","minor":0}}],
                "points":{{"spend":1,"minor":0,"earn":5}},"paypal_order_id":"P{other}"}}"#,
                qty * 1000
            )
        };
        let capture = format!(
            r#"{{"capture":"C{other}","order":"o{order}","paypal_order":"P{order}","amount_minor":{},"currency":"EUR"}}"#,
            qty * 1000
        );
        let order_alone = format!(r#"{{"order":"o{order}"}}"#);
        match kind {
            0 => ("stock.received", format!(r#"{{"sku":"s{other}","qty":{qty}}}"#)),
            1 => ("stock.adjusted", format!(r#"{{"sku":"s{other}","delta":-{qty}}}"#)),
            2 => ("coupon.issued", r#"{"code":"c0","max_uses":3,"max_per_buyer":2}"#.to_owned()),
            3 => ("points.granted", format!(r#"{{"buyer":"b{other}","points":{qty}}}"#)),
            4 | 5 => ("order.placed", placement(0)),
            6 => ("order.revised", placement(qty)),
            7 => ("order.cancelled", order_alone),
            8 => ("order.shipped", order_alone),
            9 => ("payment.pending", capture),
            10 | 11 => ("payment.captured", capture),
            12 => {
                let refund = r#"{"refund":"R0","capture":"C0","amount_minor":1000,"currency":"EUR"}"#;
                ("payment.refunded", refund.replace("R0", &format!("R{qty}")).replace("C0", &format!("C{other}")))
            }
            13 => ("dispute.opened", format!(r#"{{"dispute":"D{qty}","captures":["C0","C{other}"]}}"#)),
            14 => ("event.redriven", format!(r#"{{"of":{}}}"#, other * 2)),
            _ => ("stock.received", format!(r#"{{"sku":"s{other}","qty":{}}}"#, domain::MINOR_MAX)),
        }
    })
}

proptest! {
    /// Given any facts, when they are decided over rows at rest, then the answers and the rows are those of a state that
    /// knows every row; and the same when their outcomes alone are folded, or a decision is taken back and made again.
    #[test]
    fn a_workbench_decides_and_folds_as_a_state_does_that_knows_every_row(
        facts in vec((any_fact(), any::<bool>()), 0..60),
        facts_max in 1..8_u32,
    ) {
        let mut state = State::empty();
        let mut deciding = Workbench::emptied_after(facts_max);
        let mut folding = Workbench::emptied_after(facts_max);
        for (n, ((name, data), is_taken_back)) in facts.iter().enumerate() {
            let fact = Arc::new(fact(n as i64, name, data));
            state.mark_stored();
            let outcomes = state.decide(&fact);
            if *is_taken_back {
                prop_assert_eq!(&deciding.decide(&fact), &outcomes);
                deciding.revert();
            }
            prop_assert_eq!(&deciding.decide(&fact), &outcomes);
            deciding.keep();
            for outcome in outcomes.iter().flatten() {
                let cx = Context { position: fact.position, at: fact.at, fact_at: fact.at, answers: outcome.answers };
                prop_assert_eq!(folding.evolve(&cx, outcome.kind, &outcome.change), Ok(()));
                folding.attach(&fact);
            }
            folding.keep();
        }
        same(&state, deciding.rows())?;
        same(&state, folding.rows())?;
    }
}

/// Whether these are the rows of a state.
fn same(state: &State, packed: &PackedRows) -> Result<(), TestCaseError> {
    prop_assert_eq!(packed.shop(), &state.shop);
    prop_assert!(packed.orders().eq(sorted(state.orders.iter()).map(|(_, row)| row)));
    let payments: BTreeMap<_, _> = packed.payments().map(|row| (row.id.clone(), row)).collect();
    prop_assert!(payments.into_iter().eq(sorted(state.payments.iter())));
    prop_assert!(packed.all_stock().eq(sorted(state.stock.iter())));
    prop_assert!(packed.coupons().eq(sorted(state.coupons.iter()).map(|(_, row)| row)));
    prop_assert!(packed.coupon_buyers().eq(sorted(state.coupon_buyers.iter())));
    prop_assert!(packed.all_points().eq(sorted(state.points.iter())));
    let groups: BTreeMap<_, _> = packed.groups().map(|(id, group)| (id, group.clone())).collect();
    prop_assert!(groups.into_iter().eq(sorted(state.groups.iter())));
    let keys: BTreeMap<_, _> = packed.parked_keys().map(|(key, group)| (key.clone(), group)).collect();
    prop_assert!(keys.into_iter().eq(sorted(state.parked_keys.iter())));
    Ok(())
}

/// A bench where facts are decided one by one.
#[derive(Default)]
struct Decided {
    bench: Workbench,
    position: i64,
}

impl Decided {
    fn decide(&mut self, name: &str, data: &str) {
        self.bench.decide(&fact(self.position, name, data)).unwrap();
        self.bench.keep();
        self.position += 2;
    }

    /// Articles, coupons and buyers.
    fn goods(&mut self, count: i64) {
        for n in 0..count {
            self.decide("stock.received", &format!(r#"{{"sku":"sku-{n}","qty":1000000000}}"#));
            self.decide("coupon.issued", &format!(r#"{{"code":"code-{n}","max_uses":1000000000}}"#));
            self.decide("points.granted", &format!(r#"{{"buyer":"buyer-{n}","points":1000000000}}"#));
        }
    }

    fn place(&mut self, n: i64, goods: i64) {
        let placement = format!(
            r#"{{"order":"order-{n:08}","buyer":"buyer-{goods}","currency":"EUR","total_minor":2400,
            "lines":[{{"sku":"sku-{goods}","qty":2,"unit_minor":1250}}],
            "coupons":[{{"code":"code-{goods}","minor":50}}],"points":{{"spend":5,"minor":50,"earn":24}}}}"#
        );
        self.decide("order.placed", &placement);
    }

    /// A capture that names its order, or nothing but itself.
    fn capture(&mut self, n: i64, names_order: bool) {
        let names = format!(r#""order":"order-{n:08}","paypal_order":"PPORDER{n:010}","#);
        let names = if names_order { names.as_str() } else { "" };
        let capture = format!(
            r#"{{{names}"capture":"CAPTURE{n:010}","amount_minor":2400,"currency":"EUR","fee_minor":84,
            "net_minor":2316,"final":true}}"#
        );
        self.decide("payment.captured", &capture);
    }

    fn bytes(&mut self) -> usize {
        self.bench.rows().bytes()
    }
}

const ORDERS: i64 = 20_000;

/// Whether each of the orders takes so many bytes at most.
fn takes_at_most(bytes: usize, before: usize, each: usize) {
    let most = each * usize::try_from(ORDERS).unwrap();
    assert!(bytes - before <= most, "{} bytes, {most} are allowed", bytes - before);
}

/// Design section 7: at most 250 bytes an order with its payments and its part of what orders share.
#[test]
fn given_orders_that_are_placed_and_paid_when_they_are_packed_then_each_takes_at_most_250_bytes() {
    let mut decided = Decided::default();
    let before = decided.bytes();
    let goods = ORDERS / 100;
    decided.goods(goods);
    (0..ORDERS).for_each(|n| decided.place(n, n % goods));
    (0..ORDERS).for_each(|n| decided.capture(n, true));
    takes_at_most(decided.bytes(), before, 250);
}

/// The same section: 64 a payment of no order.
#[test]
fn given_captures_of_no_order_when_they_are_packed_then_each_takes_at_most_64_bytes() {
    let mut decided = Decided::default();
    let before = decided.bytes();
    (0..ORDERS).for_each(|n| decided.capture(n, false));
    takes_at_most(decided.bytes(), before, 64);
}

/// The same section: none an event. Positions and sums become longer with their numbers, as many rows as there are.
#[test]
fn given_facts_that_change_the_same_rows_when_they_are_packed_then_facts_take_no_bytes() {
    let mut decided = Decided::default();
    decided.goods(100);
    (0..100).for_each(|n| decided.place(n, n));
    (0..100).for_each(|n| decided.capture(n, true));
    let (before, laps) = (decided.bytes(), 100);
    for n in 0..laps {
        (0..100).for_each(|of| decided.capture(of, true));
        (0..100)
            .for_each(|of| decided.decide("stock.received", &format!(r#"{{"sku":"sku-{of}","qty":1{n}}}"#)));
    }
    let (grown, facts) = (decided.bytes() - before, laps * 200);
    assert!(grown * 10 < facts, "{grown} bytes for {facts} facts");
}
