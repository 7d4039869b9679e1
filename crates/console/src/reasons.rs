//! What a reason says beside its code, with its figures. The log has it in English, as it was decided; a page in another language
//! says it again in its own.

use crate::i18n::{Text, Words, fill};
use crate::look::Lang;

/// Every sentence of the domain, with `{}` for what is in it: an id or a number, and never a space.
const SENTENCES: &[Text] = &[
    // What is lacking.
    Text::new("{}: {} wanted, {} available", "{}：需要 {}，可用 {}"),
    Text::new("{}: {} held, {} on hand", "{}：已保留 {}，现有 {}"),
    Text::new("{} wanted, {} available", "需要 {}，可用 {}"),
    Text::new("{} were to expire, {} available", "应过期 {}，可用 {}"),
    Text::new("{}: {} shipped, {} left to ship", "{}：发货 {}，尚可发 {}"),
    // Coupons.
    Text::new("{} was never issued", "{} 从未发放"),
    Text::new("it was never issued", "从未发放"),
    Text::new("{} was voided", "{} 已作废"),
    Text::new("it was voided before", "此前已作废"),
    Text::new("{} is not valid yet", "{} 尚未生效"),
    Text::new("{} is no longer valid", "{} 已过有效期"),
    Text::new("{}: {} of {} uses are taken", "{}：已用 {} 次，共 {} 次"),
    Text::new("{}: the buyer took {} of {} uses", "{}：该买家已用 {} 次，限 {} 次"),
    Text::new("{} is limited per buyer, and none is named", "{} 限制每位买家的次数，但未指明买家"),
    Text::new("a coupon is issued once", "优惠券只能发放一次"),
    Text::new("it was used more often than it may be", "使用次数超过上限"),
    Text::new("nobody asks who has used it", "它不区分使用者"),
    // Orders.
    Text::new("revise it instead", "请改用修改订单"),
    Text::new("place it first", "请先下单"),
    Text::new("no such order", "没有这个订单"),
    Text::new("it is known here already", "此处已有该订单"),
    Text::new("it was cancelled or closed", "已取消或关闭"),
    Text::new("it was cancelled or closed before", "此前已取消或关闭"),
    Text::new("it was closed before", "此前已关闭"),
    Text::new("revision {} is in force", "生效的是修订 {}"),
    Text::new("the first payment fixes an order", "首笔付款后订单不可再改"),
    Text::new(
        "coupons or points are held for another buyer: cancel it, and place a new one",
        "优惠券或积分是为另一位买家保留的：请取消后重新下单",
    ),
    Text::new("what has left cannot be cancelled", "已发出的商品无法取消"),
    Text::new("all of it has left", "已全部发出"),
    Text::new("it is settled", "已结清"),
    Text::new("there is no payment to accept", "没有可接受的付款"),
    Text::new("retry it instead", "请改用重试"),
    Text::new("there is nothing to try again", "没有可重试的内容"),
    // May it be shipped?
    Text::new("the shop cancelled it", "店铺已取消"),
    Text::new("an operator closed it", "操作员已关闭"),
    Text::new("paid, but the goods were not to be had: a refund is due", "已付款，但商品无法提供：应退款"),
    Text::new("a dispute is open", "争议进行中"),
    Text::new("nothing of the money is kept", "款项已全部退回"),
    Text::new("PayPal took money back", "PayPal 撤回了款项"),
    Text::new("the stock went back at a refund", "退款时库存已退回"),
    Text::new("its placement was refused, for {} reasons", "下单被拒绝，原因 {} 条"),
    Text::new("no payment has come in", "尚未收到付款"),
    Text::new("a payment is under way", "付款处理中"),
    Text::new("PayPal is asked whether it has the capture", "正向 PayPal 确认收款"),
    Text::new("the payments do not reach the total", "付款未达总额"),
    Text::new("PayPal says no more comes: accept, or close", "PayPal 表示不再有后续付款：请接受或关闭"),
    Text::new("a payment names this order that does not count", "有付款指向该订单，但未计入"),
    Text::new("the hold has run out", "保留已过期"),
    // Payments.
    Text::new("must not contain a colon", "不能包含冒号"),
    Text::new("no such capture", "没有这笔收款"),
    Text::new("it counts for its order already", "已计入其订单"),
    Text::new(
        "PayPal has no such capture: dismiss it, and record what was paid",
        "PayPal 没有该收款：请忽略它，并记录实际付款",
    ),
    Text::new("{}: PayPal has no such capture", "{}：PayPal 没有该收款"),
    Text::new("{} is a payment of {}", "{} 是订单 {} 的付款"),
    Text::new("what was confirmed is another amount than the capture's", "确认的金额与收款金额不同"),
    Text::new("it awaits no confirmation", "不在等待确认"),
    // The shop, and what is parked.
    Text::new(
        "a shop may be in shadow by rules {} and later: activate them",
        "影子模式需要规则 {} 及以上：请先启用",
    ),
    Text::new(
        "what a shop brings along is decided by rules {} and later: activate them",
        "导入需要规则 {} 及以上：请先启用",
    ),
    Text::new("nothing is parked at {}", "位置 {} 没有搁置内容"),
    // Why a fact was parked.
    Text::new("rules {} are newer than this version ({})", "规则 {} 比本版本（{}）新"),
    Text::new("rules {} are not known here", "此处不认识规则 {}"),
    Text::new("a retranslation within a retranslation", "重新解读中又含重新解读"),
    Text::new("payment.voided names nothing", "payment.voided 未指明任何付款"),
    Text::new("order {} has no terms", "订单 {} 没有约定内容"),
    Text::new("overflow: a hold's deadline", "溢出：保留期限"),
    Text::new("overflow: an order's money", "溢出：订单金额"),
    Text::new("overflow: revoked points", "溢出：收回的积分"),
    Text::new("overflow: stock received", "溢出：收到的库存"),
    Text::new("overflow: stock adjusted", "溢出：调整的库存"),
    Text::new("overflow: stock settled", "溢出：结算的库存"),
    Text::new("overflow: stock returned", "溢出：退回的库存"),
    Text::new("overflow: stock held", "溢出：保留的库存"),
    Text::new("overflow: stock on hand", "溢出：现有库存"),
    Text::new("overflow: points granted", "溢出：授予的积分"),
    Text::new("overflow: points earned", "溢出：获得的积分"),
    Text::new("overflow: points revoked", "溢出：收回的积分"),
    Text::new("overflow: points spent", "溢出：用掉的积分"),
    Text::new("overflow: points returned", "溢出：退回的积分"),
    Text::new("overflow: points expired", "溢出：过期的积分"),
    Text::new("overflow: points held", "溢出：保留的积分"),
    Text::new("overflow: points balance", "溢出：积分余额"),
    Text::new("overflow: coupon used", "溢出：优惠券已用次数"),
    Text::new("overflow: coupon held", "溢出：优惠券保留次数"),
];

