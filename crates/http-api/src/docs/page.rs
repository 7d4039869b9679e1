//! HTML of our own few pages: whole without scripts, and nothing in it comes from elsewhere.

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::http::header;

/// Nothing is fetched but from here, and nobody may frame it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The first of those that are wanted which is one of ours. Weights are not heeded: browsers list by preference.
    pub(super) fn wanted(accept_language: Option<&str>) -> Self {
        let mut wanted = accept_language.unwrap_or_default().split(',').map(str::trim);
        let known = wanted.find_map(|one| match one.get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        });
        known.unwrap_or(Self::English)
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// A page that is being written.
pub(super) struct Page {
    language: Language,
    pub(super) html: String,
}

impl Page {
    pub(super) fn begin(language: Language, title: &str) -> Self {
        let html = format!(
            "<!doctype html>\n<html lang=\"{}\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{} · Counterfoil</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n",
            language.tag(),
            escaped(title)
        );
        Self { language, html }
    }

    /// Adds HTML as it is.
    pub(super) fn raw(&mut self, html: &str) -> &mut Self {
        self.html.push_str(html);
        self
    }

    /// Adds an element with this HTML in it.
    pub(super) fn element(&mut self, tag: &str, html: &str) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = writeln!(self.html, "<{tag}>{html}</{tag}>");
        self
    }

    /// Adds text: its paragraphs, in which backticks mark code.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
            self.element("p", &marked(paragraph));
        }
        self
    }

    /// Adds an example, as it is typed or sent.
    pub(super) fn example(&mut self, text: &str) -> &mut Self {
        self.element("pre", &format!("<code>{}</code>", escaped(text)))
    }

    /// The page as an answer.
    pub(super) fn response(&self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_LANGUAGE, self.language.tag()))
            .insert_header((header::VARY, "Accept-Language"))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
            .body(self.html.clone())
    }
}

/// Text as HTML shows it.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}

/// Text in which every second piece between backticks is code, and an empty line begins a new one.
pub(super) fn marked(text: &str) -> String {
    let pieces = text.split('`').enumerate().map(|(number, piece)| match number % 2 {
        0 => escaped(piece).replace("\n\n", "<br>"),
        _ => format!("<code>{}</code>", escaped(piece)),
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_is_ours_is_taken() {
        for (accepted, language) in [
            (None, Language::English),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese),
            (Some("de-DE, en;q=0.5, zh;q=0.1"), Language::English),
            (Some("fr, zh-Hans"), Language::Chinese),
            (Some("x,,ü"), Language::English),
        ] {
            assert_eq!(Language::wanted(accepted), language, "{accepted:?}");
        }
    }

    #[test]
    fn nothing_in_a_text_is_taken_for_html() {
        assert_eq!(marked("<b> `a<b` & \"c\""), "&lt;b&gt; <code>a&lt;b</code> &amp; &quot;c&quot;");
    }
}
