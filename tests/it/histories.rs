//! Histories of a shop, for tests of what holds whatever comes.

use domain::{MINOR_MAX, Position, ShopId};
use event_log::Appender;
use paypal_simulator::Ids;
use serde_json::{Value, json};

use crate::led_shop::{append, new_fact};

pub(crate) type Facts = Vec<(&'static str, Value)>;

/// Stands for the last fact that cannot be decided: nobody knows its position beforehand.
pub(crate) const UNDECIDED: &str = "undecided";
/// So few of each, that what happens meets what has happened.
const ORDERS: u64 = 20;
const FACTS: usize = 400;

/// Appends them in this order; the last position.
pub(crate) async fn append_all(appender: &Appender, shop: &ShopId, facts: &Facts) -> Position {
    let (mut last, mut undecided) = (Position(-1), Position(0));
    for (n, (type_name, data)) in (0..).zip(facts) {
        let mut data = data.clone();
        if data["of"] == UNDECIDED {
            data["of"] = json!(undecided);
        }
        last = append(appender, shop, new_fact(n, type_name, &data)).await;
        if data["sku"] == "FULL" || data["amount_minor"] == MINOR_MAX {
            undecided = last;
        }
    }
    last
}

fn opened(stock: i64) -> Facts {
    vec![
        ("stock.received", json!({"sku": "A", "qty": stock})),
        ("stock.received", json!({"sku": "B", "qty": stock})),
        ("stock.received", json!({"sku": "FULL", "qty": MINOR_MAX})),
        ("coupon.issued", json!({"code": "TEN", "max_uses": 9, "max_per_buyer": 5})),
        ("coupon.issued", json!({"code": "ONE", "valid_from": "2020-01-01T00:00:00Z"})),
        ("points.granted", json!({"buyer": "bea", "points": 150})),
    ]
}

/// One A for 10.00, less a coupon of 1.00 and 10 points for 1.00: 8.00 in all.
fn placement(order: &str) -> Value {
    json!({
        "order": order, "buyer": "bea", "currency": "EUR", "total_minor": 800,
        "lines": [{"sku": "A", "qty": 1, "unit_minor": 1000}],
        "coupons": [{"code": "TEN", "minor": 100}], "points": {"spend": 10, "minor": 100, "earn": 8},
    })
}

fn capture(id: &str, order: &str, minor: i64) -> Value {
    json!({"capture": id, "order": order, "amount_minor": minor, "currency": "EUR"})
}

fn refund(id: &str, capture: &str, minor: i64) -> Value {
    json!({"refund": id, "capture": capture, "amount_minor": minor, "currency": "EUR"})
}

/// Whatever goes wrong for an order or a payment, with the ways out of it.
pub(crate) fn ways_out() -> Facts {
    let mut facts = opened(20);
    let mut hasty = placement("11");
    hasty["hold_s"] = json!(1);
    facts.push(("order.placed", hasty));
    facts.extend((1..=8).map(|order| ("order.placed", placement(&order.to_string()))));
    let resolved = |order: &str, action: &str| ("order.resolved", json!({"order": order, "action": action}));
    let assigned =
        |capture: &str, order: &str| ("payment.resolved", json!({"capture": capture, "assign": order}));
    let euros = |id: &str, order: &str| json!({"capture": id, "order": order, "amount_minor": 800, "currency": "USD"});
    let mut last = capture("C2", "2", 300);
    last["final"] = json!(true);
    let mut two = capture("C4", "4", 800);
    two["paypal_order"] = json!("P5");
    let mut big = placement("9");
    (big["lines"][0]["qty"], big["total_minor"]) = (json!(5), json!(4800));
    let free = json!({"order": "10", "currency": "EUR", "total_minor": 0, "lines": [{"sku": "A", "qty": 1, "unit_minor": 0}]});
    let piece = |order: &str| json!({"order": order, "lines": [{"sku": "A", "qty": 1}]});
    facts.extend([
        // Money that names nobody, assigned; money that is set aside.
        ("payment.captured", json!({"capture": "C1", "amount_minor": 800, "currency": "EUR"})),
        assigned("C1", "1"),
        ("payment.captured", capture("C0", "who", 5)),
        ("payment.resolved", json!({"capture": "C0"})),
        // Too little and no more to come, accepted; then it all goes back, and is taken back once more.
        ("payment.captured", last),
        resolved("2", "accept"),
        ("payment.refunded", refund("R2", "C2", 300)),
        ("payment.reversed", refund("V2", "C2", 300)),
        // The wrong currency, closed.
        ("payment.captured", euros("C3", "3")),
        resolved("3", "close"),
        // Two orders at once, assigned to the second.
        ("payment.approved", json!({"paypal_order": "P5", "order": "5"})),
        ("payment.captured", two),
        assigned("C4", "5"),
        assigned("C4", "4"),
        // Cancelled after it was paid, before it was paid, and paid after that.
        ("payment.captured", capture("C6", "6", 800)),
        ("order.cancelled", json!({"order": "6"})),
        ("payment.refunded", refund("R6", "C6", 300)),
        ("payment.refunded", refund("S6", "C6", 500)),
        ("order.cancelled", json!({"order": "7"})),
        ("payment.captured", capture("C7", "7", 800)),
        // A tender and a capture that comes too, and goes back.
        ("payment.recorded", json!({"order": "8", "provider": "cash", "payment": "T8", "amount_minor": 800, "currency": "EUR"})),
        ("payment.captured", capture("C8", "8", 800)),
        ("payment.refunded", refund("R8", "C8", 800)),
        // The goods are gone when the money comes; they are found again.
        ("order.placed", big),
        ("stock.adjusted", json!({"sku": "A", "on_hand": 1})),
        ("payment.captured", capture("C9", "9", 4800)),
        resolved("9", "retry"),
        ("stock.adjusted", json!({"sku": "A", "delta": 30})),
        resolved("9", "retry"),
        ("order.shipped", piece("9")),
        ("dispute.opened", json!({"dispute": "D9", "captures": ["C9"], "amount_minor": 100, "currency": "EUR"})),
        ("order.shipped", piece("9")),
        ("dispute.resolved", json!({"dispute": "D9", "captures": ["C9"], "outcome": "RESOLVED_BUYER_FAVOUR"})),
        ("payment.refunded", refund("R9", "C9", 4800)),
        ("stock.returned", json!({"sku": "A", "qty": 1})),
        ("order.placed", free),
        // Two groups of undecided facts, which one that names both makes one; tried again, and left out.
        ("stock.received", json!({"sku": "FULL", "qty": 1})),
        ("stock.adjusted", json!({"sku": "FULL", "delta": -1})),
        ("event.redriven", json!({"of": UNDECIDED})),
        ("event.dismissed", json!({"of": UNDECIDED})),
    ]);
    for order in ["x1", "x2"] {
        facts.push(("order.placed", placement(order)));
        let more = |id: &str| json!({"capture": id, "order": order, "paypal_order": format!("P{order}"), "amount_minor": MINOR_MAX, "currency": "EUR"});
        facts.extend(["a", "b"].map(|n| ("payment.captured", more(&format!("{order}{n}")))));
    }
    facts.push((
        "payment.captured",
        json!({"capture": "xx", "order": "x2", "paypal_order": "Px1", "amount_minor": 1, "currency": "EUR"}),
    ));
    facts.extend([
        ("event.redriven", json!({"of": UNDECIDED})),
        ("event.dismissed", json!({"of": UNDECIDED})),
    ]);
    facts
}

/// What a seed brings: of every kind, in any order, as often as it likes, with ids of others.
pub(crate) fn by_chance(seed: u64) -> Facts {
    let mut chance = Chance { ids: Ids::seeded(seed) };
    let mut facts = opened(40);
    facts.extend((0..FACTS).map(|_| chance.fact()));
    facts
}

struct Chance {
    ids: Ids,
}

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.ids.number() % bound
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn order(&mut self) -> String {
        format!("o{}", self.below(ORDERS))
    }

    fn fact(&mut self) -> (&'static str, Value) {
        match self.below(40) {
            0..=7 => (self.of(&["order.placed", "order.placed", "order.revised"]), self.placement()),
            8..=16 => ("payment.captured", self.capture()),
            17..=19 => (self.of(&["payment.pending", "payment.denied"]), self.capture()),
            20..=24 => {
                (self.of(&["payment.refunded", "payment.refunded", "payment.reversed"]), self.refund())
            }
            25..=27 => self.link(),
            28 => (self.of(&["dispute.opened", "dispute.updated", "dispute.resolved"]), self.dispute()),
            29 => ("order.cancelled", json!({"order": self.order()})),
            30 => ("order.shipped", json!({"order": self.order()})),
            31 => (
                "order.shipped",
                json!({"order": self.order(), "lines": [{"sku": self.of(&["A", "B"]), "qty": 1}]}),
            ),
            32 => (
                "order.resolved",
                json!({"order": self.order(), "action": self.of(&["accept", "retry", "close"])}),
            ),
            33 => self.payment_resolved(),
            34 => self.tender(),
            35..=36 => self.stock(),
            37 => self.coupon_or_points(),
            38 => self.undecidable(),
            _ => self.settings(),
        }
    }

    fn placement(&mut self) -> Value {
        let (order, sku, qty) = (self.order(), self.of(&["A", "B"]), self.of(&[1, 1, 2, 3]));
        let mut placement = json!({"order": order, "currency": "EUR", "revision": self.below(4),
            "lines": [{"sku": sku, "qty": qty, "unit_minor": 500}, {"sku": "A", "qty": 1, "unit_minor": 500}]});
        let mut total = 500 * (qty + 1);
        // An order keeps its buyer, for a revision that names another leaves what is held with the first: not mended yet.
        let buyer = match order.bytes().last() {
            Some(b'0' | b'5') => None,
            Some(b'1'..=b'4') => Some("bea"),
            _ => Some("bob"),
        };
        if let Some(buyer) = buyer {
            placement["buyer"] = json!(buyer);
            if self.once_in(2) {
                placement["points"] = json!({"spend": self.of(&[0, 10]), "minor": 100, "earn": 7});
                total -= 100;
            }
        }
        if self.once_in(2) {
            placement["coupons"] = json!([{"code": self.of(&["TEN", "TEN", "ONE"]), "minor": 100}]);
            total -= 100;
        }
        if self.once_in(6) {
            placement["discount_minor"] = json!(total);
            total = 0;
        }
        if self.once_in(4) {
            placement["hold_s"] = json!(1);
        }
        if self.once_in(3) {
            placement["paypal_order_id"] = json!(format!("P{order}"));
        }
        placement["total_minor"] = json!(total);
        placement
    }

    /// Of one of three payments of an order, which may name another order, or none.
    fn capture(&mut self) -> Value {
        let (order, other) = (self.order(), self.order());
        let minor = self.of(&[300, 900, 1000, 1000, 1500, 2000]);
        let mut capture = json!({"capture": format!("C{order}-{}", self.below(3)), "amount_minor": minor, "currency": "EUR"});
        if !self.once_in(3) {
            capture["order"] = json!(order);
        }
        match self.below(12) {
            0..=4 => capture["paypal_order"] = json!(format!("P{order}")),
            5 => capture["paypal_order"] = json!(format!("P{other}")),
            6..=8 => capture["authorization"] = json!(format!("A{order}")),
            9 => capture["currency"] = json!("USD"),
            10 => capture["payee"] = json!(self.of(&["OURS", "THEIRS"])),
            _ => capture["final"] = json!(true),
        }
        if self.once_in(3) {
            (capture["fee_minor"], capture["net_minor"]) = (json!(30), json!(minor - 30));
        }
        capture
    }

    fn refund(&mut self) -> Value {
        let capture = format!("C{}-{}", self.order(), self.below(3));
        let mut refund =
            refund(&format!("R{capture}-{}", self.below(3)), &capture, self.of(&[100, 300, 900, 1000, 1500]));
        if self.once_in(6) {
            refund["order"] = json!(self.order());
        }
        refund
    }

    fn dispute(&mut self) -> Value {
        let captures = [format!("C{}-0", self.order()), format!("C{}-1", self.order())];
        json!({"dispute": format!("D{}", self.below(4)), "captures": captures[..self.of(&[1, 2])], "outcome": "NONE"})
    }

    fn link(&mut self) -> (&'static str, Value) {
        let (order, other) = (self.order(), self.order());
        let whose = if self.once_in(8) { &other } else { &order };
        let paypal_order = format!("P{order}");
        match self.below(4) {
            0 => ("payment.approved", json!({"paypal_order": paypal_order, "order": whose})),
            1 => (
                "payment.authorized",
                json!({"authorization": format!("A{order}"), "paypal_order": paypal_order, "amount_minor": 1000, "currency": "EUR"}),
            ),
            2 => (
                "payment.authorized",
                json!({"authorization": format!("A{order}"), "order": whose, "amount_minor": 1000, "currency": "EUR"}),
            ),
            _ if self.once_in(2) => ("payment.voided", json!({"authorization": format!("A{order}")})),
            _ => ("payment.voided", json!({"paypal_order": paypal_order})),
        }
    }

    fn payment_resolved(&mut self) -> (&'static str, Value) {
        let capture = format!("C{}-{}", self.order(), self.below(3));
        if self.once_in(3) {
            return ("payment.resolved", json!({"capture": capture}));
        }
        ("payment.resolved", json!({"capture": capture, "assign": self.order()}))
    }

    fn tender(&mut self) -> (&'static str, Value) {
        let (order, payment) = (self.order(), format!("T{}", self.below(9)));
        (
            "payment.recorded",
            json!({"order": order, "provider": "cash", "payment": payment, "amount_minor": 1000, "currency": "EUR"}),
        )
    }

    fn stock(&mut self) -> (&'static str, Value) {
        let sku = self.of(&["A", "B"]);
        match self.below(4) {
            0 => ("stock.received", json!({"sku": sku, "qty": 5})),
            1 => ("stock.returned", json!({"sku": sku, "qty": 1})),
            2 => ("stock.adjusted", json!({"sku": sku, "on_hand": self.below(20)})),
            _ => ("stock.adjusted", json!({"sku": sku, "delta": -3})),
        }
    }

    fn coupon_or_points(&mut self) -> (&'static str, Value) {
        let points = json!({"buyer": self.of(&["bea", "bob"]), "points": 20});
        match self.below(5) {
            0 => ("coupon.voided", json!({"code": self.of(&["ONE", "TWO"])})),
            1 => (
                "coupon.issued",
                json!({"code": "TWO", "max_uses": 2, "valid_until": "2100-01-01T00:00:00.5Z"}),
            ),
            2 => ("points.expired", points),
            _ => ("points.granted", points),
        }
    }

    /// What cannot be decided, what waits behind it, and the ways past it.
    fn undecidable(&mut self) -> (&'static str, Value) {
        match self.below(5) {
            0 => ("stock.received", json!({"sku": "FULL", "qty": 1})),
            1 | 2 => {
                let mut capture = self.capture();
                capture["amount_minor"] = json!(MINOR_MAX);
                ("payment.captured", capture)
            }
            3 => ("event.redriven", json!({"of": UNDECIDED})),
            _ => ("event.dismissed", json!({"of": UNDECIDED})),
        }
    }

    fn settings(&mut self) -> (&'static str, Value) {
        let mut yes = || !self.once_in(4);
        let mut settings = json!({
            "tracks": {"stock": yes(), "coupons": yes(), "points": yes()},
            "returns": {"stock": yes(), "coupons": yes(), "points": yes()},
        });
        if self.once_in(3) {
            settings["payee"] = json!("OURS");
        }
        if self.once_in(3) {
            settings["order_prefix"] = json!(self.of(&["o", "o1"]));
        }
        ("shop.configured", json!({"shop": "shop", "settings": settings}))
    }
}
