//! What every page has: its head, the way to the others, and who looks at it.

use access::Role;

use crate::i18n::{Words, fill};
use crate::visit::Visit;

/// A way to another page.
pub(crate) struct Way {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_here: bool,
}

/// A choice of how pages look.
pub(crate) struct Choice {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) is_taken: bool,
    pub(crate) lang: Option<&'static str>,
}

/// What every page has.
pub(crate) struct Layout {
    pub(crate) w: Words,
    pub(crate) lang: &'static str,
    pub(crate) theme: &'static str,
    pub(crate) clock: &'static str,
    pub(crate) title: String,
    pub(crate) assets: String,
    pub(crate) ways: Vec<Way>,
    pub(crate) languages: Vec<Choice>,
    pub(crate) themes: Vec<Choice>,
    pub(crate) clocks: Vec<Choice>,
    /// None where nobody has signed in.
    pub(crate) shop: Option<String>,
    pub(crate) holder: String,
    /// Whether who looks may do something.
    pub(crate) may_act: bool,
    /// Of the session, for forms.
    pub(crate) token: String,
    /// What has just been done.
    pub(crate) notice: Option<String>,
}

impl Layout {
    /// Of the page of this name among the ways.
    pub(crate) fn new(visit: &Visit, here: &str, title: &str) -> Self {
        let w = visit.words();
        let look = visit.look;
        let me = visit.me().ok();
        let ways = [
            ("/console", w.overview()),
            ("/console/events", w.events()),
            ("/console/orders", w.orders()),
            ("/console/payments", w.payments()),
            ("/console/parked", w.parked()),
            ("/console/stock", w.stock()),
            ("/console/coupons", w.coupons()),
            ("/console/points", w.points()),
            ("/console/sinks", w.sinks()),
            ("/console/log", w.log()),
            ("/console/settings", w.settings()),
        ];
        let choice = |name: &str, value: &'static str, label: &'static str, is_taken: bool| Choice {
            label,
            href: format!(
                "/console/look?{}",
                form_urlencoded::Serializer::new(String::new())
                    .append_pair(name, value)
                    .append_pair("to", &visit.path)
                    .finish()
            ),
            is_taken,
            lang: None,
        };
        let theme = |value, label| choice("theme", value, label, look.theme == value);
        let clock = |value, label| choice("clock", value, label, look.clock == value);
        let language = |value, tag: &'static str, label| Choice {
            lang: Some(tag),
            ..choice("lang", value, label, look.lang.tag() == tag)
        };
        Self {
            w,
            lang: look.lang.tag(),
            theme: look.theme,
            clock: look.clock,
            title: title.to_owned(),
            assets: format!("/console/assets/{}", crate::assets::version()),
            ways: ways.into_iter().map(|(href, label)| Way { href, label, is_here: href == here }).collect(),
            languages: vec![language("en", "en", "English"), language("zh", "zh-CN", "简体中文")],
            themes: vec![
                theme("auto", w.theme_auto()),
                theme("light", w.theme_light()),
                theme("dark", w.theme_dark()),
            ],
            clocks: vec![
                clock("utc", "UTC"),
                clock("local", w.clock_local()),
                clock("relative", w.clock_relative()),
            ],
            shop: me.map(|me| me.shop.to_string()),
            holder: me.map(|me| me.holder.clone()).unwrap_or_default(),
            may_act: me.is_some_and(|me| me.has(Role::Operator)),
            token: visit.session().map(|session| session.token.clone()).unwrap_or_default(),
            notice: notice(w, &visit.path),
        }
    }
}

/// What has just been done, as the address says: words of ours, and numbers, never a text of the address.
fn notice(w: Words, path: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let find = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value)
    };
    let done = find("done")?;
    let at: u64 = find("at").and_then(|at| at.parse().ok()).unwrap_or_default();
    let text = match &*done {
        "resolved" => w.done_resolved(),
        "redriven" => w.done_redriven(),
        "redriven-all" => w.done_redriven_all(),
        "dismissed" => w.done_dismissed(),
        "waits" => w.done_waits(),
        "paused" => w.done_paused(),
        "resumed" => w.done_resumed(),
        "reset" => w.done_reset(),
        _ => return None,
    };
    Some(fill(text, &[&at]))
}
