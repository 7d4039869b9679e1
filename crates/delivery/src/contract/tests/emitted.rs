//! Whatever comes, in whatever order: each fact and each outcome keeps its contract, and has nothing that it does not name.

use std::collections::{BTreeSet, HashMap};

use domain::{Fact, MINOR_MAX, OrderId, OutcomeType, Position, ReceivedFact, State, Timestamp};
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::super::{Contract, Kind, all};
use super::validator;

/// What the rules never answer so far.
const NEVER: [OutcomeType; 1] = [OutcomeType::StockRejected];
/// The fact that a log begins with which cannot be decided.
const PARKED: i64 = 5;

type Dice = (u8, u8, u8, u8);

struct Log {
    state: State,
    next: i64,
    validators: HashMap<(Kind, &'static str), Validator>,
    seen: BTreeSet<(bool, &'static str)>,
}

impl Log {
    fn new() -> Self {
        let validators = all()
            .iter()
            .map(|contract| ((contract.kind, contract.type_name), validator(&contract.closed_schema())));
        Self { state: State::empty(), next: 0, validators: validators.collect(), seen: BTreeSet::new() }
    }

    /// A new log, in which one fact cannot be decided.
    fn begin(&mut self) {
        (self.state, self.next) = (State::empty(), 0);
        self.when("stock.received", json!({"sku": "A", "qty": 9}));
        self.when(
            "coupon.issued",
            json!({"code": "TEN", "max_uses": 9, "valid_until": "2100-01-01T00:00:00Z"}),
        );
        self.when("points.granted", json!({"buyer": "bea", "points": 300}));
        self.when("stock.received", json!({"sku": "FULL", "qty": MINOR_MAX}));
        self.when("callback.unreadable", json!({"why": "resource.amount"}));
        self.when("stock.received", json!({"sku": "FULL", "qty": 1}));
    }

    fn when(&mut self, name: &str, data: Value) {
        let fact = Fact::from_data(name, &data.to_string()).unwrap();
        self.check(Kind::Fact, fact.type_name(), &fact.to_data().unwrap());
        let position = Position(self.next);
        let start = Timestamp::new(chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let at = start.plus_seconds(self.next).unwrap();
        let received = ReceivedFact { position, at, key: fact.key("WH-1"), fact: Ok(fact) };
        self.next += 1;
        for outcome in self.state.decide(&received).unwrap() {
            self.check(Kind::Outcome, outcome.kind.name(), &serde_json::to_value(&outcome.change).unwrap());
        }
    }

    fn check(&mut self, kind: Kind, name: &'static str, data: &Value) {
        self.seen.insert((kind == Kind::Fact, name));
        let wrong: Vec<String> =
            self.validators[&(kind, name)].iter_errors(data).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{kind:?} {name}: {wrong:?}\n{data:#}");
    }

    /// Something that may happen to one of two orders, by dice.
    fn happens(&mut self, (what, a, b, c): Dice) {
        let (order, id) = (format!("{}", a % 2), format!("C{}", b % 3));
        let minor = [4500, 4500, 2000, 5000][usize::from(c % 4)];
        let capture = json!({"capture": id, "order": order, "amount_minor": minor, "currency": "USD", "fee_minor": 9,
            "net_minor": minor - 9, "final": c == 7});
        let nameless = json!({"capture": id, "paypal_order": format!("P{}", c % 2), "payee": "THEIRS",
            "authorization": format!("A{}", a % 2), "amount_minor": minor, "currency": "USD"});
        let refund =
            json!({"refund": format!("R{}", c % 3), "capture": id, "amount_minor": minor, "currency": "USD"});
        let dispute = json!({"dispute": "D1", "captures": [id], "amount_minor": minor, "currency": "USD", "status": "OPEN"});
        let authorized = json!({"authorization": format!("A{}", b % 2), "order": order, "paypal_order": format!("P{}", c % 2),
            "amount_minor": minor, "currency": "USD", "odd_id": "ab12"});
        let (name, data) = match what {
            0..=4 => ("order.placed", placement(&order, i64::from(b), 0)),
            5 => ("order.revised", placement(&order, i64::from(b), i64::from(c))),
            6 => ("order.cancelled", json!({"order": order})),
            7 | 8 => ("order.shipped", json!({"order": order})),
            9 => ("order.shipped", json!({"order": order, "lines": [{"sku": "A", "qty": c}]})),
            10 | 11 => (
                "order.resolved",
                json!({"order": order, "action": (["accept", "retry", "close"][usize::from(b % 3)])}),
            ),
            12..=17 => ("payment.captured", capture),
            18 => ("payment.pending", capture),
            19 => ("payment.denied", capture),
            20 | 21 => ("payment.captured", nameless),
            22 => ("payment.approved", json!({"paypal_order": format!("P{}", c % 2), "order": order})),
            23 => ("payment.authorized", authorized),
            24 => ("payment.voided", json!({"authorization": format!("A{}", b % 2)})),
            25 => ("payment.voided", json!({"paypal_order": format!("P{}", b % 2), "order": order})),
            26 | 27 => ("payment.refunded", refund),
            28 => ("payment.reversed", refund),
            29 => ("dispute.opened", dispute),
            30 => ("dispute.updated", dispute),
            31 => ("dispute.resolved", dispute),
            32 => (
                "payment.recorded",
                json!({"order": order, "provider": if c == 0 { "a:b" } else { "cash" }, "payment": id, "amount_minor": minor, "currency": "USD"}),
            ),
            33 => ("payment.resolved", json!({"capture": id, "assign": order})),
            34 => ("payment.resolved", json!({"capture": id})),
            35 => ("stock.adjusted", json!({"sku": "A", "on_hand": b})),
            36 => ("stock.returned", json!({"sku": "A", "qty": 1 + i64::from(b)})),
            37 => ("coupon.voided", json!({"code": (["TEN", "NONE"][usize::from(b % 2)])})),
            38 => ("coupon.issued", json!({"code": format!("N{}", b % 3), "max_per_buyer": 1})),
            39 => ("points.expired", json!({"buyer": "bea", "points": 60 * i64::from(1 + c)})),
            40 => (
                "shop.configured",
                json!({"shop": "s", "settings": {"payee": "OURS", "tracks": {"stock": b > 1}, "returns": {"stock": c > 1}}}),
            ),
            41 => ("shop.configured", json!({"shop": "s", "settings": {"order_prefix": "0"}})),
            42 => ("rules.activated", json!({"shop": "s", "version": 1})),
            43 => ("event.redriven", json!({"of": PARKED})),
            44 => ("event.dismissed", json!({"of": PARKED})),
            45 => ("callback.retranslated", json!({"of": 4, "type": "payment.captured", "data": capture})),
            50 => (
                "shop.configured",
                json!({"shop": "s", "settings": {"confirm_above": [{"currency": "USD", "minor": 4000}]}}),
            ),
            51 => ("capture.confirmed", json!({"capture": id, "amount_minor": minor, "currency": "USD"})),
            52 => (
                "capture.refuted",
                json!({"capture": id, "reasons": [{"code": "amount", "detail": "differs"}]}),
            ),
            53 => ("rules.activated", json!({"shop": "s", "version": 4})),
            54 => ("stock.imported", json!({"sku": "A", "on_hand": 3 + c})),
            55 => (
                "coupon.imported",
                json!({"code": format!("N{}", b % 3), "max_uses": 9, "max_per_buyer": 2, "used": c, "voided": c == 1}),
            ),
            56 => {
                ("coupon.buyer_imported", json!({"code": format!("N{}", b % 3), "buyer": "bea", "used": c}))
            }
            57 => ("points.imported", json!({"buyer": "bea", "balance": 40})),
            58 => {
                ("order.imported", json!({"status": "open", "placement": placement(&order, i64::from(b), 0)}))
            }
            59 => (
                "order.imported",
                json!({
                    "status": "paid", "placement": placement(&order, 0, 0), "paid_at": "2026-01-01T00:00:00Z",
                    "captures": [{"capture": id, "amount_minor": minor, "pending": c == 6}],
                    "tenders": [{"provider": "cash", "payment": id, "amount_minor": 500}],
                    "refunds": [{"refund": "R9", "capture": id, "amount_minor": 100, "reversal": c == 5}],
                    "shipment": {"lines": [{"sku": "A", "qty": 1}]},
                }),
            ),
            60 => ("shop.configured", json!({"shop": "s", "settings": {"shadow": true}})),
            46 => ("callback.ignored", json!({"paypal_type": "BILLING.PLAN.CREATED"})),
            _ => match self
                .state
                .orders
                .get(&order.parse::<OrderId>().unwrap())
                .and_then(|order| order.held_until)
            {
                Some(deadline) => ("order.expired", json!({"order": order, "deadline": deadline})),
                None => ("callback.revised", json!({"of": 4})),
            },
        };
        self.when(name, data);
    }
}

fn placement(order: &str, dice: i64, revision: i64) -> Value {
    let mut placement = json!({
        "order": order, "buyer": "bea", "currency": "USD", "total_minor": 4500, "ship_to": "home", "revision": revision,
        "lines": [{"sku": "A", "qty": 2, "unit_minor": 2000}], "tax_minor": 1500,
        "coupons": [{"code": "TEN", "minor": 500}], "points": {"spend": 100, "minor": 500, "earn": 45},
    });
    if dice == 1 {
        placement["paypal_order_id"] = json!("P1");
        placement["hold_s"] = json!(60);
    }
    if dice == 2 {
        placement =
            json!({"order": order, "currency": "USD", "total_minor": 0, "revision": revision, "lines": []});
    }
    placement
}

#[test]
fn every_fact_and_outcome_keeps_its_contract_whatever_comes() {
    let mut log = Log::new();
    let mut runner = TestRunner::deterministic();
    let logs = prop::collection::vec((0_u8..61, 0_u8..4, 0_u8..4, 0_u8..8), 1..40);
    for _ in 0..1500 {
        log.begin();
        let dice: Vec<Dice> = logs.new_tree(&mut runner).unwrap().current();
        dice.into_iter().for_each(|dice| log.happens(dice));
    }
    let is_seen =
        |contract: &&Contract| log.seen.contains(&(contract.kind == Kind::Fact, contract.type_name));
    let never = |contract: &&Contract| NEVER.iter().any(|kind| kind.name() == contract.type_name);
    let unseen: Vec<&str> = all()
        .iter()
        // Notes are no answer to anything.
        .filter(|contract| contract.kind != Kind::Note && is_seen(contract) == never(contract))
        .map(|contract| contract.type_name)
        .collect();
    assert!(unseen.is_empty(), "never came, or should not have come: {unseen:?}");
}
