//! The five headers of a transmission, exactly as they came: the signature covers two of them byte for byte.

use std::fmt;

/// The most bytes that each header may have, in the order of [`NAMES`].
const LIMITS: [usize; 5] = [50, 100, 500, 500, 100];

/// The headers' names, lower-case.
const NAMES: [&str; 5] = [
    "paypal-transmission-id",
    "paypal-transmission-time",
    "paypal-transmission-sig",
    "paypal-cert-url",
    "paypal-auth-algo",
];

/// The headers of one transmission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransmissionHeaders {
    /// `paypal-transmission-id`: another one for each transmission of the same callback.
    pub id: String,
    /// `paypal-transmission-time`: as text, for its text is signed.
    pub time: String,
    /// `paypal-transmission-sig`: base64.
    pub signature: String,
    /// `paypal-cert-url`: not yet believed.
    pub certificate_url: String,
    /// `paypal-auth-algo`.
    pub algorithm: String,
}

/// What is wrong with which header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderError {
    /// The header's name, lower-case.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: HeaderProblem,
}

/// What may be wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderProblem {
    /// It is not there, or empty.
    Missing,
    /// It is there more than once.
    Repeated,
    /// It is longer than this many bytes.
    TooLong(usize),
    /// It has bytes that such a header never has.
    BadCharacter,
}

impl fmt::Display for HeaderProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Repeated => f.write_str("is there more than once"),
            Self::TooLong(limit) => write!(f, "has more than {limit} bytes"),
            Self::BadCharacter => f.write_str("has a character that it must not have"),
        }
    }
}

fn check(index: usize, values: &[&[u8]]) -> Result<String, HeaderError> {
    let problem = |problem| HeaderError { header: NAMES[index], problem };
    let value = match values {
        [] => return Err(problem(HeaderProblem::Missing)),
        [value] => *value,
        _ => return Err(problem(HeaderProblem::Repeated)),
    };
    if value.is_empty() {
        return Err(problem(HeaderProblem::Missing));
    }
    if value.len() > LIMITS[index] {
        return Err(problem(HeaderProblem::TooLong(LIMITS[index])));
    }
    // The signed text joins id and time with `|`. Were one of them allowed to hold it, the same signature would be good
    // for the same text cut elsewhere, and so for another transmission id.
    if !value.iter().all(|b| b.is_ascii_graphic() && (index > 1 || *b != b'|')) {
        return Err(problem(HeaderProblem::BadCharacter));
    }
    Ok(String::from_utf8_lossy(value).into_owned())
}

/// Each header as far as it can be used, for a report that goes on after the first problem.
pub(crate) fn parse_each<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> [Result<String, HeaderError>; 5] {
    let mut found: [Vec<&[u8]>; 5] = Default::default();
    for (name, value) in headers {
        if let Some(index) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)) {
            found[index].push(value);
        }
    }
    std::array::from_fn(|index| check(index, &found[index]))
}

impl TransmissionHeaders {
    /// The headers' names, lower-case.
    pub const NAMES: [&'static str; 5] = NAMES;

    /// Finds exactly one usable value of each header among all headers of a request. Names may be in any case.
    ///
    /// # Errors
    /// The first header that is missing, repeated, overlong or has bytes that it never has.
    pub fn parse<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HeaderError> {
        let [id, time, signature, certificate_url, algorithm] = parse_each(headers);
        Ok(Self {
            id: id?,
            time: time?,
            signature: signature?,
            certificate_url: certificate_url?,
            algorithm: algorithm?,
        })
    }

    /// Names and exact values, to be kept as evidence.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 5] {
        let values = [&self.id, &self.time, &self.signature, &self.certificate_url, &self.algorithm];
        std::array::from_fn(|index| (NAMES[index], values[index].as_str()))
    }
}
