//! What the pages say of each problem beside its title and its help: how it comes about, and all of it in Chinese.

use serde_json::{Value, json};

use crate::problem::{Code, Problem};

/// A problem explained in one language.
pub(super) struct Text {
    /// The same for every problem of the code.
    pub(super) title: &'static str,
    /// How it comes about.
    pub(super) cause: &'static str,
    /// What the client can do.
    pub(super) help: &'static str,
}

/// In English.
pub(super) fn english(code: Code) -> Text {
    Text { title: code.title(), cause: cause(code), help: code.help() }
}

fn cause(code: Code) -> &'static str {
    match code {
        Code::CallbackMalformed => {
            "One of the five `paypal-*` headers is missing, stands twice, or cannot be read: something between PayPal and here has \
             taken it away, or it was not PayPal that sent the request."
        }
        Code::NotAuthentic => {
            "The signature does not fit the raw body, the headers and one of the shop's webhook ids, or its certificate does not \
             lead to a root that is believed. Most often the webhook id is another one, the shop is in the other environment, or a \
             proxy has written the body anew."
        }
        Code::TransmissionConflict => {
            "PayPal never sends two bodies under one `paypal-transmission-id`: somebody replays its headers with a body of their own."
        }
        Code::UnknownShop => "No shop of this name was made here, or the key's shop is gone.",
        Code::MalformedJson => {
            "The body cannot be parsed: it is not UTF-8, begins with a byte order mark, breaks off, or has a name twice."
        }
        Code::InvalidCommand => {
            "A field is missing, has another shape than it must, is not known, or the sums do not come out: a total must be its lines, \
             tax and shipping, less what is taken off, to the minor unit."
        }
        Code::BatchIncomplete => {
            "Some lines are not valid, or their id belongs to another command; the other lines were taken."
        }
        Code::CommandConflict => {
            "A command with this id is in the log, and says something else. The same id with the same content would have counted once."
        }
        Code::InvalidQuery => {
            "A parameter is not known here, stands twice, or has a value that it cannot have."
        }
        Code::EpochChanged => {
            "The cursor is of the time before the database was restored to an earlier state. The histories part at `forked_at`."
        }
        Code::CursorAhead => {
            "The cursor names an event that is not there. Nobody is given such a cursor by this log: it comes from another shop or \
             service, or from a database that was since restored."
        }
        Code::Pruned => {
            "The outbox is kept for a while, and for every sink and consumer that is known; who comes later than that finds its \
             beginning gone."
        }
        Code::CursorMoved => {
            "The consumer was moved since `was` was read: two instances work under one name."
        }
        Code::NameTaken => "A sink of this name is there already.",
        Code::Unauthorized => {
            "The request has no API key, or one that is not known, was revoked, or has ended."
        }
        Code::Forbidden => {
            "The key is good, and has none of the roles that may do this, or is of another shop."
        }
        Code::NotFound => {
            "The path is none of this API, or what it names is not there: an order is only known once it was placed."
        }
        Code::MethodNotAllowed => {
            "The path is there, and is asked for by another method: `Allow` names those that it knows."
        }
        Code::Timeout => "The body came too slowly, and the connection was closed.",
        Code::TooManyRequests => {
            "The key has asked more often than it may, or too many requests of this address were not authentic. Authentic callbacks \
             never count."
        }
        Code::UriTooLong => "The path with its query has more than 8 KiB.",
        Code::TooLarge => "The body has more bytes than this path takes.",
        Code::UnsupportedMediaType => "The body is not announced as JSON, or is compressed.",
        Code::HeadersTooLarge => "The header fields have more than 32 KiB, or are more than 96.",
        Code::BadRequest => "The request breaks HTTP, or its body broke off.",
        Code::NotAtPaypal => {
            "PayPal can only be asked by the shop's own credentials, and about an order whose id there is known."
        }
        Code::Unavailable => {
            "The database, a certificate or a place in a queue cannot be had now: as while a database fails over, or when too much \
             comes at once."
        }
        Code::LogForked => {
            "The log lacks what was answered before: its database was restored from a backup, or another was put in its place."
        }
        Code::Internal => "A bug, or something that should not be possible.",
    }
}

