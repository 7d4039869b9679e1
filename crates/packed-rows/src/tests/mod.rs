//! Whatever rows are stored, the very same ones come back.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Context, Fact, Missing, Payment, PaymentKey, Position, ReceivedFact, Shop, State, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{PackedRows, Workbench};
use rows::{payment, row, state};

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
    let step = (0..19_usize, 0..3_i64, 0..3_i64, 1..4_i64);
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
        let imported = |status: &str| {
            let (placement, minor) = (placement(0), qty * 1000);
            let capture = format!(r#"{{"capture":"C{other}","amount_minor":{minor}}}"#);
            format!(r#"{{"status":"{status}","placement":{placement},"captures":[{capture}]}}"#)
        };
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
            15 => ("rules.activated", r#"{"shop":"s","version":4}"#.to_owned()),
            16 => ("coupon.imported", r#"{"code":"c0","max_uses":9,"max_per_buyer":2,"used":3}"#.to_owned()),
            17 => ("order.imported", imported("open")),
            18 => ("order.imported", imported("paid")),
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
