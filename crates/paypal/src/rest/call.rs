//! One request and its answer, bounded.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderName, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Client, RestError};

/// The most that is read of an answer: a page of a hundred events of the size that callbacks may have is far smaller.
const ANSWER_MAX: usize = 32 * 1024 * 1024;
/// The most that is read of an error's body.
const ERROR_MAX: usize = 16 * 1024;
/// No longer than this is waited because PayPal asks for it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);
const NAME_MAX: usize = 64;

impl Client {
    pub(super) fn url(&self, path: &str) -> Result<Url, RestError> {
        self.0.base.join(path).map_err(RestError::odd)
    }

    /// Reads what stands at a path; none where nothing does.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, RestError> {
        let bytes = self.get_raw(path).await?;
        bytes.map(|bytes| parse(&bytes)).transpose()
    }

    pub(super) async fn get_raw(&self, path: &str) -> Result<Option<Vec<u8>>, RestError> {
        self.call(Method::GET, path, None).await
    }

    /// Calls with a token; once more with a new one where PayPal says that it is no good any more.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, RestError> {
        let url = self.url(path)?;
        let request = |token: &super::token::Token| {
            let request =
                self.0.http.request(method.clone(), url.clone()).bearer_auth(token.text.expose_secret());
            match body {
                Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_vec()),
                None => request,
            }
        };
        let token = self.token(None).await?;
        match read_answer(request(&token)).await {
            Err(RestError::Refused { status: 401, .. }) => {
                let token = self.token(Some(&token)).await?;
                read_answer(request(&token)).await
            }
            answer => answer,
        }
    }
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RestError> {
    // The parser's own text may repeat the answer.
    serde_json::from_slice(bytes).map_err(|error| {
        RestError::odd(format!("it cannot be read (line {}, column {})", error.line(), error.column()))
    })
}

/// The body of a good answer; none for 404.
pub(super) async fn read_answer(request: RequestBuilder) -> Result<Option<Vec<u8>>, RestError> {
    let response = request.send().await.map_err(|error| RestError::unavailable(with_causes(&error)))?;
    let status = response.status();
    if status.is_success() {
        return read_body(response, ANSWER_MAX).await.map(Some);
    }
    let retry_after = retry_after(&response);
    match status {
        StatusCode::NOT_FOUND => Ok(None),
        StatusCode::TOO_MANY_REQUESTS => Err(RestError::Throttled { retry_after }),
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Err(RestError::Unavailable { why: format!("it answered {}", status.as_u16()), retry_after })
        }
        status if status.is_client_error() => {
            let name = read_body(response, ERROR_MAX).await.ok().and_then(|body| error_name(&body));
            Err(RestError::Refused { status: status.as_u16(), name })
        }
        // A redirect, which nothing of the API answers.
        status => Err(RestError::odd(format!("it answered {}", status.as_u16()))),
    }
}

async fn read_body(mut response: Response, most: usize) -> Result<Vec<u8>, RestError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > most => {
                return Err(RestError::odd(format!("it is longer than {most} bytes")));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(RestError::unavailable(with_causes(&error))),
        }
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let header = |name: HeaderName| response.headers().get(name)?.to_str().ok().map(str::trim);
    let text = header(RETRY_AFTER)?;
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        // By PayPal's own clock.
        Err(_) => {
            let [until, now] = [text, header(DATE)?].map(DateTime::parse_from_rfc2822);
            (until.ok()? - now.ok()?).to_std().ok()?
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// `name` of PayPal's errors, `error` of OAuth's.
fn error_name(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        name: Option<String>,
        error: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let name = answer.name.or(answer.error)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    Some(name.chars().filter(|c| is_name(*c)).take(NAME_MAX).collect())
}

/// The HTTP client's own text leaves out why: the certificate, the name, the time-out.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = "the request failed".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
