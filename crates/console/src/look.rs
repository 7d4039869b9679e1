//! How somebody wants to see the pages: language, colours, times. Kept in a cookie, without signing in.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header;

use crate::i18n::Words;

const NAME: &str = "counterfoil-look";

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    En,
    Zh,
}

impl Lang {
    /// As `lang` attributes have it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// The first that the browser asks for and that there is, by its weights (RFC 9110, section 12.5.4).
    fn accepted(accept: &str) -> Self {
        let weighed = accept.split(',').filter_map(|part| {
            let mut parts = part.split(';').map(str::trim);
            let tag = parts.next()?.to_ascii_lowercase();
            let weight = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1_000), thousandths)?;
            let lang = match tag.split('-').next()? {
                "zh" => Self::Zh,
                "en" => Self::En,
                _ => return None,
            };
            (weight > 0).then_some((weight, lang))
        });
        // Of equal ones the first.
        weighed
            .fold(None, |best: Option<(u32, Self)>, next| match best {
                Some(best) if best.0 >= next.0 => Some(best),
                _ => Some(next),
            })
            .map_or(Self::En, |(_, lang)| lang)
    }
}

/// `0.8` as 800.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: u32 = if part.is_empty() { 0 } else { format!("{part:0<3}").get(..3)?.parse().ok()? };
    Some(whole.parse::<u32>().ok()?.min(1) * 1_000 + part)
}

/// How the pages look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) lang: Lang,
    /// light, dark or auto.
    pub(crate) theme: &'static str,
    /// utc, local or relative.
    pub(crate) clock: &'static str,
}

const THEMES: [&str; 3] = ["auto", "light", "dark"];
const CLOCKS: [&str; 3] = ["utc", "local", "relative"];

impl Look {
    /// What the cookie says; what it leaves open, as the browser says.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let accept = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut look =
            Self { lang: Lang::accepted(accept.unwrap_or_default()), theme: THEMES[0], clock: CLOCKS[0] };
        if let Some(cookie) = request.cookie(NAME) {
            for part in cookie.value().split('.').take(3) {
                if let Some((name, value)) = part.split_once('-') {
                    look.set(name, value);
                }
            }
        }
        look
    }

    /// Changes one thing; anything else is let be.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let one_of = |all: [&'static str; 3]| all.into_iter().find(|known| *known == value);
        match name {
            "lang" => self.lang = Lang::parse(value).unwrap_or(self.lang),
            "theme" => self.theme = one_of(THEMES).unwrap_or(self.theme),
            "clock" => self.clock = one_of(CLOCKS).unwrap_or(self.clock),
            _ => {}
        }
    }

    pub(crate) fn words(self) -> Words {
        Words(self.lang)
    }

    pub(crate) fn cookie(self, is_secure: bool) -> Cookie<'static> {
        let lang = if self.lang == Lang::Zh { "zh" } else { "en" };
        let text = format!("lang-{lang}.theme-{}.clock-{}", self.theme, self.clock);
        Cookie::build(NAME, text)
            .path(crate::PATH)
            .http_only(true)
            .secure(is_secure)
            .same_site(SameSite::Strict)
            .max_age(time::Duration::days(365))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_likes_best_of_those_that_are_there() {
        for (accept, expected) in [
            ("", Lang::En),
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("de, en;q=0.5, zh;q=0.7", Lang::Zh),
            ("en-GB, zh", Lang::En),
            ("zh;q=0, en;q=0.1", Lang::En),
            ("fr", Lang::En),
            ("zh;q=x", Lang::En),
        ] {
            assert_eq!(Lang::accepted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_cookie_says_otherwise_and_nonsense_says_nothing() {
        let look = |cookie: &'static str| {
            let request = TestRequest::get().insert_header(("accept-language", "zh"));
            Look::of(&request.insert_header(("cookie", cookie)).to_http_request())
        };
        let mut wanted = look("");
        assert_eq!((wanted.lang, wanted.theme, wanted.clock), (Lang::Zh, "auto", "utc"));
        wanted.set("lang", "en");
        wanted.set("theme", "dark");
        wanted.set("clock", "relative");
        wanted.set("theme", "\"><script>");
        assert_eq!(look("counterfoil-look=lang-en.theme-dark.clock-relative"), wanted);
        assert_eq!(look("counterfoil-look=lang-xx.theme-.clock-<b>").theme, "auto");
    }
}
