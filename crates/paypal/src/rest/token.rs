//! The access token of the OAuth client credentials grant (RFC 6749, 4.4): fetched once, kept until shortly before its end.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::call::read_answer;
use super::{Client, RestError};

/// A token is given up so long before its end: a request that begins with it must not end without it.
const BEFORE_END: Duration = Duration::from_secs(60);
/// No token is kept for longer, whatever PayPal says; it says nine hours.
const KEPT_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// The token in use. Whoever needs one while it is being fetched waits for that one.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Option<Token>>);

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Client {
    /// A token that is good for a while. `refused` is one that PayPal has just refused: it is not given again.
    pub(super) async fn token(&self, refused: Option<&Token>) -> Result<Token, RestError> {
        let mut kept = self.0.token.0.lock().await;
        let is_refused = |token: &Token| {
            refused.is_some_and(|refused| refused.text.expose_secret() == token.text.expose_secret())
        };
        if let Some(token) = &*kept
            && Instant::now() < token.until
            && !is_refused(token)
        {
            return Ok(token.clone());
        }
        *kept = None;
        let token = self.fetch_token().await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn fetch_token(&self) -> Result<Token, RestError> {
        let credentials = &self.0.credentials;
        let url = self.url("/v1/oauth2/token")?;
        let request = self
            .0
            .http
            .post(url)
            .basic_auth(&credentials.client_id, Some(credentials.secret.expose_secret()))
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let began = Instant::now();
        let bytes = read_answer(request).await?.ok_or_else(|| RestError::odd("404 for a token"))?;
        let answer: Answer =
            serde_json::from_slice(&bytes).map_err(|_| RestError::odd("the answer is no access token"))?;
        let lasts = Duration::from_secs(answer.expires_in).min(KEPT_MAX);
        // One that is as short as that is used for what it was fetched for.
        Ok(Token { text: answer.access_token.into(), until: began + lasts.saturating_sub(BEFORE_END) })
    }
}
