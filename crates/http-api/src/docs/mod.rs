//! `/docs`: the API as a page to read, and what each problem means. Public, and the same for everybody.

mod page;
mod problems;
mod reference;
mod texts;

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::methods::at;
use crate::problem::{Code, Problem};
use page::{Language, Page};

pub(crate) use texts::example;

const STYLE: &str = include_str!("style.css");

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/docs").get(reference).done())
        .service(at("/docs/style.css").get(style).done())
        .service(at("/docs/problems").get(index).done())
        .service(at("/docs/problems/{code}").get(problem).done());
}

async fn reference() -> HttpResponse {
    static PAGE: LazyLock<Page> = LazyLock::new(|| reference::page(&crate::openapi::document()));
    PAGE.response()
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(STYLE)
}

async fn index(request: HttpRequest) -> HttpResponse {
    problems::index(wanted(&request)).response()
}

/// What a problem's `type` resolves to.
async fn problem(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let code = Code::ALL.iter().find(|code| code.name() == path.as_str());
    let code = code.ok_or_else(|| Problem::new(Code::NotFound, "There is no problem of this code."))?;
    Ok(problems::one(wanted(&request), *code).response())
}

fn wanted(request: &HttpRequest) -> Language {
    Language::wanted(request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::openapi;

    /// The values of an attribute, in the order of the page.
    fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
        let begin = format!(" {attribute}=\"");
        html.split(begin.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    fn pages() -> Vec<(String, String)> {
        let mut pages = vec![("/docs".to_owned(), reference::page(&openapi::document()).html)];
        for language in [Language::English, Language::Chinese] {
            pages.push((format!("/docs/problems {language:?}"), problems::index(language).html));
            for code in Code::ALL {
                pages.push((format!("{} {language:?}", code.name()), problems::one(language, *code).html));
            }
        }
        pages
    }

    #[test]
    fn the_page_has_every_operation_and_every_link_within_it_leads_somewhere() {
        let document = openapi::document();
        let html = reference::page(&document).html;
        let ids: BTreeSet<&str> = values(&html, "id").into_iter().collect();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                assert!(ids.contains(operation["operationId"].as_str().unwrap()), "{operation}");
            }
        }
        let lost: Vec<_> = values(&html, "href")
            .into_iter()
            .filter_map(|href| href.strip_prefix('#'))
            .filter(|id| !ids.contains(id))
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn no_page_has_a_script_or_takes_anything_from_elsewhere() {
        for (name, html) in pages() {
            assert!(!html.contains("<script") && !html.contains(" style="), "{name}");
            assert!(values(&html, "src").is_empty(), "{name}");
            let away: Vec<_> =
                values(&html, "href").into_iter().filter(|href| !href.starts_with(['/', '#'])).collect();
            assert!(away.is_empty(), "{name}: {away:?}");
        }
    }

    #[test]
    fn every_problem_is_explained_in_both_languages() {
        for code in Code::ALL {
            let (english, chinese) = (texts::english(*code), texts::chinese(*code));
            for text in [english.title, english.cause, english.help] {
                assert!(text.len() > 8 && text.is_ascii(), "{}: {text}", code.name());
            }
            for text in [chinese.title, chinese.cause, chinese.help] {
                assert!(
                    text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c)),
                    "{}: {text}",
                    code.name()
                );
            }
        }
    }
}
