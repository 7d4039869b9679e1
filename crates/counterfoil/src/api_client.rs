//! The client of the service's own API, for the verbs that show or change data.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config::{self, ApiArgs};
use crate::exit;
use crate::project::Project;

const PAGE: u32 = 1000;

/// A client with a key.
pub(crate) struct ApiClient {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
}

/// A client for everything that is not PayPal's: short waits, no redirects, no proxy.
pub(crate) fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("counterfoil/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

/// The URL that was given, else that of `dev`.
pub(crate) fn base_url(api: &ApiArgs, project: Option<&Project>) -> anyhow::Result<Url> {
    let text = api.url.clone().or_else(|| project.and_then(Project::dev_state).map(|state| state.url));
    let text = text.ok_or_else(|| {
        exit::config("no service: give --url or COUNTERFOIL_URL, or start `counterfoil dev` in this folder")
    })?;
    let url = Url::parse(&text).map_err(|error| exit::config(format!("{text:?} is no URL: {error}")))?;
    if url.cannot_be_a_base() {
        return Err(exit::config(format!("{text:?} is no URL of a service: http://127.0.0.1:8080")));
    }
    Ok(url)
}

impl ApiClient {
    /// The client that the arguments, the environment, or the folder of `dev` describe.
    pub(crate) fn find(api: &ApiArgs, project: Option<&Path>) -> anyhow::Result<Self> {
        let project = Project::find(project);
        let base = base_url(api, project.as_ref())?;
        let key = match &api.key_file {
            Some(file) => Some(config::secret_file("--key-file", file.clone())?),
            None => config::secret("COUNTERFOIL_KEY")?,
        };
        let key = key.or_else(|| project.and_then(|project| project.api_key("operator"))).ok_or_else(|| {
            exit::config("no API key: give --key-file or COUNTERFOIL_KEY (make one with `counterfoil keys create`)")
        })?;
        Ok(Self { http: http()?, base, key })
    }

    /// A client for a service whose URL and key are known.
    pub(crate) fn new(base: &str, key: SecretString) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, base: Url::parse(base)?, key })
    }

    /// Reads one thing.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Value> {
        self.send(Method::GET, path, query, None).await
    }

    /// Reads a list, page by page, until it ends or has as many rows as wanted.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        most: u32,
    ) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let missing = most.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            let mut query = query.to_vec();
            query.push(("limit", missing.min(PAGE).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page = self.get(path, &query).await?;
            let data = page.get("data").and_then(Value::as_array).context("the answer is no page")?;
            rows.extend(data.iter().cloned());
            let more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false);
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if !more || cursor.is_none() || data.is_empty() || rows.len() >= most as usize {
                return Ok(rows);
            }
        }
    }

    /// Asks for something, and waits a little until it has been decided.
    pub(crate) async fn command(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// Puts something in its place.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.send(Method::DELETE, path, &[], Some(body)).await
    }

    /// A page of the feed, and the cursor to go on from.
    pub(crate) async fn feed(&self, query: &[(&str, String)]) -> anyhow::Result<(Vec<Value>, String)> {
        let response = self.answer(Method::GET, &["v1", "feed"], query, None).await?;
        let cursor = response.headers().get("counterfoil-cursor").and_then(|value| value.to_str().ok());
        let cursor = cursor.map(str::to_owned);
        let page = read(response).await?;
        let events = page.as_array().context("the answer is no page of the feed")?;
        Ok((events.clone(), cursor.context("the answer has no cursor")?))
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        read(self.answer(method, path, query, body).await?).await
    }

    async fn answer(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let url = join(&self.base, path, query)?;
        let mut request = self.http.request(method, url).bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.json(body).header("prefer", "wait=10");
        }
        request.send().await.map_err(|error| unreachable_service(&self.base, &error))
    }
}

/// Each segment is escaped: an id is never taken for a path.
pub(crate) fn join(base: &Url, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Url> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| exit::config("no URL of a service"))?.pop_if_empty().extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

pub(crate) fn unreachable_service(base: &Url, error: &reqwest::Error) -> anyhow::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    exit::unavailable(format!("{base} does not answer ({cause}): is the service running?"))
}

async fn read(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let body = response.bytes().await?;
    let value: Value = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).with_context(|| format!("the answer ({status}) is no JSON"))?
    };
    if status.is_success() { Ok(value) } else { Err(problem(status, &value)) }
}

/// A problem document in one line, with every field that is wrong.
fn problem(status: StatusCode, value: &Value) -> anyhow::Error {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut said = format!("{} ({})", text("title"), status.as_u16());
    for part in ["detail", "help"] {
        if !text(part).is_empty() {
            said = format!("{said}: {}", text(part));
        }
    }
    if !text("resume_after").is_empty() {
        said = format!("{said} Go on after {}.", text("resume_after"));
    }
    for error in value.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        said = format!("{said}\n  {} {}", part("pointer"), part("detail"));
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => exit::config(said),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => exit::unavailable(said),
        status if status.is_client_error() => exit::finding(said),
        _ => anyhow::anyhow!(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_taken_for_a_path() {
        let base = Url::parse("http://127.0.0.1:8080/").unwrap();
        let url = join(&base, &["v1", "orders", "../x?y"], &[("a", "b&c".to_owned())]).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:8080/v1/orders/..%2Fx%3Fy?a=b%26c");
    }
}
