//! A log in memory: facts in, outcomes and rows out.

use serde_json::{Value, json};

use crate::{
    Context, Fact, Key, Order, OrderId, Outcome, OutcomeType, Points, Position, ReceivedFact, Sku, State,
    Stock, Timestamp,
};

pub(super) const START: i64 = 1_700_000_000;

#[derive(Clone)]
pub(super) struct Log {
    pub(super) state: State,
    pub(super) folded: State,
    pub(super) next: i64,
    pub(super) outcomes: Vec<(ReceivedFact, Outcome)>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { state: State::empty(), folded: State::empty(), next: 0, outcomes: Vec::new() }
    }

    /// A shop with ample stock of A and B, a coupon that may be used often, and a buyer with points.
    pub(super) fn with_goods() -> Self {
        let mut log = Self::new();
        log.given("stock.received", json!({"sku": "A", "qty": 1000}));
        log.given("stock.received", json!({"sku": "B", "qty": 1000}));
        log.given("coupon.issued", json!({"code": "TEN", "max_uses": 1000, "max_per_buyer": 100}));
        log.given("points.granted", json!({"buyer": "bea", "points": 1000}));
        log
    }

    pub(super) fn given(&mut self, type_name: &str, data: Value) -> &mut Self {
        self.when(type_name, data);
        self
    }

    /// Decides a fact; the outcomes, as names.
    pub(super) fn when(&mut self, type_name: &str, data: Value) -> Vec<&'static str> {
        self.decide(type_name, data).iter().map(|outcome| outcome.kind.name()).collect()
    }

    pub(super) fn decide(&mut self, type_name: &str, data: Value) -> Vec<Outcome> {
        let fact = Fact::from_data(type_name, &data.to_string());
        if let Ok(fact) = &fact {
            let again = Fact::from_data(type_name, &fact.to_data().unwrap().to_string());
            assert_eq!(again.as_ref(), Ok(fact), "a fact survives its entry");
        }
        let key = fact.as_ref().map_or(Key::Callback("unknown".into()), |fact| fact.key("event"));
        self.receive(ReceivedFact { position: Position(self.next), at: at(self.next), key, fact })
    }

    pub(super) fn receive(&mut self, received: ReceivedFact) -> Vec<Outcome> {
        self.next = received.position.0 + 1;
        let outcomes = self.state.decide(&received).unwrap();
        for outcome in &outcomes {
            // The fold sees what an entry carries, not what was in memory.
            let text = serde_json::to_string(&outcome.change).unwrap();
            assert!(!text.contains("null"), "an entry has no null: {text}");
            let change = serde_json::from_str(&text).unwrap();
            let cx =
                Context { position: received.position, at: received.at, fact_at: received.at, answers: None };
            self.folded.evolve(&cx, outcome.kind, &change).unwrap();
            assert_eq!(OutcomeType::parse(outcome.kind.name()), Some(outcome.kind));
            self.outcomes.push((received.clone(), outcome.clone()));
        }
        self.folded.attach(&std::sync::Arc::new(received));
        self.check();
        outcomes
    }

    pub(super) fn order(&self, id: &str) -> Order {
        self.state.orders.get(&id.parse::<OrderId>().unwrap()).unwrap().clone()
    }

    pub(super) fn stock(&self, sku: &str) -> Stock {
        self.state.stock.get(&sku.parse::<Sku>().unwrap()).copied().unwrap_or_default()
    }

    pub(super) fn points(&self, buyer: &str) -> Points {
        self.state.points.get(&buyer.parse().unwrap()).copied().unwrap_or_default()
    }

    /// (held, used)
    pub(super) fn coupon(&self, code: &str) -> (i64, i64) {
        self.state.coupons.get(&code.parse().unwrap()).map_or((0, 0), |c| (c.held, c.used))
    }

    /// Every invariant of the design, after every fact.
    fn check(&self) {
        same(&self.state, &self.folded);
        let orders: Vec<&Order> = self.state.orders.iter().map(|(_, order)| order).collect();
        for (sku, stock) in self.state.stock.iter() {
            assert!(stock.on_hand() >= 0, "{sku} on hand is {}", stock.on_hand());
            let held: i64 = orders
                .iter()
                .filter(|order| order.held_until.is_some())
                .filter_map(|order| {
                    order.terms.as_ref().filter(|terms| terms.tracks.stock)?.by_sku().get(sku).copied()
                })
                .sum();
            assert_eq!(stock.held, held, "held of {sku} is the sum of open holds");
        }
        for (code, coupon) in self.state.coupons.iter() {
            assert!(coupon.used + coupon.held <= coupon.terms.max_uses, "{code} is used too often");
        }
        for order in &orders {
            let settled = self
                .outcomes
                .iter()
                .filter(|(_, o)| o.key == Key::Order(order.order.clone()) && settles(o))
                .count();
            assert_eq!(settled, usize::from(order.paid_at.is_some()), "paid is settled exactly once");
            assert!(order.paid_at.is_none() || order.held_until.is_none());
        }
    }
}

