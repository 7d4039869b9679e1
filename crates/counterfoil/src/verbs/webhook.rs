//! `webhook`: looks at a callback without sending it anywhere. Needs no database and no network.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use clap::builder::styling::AnsiColor;
use domain::Timestamp;
use paypal::{ExplainRequest, Report};
use serde_json::{Map, Value};

use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, Format};
use crate::trust;

/// Look at a callback without sending it anywhere.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// Make every check of a callback's signature, and say what each found; exit 0 authentic, 1 not
    #[command(after_help = "\
Examples:
  counterfoil webhook explain --body body.bin --headers headers.json --webhook-id 8PT597110X687430LKGECATA \\
      --at 2025-11-28T10:00:00Z --cert leaf.pem --roots ca/")]
    Explain {
        /// File with the raw body, as it came
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
        /// File with the headers: one flat JSON object
        #[arg(long, value_name = "FILE")]
        headers: PathBuf,
        /// The webhook id that it should have been signed for
        #[arg(long, value_name = "ID")]
        webhook_id: String,
        /// The instant at which the certificate is judged; else the transmission's
        #[arg(long, value_name = "TIME")]
        at: Option<DateTime<Utc>>,
        /// The signing certificate, instead of the download
        #[arg(long, value_name = "FILE")]
        cert: Option<PathBuf>,
        /// Folder of PEM files: self-signed ones are roots, others intermediates; else the system's roots
        #[arg(long, env = "COUNTERFOIL_ROOTS", value_name = "DIR")]
        roots: Option<PathBuf>,
    },
    /// Show the fact that a body would become, without verifying it
    #[command(after_help = "Examples:\n  counterfoil webhook translate body.json -o json")]
    Translate {
        /// File with the body
        file: PathBuf,
    },
}

impl Webhook {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        match self {
            Self::Explain { body, headers, webhook_id, at, cert, roots } => {
                let (body, headers) = (read(&body)?, read_headers(&headers)?);
                let certificate = match cert {
                    Some(file) => Some(read(&file)?),
                    None => download(&headers).await?,
                };
                let anchors = trust::anchors(roots.as_deref())?;
                let report = paypal::explain(&ExplainRequest {
                    body: &body,
                    headers: &headers,
                    webhook_id: &webhook_id,
                    environment: None,
                    at: at.map(Timestamp::new),
                    certificate: certificate.as_deref(),
                    anchors: &anchors,
                });
                show(globals.output, &report)?;
                Ok(if report.authentic { Exit::Ok } else { Exit::Finding })
            }
            Self::Translate { file } => {
                let body = read(&file)?;
                // Shops replace odd ids by keyed hashes; without a shop there is no key, and nothing is stored.
                let translation = paypal::translate(&body, &|_| "pseudonym".to_owned());
                output::one(globals.output, &paypal::translate::summary(&translation))?;
                Ok(Exit::Ok)
            }
        }
    }
}

fn show(format: Format, report: &Report) -> anyhow::Result<()> {
    if format != Format::Table {
        return output::one(format, &serde_json::to_value(report)?);
    }
    for step in &report.steps {
        let name = serde_json::to_value(step.name)?;
        let (result, color) = if step.ok { ("ok  ", AnsiColor::Green) } else { ("FAIL", AnsiColor::Red) };
        output::line(&format!(
            "{}  {:<16} {}",
            output::painted(result, color),
            output::plain(&name),
            step.detail
        ))?;
    }
    for note in &report.notes {
        output::line(&format!("note  {note}"))?;
    }
    if let Some(signed) = &report.signed_string {
        output::line(&format!("\nsigned string  {signed}"))?;
    }
    output::line(if report.authentic { "authentic" } else { "NOT authentic" })
}

/// The certificate that the headers name, fetched as the door would.
async fn download(headers: &[(String, Vec<u8>)]) -> anyhow::Result<Option<Vec<u8>>> {
    let named = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("paypal-cert-url"));
    let Some(text) = named.and_then(|(_, value)| std::str::from_utf8(value).ok()) else { return Ok(None) };
    let environments = [paypal::Environment::Live, paypal::Environment::Sandbox];
    let url =
        environments.iter().find_map(|environment| paypal::CertificateUrl::parse(text, *environment).ok());
    // From anywhere else nothing is fetched: the report says what is wrong with the URL.
    let Some(url) = url else { return Ok(None) };
    let fetched = crate::api_client::http()?.get(url.as_str()).send().await;
    let response = fetched.and_then(reqwest::Response::error_for_status);
    let response = response
        .map_err(|_| exit::unavailable("the certificate cannot be fetched: give it with --cert FILE.pem"))?;
    Ok(Some(response.bytes().await?.to_vec()))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| exit::usage(format!("{} cannot be read: {error}", file.display())))
}

/// Names may be in any case; a list gives a header several times.
fn read_headers(file: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let unfit = || exit::usage(format!("{} is no flat JSON object of headers", file.display()));
    let object: Map<String, Value> = serde_json::from_slice(&read(file)?).map_err(|_| unfit())?;
    let mut headers = Vec::new();
    for (name, value) in object {
        let values = match value {
            Value::Array(list) => list,
            value => vec![value],
        };
        for value in values {
            let Value::String(text) = value else { return Err(unfit()) };
            headers.push((name.to_ascii_lowercase(), text.into_bytes()));
        }
    }
    Ok(headers)
}
