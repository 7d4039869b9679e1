//! Headers of a callback, one a line as `name: value`: what is taken is within its bounds, and a certificate's URL leads to
//! PayPal alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paypal::{CertificateUrl, Environment, TransmissionHeaders};

fuzz_target!(|input: &[u8]| {
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    });
    if let Ok(headers) = TransmissionHeaders::parse(lines) {
        for ((name, value), limit) in headers.pairs().into_iter().zip([50, 100, 500, 500, 100]) {
            assert!((1..=limit).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic()), "{name}");
        }
        assert!(!headers.id.contains('|') && !headers.time.contains('|'));
        let again = headers.pairs().map(|(name, value)| (name, value.as_bytes()));
        assert_eq!(TransmissionHeaders::parse(again.into_iter()), Ok(headers.clone()));
        url(&headers.certificate_url);
    }
    if let Ok(text) = std::str::from_utf8(input) {
        url(text);
    }
});

fn url(text: &str) {
    for (environment, host) in [
        (Environment::Live, "api.paypal.com"),
        (Environment::Sandbox, "api.sandbox.paypal.com"),
        (Environment::Dev, "api.sandbox.paypal.com"),
    ] {
        let Ok(url) = CertificateUrl::parse(text, environment) else { continue };
        let id = url.id().strip_prefix("CERT-").expect("every certificate has such a name");
        assert!(!id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{text}");
        assert_eq!(url.as_str(), format!("https://{host}/v1/notifications/certs/CERT-{id}"), "{text}");
        assert_eq!(CertificateUrl::parse(url.as_str(), environment).as_ref(), Ok(&url), "{text}");
    }
}
