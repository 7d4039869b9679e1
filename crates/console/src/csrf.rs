//! That a form was sent from a page of ours: it carries the session's token, and the browser says nothing against it.

use actix_web::HttpRequest;
use actix_web::http::header;
use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Whether the form has the token of the session.
pub(crate) fn is_token(given: &str, token: &str) -> bool {
    verify_slices_are_equal(given.as_bytes(), token.as_bytes()).is_ok()
}

/// Whether what the browser says of where the request comes from allows it: `Sec-Fetch-Site`, else `Origin`. With our referrer
/// policy a browser may write `null` for ours; then, and where nothing is said, the token and the cookie's own rule
/// (`SameSite=Strict`) decide.
pub(crate) fn is_from_here(request: &HttpRequest) -> bool {
    let said = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = said("sec-fetch-site") {
        return site == "same-origin";
    }
    match said(header::ORIGIN.as_str()) {
        None | Some("null") => true,
        Some(origin) => {
            let host = said(header::HOST.as_str()).unwrap_or("?");
            origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn judged(headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = TestRequest::post().insert_header(("host", "shop.example"));
        for header in headers {
            request = request.insert_header(*header);
        }
        is_from_here(&request.to_http_request())
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(is_token("abc", "abc"));
        for given in ["", "ab", "abcd", "abd"] {
            assert!(!is_token(given, "abc"), "{given}");
        }
    }

    #[test]
    fn what_a_browser_says_of_another_site_refuses_the_form() {
        assert!(judged(&[]));
        assert!(judged(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(judged(&[("origin", "https://shop.example")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!judged(&[("sec-fetch-site", site)]), "{site}");
        }
        for origin in
            ["https://evil.example", "https://shop.example.evil", "shop.example", "https://shop.example:8443"]
        {
            assert!(!judged(&[("origin", origin)]), "{origin}");
        }
        assert!(!judged(&[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")]));
    }
}
