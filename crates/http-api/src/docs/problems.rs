//! The pages that a problem's `type` leads to.

use std::fmt::Write as _;

use super::page::{Language, Page, escaped};
use super::texts::{Text, chinese, english, example};
use crate::problem::{Code, PROBLEM_JSON};

struct Words {
    index: &'static str,
    about: &'static str,
    cause: &'static str,
    help: &'static str,
    example: &'static str,
    status: &'static str,
}

impl Language {
    fn text(self, code: Code) -> Text {
        match self {
            Self::English => english(code),
            Self::Chinese => chinese(code),
        }
    }

    fn words(self) -> &'static Words {
        match self {
            Self::English => &Words {
                index: "Problems",
                about: "Every error of this API is a problem document (RFC 9457), of the media type `application/problem+json`. \
                        Programs go by its `code`, which never changes its meaning or its status; `type` leads to one of these pages; \
                        `detail` is for people, and may be worded otherwise tomorrow. `request_id` names the request in the log of \
                        the service.",
                cause: "How it comes about",
                help: "What to do",
                example: "An answer",
                status: "Status",
            },
            Self::Chinese => &Words {
                index: "错误一览",
                about: "本 API 的每个错误都是问题文档(RFC 9457),媒体类型为 `application/problem+json`。程序应以 `code` \
                        为准,它的含义和状态码永不改变;`type` 指向本页所列的某一页;`detail` 供人阅读,措辞可能变化。`request_id` \
                        是该请求在服务日志中的编号。",
                cause: "产生原因",
                help: "如何处理",
                example: "应答示例",
                status: "状态码",
            },
        }
    }
}

/// All of them.
pub(super) fn index(language: Language) -> Page {
    let words = language.words();
    let mut page = Page::begin(language, words.index);
    page.raw("<main>\n").element("h1", words.index).prose(words.about).raw("<dl>\n");
    for code in Code::ALL {
        let Text { title, cause, .. } = language.text(*code);
        let name = code.name();
        let term = format!(
            "<dt><a href=\"/docs/problems/{name}\"><code>{name}</code></a> ({})</dt>\n",
            code.status().as_u16()
        );
        page.raw(&term).element("dd", &format!("{}<br>{}", escaped(title), super::page::marked(cause)));
    }
    page.raw("</dl>\n<p><a href=\"/docs\">/docs</a></p>\n</main>\n");
    page
}

/// One of them.
pub(super) fn one(language: Language, code: Code) -> Page {
    let (words, Text { title, cause, help }) = (language.words(), language.text(code));
    let mut page = Page::begin(language, title);
    let mut head = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        head,
        "<main>\n<p><a href=\"/docs/problems\">{}</a></p>\n<h1>{}</h1>\n<p><code>{}</code> · {} {}</p>\n",
        words.index,
        escaped(title),
        code.name(),
        words.status,
        code.status()
    );
    page.raw(&head);
    page.element("h2", words.cause).prose(cause).element("h2", words.help).prose(help);
    let document = serde_json::to_string_pretty(&example(code)).unwrap_or_default();
    let answer = format!("HTTP/1.1 {}\ncontent-type: {PROBLEM_JSON}\n\n{document}", code.status());
    page.element("h2", words.example).example(&answer).raw("</main>\n");
    page
}
