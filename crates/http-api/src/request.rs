//! What requests say beside their bodies: who asks, how long to wait, where to go on.

use std::collections::HashMap;
use std::time::Duration;

use access::{Block, Denied, Identity, Role};
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use domain::Position;

use crate::app::Api;
use crate::problem::{Code, Problem};

/// The longest that `Prefer: wait` is honoured.
const WAIT_MAX_S: u64 = 30;

/// Any of these roles may read.
pub(crate) const READERS: &[Role] = &[Role::Shop, Role::Operator, Role::Viewer];
/// Any of these roles may read events.
pub(crate) const EVENT_READERS: &[Role] =
    &[Role::Shop, Role::Operator, Role::Viewer, Role::Feed, Role::Audit];

/// Who asks, if they may.
///
/// # Errors
/// 401 without a valid key, 403 without one of the roles, 429 where a key or an address asks too often, 503 when keys cannot
/// be looked up.
pub(crate) async fn authorize(api: &Api, request: &HttpRequest, roles: &[Role]) -> Result<Identity, Problem> {
    let identity = match bearer(request) {
        Ok(key) => identify(api, request, &key).await?,
        Err(problem) => {
            let place = api.admission.place(request);
            return Err(api.admission.fail(&place, problem, &api.counters).await);
        }
    };
    if roles.iter().any(|role| identity.roles.contains(*role)) {
        Ok(identity)
    } else {
        let names: Vec<String> = roles.iter().map(ToString::to_string).collect();
        Err(Problem::new(
            Code::Forbidden,
            format!("This needs a key with one of the roles {}.", names.join(", ")),
        ))
    }
}

/// The key of the request.
fn bearer(request: &HttpRequest) -> Result<String, Problem> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::new(Code::Unauthorized, "Authorization must be there exactly once."));
    };
    let key = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim().to_owned());
    key.ok_or_else(|| Problem::new(Code::Unauthorized, "Authorization must be Bearer and a key."))
}

/// Whose key it is, however it came. A failure is counted against the address, and what is none against the key.
pub(crate) async fn identify(api: &Api, request: &HttpRequest, key: &str) -> Result<Identity, Problem> {
    let place = api.admission.place(request);
    let identity = match look_up(api, key, &place).await {
        Ok(identity) => identity,
        Err(problem) if problem.code() == Code::Unauthorized => {
            return Err(api.admission.fail(&place, problem, &api.counters).await);
        }
        Err(problem) => return Err(problem),
    };
    api.admission.count(&identity, &api.counters)?;
    Ok(identity)
}

async fn look_up(api: &Api, key: &str, place: &Block) -> Result<Identity, Problem> {
    if let Some(identity) = api.keys.recall(key).await {
        return Ok(identity);
    }
    api.admission.refuse_suspect(place, &api.counters)?;
    let (keys, key) = (api.keys.clone(), key.to_owned());
    api.run(async move { keys.authenticate(&key).await }).await?.map_err(denied)
}

fn denied(denied: Denied) -> Problem {
    match denied {
        Denied::Unavailable(_) => Problem::unavailable("The table of keys", &denied),
        Denied::Malformed | Denied::Invalid => Problem::new(Code::Unauthorized, "The key is not valid here."),
    }
}

/// How long the client would wait for the outcome: `Prefer: wait=5`.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.trim().split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .find_map(|(_, seconds)| seconds.trim().trim_matches('"').parse::<u64>().ok())?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(WAIT_MAX_S)))
}

/// The command's id as a header.
///
/// # Errors
/// It is there twice, or is no text.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(key) => Ok(Some(key.to_owned())),
            Err(_) => Err(Problem::new(Code::BadRequest, "Idempotency-Key is no text.")),
        },
        _ => Err(Problem::new(Code::BadRequest, "Idempotency-Key is there twice.")),
    }
}

