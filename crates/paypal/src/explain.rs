//! Every check of a callback with its result, for a person who wants to know why it was refused.

use chrono::DateTime;
use domain::Timestamp;
use serde::Serialize;

use crate::certificate::{Untrusted, check_name};
use crate::headers::parse_each;
use crate::signature::{self, ALGORITHM};
use crate::{CertificateUrl, Check, Environment, Leaf, SIMULATOR_WEBHOOK_ID, TrustAnchors};

/// A callback to be explained. Nothing is fetched: the certificate is given.
#[derive(Clone, Copy, Debug)]
pub struct ExplainRequest<'a> {
    /// The raw body.
    pub body: &'a [u8],
    /// All headers of the request.
    pub headers: &'a [(String, Vec<u8>)],
    /// The webhook id that it should have been signed for.
    pub webhook_id: &'a str,
    /// Where it should have come from; `None` takes what the certificate's URL says.
    pub environment: Option<Environment>,
    /// The instant at which the chain is judged; `None` takes the transmission's time.
    pub at: Option<Timestamp>,
    /// The certificate, PEM.
    pub certificate: Option<&'a [u8]>,
    /// What is believed.
    pub anchors: &'a TrustAnchors,
}

/// One check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which check.
    pub name: Check,
    /// Whether it passed. A check that could not be made has not passed.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// All checks in the order in which they are made.
    pub steps: Vec<Step>,
    /// Whether all passed.
    pub authentic: bool,
    /// The text that should be signed, where the headers are there.
    pub signed_string: Option<String>,
    /// CRC-32 of the body.
    pub crc32: u32,
    /// Which environment the checks were for.
    pub environment: Option<Environment>,
    /// The instant at which the chain was judged.
    pub at: Option<Timestamp>,
    /// The certificate's SHA-256, hexadecimal.
    pub certificate_sha256: Option<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

type Outcome = Result<String, String>;

fn environment_of(url: &str) -> Option<Environment> {
    [Environment::Live, Environment::Sandbox]
        .into_iter()
        .find(|environment| CertificateUrl::parse(url, *environment).is_ok())
}

