//! `listen`: sends what goes downstream to an endpoint of one's own, as a sink would.

use std::time::Duration;

use clap::Args;
use reqwest::Url;
use serde_json::{Value, json};

use crate::api_client::{self, ApiClient};
use crate::cli::Globals;
use crate::config::ApiArgs;
use crate::exit::{self, Exit};
use crate::output::{self, Format};
use crate::verbs::feed::Wanted;

const PAGE: u32 = 100;
const WAIT_MS: u32 = 20_000;
const ATTEMPTS: u32 = 5;
const TIMEOUT: Duration = Duration::from_secs(15);

/// Send what goes downstream to an endpoint of yours, while you develop it
#[derive(Debug, Args)]
#[command(after_help = "\
Begins with what happens from now on, unless --after says otherwise. Each event is posted as one CloudEvent
(application/cloudevents+json), in order; what is not answered 2xx is tried a few times, and then left out. No sink is made
and no cursor is kept: it is for your own machine.

Examples:
  counterfoil listen --forward-to http://127.0.0.1:3000/hook --types 'order.*'")]
pub(crate) struct Listen {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    wanted: Wanted,
    /// Where to send it
    #[arg(long, value_name = "URL")]
    forward_to: Url,
}

impl Listen {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let client = ApiClient::find(&self.api, globals.project.as_deref())?;
        let http = api_client::http()?;
        let mut since = match &self.wanted.after {
            Some(after) => ("lastEventId", after.clone()),
            None => ("after", client.feed(&[("after", "end".to_owned())]).await?.1),
        };
        output::note(&format!("forwarding what follows {} to {}", since.1, self.forward_to));
        loop {
            let mut query = self.wanted.query();
            query.extend([("limit", PAGE.to_string()), ("timeout", WAIT_MS.to_string()), since]);
            let (events, cursor) = client.feed(&query).await?;
            for event in &events {
                self.forward(&http, event, globals.output).await?;
            }
            since = ("after", cursor);
        }
    }

    async fn forward(&self, http: &reqwest::Client, event: &Value, format: Format) -> anyhow::Result<()> {
        let mut said = String::new();
        for attempt in 1..=ATTEMPTS {
            let sent = http
                .post(self.forward_to.clone())
                .timeout(TIMEOUT)
                .header("content-type", "application/cloudevents+json")
                .body(event.to_string())
                .send()
                .await;
            match sent {
                Ok(answer) if answer.status().is_success() => {
                    return line(format, event, attempt, answer.status().as_str());
                }
                Ok(answer) => said = answer.status().as_str().to_owned(),
                Err(error) if error.is_builder() => {
                    return Err(exit::config(format!("{} cannot be posted to: {error}", self.forward_to)));
                }
                Err(error) => said = if error.is_timeout() { "timeout" } else { "no answer" }.to_owned(),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(attempt)).await;
            }
        }
        line(format, event, ATTEMPTS, &said)
    }
}

/// One line a delivery.
fn line(format: Format, event: &Value, attempts: u32, status: &str) -> anyhow::Result<()> {
    let text = |name: &str| event.get(name).map(output::plain).unwrap_or_default();
    if format == Format::Table {
        let tries = if attempts > 1 { format!("  after {attempts} attempts") } else { String::new() };
        return output::line(&format!(
            "{status}  {}  {:24}  {}{tries}",
            text("id"),
            text("type"),
            text("subject")
        ));
    }
    let line = json!({
        "id": text("id"), "type": text("type"), "subject": text("subject"), "status": status, "attempts": attempts,
    });
    output::line(&line.to_string())
}
