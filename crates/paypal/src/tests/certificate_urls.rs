//! Tests of certificate URLs.

use crate::{CertificateUrl, Environment, InvalidCertificateUrl as Invalid};

#[test]
fn only_the_environments_own_url_is_believed() {
    let accepted = [
        (Environment::Live, "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-0d12"),
        (Environment::Live, "https://api.paypal.com:443/v1/notifications/certs/CERT-1"),
        (Environment::Live, "HTTPS://API.PayPal.com/v1/notifications/certs/CERT-1"),
        (Environment::Sandbox, "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-a-B-9"),
        (Environment::Dev, "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-a"),
    ];
    for (environment, text) in accepted {
        let url = CertificateUrl::parse(text, environment).unwrap_or_else(|error| panic!("{text}: {error}"));
        let host = environment.certificate_hosts()[0];
        assert_eq!(url.as_str(), format!("https://{host}/v1/notifications/certs/{}", url.id()));
        assert!(url.id().starts_with("CERT-") && text.ends_with(url.id()));
    }
}

#[test]
fn everything_else_is_refused() {
    let refused = [
        ("http://api.paypal.com/v1/notifications/certs/CERT-1", Invalid::NotHttps),
        ("ftp://api.paypal.com/v1/notifications/certs/CERT-1", Invalid::NotHttps),
        ("file:///v1/notifications/certs/CERT-1", Invalid::NotHttps),
        ("javascript:alert(1)", Invalid::NotHttps),
        ("//api.paypal.com/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("cert_url", Invalid::NotPlain),
        ("https://", Invalid::NotPlain),
        ("https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1", Invalid::User),
        ("https://user@api.paypal.com/v1/notifications/certs/CERT-1", Invalid::User),
        ("https://user:pass@api.paypal.com/v1/notifications/certs/CERT-1", Invalid::User),
        ("https://@api.paypal.com/v1/notifications/certs/CERT-1", Invalid::User),
        ("https://api.paypal.com:444/v1/notifications/certs/CERT-1", Invalid::Port),
        ("https://api.paypal.com:80/v1/notifications/certs/CERT-1", Invalid::Port),
        ("https://api.paypal.com:99999/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://evil.example/api.paypal.com/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://api-m.paypal.com/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://www.paypal.com/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://paypal.com/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://api.paypal.com./v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://xapi.paypal.com/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://127.0.0.1/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://2130706433/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://0x7f000001/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://[::1]/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://169.254.169.254/v1/notifications/certs/CERT-1", Invalid::Host),
        ("https://[fe80::1%25eth0]/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https://api。paypal。com/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https://api.pay\u{200d}pal.com/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https://api.paypal.com\\@evil.example/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https:\\\\api.paypal.com\\v1\\notifications\\certs\\CERT-1", Invalid::NotPlain),
        ("https:api.paypal.com/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https:///api.paypal.com/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1\r\nX: y", Invalid::NotPlain),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1\t", Invalid::NotPlain),
        (" https://api.paypal.com/v1/notifications/certs/CERT-1", Invalid::NotPlain),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1?x=1", Invalid::Query),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1?", Invalid::Query),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1#x", Invalid::Query),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1#", Invalid::Query),
        ("https://api.paypal.com/v1/notifications/certs/../certs/CERT-1", Invalid::Path),
        ("https://api.paypal.com/v1/./notifications/certs/CERT-1", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/..%2f..%2fCERT-1", Invalid::NotPlain),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1/../../x", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1/", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs//CERT-1", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/CERT-", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/cert-1", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1.pem", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/CERT-1;x", Invalid::Path),
        ("https://api.paypal.com/v1/notifications/certs/", Invalid::Path),
        ("https://api.paypal.com/v2/notifications/certs/CERT-1", Invalid::Path),
        ("https://api.paypal.com/x/v1/notifications/certs/CERT-1", Invalid::Path),
        ("https://api.paypal.com", Invalid::Path),
    ];
    for (text, why) in refused {
        assert_eq!(CertificateUrl::parse(text, Environment::Live), Err(why), "{text}");
    }
    let live = "https://api.paypal.com/v1/notifications/certs/CERT-1";
    for environment in [Environment::Sandbox, Environment::Dev] {
        assert_eq!(CertificateUrl::parse(live, environment), Err(Invalid::Host));
    }
}