/// Refuses a body of another media type; none given is taken for JSON.
pub(crate) fn require_json(headers: &HeaderMap, also: &[&str]) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media_type = value.to_str().ok().and_then(|v| v.split(';').next()).unwrap_or_default().trim();
    let known = |name: &&str| media_type.eq_ignore_ascii_case(name);
    if ["application/json"].iter().chain(also).any(known) {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType, "The body must be application/json."))
    }
}

/// Query parameters, each at most once and each known.
pub(crate) struct Query(HashMap<String, String>);

impl Query {
    /// # Errors
    /// A parameter that is unknown or there twice: a misspelt filter would otherwise answer with everything.
    pub(crate) fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|_| Problem::new(Code::InvalidQuery, "The query cannot be read."))?;
        let mut parameters = HashMap::new();
        for (name, value) in pairs.into_inner() {
            if !known.contains(&name.as_str()) {
                return Err(invalid(&format!("This path knows the parameters {}.", known.join(", "))));
            }
            // PostgreSQL has none in its texts.
            if value.contains('\0') {
                return Err(invalid(&format!("The parameter {name} has a NUL.")));
            }
            if parameters.insert(name.clone(), value).is_some() {
                return Err(invalid(&format!("The parameter {name} is there twice.")));
            }
        }
        Ok(Self(parameters))
    }

    /// The parameter as text; an empty one is none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The parameter read as something else.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(invalid(&format!("The parameter {name} is not valid."))),
            },
        }
    }

    /// `limit`, 1 to 1000, by default 50.
    pub(crate) fn limit(&self) -> Result<i64, Problem> {
        match self.parsed::<i64>("limit")? {
            None => Ok(50),
            Some(limit) if (1..=1000).contains(&limit) => Ok(limit),
            Some(_) => Err(invalid("The parameter limit must be 1 to 1000.")),
        }
    }
}

pub(crate) fn invalid(detail: &str) -> Problem {
    Problem::new(Code::InvalidQuery, detail)
}

/// A position as clients see it: `<epoch>-<position>`, or the position alone.
///
/// # Errors
/// 409 for another epoch, 400 for what is none.
pub(crate) fn position(text: &str, epoch: i64) -> Result<Position, Problem> {
    let (theirs, position) = match text.split_once('-') {
        Some((theirs, position)) if !theirs.is_empty() => (Some(theirs), position),
        _ => (None, text),
    };
    let read = |text: &str| text.parse::<u64>().ok().and_then(|n| i64::try_from(n).ok());
    let Some(position) = read(position) else {
        return Err(invalid("A position is written <epoch>-<position>."));
    };
    match theirs.map(read) {
        None => Ok(Position(position)),
        Some(Some(theirs)) if theirs == epoch => Ok(Position(position)),
        Some(Some(_)) => Err(Problem::new(Code::EpochChanged, format!("The log is in its epoch {epoch}."))
            .with("new_epoch", epoch)),
        Some(None) => Err(invalid("A position is written <epoch>-<position>.")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn prefer(values: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static("prefer"), HeaderValue::from_static(value));
        }
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_preference_to_wait_is_read_and_bounded() {
        assert_eq!(prefer(&["wait=5"]), Some(5));
        assert_eq!(prefer(&["respond-async, wait=5"]), Some(5));
        assert_eq!(prefer(&["handling=lenient", "Wait = \"7\""]), Some(7));
        assert_eq!(prefer(&["wait=600"]), Some(30));
        assert_eq!(prefer(&["wait=0"]), None);
        assert_eq!(prefer(&["wait=soon"]), None);
        assert_eq!(prefer(&[]), None);
    }

    #[test]
    fn a_position_of_another_epoch_is_a_conflict() {
        assert_eq!(position("0-12", 0).unwrap(), Position(12));
        assert_eq!(position("12", 0).unwrap(), Position(12));
        assert_eq!(position("1-12", 0).unwrap_err().code(), Code::EpochChanged);
        for text in ["", "-1", "a", "0-", "0--1", "99999999999999999999"] {
            assert_eq!(position(text, 0).unwrap_err().code(), Code::InvalidQuery, "{text}");
        }
    }
}
