//! What types of events, reasons, states and flags are called.

use crate::i18n::Text;

macro_rules! table {
    ($(#[$doc:meta])* $find:ident, $all:ident: $($name:literal => $en:literal, $zh:literal;)*) => {
        $(#[$doc])*
        pub(crate) fn $find(name: &str) -> Option<Text> {
            match name {
                $($name => Some(Text::new($en, $zh)),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const $all: &[&str] = &[$($name,)*];
    };
}

table! {
    /// A fact or a note, in a few words.
    fact, FACTS:
    "payment.approved" => "The buyer approved at PayPal", "买家已在 PayPal 同意付款";
    "payment.authorized" => "Money was authorised", "资金已授权";
    "payment.voided" => "Ended at PayPal without money", "PayPal 端已终止，无资金";
    "payment.pending" => "A capture is under way", "收款处理中";
    "payment.captured" => "Money came in", "已收款";
    "payment.denied" => "A capture was denied", "收款被拒";
    "payment.refunded" => "Money went back to the buyer", "已退款给买家";
    "payment.reversed" => "PayPal took money back", "PayPal 撤回了款项";
    "callback.revised" => "A known callback came with other bytes", "已知回调内容不同，再次到达";
    "dispute.opened" => "A dispute was opened", "争议已开启";
    "dispute.updated" => "A dispute went on", "争议有更新";
    "dispute.resolved" => "A dispute ended", "争议已结束";
    "callback.ignored" => "A callback that means nothing here", "与本系统无关的回调";
    "callback.unreadable" => "A callback that cannot be understood", "无法理解的回调";
    "callback.retranslated" => "A callback was read again", "回调被重新解读";
    "order.placed" => "The shop placed the order", "店铺下单";
    "order.revised" => "The shop revised the order", "店铺修改订单";
    "order.cancelled" => "The shop cancelled the order", "店铺取消订单";
    "order.shipped" => "The shop shipped", "店铺发货";
    "order.resolved" => "An operator resolved the order", "操作员处理了订单";
    "payment.recorded" => "The shop recorded another payment", "店铺记录了其他付款";
    "payment.resolved" => "An operator resolved a payment", "操作员处理了付款";
    "capture.confirmed" => "PayPal confirmed a capture", "PayPal 确认了收款";
    "capture.refuted" => "PayPal does not know a capture so", "PayPal 否认了收款";
    "stock.received" => "Stock came in", "商品入库";
    "stock.adjusted" => "Stock was counted", "库存盘点";
    "stock.returned" => "Stock came back", "商品退回";
    "coupon.issued" => "A coupon was issued", "发放优惠券";
    "coupon.voided" => "A coupon was voided", "作废优惠券";
    "points.granted" => "Points were granted", "赠送积分";
    "points.expired" => "Points lapsed", "积分过期";
    "stock.imported" => "Stock was brought along", "导入库存";
    "coupon.imported" => "A coupon was brought along", "导入优惠券";
    "coupon.buyer_imported" => "A buyer's uses of a coupon were brought along", "导入买家的优惠券使用次数";
    "points.imported" => "Points were brought along", "导入积分";
    "order.imported" => "An order was brought along", "导入订单";
    "shop.configured" => "The shop's settings were changed", "店铺设置已更改";
    "rules.activated" => "A version of the rules was put in force", "规则版本已启用";
    "event.dismissed" => "An operator left out a parked fact", "操作员忽略了搁置的事实";
    "order.expired" => "The hold's time ran out", "保留期限已到";
    "event.redriven" => "A parked fact is tried again", "重试搁置的事实";
    "log.forked" => "A new epoch of the log begins", "日志进入新纪元";
    "projection.digest" => "Digests of the read models", "读模型摘要";
    "key.rotated" => "The log is signed with another key", "日志签名密钥已更换";
    "subject.erased" => "A buyer's evidence was made unreadable", "买家证据已不可读";
    "legal_hold.placed" => "A legal hold was placed", "已设置法律保留";
    "legal_hold.lifted" => "A legal hold was lifted", "已解除法律保留";
    "settlement.reconciled" => "PayPal's report was compared with the log", "已与 PayPal 结算报告核对";
    "sink.changed" => "A sink was changed", "推送目标已更改";
    "consumer.changed" => "A consumer was changed", "消费者已更改";
    "api_key.changed" => "An API key was changed", "API 密钥已更改";
    "webhook.changed" => "Webhook ids were changed", "Webhook 编号已更改";
    "evidence.opened" => "Evidence was opened", "证据被打开";
    "evidence.handed_over" => "Evidence was handed over", "证据已移交";
    "log.verified" => "The log was verified", "日志已验证";
    "log.replayed" => "The log was decided again", "日志已重放";
}

table! {
    /// An outcome, in a few words.
    outcome, OUTCOMES:
    "order.placed" => "Placed: everything is held", "已下单：商品等均已保留";
    "order.refused" => "Refused: nothing is held", "被拒绝：未作任何保留";
    "order.revised" => "Revised: the new holds are in place", "已修改：新的保留已生效";
    "order.rejected" => "A command for it was refused", "针对该订单的命令被拒绝";
    "order.payment_noted" => "A payment of it was noted", "记录了一笔付款变化";
    "order.payment_pending" => "A payment is pending: the hold stays", "付款处理中：保留继续";
    "order.payment_mismatched" => "A payment names it that does not count", "指向该订单的付款未计入";
    "order.payment_awaiting_confirmation" => "A large payment waits for PayPal's confirmation", "大额付款等待 PayPal 确认";
    "order.payment_refuted" => "PayPal has another capture or none: it does not count", "PayPal 没有该收款：未计入";
    "order.partially_paid" => "Paid in part", "部分付款";
    "order.paid" => "Paid: stock, coupons and points went with the money", "已付款：库存、优惠券与积分同时结清";
    "order.unfulfillable" => "Paid, but the goods are not to be had", "已付款，但商品无法提供";
    "order.overpaid" => "More came in than the total", "收款超过总额";
    "order.refunded" => "Money went back, and what follows from it", "已退款，并退回相关项目";
    "order.reversed" => "PayPal took money back", "PayPal 撤回了款项";
    "order.disputed" => "A dispute is open: fulfilment stops", "争议进行中：暂停发货";
    "order.dispute_resolved" => "No dispute is open any more", "争议已全部结束";
    "order.held" => "Held again", "重新保留";
    "order.released" => "The hold was released", "保留已释放";
    "order.expired" => "The hold ran out", "保留已过期";
    "order.cancelled" => "Cancelled", "已取消";
    "order.shipped" => "Shipped", "已发货";
    "order.closed" => "Closed by an operator", "已由操作员关闭";
    "payment.noted" => "A payment without a known order was noted", "记录了无对应订单的付款";
    "payment.unmatched" => "Money came in for no order that is known", "收款没有对应的订单";
    "payment.foreign" => "Money came in for an order that is not the shop's", "收款指向非本店的订单";
    "payment.mismatched" => "Money came in that cannot count", "收款无法计入";
    "payment.dismissed" => "An operator set the payment aside", "操作员已搁开该付款";
    "payment.rejected" => "A command for the payment was refused", "针对该付款的命令被拒绝";
    "stock.received" => "Stock came in", "商品入库";
    "stock.adjusted" => "Stock was counted", "库存盘点";
    "stock.returned" => "Stock came back", "商品退回";
    "stock.short" => "Less is left than is held", "现有少于保留";
    "stock.rejected" => "A command for stock was refused", "库存命令被拒绝";
    "coupon.issued" => "The coupon may be used", "优惠券可以使用";
    "coupon.voided" => "The coupon takes no new holds", "优惠券不再接受使用";
    "coupon.rejected" => "A command for the coupon was refused", "优惠券命令被拒绝";
    "points.granted" => "Points were given", "积分已赠送";
    "points.expired" => "Points have lapsed", "积分已过期";
    "points.rejected" => "A command for points was refused", "积分命令被拒绝";
    "stock.imported" => "The stock is there", "库存已导入";
    "coupon.imported" => "The coupon is there, with its uses", "优惠券及使用次数已导入";
    "coupon.buyer_imported" => "The buyer's uses are counted", "买家使用次数已导入";
    "points.imported" => "The points are there", "积分已导入";
    "order.imported" => "The order is known, with its payments", "订单及其付款已导入";
    "shop.rejected" => "The settings were refused", "设置被拒绝";
    "shop.configured" => "The settings are in force", "设置已生效";
    "rules.activated" => "The rules are in force", "规则已生效";
    "event.parked" => "Could not be decided: parked", "无法处理：已搁置";
    "event.unparked" => "Parked no longer", "不再搁置";
    "event.rejected" => "Nothing was parked there", "该处没有搁置内容";
}

table! {
    /// Why not: a reason's code.
    reason, REASONS:
    "stock_insufficient" => "Not enough stock", "库存不足";
    "points_insufficient" => "Not enough points", "积分不足";
    "coupon_unknown" => "The coupon is not known", "优惠券不存在";
    "coupon_voided" => "The coupon was voided", "优惠券已作废";
    "coupon_not_yet_valid" => "The coupon is not valid yet", "优惠券尚未生效";
    "coupon_expired" => "The coupon is no longer valid", "优惠券已过期";
    "coupon_used_up" => "The coupon is used up", "优惠券已用完";
    "coupon_needs_buyer" => "The coupon needs a buyer", "优惠券需要买家";
    "coupon_used_by_buyer" => "The buyer has used the coupon", "买家已用过该优惠券";
    "coupon_exists" => "The coupon exists", "优惠券已存在";
    "coupon_limits_no_buyers" => "The coupon limits no buyer", "该优惠券不限制买家";
    "payment_of_another" => "The payment is another order's", "付款属于其他订单";
    "rules_too_old" => "The rules in force do not know it yet", "当前规则版本尚不支持";
    "order_exists" => "The order exists", "订单已存在";
    "order_unknown" => "The order is not known", "订单不存在";
    "order_ended" => "The order has ended", "订单已结束";
    "revision_stale" => "A newer revision is in force", "已有更新的修订";
    "payment_under_way" => "A payment is under way", "付款进行中";
    "payment_unknown" => "The payment is not known", "付款不存在";
    "payment_matched" => "The payment counts already", "付款已计入";
    "payment_refuted" => "PayPal does not know the payment so", "PayPal 否认该付款";
    "more_than_ordered" => "More than was ordered", "超出订购数量";
    "buyer_changed" => "The buyer may not change", "买家不能更改";
    "not_parked" => "Nothing is parked there", "该处没有搁置内容";
    "not_awaiting" => "It awaits no confirmation", "不在等待确认";
    "not_unfulfillable" => "There is nothing to try again", "没有可重试的内容";
    "cancelled" => "The shop cancelled it", "店铺已取消";
    "closed" => "An operator closed it", "操作员已关闭";
    "unfulfillable" => "Paid, but the goods are not to be had", "已付款，但商品无法提供";
    "disputed" => "A dispute is open", "争议进行中";
    "refunded" => "The money went back", "已退款";
    "reversed" => "PayPal took money back", "PayPal 撤回了款项";
    "refused" => "Its placement was refused", "下单被拒绝";
    "unpaid" => "No payment has come in", "尚未付款";
    "payment_pending" => "A payment is under way", "付款处理中";
    "awaiting_confirmation" => "PayPal is asked whether it has the capture", "正向 PayPal 确认收款";
    "partially_paid" => "The payments do not reach the total", "付款未达总额";
    "review" => "PayPal says that no more comes", "PayPal 表示不再有后续付款";
    "mismatched" => "A payment names it that does not count", "指向该订单的付款未计入";
    "expired" => "The hold has run out", "保留已过期";
    "shipped" => "It has left", "已发货";
    "paid" => "It is settled", "已结清";
    "amount" => "Another amount", "金额不同";
    "provider" => "The provider's name is not valid", "付款方名称无效";
    "order_prefix" => "The prefix is not valid", "前缀无效";
    "hold_s" => "The hold's length is not valid", "保留时长无效";
    "lines" => "The lines are not valid", "明细无效";
}

table! {
    /// A state, a standing, a flag: one word of a row.
    word, WORDS:
    "refused" => "refused", "被拒绝";
    "open" => "open", "未付款";
    "partially_paid" => "paid in part", "部分付款";
    "paid" => "paid", "已付款";
    "unfulfillable" => "unfulfillable", "无法履行";
    "cancelled" => "cancelled", "已取消";
    "expired" => "expired", "已过期";
    "closed" => "closed", "已关闭";
    "wait" => "wait", "等待";
    "ship" => "ship", "可发货";
    "stop" => "stop", "停止";
    "shipped" => "shipped", "已发货";
    "accepted" => "accepted", "已接受";
    "awaiting" => "awaiting confirmation", "等待确认";
    "disputed" => "disputed", "有争议";
    "live" => "payment under way", "付款进行中";
    "mismatched" => "mismatched", "不匹配";
    "overpaid" => "overpaid", "多付";
    "pending" => "pending", "处理中";
    "review" => "review", "待复核";
    "matched" => "matched", "已匹配";
    "unmatched" => "unmatched", "未匹配";
    "foreign" => "not the shop's", "非本店";
    "refuted" => "refuted", "被否认";
    "dismissed" => "set aside", "已搁开";
    "named" => "only named", "仅被提及";
    "approved" => "approved", "已同意";
    "authorized" => "authorised", "已授权";
    "voided" => "voided", "已作废";
    "denied" => "denied", "被拒";
    "captured" => "captured", "已收款";
    "refunded" => "refunded", "已退款";
    "resolved" => "resolved", "已解决";
    "paypal_order" => "PayPal order", "PayPal 订单";
    "authorization" => "authorisation", "授权";
    "capture" => "capture", "收款";
    "tender" => "other tender", "其他付款";
    "refund" => "refund", "退款";
    "reversal" => "reversal", "撤回";
    "dispute" => "dispute", "争议";
    "waiting" => "waiting", "等待重试";
    "dead" => "dead", "死信";
    "running" => "running", "运行中";
    "failing" => "failing", "失败";
    "paused" => "paused", "已暂停";
    "disabled" => "disabled", "已停用";
    "lost" => "lost", "已丢失";
    "dev" => "development", "开发";
    "sandbox" => "sandbox", "沙盒";
    "live_environment" => "live", "正式";
}

table! {
    /// A check of a callback.
    check, CHECKS:
    "headers" => "The five headers are there", "五个头字段齐全";
    "algorithm" => "The algorithm is PayPal's", "算法是 PayPal 使用的";
    "certificate_url" => "The certificate's address is PayPal's", "证书地址属于 PayPal";
    "certificate" => "The certificate is there", "证书可用";
    "chain" => "It descends from a root that is believed", "证书链可信";
    "name" => "It is for the name that signs callbacks", "证书名称正确";
    "signature" => "It signed these bytes, for our webhook id", "签名与内容及 Webhook 编号相符";
}

table! {
    /// A step of something that takes long.
    step, STEPS:
    "events and evidence" => "Comparing events and evidence", "核对事件与证据";
    "deciding again" => "Deciding again", "重新决定";
    "comparing the read models" => "Comparing the read models", "比对读模型";
    "writing the tree" => "Writing the tree", "写出默克尔树";
    "exporting" => "Writing entries", "写出条目";
    "writing the read models" => "Writing the read models", "写出读模型";
    "writing evidence" => "Writing evidence", "写出证据";
    "packing" => "Packing", "打包";
}

/// How much a word or a type wants to be looked at: `good`, `bad`, `warn`, or nothing in particular.
pub(crate) fn tone(name: &str) -> &'static str {
    match name {
        "paid" | "ship" | "shipped" | "matched" | "captured" | "running" | "order.paid" | "order.shipped"
        | "event.unparked" | "accepted" => "good",
        "refused"
        | "unfulfillable"
        | "stop"
        | "disputed"
        | "denied"
        | "failing"
        | "lost"
        | "dead"
        | "disabled"
        | "event.parked"
        | "order.refused"
        | "order.unfulfillable"
        | "order.reversed"
        | "order.disputed"
        | "order.rejected"
        | "payment.rejected"
        | "event.rejected"
        | "callback.unreadable"
        | "order.payment_refuted"
        | "refuted"
        | "stock.short"
        | "log.forked" => "bad",
        "unmatched"
        | "mismatched"
        | "foreign"
        | "awaiting"
        | "review"
        | "overpaid"
        | "partially_paid"
        | "paused"
        | "expired"
        | "pending"
        | "payment.unmatched"
        | "payment.mismatched"
        | "payment.foreign"
        | "order.payment_mismatched"
        | "order.overpaid"
        | "order.partially_paid"
        | "order.refunded"
        | "payment.refunded"
        | "payment.reversed"
        | "callback.revised" => "warn",
        _ => "plain",
    }
}

#[cfg(test)]
mod tests {
    use domain::{Fact, OutcomeType};
    use event_log::NoteType;

    use super::*;

    #[test]
    fn every_type_of_event_has_its_words_and_no_words_are_left_over() {
        let facts = Fact::TYPES.iter().map(|(name, _)| *name);
        let mut known: Vec<&str> = facts.chain(NoteType::ALL.iter().map(|note| note.name())).collect();
        known.sort_unstable();
        let mut named = FACTS.to_vec();
        named.sort_unstable();
        assert_eq!(named, known);
        let mut outcomes: Vec<&str> = OutcomeType::ALL.iter().map(|kind| kind.name()).collect();
        let mut named = OUTCOMES.to_vec();
        outcomes.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, outcomes);
    }

    #[test]
    fn every_word_has_both_languages() {
        for (all, find) in [
            (FACTS, fact as fn(&str) -> Option<Text>),
            (OUTCOMES, outcome),
            (REASONS, reason),
            (WORDS, word),
            (CHECKS, check),
            (STEPS, step),
        ] {
            for name in all {
                let text = find(name).unwrap();
                assert!(!text.en.is_empty() && !text.zh.is_empty(), "{name}");
            }
        }
    }
}
