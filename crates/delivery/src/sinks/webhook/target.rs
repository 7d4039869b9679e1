//! Which endpoints a sink may have.

use std::net::IpAddr;

use reqwest::Url;

use super::guard;
use super::signature::Keys;
use crate::sinks::{InvalidSettings, Secrets, WebhookTarget};

const URL_MAX: usize = 2048;
const TIMEOUT_S: std::ops::RangeInclusive<u32> = 1..=30;
const IN_FLIGHT: std::ops::RangeInclusive<u32> = 1..=256;

/// Sees whether a target and its secrets can be meant.
pub(crate) fn check(target: &WebhookTarget, secrets: &Secrets) -> Result<(), InvalidSettings> {
    let is = |field, why: String| Err(InvalidSettings::Target { field, why });
    if let Err(why) = url(target) {
        return is("url", why);
    }
    if !TIMEOUT_S.contains(&target.timeout_s) {
        return is("timeout_s", "must be 1 to 30 seconds".to_owned());
    }
    if !IN_FLIGHT.contains(&target.in_flight) {
        return is("in_flight", "must be 1 to 256".to_owned());
    }
    if target.ca_file.as_ref().is_some_and(String::is_empty) {
        return is("ca_file", "must name a file, or be left out".to_owned());
    }
    Keys::of(secrets).map(drop).or_else(|(name, why)| is(name, why))
}

/// Reads the URL. Names are checked when they are resolved; addresses, which are not resolved, are checked here.
pub(super) fn url(target: &WebhookTarget) -> Result<Url, String> {
    if target.url.len() > URL_MAX {
        return Err(format!("must have at most {URL_MAX} characters"));
    }
    let url = Url::parse(&target.url).map_err(|error| format!("must be an absolute URL: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if target.allow_private => {}
        "http" => return Err("must be https (http only with \"allow_private\": true)".to_owned()),
        _ => return Err("must be https".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must be without a user and password: what is sent is signed instead".to_owned());
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if let (Ok(address), false) = (host.parse::<IpAddr>(), target.allow_private) {
        guard::check(host, address).map_err(|refused| refused.to_string())?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sinks::Settings;

    fn said(target: serde_json::Value, secrets: &[u8]) -> Result<(), String> {
        let document = json!({"kind": "webhook", "target": target});
        let secrets = Secrets::parse(secrets).unwrap();
        Settings::parse(&document, &secrets).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn an_endpoint_that_cannot_be_meant_is_refused_with_the_field_and_the_reason() {
        let long = format!("https://shop.example/{}", "x".repeat(2048));
        for (url, why) in [
            ("shop.example/hook", "absolute"),
            ("/hook", "absolute"),
            ("ftp://shop.example", "https"),
            ("file:///etc/passwd", "https"),
            ("http://shop.example", "allow_private"),
            ("https://user@shop.example", "user"),
            ("https://:word@shop.example", "user"),
            ("https://127.0.0.1/", "loopback"),
            ("https://2130706433/", "loopback"),
            ("https://0x7f.1/", "loopback"),
            ("https://[::1]/", "loopback"),
            ("https://[::ffff:169.254.169.254]/", "metadata"),
            ("https://169.254.169.254/latest", "metadata"),
            ("https://10.1.2.3:8443/", "private"),
            (&long, "2048"),
        ] {
            let error = said(json!({"url": url}), b"{}").unwrap_err();
            assert!(error.starts_with("url: ") && error.contains(why), "{url}: {error}");
        }
        for url in ["http://127.0.0.1:1/", "http://[fd00::1]/", "https://shop.internal/"] {
            said(json!({"url": url, "allow_private": true}), b"{}").unwrap();
        }
        said(json!({"url": "https://shop.example:8443/hook?a=b"}), b"{}").unwrap();
        said(json!({"url": "https://1.1.1.1/"}), b"{}").unwrap();
    }

    #[test]
    fn bounds_and_keys_are_checked_before_a_sink_is_made() {
        let url = "https://shop.example";
        for (target, field) in [
            (json!({"url": url, "timeout_s": 0}), "timeout_s"),
            (json!({"url": url, "timeout_s": 31}), "timeout_s"),
            (json!({"url": url, "in_flight": 0}), "in_flight"),
            (json!({"url": url, "in_flight": 257}), "in_flight"),
            (json!({"url": url, "ca_file": ""}), "ca_file"),
        ] {
            let error = said(target, b"{}").unwrap_err();
            assert!(error.starts_with(field), "{error}");
        }
        let error = said(json!({"url": url}), br#"{"signing_key": "hunter2"}"#).unwrap_err();
        assert!(error.starts_with("signing_key: must be whsec_") && !error.contains("hunter2"), "{error}");
    }
}
