//! A way in without typing a key: a link that signs in once. `dev` makes one and prints it; where none is made, no route
//! knows of it.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::HttpRequest;
use secrecy::SecretString;

use crate::csrf::is_token;

/// Where a ticket is shown.
pub(crate) const AT: &str = "/sign-in/{ticket}";

/// Signs in whoever shows it first, from this machine.
pub struct Ticket {
    key: SecretString,
    token: String,
    is_used: AtomicBool,
}

impl Ticket {
    /// One for this API key; none without randomness.
    #[must_use]
    pub fn new(key: SecretString) -> Option<Self> {
        let mut token = [0; 32];
        aws_lc_rs::rand::fill(&mut token).ok()?;
        Some(Self { key, token: hex::encode(token), is_used: AtomicBool::new(false) })
    }

    /// The path of its link: a secret until it has been used.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}{}", crate::PATH, AT.replace("{ticket}", &self.token))
    }

    /// It let nobody in: it may be shown again.
    pub(crate) fn give_back(&self) {
        self.is_used.store(false, Ordering::Relaxed);
    }

    /// The key, for what is shown here for the first time. What is shown from elsewhere uses nothing up.
    pub(crate) fn redeem(&self, request: &HttpRequest, shown: &str) -> Option<&SecretString> {
        let is_near = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        let is_good = is_near && is_token(shown, &self.token) && !self.is_used.swap(true, Ordering::Relaxed);
        is_good.then_some(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_ticket_is_good_once_as_a_whole_and_from_this_machine() {
        let ticket = Ticket::new("cf_dev_key".into()).unwrap();
        let shown = |peer: &str, shown: &str| {
            let request = TestRequest::get().peer_addr(peer.parse().unwrap()).to_http_request();
            ticket.redeem(&request, shown).map(|key| key.expose_secret().to_owned())
        };
        let path = ticket.path();
        let token = path.strip_prefix("/console/sign-in/").unwrap();
        assert_eq!(token.len(), 64);
        for peer in ["192.0.2.7:4711", "[2001:db8::1]:4711", "[::ffff:192.0.2.7]:4711", "0.0.0.0:4711"] {
            assert_eq!(shown(peer, token), None, "{peer}");
        }
        for other in ["", &token[1..], &token.replace(&token[..1], "x"), &format!("{token}0")] {
            assert_eq!(shown("127.0.0.1:4711", other), None, "{other}");
        }
        assert_eq!(shown("[::ffff:127.0.0.1]:4711", token).as_deref(), Some("cf_dev_key"));
        assert_eq!(shown("127.0.0.1:4711", token), None, "it was used");
        ticket.give_back();
        assert_eq!(shown("127.0.0.1:4711", token).as_deref(), Some("cf_dev_key"));
    }
}