/// In simplified Chinese.
pub(super) fn chinese(code: Code) -> Text {
    let (title, cause, help) = match code {
        Code::CallbackMalformed => (
            "该请求不是 PayPal 的回调",
            "五个 `paypal-*` 请求头中有缺失、重复或无法读取的:PayPal 与本服务之间的某个环节删掉了它,或者请求并非来自 PayPal。",
            "按 PayPal 发出的原样转发回调:原始正文,以及五个 paypal-* 请求头各一次。",
        ),
        Code::NotAuthentic => (
            "回调未通过验签",
            "签名与原始正文、请求头及店铺的任何一个 webhook id 都不相符,或者证书链不通向受信任的根证书。最常见的原因:webhook id \
             不对、店铺属于另一个环境、代理改写了正文。",
            "检查店铺的 webhook id 和环境;`counterfoil webhook explain` 会逐步显示验签过程。",
        ),
        Code::TransmissionConflict => (
            "同一传输编号此前带来过不同的内容",
            "PayPal 从不用同一个 `paypal-transmission-id` 发送两份正文:有人用它的请求头重放了自己的正文。",
            "只有攻击者才会这样发送:先到的内容保留,两者的哈希都在服务日志里。",
        ),
        Code::UnknownShop => (
            "没有这个店铺",
            "这里没有创建过这个名字的店铺,或者密钥所属的店铺已不存在。",
            "检查路径:/webhooks/paypal/{shop}。",
        ),
        Code::MalformedJson => (
            "正文不是 JSON",
            "正文无法解析:不是 UTF-8、以字节顺序标记开头、中途截断,或者有重复的字段名。",
            "发送 UTF-8 编码、不带字节顺序标记的 JSON,嵌套不超过 128 层。",
        ),
        Code::InvalidCommand => (
            "命令无效",
            "缺少字段、字段格式不对、有未知字段,或者金额对不上:总额必须等于各行、税费与运费之和减去各项抵扣,精确到最小货币单位。",
            "`errors` 列出每个有误的字段;什么都没有改变。",
        ),
        Code::BatchIncomplete => (
            "并非每一行都被接受",
            "有些行无效,或者它们的 id 属于另一条命令;其余各行已被接受。",
            "`errors` 指出这些行;改正后重新发送整批即可,已接受的行只计一次。",
        ),
        Code::CommandConflict => (
            "这个 id 属于另一条命令",
            "日志里已有同一 id 的命令,而内容不同。同一 id、同一内容只计一次。",
            "先到的命令保留;新内容请使用新的 id。",
        ),
        Code::InvalidQuery => {
            ("查询参数无效", "参数不被识别、重复出现,或者取值不合法。", "`detail` 指出是哪个参数。")
        }
        Code::EpochChanged => (
            "日志此后发生过分叉",
            "游标来自数据库恢复到较早状态之前的时期。两段历史在 `forked_at` 处分开。",
            "从 `resume_after` 中的游标之后继续:那里是另一段历史。",
        ),
        Code::CursorAhead => (
            "游标超出了日志末尾",
            "游标指向不存在的事件。本日志不会给出这样的游标:它来自别的店铺或服务,或者来自此后被恢复过的数据库。",
            "日志到 `head` 为止。看到过更多内容的人看到的是另一份日志:请询问运维人员是否恢复过数据库。",
        ),
        Code::Pruned => (
            "发件箱没有保留那么久",
            "发件箱只保留一段时间,并等待每个已登记的下游和消费者;来得更晚的读者会发现开头已被清理。",
            "从 `resume_after` 中的游标之后继续;其间的事件都在日志里,见 /v1/events。",
        ),
        Code::CursorMoved => (
            "消费者的游标在别处",
            "读取 `was` 之后,消费者被移动过:有两个实例用同一个名字工作。",
            "它现在位于 `cursor`:另一个实例正以此名工作。",
        ),
        Code::NameTaken => ("名称已被占用", "已经有同名的下游。", "换一个名称,或者修改已有的那个。"),
        Code::Unauthorized => (
            "需要 API 密钥",
            "请求没有带 API 密钥,或者密钥未知、已吊销、已到期。",
            "发送 Authorization: Bearer cf_..,并使用未被吊销的密钥。",
        ),
        Code::Forbidden => (
            "该密钥无权这样做",
            "密钥有效,但没有所需的角色,或者属于另一个店铺。",
            "使用具有 `detail` 所列角色的密钥。",
        ),
        Code::NotFound => (
            "这里没有这个对象",
            "路径不属于本 API,或者它所指的对象不存在:订单只有在下单之后才存在。",
            "检查路径和 id。",
        ),
        Code::MethodNotAllowed => {
            ("该路径不支持这个方法", "路径存在,但要用别的方法访问:`Allow` 列出支持的方法。", "检查请求方法。")
        }
        Code::Timeout => {
            ("请求没有及时到达", "正文到得太慢,连接已关闭。", "换一个新连接,在时限内发送完整的正文。")
        }
        Code::TooManyRequests => (
            "请求过多",
            "密钥的请求超过了限额,或者该地址有太多请求未通过验证。真实的回调从不计入。",
            "`detail` 说明是谁的限额。请在 Retry-After 秒后重试;限额由运维人员设定。",
        ),
        Code::UriTooLong => ("路径或查询过长", "路径连同查询超过 8 KiB。", "发送更短的请求。"),
        Code::TooLarge => ("正文过大", "正文的字节数超过该路径的上限。", "`detail` 给出上限。"),
        Code::UnsupportedMediaType => (
            "不接受这种媒体类型",
            "正文没有标明为 JSON,或者被压缩了。",
            "发送 application/json,不要使用内容编码。",
        ),
        Code::HeadersTooLarge => {
            ("请求头过大", "请求头超过 32 KiB,或者多于 96 个。", "发送更少、更短的请求头。")
        }
        Code::BadRequest => {
            ("请求格式有误", "请求违反 HTTP 规范,或者正文中途断开。", "对照 HTTP 和本 API 检查请求。")
        }
        Code::NotAtPaypal => (
            "无法就此询问 PayPal",
            "只有凭店铺自己的凭证、并且知道订单在 PayPal 的编号,才能询问。",
            "`detail` 说明缺少什么:店铺在 PayPal 的凭证(`serve --paypal-credentials`),或者订单在 PayPal \
             的编号(下单时的 `paypal_order_id`)。",
        ),
        Code::Unavailable => (
            "暂时不可用",
            "数据库、证书或队列中的位置暂时无法取得:例如数据库正在切换,或者一次来得太多。",
            "什么都没有丢失:请在 Retry-After 秒后原样重发。",
        ),
        Code::LogForked => (
            "日志已分叉",
            "日志缺少此前已答复的内容:数据库从备份恢复过,或者被换成了另一个。",
            "数据库已不是原来的那个;在运维人员运行 `counterfoil shops recover` 之前不接受任何写入。请在 Retry-After 秒后原样重发。",
        ),
        Code::Internal => (
            "内部错误",
            "程序缺陷,或者本不该发生的情况。",
            "把请求编号告诉运维人员:原因记在日志中该编号旁边。",
        ),
    };
    Text { title, cause, help }
}

