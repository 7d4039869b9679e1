//! Every text of the pages, with both languages side by side: a text that lacks one does not build.

use crate::look::Lang;

/// The texts in one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words(pub(crate) Lang);

/// A text in both languages, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) en: &'static str,
    pub(crate) zh: &'static str,
}

impl Text {
    pub(crate) const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }
}

impl Words {
    /// The text in this language.
    pub(crate) fn say(self, text: Text) -> &'static str {
        match self.0 {
            Lang::En => text.en,
            Lang::Zh => text.zh,
        }
    }
}

/// Puts values where a text has `{}`, one after the other.
pub(crate) fn fill(text: &str, values: &[&dyn std::fmt::Display]) -> String {
    let mut filled = String::with_capacity(text.len() + 16);
    let mut values = values.iter();
    let mut parts = text.split("{}");
    filled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        if let Some(value) = values.next() {
            filled.push_str(&value.to_string());
        }
        filled.push_str(part);
    }
    filled
}

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        impl Words {
            $(pub(crate) fn $name(self) -> &'static str {
                self.say(Text::new($en, $zh))
            })*
        }

        #[cfg(test)]
        const CATALOGUE: &[(&str, Text)] = &[$((stringify!($name), Text::new($en, $zh)),)*];
    };
}

words! {
    // Around every page.
    skip: "Skip to the content", "跳到正文";
    overview: "Overview", "总览";
    events: "Events", "事件";
    orders: "Orders", "订单";
    payments: "Payments", "付款";
    parked: "Parked", "搁置";
    stock: "Stock", "库存";
    coupons: "Coupons", "优惠券";
    points: "Points", "积分";
    sinks: "Delivery", "投递";
    log: "Audit", "审计";
    settings: "Settings", "设置";
    shop: "Shop", "店铺";
    pages: "Pages", "页面";
    find: "Find", "查找";
    find_hint: "Order, PayPal id, position…", "订单号、PayPal 编号、位置…";
    sign_out: "Sign out", "退出";
    theme: "Colours", "配色";
    theme_auto: "Auto", "自动";
    theme_light: "Light", "浅色";
    theme_dark: "Dark", "深色";
    clock: "Times", "时间";
    clock_local: "Local", "本地";
    clock_relative: "Ago", "相对";
    look: "View", "显示";
    keys_help: "Keys", "快捷键";
    key_find: "focus the filter", "聚焦筛选框";
    key_move: "next and previous row", "下一行、上一行";
    key_open: "open the row", "打开所选行";
    key_again: "redrive what is shown, or load again", "重试当前项，或重新载入";
    key_help: "this help", "显示本帮助";
    close: "Close", "关闭";
    reads_only: "Reads only", "只读";
    language: "Language", "语言";
    back: "Back", "返回";
    newer: "Newer", "较新";
    older: "Older", "较早";
    first_page: "First page", "首页";
    next_page: "Next page", "下一页";
    newest: "Newest", "最新";
    apply: "Apply", "筛选";
    clear: "Clear", "清除";
    all: "all", "全部";
    none_here: "There is nothing here.", "这里没有内容。";
    download: "Download", "下载";
    reason: "Reason", "原因";
    reason_hint: "Why? It is sealed, and stands in the log with your key.", "为什么？原因会被密封，并与您的密钥一同记入日志。";
    reason_missing: "Give a reason: it stands in the log for whoever asks later.", "请填写原因：日后有人查问时，日志中会有记录。";
    yes: "yes", "是";
    no: "no", "否";

    // Signing in.
    sign_in: "Sign in", "登录";
    sign_in_lead: "With an API key of the role operator or viewer.", "使用角色为 operator 或 viewer 的 API 密钥登录。";
    api_key: "API key", "API 密钥";
    sign_in_how: "An operator makes one with", "管理员可用以下命令创建密钥：";
    sign_in_dev: "In development the key stands in", "开发模式下密钥位于";
    ticket_used: "This link has been used, is of an earlier start, or was opened on another machine than the one it is for. Sign in with the key.", "此链接已使用、属于之前的启动，或不是在启动服务的那台机器上打开的。请用密钥登录。";
    key_invalid: "The key is not valid here: it is misspelt, was revoked, or has run out.", "密钥无效：拼写有误、已被撤销或已过期。";
    key_other_role: "The key is valid, but neither of an operator nor of a viewer.", "密钥有效，但角色既不是 operator 也不是 viewer。";
    too_many: "Too many attempts came from this address. Come again in a moment.", "来自该地址的尝试过多，请稍后再试。";
    signed_out: "You have signed out.", "您已退出登录。";
    session_ended: "Please sign in.", "请先登录。";

    // What went wrong.
    not_found: "There is nothing here", "这里什么也没有";
    not_found_lead: "No page or thing of this name is known. Check the address, or look for it.", "没有这个名称的页面或对象。请检查地址，或进行查找。";
    forbidden: "Your key may only read", "您的密钥只能查看";
    other_method: "Nothing can be done here in this way", "此处不支持这种操作";
    other_method_lead: "The page was asked for in a way that it does not know: where a form was sent to is no page of its own. Nothing has changed.", "该地址不支持这种请求：表单提交的地址本身不是页面。没有任何更改。";
    forbidden_lead: "This takes a key of the role operator. Nothing has changed.", "此操作需要角色为 operator 的密钥。没有任何更改。";
    stale: "The form is no longer valid", "表单已失效";
    stale_lead: "It was sent from elsewhere, or from before you signed in. Go back, load the page again, and send it again. Nothing has changed.", "表单来自其他站点，或在您登录之前打开。请返回并重新载入页面后再提交。没有任何更改。";
    refused: "It was not taken", "未被接受";
    unavailable: "Not available at the moment", "暂时不可用";
    unavailable_lead: "Nothing is lost. Load the page again in a moment.", "没有丢失任何内容。请稍后重新载入。";
    internal: "Something went wrong inside", "内部错误";
    internal_lead: "The reason stands in the service's log, beside the request id of this answer.", "原因记录在服务日志中，与本次应答的请求编号相对应。";

    // Notices after an action.
    done_resolved: "Resolved. It is in the log at {}, with your key and the reason.", "已处理，记入日志位置 {}，附有您的密钥与原因。";
    done_redriven: "Tried again. It is in the log at {}, with your key and the reason.", "已重试，记入日志位置 {}，附有您的密钥与原因。";
    done_redriven_all: "Tried again: {}. Each is in the log, with your key and the reason.", "已重试：{}。每一个都记入日志，附有您的密钥与原因。";
    done_dismissed: "Left out. It is in the log at {}, with your key and the reason.", "已忽略，记入日志位置 {}，附有您的密钥与原因。";
    done_paused: "Paused.", "已暂停。";
    done_resumed: "It goes on.", "已恢复。";
    done_reset: "Moved.", "已移动。";
    done_waits: "It is in the log at {}, and will be decided when the relay gets there.", "已记入日志位置 {}，等待中继处理。";

    // Overview.
    flows: "Money flows.", "资金流转正常。";
    flows_idle: "Everything that has come is decided.", "收到的一切都已处理。";
    flows_working: "Being decided: {}", "正在处理：{}";
    flows_not: "Money does not flow.", "资金流转受阻。";
    flows_but: "Money flows, but something needs you.", "资金流转正常，但有事项需要处理。";
    bad_stalled: "The relay is there and decides nothing. Events that wait: {}", "中继在运行却没有处理。等待中的事件：{}";
    bad_leaderless: "No relay leads this shop. Events that wait: {}", "没有中继负责本店铺。等待中的事件：{}";
    cure_stalled: "Look at the service's log for the cause; a restart lets another instance lead.", "请查看服务日志中的原因；重启后由其他实例接管。";
    cure_leaderless: "Start a process without --no-relay, and see that it reaches the database.", "请启动一个不带 --no-relay 的进程，并确认它能访问数据库。";
    bad_forked: "The log has forked: nothing is taken.", "日志已分叉：不再接受任何内容。";
    cure_forked: "The database is not the one that it was. Run counterfoil shops recover.", "数据库已不是原来的那个。请运行 counterfoil shops recover。";
    bad_parked: "Facts that could not be decided, and hold back their own order only: {}", "无法处理、只影响其所属订单的事实：{}";
    cure_parked: "Read why, mend the cause, then redrive or dismiss them.", "查看原因，解决之后重试或忽略。";
    bad_unmatched: "Payments that belong to no order, or do not count: {}", "没有对应订单或未计入的付款：{}";
    cure_unmatched: "Assign each to its order, or dismiss it.", "将其指定给对应订单，或予以忽略。";
    bad_refunds: "Orders that wait for a refund: {}", "等待退款的订单：{}";
    cure_refunds: "Refund at PayPal: it disappears here when PayPal reports it.", "请在 PayPal 退款；PayPal 通知后会自动消失。";
    bad_reader: "{} is {}: {}", "{}：{}，{}";
    cure_reader: "Look at its cause; nothing is lost while it waits.", "请查看原因；等待期间不会丢失任何内容。";
    bad_tree: "The Merkle tree does not grow: {}", "默克尔树没有增长：{}";
    cure_tree: "Look at the log key and the service's log.", "请检查日志密钥与服务日志。";
    what_now: "What to do now", "现在该做什么";
    throughput: "Events recorded", "记录的事件";
    delay: "From fact to outcome", "从事实到结果";
    window_15m: "15 minutes", "15 分钟";
    window_1h: "1 hour", "1 小时";
    window_24h: "24 hours", "24 小时";
    head: "Last position", "最后位置";
    lag: "Waiting", "等待处理";
    parked_now: "Parked", "搁置";
    money_today: "Money today (UTC)", "今日资金（UTC）";
    money_today_lead: "As PayPal's callbacks and the shop's records of today say; each payment once.", "依据今日 PayPal 回调与店铺记录；每笔付款只计一次。";
    money_counted_to: "Still counting: {} of {} events.", "仍在统计：{} / {} 个事件。";
    money_in: "In", "收入";
    money_out: "Out", "支出";
    currency: "Currency", "货币";
    last_failures: "Last failures", "最近的失败";
    last_failures_none: "No failure among the last {} events.", "最近 {} 个事件中没有失败。";
    at_most: "at most", "最大";
    settled_delay: "Last delay", "最近延迟";
    time: "Time", "时间";

    // Events.
    position: "Position", "位置";
    event: "Event", "事件";
    what: "What happened", "内容";
    about: "About", "对象";
    amount: "Amount", "金额";
    kind: "Kind", "类别";
    kind_fact: "fact", "事实";
    kind_outcome: "outcome", "结果";
    kind_note: "note", "备注";
    filter_type: "Type", "类型";
    filter_type_hint: "payment.*", "payment.*";
    filter_key: "Order or key", "订单或对象";
    filter_key_hint: "1042 or capture:3C6…", "1042 或 capture:3C6…";
    filter_paypal: "PayPal id", "PayPal 编号";
    filter_paypal_hint: "Event, delivery, capture, order", "事件、投递、收款、订单";
    filter_from: "From", "起";
    filter_to: "Until", "止";
    filter_time_hint: "2026-11-26T08:00Z", "2026-11-26T08:00Z";
    live: "Live", "实时";
    looked_back_to: "Looked back to {}.", "已回查到 {}。";
    look_further: "Look further back", "继续往前查";
    type_wrong: "A type has letters, dots and underscores, and * at its end: payment.*", "类型只能包含字母、点、下划线，末尾可用 *：payment.*";
    key_wrong: "Give an order's id, or a key such as capture:3C679366HH908993F.", "请填写订单号，或 capture:3C679366HH908993F 这样的对象。";
    time_wrong: "Write a time as 2026-11-26T08:00Z.", "时间请写成 2026-11-26T08:00Z。";

    // One event.
    payload: "Payload", "内容";
    pretty: "Readable", "易读";
    raw: "Raw", "原文";
    entry_lead: "The entry as it stands in the log, byte for byte.", "日志中的条目，逐字节。";
    cause: "Because of", "起因";
    outcomes: "What came of it", "结果";
    outcomes_wait: "Not decided yet.", "尚未处理。";
    outcomes_none: "Nothing follows from it.", "没有引起任何变化。";
    by: "By", "来源";
    by_paypal: "PayPal", "PayPal";
    by_timer: "Counterfoil's clock", "系统定时器";
    event_id: "Id", "编号";
    timeline: "Timeline", "时间线";
    tl_sent: "Sent by PayPal", "PayPal 发出";
    tl_recorded: "Recorded", "已记录";
    tl_decided: "Decided", "已处理";
    tl_passed: "{} has passed it", "{} 已越过";
    tl_waits: "{} has not come to it", "{} 尚未到达";
    changed: "What it changed", "引起的变化";
    before: "Before", "之前";
    after: "After", "之后";
    moves: "Moved", "变动";
    proof: "Proof", "证明";
    proof_holds: "It is in the log: its inclusion holds under the root of the checkpoint of {} events.", "它在日志中：在含 {} 个事件的检查点根之下，包含证明成立。";
    proof_not_yet: "The checkpoint that was published last does not have it yet.", "最近发布的检查点尚未包含它。";
    proof_fails: "Its inclusion does NOT hold: run counterfoil verify, and tell whoever audits you.", "包含证明不成立：请运行 counterfoil verify，并告知审计方。";
    proof_none: "No tree is grown of this log: no log key is given to any process.", "本日志没有默克尔树：没有任何进程持有日志密钥。";
    proof_leaf: "Leaf hash", "叶哈希";
    proof_root: "Root", "根";
    proof_download: "Download the proof (.tlog-proof)", "下载证明（.tlog-proof）";
    evidence: "Evidence", "证据";
    evidence_sealed: "What PayPal sent is sealed. An operator may open it; that it was opened stands in the log.", "PayPal 发送的内容已密封。操作员可以打开；打开行为会记入日志。";
    evidence_open: "Open", "打开";
    previous_event: "Previous", "上一个";
    next_event: "Next", "下一个";

    verification: "Verification", "验证";
    verification_lead: "Made again now, of the bytes that were kept, as of the time when they were sent.", "现在依据保存的字节、按发送时刻重新验证。";
    signed_text: "Signed text", "被签名的文本";
    headers: "Headers", "头字段";
    body: "Body", "正文";
    verified_by: "Verified by", "验证方式";
    field: "Field", "字段";

    // Orders.
    order: "Order", "订单";
    state: "State", "状态";
    fulfilment: "May it be shipped?", "可否发货？";
    flags: "Flags", "标记";
    total: "Total", "总额";
    captured: "Captured", "已收";
    refunded: "Refunded", "已退";
    refund_due: "Refund due", "待退款";
    placed_at: "Placed", "下单时间";
    held_until: "Held until", "保留至";
    paid_at: "Paid at", "付款时间";
    buyer: "Buyer", "买家";
    lines: "Lines", "明细";
    article: "Article", "商品";
    quantity: "Quantity", "数量";
    unit_price: "Unit price", "单价";
    story: "Story", "经过";
    story_lead: "Every fact and every outcome, in the order of the log.", "每个事实与结果，按日志顺序排列。";
    story_cut: "Only the first {} are shown.", "只显示前 {} 条。";
    why_not: "Why not", "原因";
    latest_change: "Changed", "最近变更";
    resolve: "Resolve", "处理";
    resolve_order: "Resolve the order", "处理订单";
    accept: "Accept what was paid", "接受已付金额";
    retry: "Try to take the goods again", "重新扣减商品";
    close_order: "Close it: what was paid is to be refunded", "关闭：已付金额应予退款";
    position_of: "Fact", "事实";

    // Payments.
    payment: "Payment", "付款";
    standing: "Standing", "归属";
    unsettled: "To be resolved", "待处理";
    all_payments: "All payments", "全部付款";
    refunds_due: "Refunds due", "待退款";
    paypal_order: "PayPal order", "PayPal 订单";
    fee: "Fee", "手续费";
    assign: "Assign to the order", "指定给订单";
    dismiss_payment: "Set it aside: it belongs to no order of ours", "搁开：不属于我们的任何订单";
    other_order: "Also names", "另指向";
    nothing_unsettled: "Every payment counts for its order.", "每笔付款都已计入对应订单。";
    nothing_due: "No refund is due.", "没有待退款。";
    choose: "Choose what is to be done, and give what it takes.", "请选择处理方式并填写所需内容。";

    // Dead letters.
    parked_lead: "Facts that could not be decided, and those that wait behind them. They hold back their own keys only.", "无法处理的事实及其后等待的事实，只影响各自的对象。";
    parked_none: "Nothing is parked: everything could be decided.", "没有搁置：一切都能处理。";
    group: "Group", "组";
    attempts: "Tried again", "重试次数";
    error: "Error", "错误";
    waits_behind: "Waits behind {}", "排在 {} 之后";
    redrive: "Redrive", "重试";
    redrive_all: "Redrive all that match", "重试全部匹配项";
    redrive_count: "Groups that would be tried again: {}", "将重试的组数：{}";
    redrive_none: "Nothing matches.", "没有匹配项。";
    dismiss: "Dismiss", "忽略";
    dismiss_lead: "Leave this fact out for good, and decide what waits behind it.", "永久略过此事实，并处理排在其后的内容。";
    error_has: "Error has", "错误包含";
    failed_last: "Failed last", "最近失败";
    ids: "Ids", "编号";
    parked_since: "Parked", "搁置于";

    // Stock, coupons, points.
    on_hand: "On hand", "现有";
    held: "Held", "保留";
    available: "Available", "可用";
    received: "Received", "入库";
    adjusted: "Adjusted", "盘点";
    settled: "Sold", "售出";
    returned: "Returned", "退回";
    code: "Code", "代码";
    used: "Used", "已用";
    most_uses: "At most", "上限";
    voided: "Voided", "已作废";
    balance: "Balance", "余额";
    granted: "Granted", "赠送";
    earned: "Earned", "获得";
    spent: "Spent", "使用";
    revoked: "Revoked", "收回";
    expired: "Expired", "过期";
    stock_lead: "On hand = received + adjusted - sold + returned.", "现有 = 入库 + 盘点 - 售出 + 退回。";

    // Delivery.
    sinks_title: "Sinks", "推送目标";
    consumers_title: "Consumers of the feed", "订阅消费者";
    sinks_none: "No sink is set up.", "没有设置推送目标。";
    consumers_none: "Nobody reads the feed under a name.", "没有具名的消费者。";
    behind: "Behind", "落后";
    waiting: "Set aside", "待重试";
    dead: "Dead letters", "死信";
    cursor: "Cursor", "游标";
    undelivered: "Not delivered", "未投递";
    undelivered_none: "Everything that it came to is delivered.", "已到达的内容全部投递。";
    next_try: "Next try", "下次尝试";
    redrive_dead: "Dead letters that would be tried again: {}", "将重试的死信：{}";
    tl_sent_to: "{}: HTTP {}", "{}：HTTP {}";
    tl_not_sent: "{}: {}", "{}：{}";
    pause: "Pause", "暂停";
    resume: "Resume", "恢复";
    reset: "Move", "移动";
    reset_to: "Where to: start, end, a cursor (0-1042), or a time", "移动到：start、end、游标（0-1042）或时间";
    reset_lead: "It delivers again what stands behind that place, or passes over what stands before it.", "它将重新投递该处之后的内容，或略过之前的内容。";
    reset_confirm: "Yes, move it", "是，移动";
    seconds: "{} s", "{} 秒";
    last_moved: "Last moved", "最近移动";

    // Audit.
    tree: "Merkle tree", "默克尔树";
    tree_size: "Events in the tree", "树中的事件";
    log_size: "Events in the log", "日志中的事件";
    published: "Published checkpoint", "已发布的检查点";
    published_at: "Published", "发布于";
    signatures: "Signed by", "签名者";
    epoch: "Epoch", "纪元";
    checkpoint_lead: "What others keep: whoever has it can prove that nothing before it was rewritten.", "供他人保存：持有者可以证明此前内容未被改写。";
    log_notes: "What the log says about itself", "日志自述";
    log_notes_lead: "Keys, sinks, consumers, erasures, digests and settlements: who did what, in the order of the log.", "密钥、推送、消费者、擦除、摘要与结算：谁做了什么，按日志顺序。";
    verify_lead: "Every event against its copies, its evidence and its signature, every decision made again, every row compared.", "核对每个事件的副本、证据与签名，重新作出每个决定，并比对每一行。";
    verify_now: "Verify now", "立即验证";
    verified: "All of it holds: {} events, {} facts decided again, {} outcomes compared, {} pieces of evidence opened.", "全部成立：{} 个事件，重新决定 {} 个事实，比对 {} 个结果，打开 {} 份证据。";
    verified_not: "It does NOT hold: {} events, {} facts decided again, {} outcomes compared, {} pieces of evidence opened.", "不成立：{} 个事件，重新决定 {} 个事实，比对 {} 个结果，打开 {} 份证据。";
    replay: "Replay", "重放";
    replay_lead: "Every fact decided again from nothing, by the rules of its time, and what comes of it compared with what was recorded and with every row.", "从零起按当时的规则重新决定每个事实，并与记录的结果及每一行比对。";
    replay_now: "Replay now", "立即重放";
    replayed: "As it was recorded: {} facts decided again, {} outcomes and {} digests compared.", "与记录一致：重新决定 {} 个事实，比对 {} 个结果与 {} 个摘要。";
    replayed_not: "NOT as it was recorded: {} facts decided again, {} outcomes and {} digests compared.", "与记录不一致：重新决定 {} 个事实，比对 {} 个结果与 {} 个摘要。";
    bundle: "Evidence bundle", "证据包";
    bundle_lead: "All that an auditor needs, as one file: the log as it was published, the sealed evidence of a range, and a README that says how to check it without us.", "审计方所需的一切，打包为一个文件：已发布的日志、所选范围的密封证据，以及说明如何自行核验的 README。";
    bundle_from: "Evidence from: a position or a time", "证据起点：位置或时间";
    bundle_to: "Until", "终点";
    bundle_all: "everything published", "全部已发布内容";
    bundle_keys: "Hand the keys over too: whoever has the bundle can then read what PayPal sent.", "同时移交密钥：持有证据包的人即可阅读 PayPal 发送的内容。";
    bundle_now: "Make the bundle", "制作证据包";
    bundle_made: "Ready: the log of {} events, {} pieces of evidence, {} keys; {} KiB. Who has it stands in the log.", "已就绪：含 {} 个事件的日志、{} 份证据、{} 个密钥；{} KiB。移交已记入日志。";
    bundle_kept: "It is kept at this instance of the service for an hour, or until the shop's next bundle is begun; for you alone.", "仅为您保留在本服务实例上，至多一小时，或直到本店铺的下一个证据包开始制作。";
    bundle_gone: "No bundle of yours is kept at this instance of the service: it was made at another one, its hour is over, another bundle of the shop was begun since, or the service was started anew. Make it again on the audit page.", "本服务实例上没有为您保留的证据包：它在其他实例上、保留时间已过、本店铺已开始制作另一个证据包，或服务已重新启动。请在审计页面重新制作。";
    bundle_too_long: "A bundle of the evidence of more than {} events is made from the command line: counterfoil evidence. Or choose a shorter range.", "超过 {} 个事件的证据请在命令行中制作：counterfoil evidence；或缩小范围。";
    point_wrong: "Give a position, as 1042, or a time, as 2026-11-26T08:00Z.", "请填写位置（如 1042）或时间（如 2026-11-26T08:00Z）。";
    range_wrong: "There is no such range: it must begin before it ends, and what is published ends at {}.", "没有这样的范围：起点须在终点之前，已发布内容止于 {}。";
    log_too_long: "A log of more than {} events is gone through from the command line, beside the service: counterfoil verify, replay, evidence.", "超过 {} 个事件的日志请在命令行中处理：counterfoil verify、replay、evidence。";
    job_under_way: "One of these is under way in this process already: wait for its end.", "本进程已有一项正在进行，请等待结束。";
    last_noted: "Last in the log", "日志中最近一次";
    holds: "holds", "成立";
    holds_not: "does NOT hold", "不成立";
    shell: "From the command line", "命令行";
    shell_lead: "The same, for logs of any length, and for an auditor who has a bundle:", "命令行可处理任意长度的日志，也供持有证据包的审计方使用：";
    witnesses: "Witnesses", "见证人";
    witnesses_lead: "Who else has seen the log: what they have seen can no longer be rewritten, not even with the database and the signing key.", "还有谁见过本日志：他们见过的内容，即使持有数据库与签名密钥也无法改写。";
    witnesses_none: "No witness has seen this log: whoever has the database and the signing key could rewrite it unnoticed. Add some with", "还没有见证人见过本日志：持有数据库与签名密钥的人可以暗中改写。添加方法：";
    witness: "Witness", "见证人";
    witness_seen: "Has seen", "已见";
    witness_at: "When", "时间";
    witness_error: "Why not since", "此后未见的原因";
    stamped: "Last time stamp", "最近的时间戳";
    stamped_none: "none; --tsa-url names an authority that stamps checkpoints with the time", "无；用 --tsa-url 指定为检查点加盖时间戳的机构";

    // Settings.
    setting: "Setting", "设置项";
    value: "Value", "值";
    source: "Source", "来源";
    settings_shop: "The shop's settings", "店铺设置";
    settings_shop_lead: "They are facts in the log: PUT /v1/settings changes them.", "它们是日志中的事实：用 PUT /v1/settings 修改。";
    settings_process: "This process", "本进程";
    settings_process_lead: "In force, with secrets left out.", "当前生效，不含机密。";
    environment: "Environment", "环境";
    webhook_ids: "Webhook ids", "Webhook 编号";

    // Find.
    find_none: "Nothing of this name is known.", "没有这个名称的内容。";
    find_lead: "An order's id, an id of PayPal's (event, delivery, capture, refund, order), a position, an article, a coupon or a buyer.", "订单号、PayPal 编号（事件、投递、收款、退款、订单）、位置、商品、优惠券或买家。";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_both_languages_with_as_many_places_to_fill() {
        assert!(CATALOGUE.len() > 200);
        for (name, text) in CATALOGUE {
            assert!(!text.en.trim().is_empty() && !text.zh.trim().is_empty(), "{name} lacks a language");
            let places = |text: &str| text.matches("{}").count();
            assert_eq!(places(text.en), places(text.zh), "{name}");
        }
    }

    #[test]
    fn values_stand_where_the_text_has_place_and_the_rest_is_left_out() {
        assert_eq!(fill("{} of {}", &[&1, &"two"]), "1 of two");
        assert_eq!(fill("{} of {}", &[&1]), "1 of ");
        assert_eq!(fill("none", &[&1]), "none");
    }
}
