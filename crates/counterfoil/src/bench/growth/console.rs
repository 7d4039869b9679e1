//! The console's first page, as an operator's browser asks for it.

use anyhow::Context;
use reqwest::Url;
use reqwest::header::{COOKIE, SET_COOKIE};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::api_client;
use crate::bench::round::millis;
use crate::bench::serving::Serving;

/// How often it is asked for.
const LOOKS: usize = 30;

/// Signs in, and looks at the first page again and again: milliseconds each, the one of a process that was just started first.
pub(super) async fn first_page(serving: &Serving, key: &SecretString) -> anyhow::Result<Vec<f64>> {
    // A redirection has the cookie.
    let http = api_client::http()?;
    let page = format!("http://{}/console", serving.address);
    let form = Url::parse_with_params(&page, [("key", key.expose_secret()), ("to", "/console")])?;
    let body = form.query().unwrap_or_default().to_owned();
    let signed_in = http.post(format!("{page}/sign-in")).body(body).send().await?;
    let cookie = signed_in.headers().get(SET_COOKIE).context("the console gave no session")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
    let mut took = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let began = Instant::now();
        let answer = http.get(&page).header(COOKIE, &cookie).send().await?.error_for_status()?;
        let text = answer.text().await?;
        took.push(millis(began.elapsed()));
        anyhow::ensure!(text.contains("id=\"verdict\""), "the console shows another page");
    }
    Ok(took)
}