/// What an answer of this code looks like: for the pages, and for `/openapi.json`.
pub(crate) fn example(code: Code) -> Value {
    let detail = match code {
        Code::CallbackMalformed => "paypal-transmission-sig is missing.",
        Code::NotAuthentic => "The signature does not hold.",
        Code::UnknownShop => "No shop of that name is here.",
        Code::MalformedJson => "expected `,` or `}` at line 3 column 5",
        Code::InvalidCommand => "total_minor: the parts come to 1900, not 2000.",
        Code::BatchIncomplete => "1 of 3 lines were not taken.",
        Code::CommandConflict => "A command with this id and other content is in the log.",
        Code::InvalidQuery => "limit: a number from 1 to 1000.",
        Code::EpochChanged => "The cursor is of epoch 0; the log is in epoch 1.",
        Code::CursorAhead => "The cursor 0-2000 is ahead of the log.",
        Code::Pruned => "The outbox begins behind 0-512.",
        Code::CursorMoved => "The consumer stands at 0-1042, and not where it was.",
        Code::NameTaken => "A sink of this name is there: PUT changes it.",
        Code::Forbidden => "This needs a key with the role operator.",
        Code::MethodNotAllowed => "The path knows GET, POST.",
        Code::TooLarge => "The body has more than 2097152 bytes.",
        Code::TooManyRequests => "The key asks too often.",
        Code::NotAtPaypal => "The shop has no credentials at PayPal here.",
        Code::LogForked => "the log of demo has forked at 1043.",
        Code::Internal => "The reason stands in the log of the service, beside this request id.",
        _ => code.title(),
    };
    let problem = Problem::new(code, detail);
    let problem = match code {
        Code::InvalidCommand => problem.with(
            "errors",
            json!([{ "pointer": "/total_minor", "detail": "the parts come to 1900, not 2000" }]),
        ),
        Code::BatchIncomplete => problem
            .with("accepted", 2)
            .with("known", 0)
            .with("refused", 1)
            .with("last_position", "0-1043")
            .with("errors", json!([{ "pointer": "/1/qty", "detail": "must be a positive whole number" }])),
        Code::EpochChanged => problem
            .with("old_epoch", 0)
            .with("new_epoch", 1)
            .with("forked_at", 1043)
            .with("resume_after", "1-1042"),
        Code::CursorAhead => problem.with("head", "0-1042"),
        Code::Pruned => problem.with("resume_after", "0-512"),
        Code::CursorMoved => problem.with("cursor", "0-1042"),
        _ => problem,
    };
    problem.document(Some("0197f3c2a1b04d5e"))
}
