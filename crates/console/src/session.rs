//! Who has signed in: a cookie that holds the API key, sealed.
//!
//! Nothing of a session is kept here, so that every instance accepts it, and it survives a restart. It is sealed under the
//! key-encryption key (AES-256-GCM); the API key in it is looked up at every request, so that one that is revoked or has run
//! out ends its sessions at once. It ends by itself an hour after the last page, and twelve after it began.

use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite, time};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use evidence::Vault;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// From one page to the next.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// From the first to the last.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// The cookie is written anew when it is so old.
const REFRESHED: Duration = Duration::from_secs(60);
/// What it is sealed for: no shop is called so, for a slash is in no shop's name.
const SEALED_FOR: &str = "console/session";
/// With the prefix a browser takes it over TLS alone, for this host and all of it.
const SECURE_NAME: &str = "__Host-counterfoil";
const PLAIN_NAME: &str = "counterfoil-console";
/// No session of ours is longer.
const TEXT_MAX: usize = 2_048;

/// Somebody who has signed in.
#[derive(Clone)]
pub(crate) struct Session {
    /// The API key.
    pub(crate) key: SecretString,
    /// What forms carry, so that no other site can send them.
    pub(crate) token: String,
    began: i64,
    seen: i64,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    key: &'a str,
    token: &'a str,
    began: i64,
    seen: i64,
}

impl Session {
    /// One that begins now.
    pub(crate) fn begin(key: &str, now: DateTime<Utc>) -> Option<Self> {
        let mut token = [0; 16];
        aws_lc_rs::rand::fill(&mut token).ok()?;
        let now = now.timestamp();
        Some(Self { key: key.into(), token: hex::encode(token), began: now, seen: now })
    }

    /// The session of a cookie, if it has not ended.
    pub(crate) fn open(vault: &Vault, text: &str, now: DateTime<Utc>) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = vault.unwrap(SEALED_FOR, &sealed).ok()?;
        let Sealed { key, token, began, seen } = serde_json::from_slice(&plain).ok()?;
        let session = Self { key: key.into(), token: token.to_owned(), began, seen };
        session.has_not_ended(now).then_some(session)
    }

    fn has_not_ended(&self, now: DateTime<Utc>) -> bool {
        let (since_seen, since_began) = (now.timestamp() - self.seen, now.timestamp() - self.began);
        since_seen < IDLE.as_secs() as i64 && since_began < LONGEST.as_secs() as i64
    }

    /// The same, of somebody who is there now; none where the cookie is young enough.
    pub(crate) fn refreshed(&self, now: DateTime<Utc>) -> Option<Self> {
        let is_old = now.timestamp() - self.seen >= REFRESHED.as_secs() as i64;
        is_old.then(|| Self { seen: now.timestamp(), ..self.clone() })
    }

    /// The cookie.
    pub(crate) fn cookie(&self, vault: &Vault, is_secure: bool) -> Option<Cookie<'static>> {
        let Self { key, token, began, seen } = self;
        let sealed = Sealed { key: key.expose_secret(), token, began: *began, seen: *seen };
        let plain = serde_json::to_vec(&sealed).ok()?;
        let text = URL_SAFE_NO_PAD.encode(vault.wrap(SEALED_FOR, &plain).ok()?);
        Some(cookie(text, is_secure, IDLE))
    }
}

/// The cookie of nobody.
pub(crate) fn no_cookie(is_secure: bool) -> Cookie<'static> {
    cookie(String::new(), is_secure, Duration::ZERO)
}

/// What the cookie is called.
pub(crate) fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE_NAME } else { PLAIN_NAME }
}

fn cookie(text: String, is_secure: bool, life: Duration) -> Cookie<'static> {
    Cookie::build(name(is_secure), text)
        .path("/")
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Strict)
        .max_age(time::Duration::seconds(life.as_secs() as i64))
        .finish()
}

#[cfg(test)]
mod tests {
    use evidence::KeyEncryptionKey;

    use super::*;

    const KEY: &str = "cf_demo_0123456789ab_secret";

    fn vault(byte: u8) -> Vault {
        Vault::new(KeyEncryptionKey::parse(&[byte; 32]).unwrap())
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn sealed(session: &Session) -> String {
        session.cookie(&vault(7), true).unwrap().value().to_owned()
    }

    #[test]
    fn every_instance_with_the_same_key_opens_it_and_no_other_does() {
        let session = Session::begin(KEY, at(0)).unwrap();
        let text = sealed(&session);
        let opened = Session::open(&vault(7), &text, at(60)).unwrap();
        assert_eq!((opened.key.expose_secret(), &opened.token), (KEY, &session.token));
        assert!(Session::open(&vault(8), &text, at(60)).is_none());
        assert!(!text.contains("cf_demo"), "the key stands in it readably");
    }

    #[test]
    fn whatever_is_changed_it_is_no_session() {
        let text = sealed(&Session::begin(KEY, at(0)).unwrap());
        for n in 0..text.len() {
            let other = if text.as_bytes()[n] == b'A' { "B" } else { "A" };
            let mut changed = text.clone();
            changed.replace_range(n..=n, other);
            // The last character has bits that nothing is made of.
            if n + 1 < text.len() {
                assert!(Session::open(&vault(7), &changed, at(1)).is_none(), "at {n}");
            }
        }
        for text in ["", "x", "%00", &"A".repeat(5_000)] {
            assert!(Session::open(&vault(7), text, at(1)).is_none());
        }
    }

    #[test]
    fn it_ends_an_hour_after_the_last_page_and_twelve_after_the_first() {
        let session = Session::begin(KEY, at(0)).unwrap();
        assert!(Session::open(&vault(7), &sealed(&session), at(3_599)).is_some());
        assert!(Session::open(&vault(7), &sealed(&session), at(3_600)).is_none());
        let mut session = session;
        let mut now = 0;
        while let Some(opened) = Session::open(&vault(7), &sealed(&session), at(now)) {
            session = opened.refreshed(at(now)).unwrap_or(opened);
            now += 1_800;
        }
        assert_eq!(now, 12 * 3_600);
    }

    #[test]
    fn the_cookie_is_for_this_host_over_tls_and_for_no_script() {
        let session = Session::begin(KEY, at(0)).unwrap();
        let text = session.cookie(&vault(7), true).unwrap().to_string();
        for part in ["__Host-counterfoil=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("Domain"));
        let plain = session.cookie(&vault(7), false).unwrap().to_string();
        assert!(plain.starts_with("counterfoil-console=") && !plain.contains("Secure"));
    }
}
