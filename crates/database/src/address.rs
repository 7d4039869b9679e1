//! What the database's URL says that the driver does not know: taken out of it before the driver reads it.

use std::path::PathBuf;

use crate::Error;
use crate::tls::{SslMode, Tls};

/// The parameters that are ours.
const OWN: [&str; 3] = ["sslmode", "sslrootcert", "pooler"];

/// The database's address: what is left for the driver, and how it is reached.
#[derive(Debug, Default)]
pub(crate) struct Address {
    /// A URL, or key words and values. It may have a password.
    pub(crate) rest: String,
    pub(crate) tls: Tls,
    /// It is of a pooler that lends a session for a transaction (PgBouncer's `pool_mode = transaction`): what one
    /// transaction leaves in its session, another client may find, and this one may not.
    pub(crate) is_pooled: bool,
}

impl Address {
    /// Reads a URL, or key words and values as libpq does. What cannot be read is left to the driver, which refuses it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let (rest, own) = if is_url { of_url(text)? } else { of_key_words(text) };
        let mut address = Self { rest, tls: Tls::default(), is_pooled: false };
        for (name, value) in own {
            match name.as_str() {
                "sslmode" => address.tls.mode = SslMode::parse(&value)?,
                "pooler" => address.is_pooled = is_pooled(&value)?,
                _ => address.tls.root_file = (!value.is_empty()).then(|| PathBuf::from(value)),
            }
        }
        Ok(address)
    }
}

fn is_pooled(value: &str) -> Result<bool, Error> {
    match value {
        "transaction" => Ok(true),
        // Its sessions are as good as the server's.
        "session" => Ok(false),
        _ => Err(Error::Refused(
            "pooler in the database URL is not known: `transaction` for PgBouncer's pool_mode = transaction, else \
             `session`, or nothing"
                .to_owned(),
        )),
    }
}

type Parameters = Vec<(String, String)>;

fn of_url(text: &str) -> Result<(String, Parameters), Error> {
    // A password may have a question mark.
    let host = text.find('@').map_or(0, |at| at + 1);
    let Some(at) = text[host..].find('?').map(|at| host + at) else {
        return Ok((text.to_owned(), Vec::new()));
    };
    let mut own = Parameters::new();
    let mut others = Vec::new();
    for pair in text[at + 1..].split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if OWN.contains(&name) {
            own.push((name.to_owned(), percent_decoded(value)?));
        } else {
            others.push(pair);
        }
    }
    let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
    Ok((format!("{}{query}", &text[..at]), own))
}

fn percent_decoded(text: &str) -> Result<String, Error> {
    let odd =
        || Error::Refused("a parameter of the database URL cannot be read: %XX stands for a byte".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next()).ok_or_else(odd)?, digit(rest.next()).ok_or_else(odd)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| odd())?);
    }
    String::from_utf8(bytes).map_err(|_| odd())
}

/// `key = value` with blanks between; a value may stand in single quotes, and a backslash before what is meant as such.
fn of_key_words(text: &str) -> (String, Parameters) {
    let mut own = Parameters::new();
    let mut others = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else { break };
        let value_text = after.trim_start();
        let (value, end) = value_of(value_text);
        let after_value = &value_text[end..];
        let pair = &rest[..rest.len() - after_value.len()];
        if OWN.contains(&key.trim()) {
            own.push((key.trim().to_owned(), value));
        } else {
            others.push_str(pair);
            others.push(' ');
        }
        rest = after_value.trim_start();
    }
    others.push_str(rest);
    (others.trim_end().to_owned(), own)
}

/// A value, and where its text ends.
fn value_of(text: &str) -> (String, usize) {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(is_quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return (value, at + 1),
            blank if blank.is_whitespace() && !is_quoted => return (value, at),
            other => value.push(other),
        }
    }
    (value, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, SslMode, Option<String>) {
        let address = Address::parse(text).unwrap();
        let file = address.tls.root_file.map(|file| file.display().to_string());
        (address.rest, address.tls.mode, file)
    }

    #[test]
    fn what_is_ours_is_taken_out_and_the_rest_is_left_as_it_is() {
        let file = || Some("/etc/my root.pem".to_owned());
        for (text, rest, mode, root_file) in [
            ("postgres://u:p@h/d", "postgres://u:p@h/d", SslMode::Prefer, None),
            ("postgres://u:p?@h/d?sslmode=require", "postgres://u:p?@h/d", SslMode::Require, None),
            (
                "postgresql://h/d?a=1&sslmode=verify-full&b=2&sslrootcert=%2Fetc%2Fmy%20root.pem",
                "postgresql://h/d?a=1&b=2",
                SslMode::VerifyFull,
                file(),
            ),
            ("host=h sslmode=disable dbname=d", "host=h dbname=d", SslMode::Disable, None),
            (
                "host = h  sslrootcert='/etc/my root.pem' password='a\\'b =c' sslmode = verify-ca",
                "host = h password='a\\'b =c'",
                SslMode::VerifyCa,
                file(),
            ),
            ("sslrootcert=/etc/my\\ root.pem", "", SslMode::Prefer, file()),
            ("nonsense", "nonsense", SslMode::Prefer, None),
        ] {
            assert_eq!(read(text), (rest.to_owned(), mode, root_file), "{text}");
        }
    }

    #[test]
    fn a_pooler_is_known_by_how_it_lends() {
        let is_pooled = |text: &str| Address::parse(text).map(|address| (address.rest, address.is_pooled));
        let plain = |is_pooled| ("postgres://h/d".to_owned(), is_pooled);
        assert_eq!(is_pooled("postgres://h/d?pooler=transaction").unwrap(), plain(true));
        assert_eq!(is_pooled("postgres://h/d?pooler=session").unwrap(), plain(false));
        assert_eq!(is_pooled("host=h pooler=transaction").unwrap(), ("host=h".to_owned(), true));
        let error = is_pooled("postgres://u:hunter2@h/d?pooler=statement").unwrap_err().to_string();
        assert!(error.contains("`transaction`") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_unknown_mode_is_refused_without_the_password() {
        let error = Address::parse("postgres://u:hunter2@h/d?sslmode=verify").unwrap_err().to_string();
        assert!(error.contains("verify-full") && !error.contains("hunter2"), "{error}");
        assert!(Address::parse("postgres://u:hunter2@h/d?sslrootcert=%zz").is_err());
    }
}
