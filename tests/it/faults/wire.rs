//! As much of PostgreSQL's protocol, version 3, as tells which statement is run: the frames, and what the client says.

use std::collections::HashMap;

/// SSLRequest: the length, and a number that is no version.
pub(crate) const ASKS_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Cuts a stream of bytes into frames.
pub(crate) struct Frames {
    buffer: Vec<u8>,
    /// The first frame of a client has no type.
    is_first: bool,
}

impl Frames {
    pub(crate) fn of_client() -> Self {
        Self { buffer: Vec::new(), is_first: true }
    }

    pub(crate) fn of_server() -> Self {
        Self { buffer: Vec::new(), is_first: false }
    }

    /// Where what was read goes.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// The next frame that is there whole.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let kind = usize::from(!self.is_first);
        let length = self.buffer.get(kind..kind + 4)?.try_into().ok()?;
        let length = kind + usize::try_from(u32::from_be_bytes(length)).ok()?;
        if self.buffer.len() < length {
            return None;
        }
        let frame: Vec<u8> = self.buffer.drain(..length).collect();
        // It is followed by the first one, again without a type.
        self.is_first = self.is_first && frame == ASKS_FOR_TLS;
        Some(frame)
    }
}

/// What a frame of a client says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Statements as text.
    Text(String),
    /// A prepared statement is run: the name in its first line.
    Runs(String),
    Other,
}

impl Said {
    pub(crate) fn ends_transaction(&self) -> bool {
        matches!(self, Self::Text(text) if text.ends_with("COMMIT"))
    }

    pub(crate) fn begins_transaction(&self) -> bool {
        matches!(self, Self::Text(text) if text.starts_with("BEGIN"))
    }

    pub(crate) fn runs(&self, statement: &str) -> bool {
        match self {
            Self::Runs(name) => name == statement,
            Self::Text(text) => text.starts_with(statement),
            Self::Other => false,
        }
    }
}

/// Reads a frame, and remembers what it prepares.
pub(crate) fn understand(frame: &[u8], prepared: &mut HashMap<String, String>) -> Said {
    let Some((kind, body)) =
        frame.split_first().map(|(kind, rest)| (*kind, rest.get(4..).unwrap_or_default()))
    else {
        return Said::Other;
    };
    let mut texts = body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut text = || texts.next().unwrap_or_default();
    match kind {
        b'Q' => Said::Text(text()),
        // Parse: the statement's name and its text.
        b'P' => {
            let (name, sql) = (text(), text());
            prepared.insert(name, sql);
            Said::Other
        }
        // Bind: the portal's name, the statement's name.
        b'B' => {
            let (_, name) = (text(), text());
            let first = prepared.get(&name).and_then(|sql| sql.lines().next()).unwrap_or_default();
            Said::Runs(first.trim_start_matches("-- ").to_owned())
        }
        _ => Said::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    #[test]
    fn frames_are_found_wherever_the_stream_is_cut() {
        let start = [&8_u32.to_be_bytes()[..], &[0, 3, 0, 0]].concat();
        let query = frame(b'Q', b"SELECT 1; COMMIT\0");
        let stream = [start.clone(), query.clone(), query.clone()].concat();
        for at in 0..stream.len() {
            let mut frames = Frames::of_client();
            let mut found = Vec::new();
            for part in [&stream[..at], &stream[at..]] {
                frames.buffer().extend_from_slice(part);
                found.extend(std::iter::from_fn(|| frames.next()));
            }
            assert_eq!(found, [start.clone(), query.clone(), query.clone()]);
        }
    }

    #[test]
    fn a_statement_is_known_by_the_name_in_its_first_line() {
        let mut prepared = HashMap::new();
        assert_eq!(
            understand(&frame(b'P', b"s1\0-- insert_facts\nINSERT\0\0\0"), &mut prepared),
            Said::Other
        );
        let runs = understand(&frame(b'B', b"\0s1\0\0\0"), &mut prepared);
        assert!(runs.runs("insert_facts") && !runs.ends_transaction(), "{runs:?}");
        let commit = understand(&frame(b'Q', b"SELECT 1; COMMIT\0"), &mut prepared);
        assert!(commit.ends_transaction() && !commit.begins_transaction());
    }
}
