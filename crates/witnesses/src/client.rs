//! Speaking with a witness over HTTP (<https://c2sp.org/tlog-witness>).

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::{Response, StatusCode, Url};
use tlog::{Note, Signature, Submission};

use crate::Error;

/// A witness has to look up one row and sign.
const PATIENCE: Duration = Duration::from_secs(5);
/// At the start of a process nobody waits for long.
pub(crate) const SHORT: Duration = Duration::from_secs(2);
/// More than any answer needs.
const ANSWER_MAX: usize = 64 * 1024;
/// The media type of a 409's body that is the witness's own size.
const SIZE: &str = "text/x.tlog.size";

/// What a witness answers to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These are its signatures: nobody has checked them.
    Cosigned(Vec<Signature>),
    /// The last checkpoint that it cosigned is of another size than it was told.
    Size(u64),
}

/// Speaks with witnesses and authorities. Clones share connections.
#[derive(Clone, Debug)]
pub struct WitnessClient(reqwest::Client);

impl WitnessClient {
    /// Sends to whom it is told, and nowhere else.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(SHORT)
            .timeout(PATIENCE)
            .user_agent("counterfoil");
        Ok(Self(client.build().map_err(unreachable)?))
    }

    /// Submits a checkpoint to a witness's submission prefix.
    ///
    /// # Errors
    /// [`Error::OtherHistory`] when it does not go on from what the witness has seen; what else it answers.
    pub async fn submit(&self, prefix: &str, submission: &Submission) -> Result<Answer, Error> {
        let url = below(prefix, "add-checkpoint")?;
        let sent = self.0.post(url).body(submission.to_string()).send().await.map_err(unreachable)?;
        let status = sent.status();
        let is_size =
            sent.headers().get("content-type").is_some_and(|kind| kind.as_bytes() == SIZE.as_bytes());
        let text = text_of(sent).await?;
        match status {
            StatusCode::OK => Ok(Answer::Cosigned(Signature::parse_lines(&text)?)),
            StatusCode::CONFLICT if is_size => {
                let size = text.trim_end_matches('\n').parse();
                size.map(Answer::Size).map_err(|_| Error::Unbelievable("its size is no number".to_owned()))
            }
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                let text = format!("{} {}", status.as_u16(), first_line(&text)).trim_end().to_owned();
                Err(Error::OtherHistory { seen: submission.old_size, text })
            }
            _ => Err(Error::Refused { status: status.as_u16(), text: first_line(&text) }),
        }
    }

    /// Sends a time stamp request (RFC 3161, section 3.4), and gives the answer, which nobody has looked at.
    ///
    /// # Errors
    /// What it answers otherwise.
    pub(crate) async fn ask(&self, url: &Url, request: &[u8]) -> Result<Vec<u8>, Error> {
        let sent = self.0.post(url.clone()).header("content-type", "application/timestamp-query");
        let sent = sent.body(request.to_vec()).send().await.map_err(unreachable)?;
        let status = sent.status();
        let bytes = bytes_of(sent, ANSWER_MAX).await?;
        if status == StatusCode::OK {
            return Ok(bytes);
        }
        let text = first_line(&String::from_utf8_lossy(&bytes));
        Err(Error::Refused { status: status.as_u16(), text })
    }

    /// The last checkpoint of this origin that a witness cosigned, from its monitoring prefix; none that it knows of.
    ///
    /// # Errors
    /// What it answers otherwise.
    pub async fn latest(&self, prefix: &str, origin: &str) -> Result<Option<Note>, Error> {
        let origin = hex::encode(digest(&SHA256, origin.as_bytes()));
        let url = below(prefix, &format!("{origin}/checkpoint"))?;
        let sent = self.0.get(url).timeout(SHORT).send().await.map_err(unreachable)?;
        let status = sent.status();
        let text = text_of(sent).await?;
        match status {
            StatusCode::OK => Ok(Some(Note::parse(text.as_bytes())?)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(Error::Refused { status: status.as_u16(), text: first_line(&text) }),
        }
    }
}

/// The URLs are an operator's own; plain HTTP is for a witness on this host alone.
fn check_url(text: &str) -> Result<Url, Error> {
    let odd = || Error::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| odd())?;
    let is_local = match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && is_local) { Ok(url) } else { Err(odd()) }
}

fn below(prefix: &str, path: &str) -> Result<Url, Error> {
    check_url(&format!("{}/{path}", prefix.trim_end_matches('/')))
}

async fn bytes_of(mut sent: Response, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = sent.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > most {
            return Err(Error::Unbelievable(format!("it has more than {most} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn text_of(sent: Response) -> Result<String, Error> {
    let bytes = bytes_of(sent, ANSWER_MAX).await?;
    String::from_utf8(bytes).map_err(|_| Error::Unbelievable("it is not UTF-8".to_owned()))
}

/// What somebody else says, for logs.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Without the URL, and with what lies behind it: the outer text alone says little.
fn unreachable(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    Error::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_are_spoken_with_over_tls_or_on_this_host() {
        for url in ["https://w.example/x", "http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:80/"]
        {
            assert!(below(url, "add-checkpoint").is_ok(), "{url}");
        }
        for url in [
            "http://w.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "w.example",
            "",
            "http://127.0.0.1.example",
        ] {
            assert!(below(url, "add-checkpoint").is_err(), "{url}");
        }
        assert_eq!(below("https://w.example/a/", "b").unwrap().as_str(), "https://w.example/a/b");
    }
}
