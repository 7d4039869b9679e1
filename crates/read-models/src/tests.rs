use std::sync::Arc;

use domain::{
    CouponTerms, Fulfilment, GivenBack, Order, OrderFlags, OrderMoney, OrderState, Payment, PaymentKey,
    PaymentKind, PaymentState, Position, Reason, ShippedLine, Standing, Terms, Timestamp, Tracks,
};
use serde_json::json;

use crate::convert::{
    coupon_from_row, coupon_to_row, order_from_row, order_to_row, payment_from_row, payment_to_row,
};

fn at(text: &str) -> Timestamp {
    serde_json::from_value(json!(text)).unwrap()
}

fn order() -> Order {
    let terms = Terms {
        revision: 3,
        buyer: Some("bea".parse().unwrap()),
        lines: serde_json::from_value(json!([{"sku": "A", "qty": 2, "unit_minor": 5}])).unwrap(),
        coupons: serde_json::from_value(json!([{"code": "TEN", "minor": 1}])).unwrap(),
        points: serde_json::from_value(json!({"spend": 1, "minor": 1, "earn": 2})).unwrap(),
        paypal_order_id: Some("P1".parse().unwrap()),
        ship_to: Some("home".parse().unwrap()),
        tracks: Tracks { stock: true, coupons: false, points: true },
        hold_s: 60,
        placed_at: at("2026-01-01T00:00:00.000001Z"),
    };
    Order {
        order: "1042".parse().unwrap(),
        currency: serde_json::from_value(json!("EUR")).unwrap(),
        total_minor: 9,
        state: OrderState::PartiallyPaid,
        fulfilment: Fulfilment::Wait,
        reasons: vec![Reason::new("unpaid", "no payment \"yet\"")],
        refusals: vec![Reason::new("stock_insufficient", "1 of 2")],
        flags: OrderFlags { review: true, live: true, ..OrderFlags::default() },
        money: OrderMoney { captured_minor: 4, refunded_minor: 3, reversed_minor: 2, refund_due_minor: 1 },
        held_until: Some(at("2026-01-02T00:00:00Z")),
        paid_at: Some(at("2026-01-03T00:00:00Z")),
        given_back: GivenBack { points_revoked: 7, points: true, coupons: false, stock: true },
        shipped: vec![ShippedLine { sku: "A".parse().unwrap(), qty: 1 }],
        terms: Some(Arc::new(terms)),
        position: Position(12),
        at: Some(at("2026-01-04T00:00:00Z")),
    }
}

#[test]
fn an_order_survives_its_row() {
    let full = order();
    assert_eq!(order_from_row(&order_to_row(&full).unwrap()).unwrap(), full);
    let bare = Order {
        reasons: Vec::new(),
        refusals: Vec::new(),
        flags: OrderFlags::default(),
        held_until: None,
        paid_at: None,
        given_back: GivenBack::default(),
        shipped: Vec::new(),
        terms: None,
        at: None,
        ..order()
    };
    assert_eq!(order_from_row(&order_to_row(&bare).unwrap()).unwrap(), bare);
}

#[test]
fn a_payment_survives_its_row() {
    let keys = [
        (PaymentKey::PaypalOrder("P".parse().unwrap()), PaymentKind::PaypalOrder),
        (PaymentKey::Authorization("A".parse().unwrap()), PaymentKind::Authorization),
        (PaymentKey::Capture("cash:1".parse().unwrap()), PaymentKind::Tender),
        (PaymentKey::Refund("R".parse().unwrap()), PaymentKind::Reversal),
        (PaymentKey::Dispute("D".parse().unwrap()), PaymentKind::Dispute),
    ];
    for (id, kind) in keys {
        let payment = Payment {
            id,
            kind,
            state: PaymentState::Resolved,
            standing: Standing::Mismatched,
            order: Some("1".parse().unwrap()),
            other_order: Some("2".parse().unwrap()),
            assigned: true,
            paypal_order: Some("P".parse().unwrap()),
            authorization: Some("A".parse().unwrap()),
            captures: ["C1", "C2"].map(|id| id.parse().unwrap()).into(),
            amount_minor: 5,
            currency: Some(serde_json::from_value(json!("JPY")).unwrap()),
            fee_minor: Some(1),
            net_minor: Some(4),
            payee: Some("M".parse().unwrap()),
            is_final: true,
            outcome: Some("RESOLVED_BUYER_FAVOUR".to_owned()),
            position: Position(3),
            at: Some(at("2026-01-04T00:00:00Z")),
        };
        assert_eq!(payment_from_row(&payment_to_row(&payment)).unwrap(), payment);
    }
}

#[test]
fn a_coupon_survives_its_row() {
    let terms = CouponTerms {
        code: "TEN".parse().unwrap(),
        max_uses: 3,
        max_per_buyer: Some(1),
        valid_from: Some(at("2026-01-04T00:00:00Z")),
        valid_until: None,
    };
    let coupon = domain::Coupon { terms, voided: true, held: 1, used: 2, position: Position(3) };
    assert_eq!(coupon_from_row(&coupon_to_row(&coupon)).unwrap(), coupon);
}