/// The sentence in the language of the page; one that nobody here knows stays as it was written.
pub(crate) fn said(w: Words, detail: &str) -> String {
    if w.0 == Lang::En {
        return detail.to_owned();
    }
    let known = SENTENCES.iter().find_map(|text| Some((text, values(text.en, detail)?)));
    known.map_or_else(
        || detail.to_owned(),
        |(text, values)| {
            let values: Vec<&dyn std::fmt::Display> =
                values.iter().map(|value| value as &dyn std::fmt::Display).collect();
            fill(w.say(*text), &values)
        },
    )
}

/// What stands where the pattern has `{}`, if the text is one of it.
fn values<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let (mut values, mut parts) = (Vec::new(), parts.peekable());
    while let Some(part) = parts.next() {
        let end = match parts.peek() {
            None => rest.len().checked_sub(part.len()).filter(|end| rest.get(*end..) == Some(part))?,
            Some(_) => rest.find(part)?,
        };
        let value = &rest[..end];
        if value.is_empty() || value.contains(' ') {
            return None;
        }
        values.push(value);
        rest = &rest[end + part.len()..];
    }
    rest.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ZH: Words = Words(Lang::Zh);

    #[test]
    fn figures_stand_at_their_places() {
        for (detail, expected) in [
            ("tea: 2 wanted, 0 available", "tea：需要 2，可用 0"),
            ("a:b: 2 wanted, 0 available", "a:b：需要 2，可用 0"),
            ("9000 wanted, 500 available", "需要 9000，可用 500"),
            ("WELCOME10: 3 of 3 uses are taken", "WELCOME10：已用 3 次，共 3 次"),
            ("rules 9 are newer than this version (3)", "规则 9 比本版本（3）新"),
            ("no payment has come in", "尚未收到付款"),
            ("value too long for type", "value too long for type"),
            (" wanted, 5 available", " wanted, 5 available"),
        ] {
            assert_eq!(said(ZH, detail), expected);
            assert_eq!(said(Words(Lang::En), detail), detail);
        }
    }

    /// The string literals of a file, without its comments, with `{}` for whatever is filled in.
    fn literals(file: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let is_code =
            |line: &&str| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#[");
        let code: String =
            text.lines().filter(is_code).map(|line| format!("{}\n", line.trim_start())).collect();
        let code = code.replace("\\\n", "");
        let inside = code.split('"').skip(1).step_by(2);
        let filled = |literal: &str| {
            let mut parts = literal.split('{');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |text, part| text + "{}" + part.split_once('}').map_or("", |(_, rest)| rest))
        };
        inside.map(filled).collect()
    }

    #[test]
    fn every_sentence_of_the_domain_is_said_in_both_languages() {
        let domain = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/src"));
        let decides = std::fs::read_dir(domain.join("decide")).unwrap().map(|entry| entry.unwrap().path());
        let said = decides.chain([domain.join("fulfilment.rs")]).flat_map(|file| literals(&file));
        // What each of its sums is called, behind why it cannot be had.
        let of_sums = literals(&domain.join("evolve.rs")).into_iter().filter(|text| !text.contains("{}"));
        let all: Vec<String> = said.chain(of_sums.map(|sum| format!("overflow: {sum}"))).collect();
        let sentences: Vec<&String> = all.iter().filter(|text| text.contains(' ')).collect();
        assert!(sentences.len() > 60, "{sentences:?}");
        for sentence in &sentences {
            let known = SENTENCES.iter().any(|text| text.en == **sentence);
            assert!(known, "a reason has no words in Chinese: {sentence}");
        }
        for text in SENTENCES {
            assert!(sentences.iter().any(|sentence| *sentence == text.en), "nobody says: {}", text.en);
            assert_eq!(text.en.matches("{}").count(), text.zh.matches("{}").count(), "{}", text.en);
        }
    }
}
