//! What an endpoint's answer, or that there is none, says of a delivery.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::guard;
use crate::sinks::Delivery;

/// Of an answer so much is read: enough for most to be read to their end, so that the connection can be used again.
const READ_MAX: usize = 4096;
/// However slowly it comes, for no longer than this.
const READ_FOR: Duration = Duration::from_secs(2);
/// And so much of it is said.
const EXCERPT: usize = 200;
/// For no longer than this an endpoint is left alone.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// When it asks for time, and not for how much.
const WAIT: Duration = Duration::from_secs(1);

/// Judges an answer. A success is told by its head; why it is none is told by what it says.
pub(crate) async fn judge(response: Response, now: DateTime<Utc>) -> Delivery {
    let (status, wait) = (response.status(), wait_of(response.headers(), now));
    let excerpt = tokio::time::timeout(READ_FOR, excerpt(response)).await.unwrap_or_default();
    let why = if excerpt.is_empty() { status.to_string() } else { format!("{status}: {excerpt}") };
    delivery(status, wait, why)
}

fn delivery(status: StatusCode, wait: Option<Duration>, why: String) -> Delivery {
    match status {
        status if status.is_success() => Delivery::Confirmed,
        status if status.is_redirection() => {
            Delivery::Refused { why: format!("{status}: redirects are not followed"), retry_after: wait }
        }
        StatusCode::GONE => Delivery::Gone(why),
        StatusCode::TOO_MANY_REQUESTS => Delivery::Busy { why, wait: wait.unwrap_or(WAIT) },
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => match wait
        {
            Some(wait) => Delivery::Busy { why, wait },
            None => Delivery::Unavailable(why),
        },
        _ => Delivery::Refused { why, retry_after: wait },
    }
}

/// The beginning of what it says, on one line.
async fn excerpt(mut response: Response) -> String {
    let mut read = Vec::new();
    while read.len() < READ_MAX {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        read.extend_from_slice(&chunk[..chunk.len().min(READ_MAX - read.len())]);
    }
    let text = String::from_utf8_lossy(&read);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(EXCERPT).collect()
}

/// `Retry-After`: seconds, or a date of HTTP.
fn wait_of(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // What is no number is too many digits.
        value.parse().map_or(WAIT_MAX, Duration::from_secs)
    } else {
        let until = DateTime::parse_from_rfc2822(value).ok()?;
        (until.to_utc() - now).to_std().unwrap_or_default()
    };
    Some(wait.min(WAIT_MAX))
}

/// Why there is no answer. The URL is left out: many an endpoint's path is its secret.
pub(crate) fn failure(error: &reqwest::Error, timeout_s: u32) -> String {
    let causes = causes(error);
    if let Some(refused) = causes.iter().find_map(|cause| cause.downcast_ref::<guard::Refused>()) {
        return refused.to_string();
    }
    if error.is_timeout() {
        return match error.is_connect() {
            true => "no connection was made in time".to_owned(),
            false => format!("no answer came within {timeout_s} s"),
        };
    }
    let root = root(error);
    if causes.iter().any(|cause| cause.to_string().contains("certificate")) {
        return format!("TLS: {root} (roots of an authority of your own are named by ca_file in the target)");
    }
    if error.is_connect() { format!("it cannot be reached: {root}") } else { format!("no answer: {root}") }
}

/// What is at the bottom of it.
pub(crate) fn root(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(value: &str) -> Option<u64> {
        let now = DateTime::parse_from_rfc3339("2015-10-21T07:28:00Z").unwrap().to_utc();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        wait_of(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
        assert_eq!(waits("120"), Some(120));
        assert_eq!(waits("Wed, 21 Oct 2015 07:28:30 GMT"), Some(30));
        assert_eq!(waits("Wed, 21 Oct 2015 07:27:00 GMT"), Some(0), "the past");
        assert_eq!(waits("Wed, 21 Oct 2015 23:28:00 GMT"), Some(3600));
        assert_eq!(waits("86400"), Some(3600));
        assert_eq!(waits("99999999999999999999999"), Some(3600));
        for odd in ["", "-1", "1.5", "soon", "Wed, 99 Oct 2015 07:28:30 GMT"] {
            assert_eq!(waits(odd), None, "{odd}");
        }
    }

    #[test]
    fn an_answer_says_whose_fault_it_is() {
        let of = |status: u16, wait: Option<u64>| {
            let status = StatusCode::from_u16(status).unwrap();
            delivery(status, wait.map(Duration::from_secs), "said".to_owned())
        };
        let (why, seven) = ("said".to_owned(), Duration::from_secs(7));
        for status in [200, 202, 204, 299] {
            assert_eq!(of(status, None), Delivery::Confirmed);
        }
        assert_eq!(of(410, None), Delivery::Gone(why.clone()));
        assert_eq!(of(429, None), Delivery::Busy { why: why.clone(), wait: WAIT });
        assert_eq!(of(503, Some(7)), Delivery::Busy { why: why.clone(), wait: seven });
        for status in [502, 503, 504] {
            assert_eq!(of(status, None), Delivery::Unavailable(why.clone()));
        }
        for status in [400, 401, 404, 413, 500, 501] {
            assert_eq!(of(status, Some(7)), Delivery::Refused { why: why.clone(), retry_after: Some(seven) });
        }
        for status in [301, 302, 304, 307, 308] {
            let Delivery::Refused { why, .. } = of(status, None) else { panic!("{status}") };
            assert!(why.contains("redirects are not followed"), "{why}");
        }
    }
}