/// Makes every check that can be made, also after one has failed.
#[must_use]
pub fn explain(request: &ExplainRequest<'_>) -> Report {
    let headers = parse_each(request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
    let problems: Vec<_> = headers.iter().filter_map(|h| h.as_ref().err()).map(ToString::to_string).collect();
    let [id, time, signature, url, algorithm] = headers.map(Result::ok);
    let environment = request.environment.or_else(|| url.as_deref().and_then(environment_of));
    let sent_at = time.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let at = request.at.or_else(|| sent_at.map(|at| Timestamp::new(at.to_utc())));
    let certificate_url = check_url(url.as_deref(), environment);
    let leaf = read_leaf(request.certificate, url.as_deref());
    let crc32 = signature::crc32(request.body);
    let signed_string = id.as_deref().zip(time.as_deref());
    let signed_string =
        signed_string.map(|(id, time)| signature::signed_string(id, time, request.webhook_id, crc32));

    let mut report = Report {
        steps: Vec::new(),
        authentic: false,
        signed_string,
        crc32,
        environment,
        at,
        certificate_sha256: leaf.as_ref().ok().map(|leaf| hex::encode(leaf.sha256())),
        notes: Vec::new(),
    };
    let found = if problems.is_empty() { Ok("all five".to_owned()) } else { Err(problems.join("; ")) };
    report.add(Check::Headers, found);
    report.add(Check::Algorithm, check_algorithm(algorithm.as_deref()));
    report.add(Check::CertificateUrl, certificate_url);
    report.add(Check::Certificate, describe_leaf(leaf.as_ref()));
    let leaf = leaf.ok();
    report.add(Check::Chain, check_chain(request.anchors, leaf.as_ref(), at));
    report.add(Check::Name, check_leaf_name(leaf.as_ref(), environment));
    let judged = check_signature(&report, leaf.as_ref(), signature.as_deref());
    if judged.is_err()
        && let (Some(leaf), Some(id), Some(time), Some(signature)) = (leaf, id, time, signature)
    {
        let attempt = Attempt { leaf: &leaf, id: &id, time: &time, signature: &signature };
        report.notes.extend(attempt.what_would_hold(request));
    }
    report.add(Check::Signature, judged);
    if request.webhook_id == SIMULATOR_WEBHOOK_ID {
        report.notes.push(format!(
            "{SIMULATOR_WEBHOOK_ID} is the simulator's id: anyone can have callbacks signed for it, and the service refuses it outside dev"
        ));
    }
    report.authentic = report.steps.iter().all(|step| step.ok);
    report
}

impl Report {
    fn add(&mut self, name: Check, outcome: Outcome) {
        let ok = outcome.is_ok();
        let detail = outcome.unwrap_or_else(|problem| problem);
        self.steps.push(Step { name, ok, detail });
    }
}

fn check_algorithm(algorithm: Option<&str>) -> Outcome {
    match algorithm {
        Some(ALGORITHM) => Ok(ALGORITHM.to_owned()),
        Some(other) => Err(format!("{other} is not {ALGORITHM}")),
        None => Err("the header is missing".to_owned()),
    }
}

fn check_url(url: Option<&str>, environment: Option<Environment>) -> Outcome {
    let url = url.ok_or_else(|| "the header is missing".to_owned())?;
    // Without an environment it is neither the one's nor the other's; the live one says why.
    CertificateUrl::parse(url, environment.unwrap_or(Environment::Live))
        .map(|url| url.as_str().to_owned())
        .map_err(|error| error.to_string())
}

fn read_leaf(pem: Option<&[u8]>, url: Option<&str>) -> Result<Leaf, String> {
    let pem = pem.ok_or_else(|| "no certificate was given".to_owned())?;
    Leaf::from_pem(pem, url.unwrap_or_default()).map_err(|error| error.to_string())
}

fn show_seconds(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| seconds.to_string(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn describe_leaf(leaf: Result<&Leaf, &String>) -> Outcome {
    let leaf = leaf.map_err(Clone::clone)?;
    let (from, to) = (show_seconds(leaf.not_before()), show_seconds(leaf.not_after()));
    Ok(format!("serial {}, valid from {from} to {to}", leaf.serial()))
}

fn check_chain(anchors: &TrustAnchors, leaf: Option<&Leaf>, at: Option<Timestamp>) -> Outcome {
    let leaf = leaf.ok_or_else(|| "there is no certificate to check".to_owned())?;
    let at = at.ok_or_else(|| "the transmission's time is unknown".to_owned())?;
    match anchors.check_chain(leaf, at) {
        Ok(()) => Ok(format!("holds at {at}")),
        Err(Untrusted::Chain(why) | Untrusted::Name(why)) => Err(format!("does not hold at {at}: {why}")),
    }
}

fn check_leaf_name(leaf: Option<&Leaf>, environment: Option<Environment>) -> Outcome {
    let leaf = leaf.ok_or_else(|| "there is no certificate to check".to_owned())?;
    let environment = environment.ok_or_else(|| "the environment is unknown".to_owned())?;
    match check_name(leaf, environment) {
        Ok(()) => Ok(environment.certificate_name().to_owned()),
        Err(Untrusted::Chain(why) | Untrusted::Name(why)) => Err(why),
    }
}

fn check_signature(report: &Report, leaf: Option<&Leaf>, signature: Option<&str>) -> Outcome {
    let leaf = leaf.ok_or_else(|| "there is no certificate to check it with".to_owned())?;
    let message = report.signed_string.as_deref().ok_or_else(|| "a header is missing".to_owned())?;
    let signature = signature.ok_or_else(|| "the header is missing".to_owned())?;
    let bytes = signature::decode(signature).ok_or_else(|| "not base64".to_owned())?;
    signature::verify(leaf, message, &bytes)
        .map(|()| "holds over the signed text".to_owned())
        .map_err(|_| "does not hold: other bytes, another webhook id, or another certificate".to_owned())
}

struct Attempt<'a> {
    leaf: &'a Leaf,
    id: &'a str,
    time: &'a str,
    signature: &'a str,
}

impl Attempt<'_> {
    fn holds(&self, webhook_id: &str, body: &[u8]) -> bool {
        let message = signature::signed_string(self.id, self.time, webhook_id, signature::crc32(body));
        signature::decode(self.signature)
            .is_some_and(|bytes| signature::verify(self.leaf, &message, &bytes).is_ok())
    }

    /// The two mistakes that are made most often when a callback is saved to be looked at.
    fn what_would_hold(&self, request: &ExplainRequest<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.holds(SIMULATOR_WEBHOOK_ID, request.body) {
            notes.push(format!("it was signed for {SIMULATOR_WEBHOOK_ID}: PayPal's simulator sent it"));
        }
        let mut body = request.body;
        while let Some(shorter) = body.strip_suffix(b"\n").or_else(|| body.strip_suffix(b"\r")) {
            body = shorter;
        }
        if body.len() < request.body.len() && self.holds(request.webhook_id, body) {
            notes.push("it would hold without the line end after the body".to_owned());
        }
        notes
    }
}
