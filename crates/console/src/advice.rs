//! What to do about an order now, in a sentence each.

use domain::{Fulfilment, Order, OrderState};

use crate::i18n::Text;

/// What to do, and how much it presses.
pub(crate) struct Advice {
    pub(crate) tone: &'static str,
    pub(crate) text: Text,
}

fn advice(tone: &'static str, en: &'static str, zh: &'static str) -> Advice {
    Advice { tone, text: Text::new(en, zh) }
}

/// Everything that somebody should do; never nothing.
pub(crate) fn of(order: &Order) -> Vec<Advice> {
    let mut all = Vec::new();
    let flags = &order.flags;
    if order.money.refund_due_minor > 0 {
        all.push(advice(
            "warn",
            "Refund what is due at PayPal: Counterfoil moves no money, and sees the refund by its callback.",
            "请在 PayPal 退回应退金额：本系统不动资金，退款由回调得知。",
        ));
    }
    if flags.disputed {
        all.push(advice(
            "bad",
            "Answer the dispute at PayPal; do not ship while it is open.",
            "请在 PayPal 处理争议；期间不要发货。",
        ));
    }
    if flags.unfulfillable {
        all.push(advice(
            "bad",
            "Get the goods and try again below, or close the order and refund it.",
            "补货后在下方重新扣减，或关闭订单并退款。",
        ));
    }
    if flags.review && order.paid_at.is_none() {
        all.push(advice(
            "warn",
            "PayPal says that no more comes: accept what was paid, or close the order and refund it.",
            "PayPal 表示不再有后续付款：接受已付金额，或关闭订单并退款。",
        ));
    }
    if flags.mismatched {
        all.push(advice(
            "warn",
            "A payment names this order and does not count: resolve it among the payments.",
            "有付款指向该订单但未计入：请在付款页面处理。",
        ));
    }
    if flags.overpaid {
        all.push(advice(
            "warn",
            "More came in than the total: see whether it is to be refunded.",
            "收款超过总额：请确认是否应退款。",
        ));
    }
    if flags.awaiting {
        all.push(advice(
            "plain",
            "Nothing: PayPal is asked whether it has the payment, and it counts as soon as it says so.",
            "无需操作：正在向 PayPal 确认，确认后即计入。",
        ));
    }
    if !all.is_empty() {
        return all;
    }
    all.push(match (order.state, order.fulfilment) {
        (_, Fulfilment::Ship) => advice("good", "Ship it, and tell Counterfoil (POST /v1/orders/…/ship).", "请发货，并告知本系统（POST /v1/orders/…/ship）。"),
        (_, Fulfilment::Shipped) => advice("good", "Nothing: it is paid and has left.", "无需操作：已付款并已发货。"),
        (OrderState::Refused, _) => advice(
            "bad",
            "The shop may revise it (POST /v1/orders/…/revise) once what is missing is there.",
            "补足缺少的内容后，店铺可修改订单（POST /v1/orders/…/revise）。",
        ),
        (OrderState::Expired, _) => advice(
            "warn",
            "Nothing: the buyer did not pay in time. A late payment still settles it if the goods are there.",
            "无需操作：买家未按时付款。若商品仍有，迟到的付款仍会结清。",
        ),
        (OrderState::Cancelled | OrderState::Closed, _) => advice("plain", "Nothing: it has ended.", "无需操作：订单已结束。"),
        (OrderState::PartiallyPaid, _) => advice("plain", "Wait for the rest, or accept what was paid.", "等待余款，或接受已付金额。"),
        (_, Fulfilment::Stop) => advice("warn", "Do not ship it: see the reasons.", "不要发货：请查看原因。"),
        _ => advice("plain", "Wait for the payment. Is it missing although the buyer paid? Look it up: POST /v1/orders/…/sync.", "等待付款。若买家已付却未到，请查询：POST /v1/orders/…/sync。"),
    });
    all
}