/// An order is settled once: here, or before it was imported.
fn settles(outcome: &Outcome) -> bool {
    let paid = outcome.change.order.as_ref().is_some_and(|order| order.paid_at.is_some());
    outcome.kind == OutcomeType::OrderPaid || outcome.kind == OutcomeType::OrderImported && paid
}

pub(super) fn at(position: i64) -> Timestamp {
    let start = chrono::DateTime::from_timestamp(START, 0).unwrap();
    Timestamp::new(start).plus_seconds(position).unwrap()
}

/// Read models = fold(outcomes), all columns.
pub(super) fn same(live: &State, folded: &State) {
    assert_eq!(rows(live, true), rows(folded, true));
}

/// All rows as text, sorted; without positions and times unless asked for.
pub(super) fn rows(state: &State, with_times: bool) -> Vec<String> {
    let mut rows = Vec::new();
    for (_, order) in state.orders.iter() {
        let mut order = order.clone();
        if !with_times {
            order.position = Position(0);
            order.at = None;
            order.paid_at = order.paid_at.map(|_| at(0));
            order.held_until = order.held_until.map(|_| at(0));
            if let Some(terms) = order.terms.as_mut() {
                std::sync::Arc::make_mut(terms).placed_at = at(0);
            }
        }
        rows.push(format!("{order:?}"));
    }
    for (_, payment) in state.payments.iter() {
        let mut payment = payment.clone();
        if !with_times {
            payment.position = Position(0);
            payment.at = None;
        }
        rows.push(format!("{payment:?}"));
    }
    for (sku, stock) in state.stock.iter() {
        let mut stock = *stock;
        stock.position = stock.position.filter(|_| with_times);
        rows.push(format!("{sku:?} {stock:?}"));
    }
    for (_, coupon) in state.coupons.iter() {
        let mut coupon = coupon.clone();
        coupon.position = if with_times { coupon.position } else { Position(0) };
        rows.push(format!("{coupon:?}"));
    }
    for (key, uses) in state.coupon_buyers.iter() {
        rows.push(format!("{key:?} {uses:?}"));
    }
    for (buyer, points) in state.points.iter() {
        let mut points = *points;
        points.position = points.position.filter(|_| with_times);
        rows.push(format!("{buyer:?} {points:?}"));
    }
    for (key, group) in state.parked_keys.iter() {
        rows.push(format!("{key:?} {group:?}"));
    }
    for (id, group) in state.groups.iter() {
        rows.push(format!("{id:?} {:?} {} {}", group.members.keys(), group.attempts, group.error));
    }
    rows.sort();
    rows
}

/// Two A at 20.00, one B at 15.00, a coupon of 5.00, 100 points for 5.00; 45.00 in all, 45 points earned.
pub(super) fn placement(order: &str) -> Value {
    json!({
        "order": order, "buyer": "bea", "currency": "USD", "total_minor": 4500,
        "lines": [{"sku": "A", "qty": 2, "unit_minor": 2000}, {"sku": "B", "qty": 1, "unit_minor": 1500}],
        "coupons": [{"code": "TEN", "minor": 500}],
        "points": {"spend": 100, "minor": 500, "earn": 45},
    })
}

pub(super) fn capture(id: &str, order: &str, minor: i64) -> Value {
    json!({"capture": id, "order": order, "amount_minor": minor, "currency": "USD"})
}

pub(super) fn refund(id: &str, capture: &str, minor: i64) -> Value {
    json!({"refund": id, "capture": capture, "amount_minor": minor, "currency": "USD"})
}
