//! Notes: a text, and below it the signatures of those who stand by it.
//!
//! Format: <https://c2sp.org/signed-note>. What is read is strictly in that form, so a note is written back byte for byte.

use std::fmt;

use crate::cosignature;
use crate::error::Error;
use crate::key::{KeyType, Signer, Verifier, is_key_name};
use crate::text::{base64, from_base64};

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// The most signatures that a note may have.
pub const MAX_SIGNATURES: usize = 100;

/// A text with signatures. Nothing of it is to be believed before it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// A signature that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<'v> {
    /// Whose it is.
    pub by: &'v Verifier,
    /// When a witness cosigned, in seconds since 1970, by its own clock.
    pub time_s: Option<u64>,
}

impl Note {
    /// A text that is signed by these keys.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a note cannot have this text, or not so many signatures.
    pub fn sign(text: String, signers: &[&Signer]) -> Result<Self, Error> {
        if !text.ends_with('\n') {
            return Err(Error::malformed("the text of a note", "each line ends with a newline"));
        }
        let signatures = signers.iter().map(|signer| signer.sign(&text)).collect();
        let note = Self { text, signatures };
        // One set of rules for what is written and what is read.
        Self::parse(note.to_string().as_bytes())
    }

    /// Reads a note, and believes nothing of it yet.
    ///
    /// # Errors
    /// [`Error::Malformed`]
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("a signed note", why);
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(malformed("it has at most 1000000 bytes"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| malformed("it is UTF-8"))?;
        if note.contains(|c| c < ' ' && c != '\n') {
            return Err(malformed("it has no control characters"));
        }
        let parts = note.rsplit_once("\n\n");
        let (text, lines) = parts.ok_or_else(|| malformed("an empty line stands before its signatures"))?;
        let signatures = Signature::parse_lines(lines)?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, with the end of its last line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every signature, in the order of the lines.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature below the others; one that is there already is not added again.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the note becomes too long.
    pub fn add(&mut self, signature: Signature) -> Result<(), Error> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        let more = Self { signatures: [self.signatures.as_slice(), &[signature]].concat(), ..self.clone() };
        *self = Self::parse(more.to_string().as_bytes())?;
        Ok(())
    }

    /// The signatures by known keys, which all hold; those of others are ignored.
    ///
    /// # Errors
    /// [`Error::BadSignature`] if that of a known key does not hold, [`Error::NotSigned`] if there is none.
    pub fn open<'v>(&self, known: &[&'v Verifier]) -> Result<Vec<Verified<'v>>, Error> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            let Some(by) = known.iter().find(|verifier| verifier.is_named_by(signature)) else { continue };
            let holds = match by.key_type() {
                KeyType::Ed25519 => by.verifies(self.text.as_bytes(), &signature.bytes).then_some(None),
                KeyType::Cosignature => cosignature::verify(by, &self.text, &signature.bytes).map(Some),
            };
            let time_s = holds.ok_or_else(|| Error::BadSignature(by.name().to_owned()))?;
            verified.push(Verified { by, time_s });
        }
        if verified.is_empty() { Err(Error::NotSigned) } else { Ok(verified) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// A signature as it stands below a text: a key's name and id, and what that key made. As text it is its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

impl Signature {
    pub(crate) fn by(verifier: &Verifier, bytes: Vec<u8>) -> Self {
        Self { name: verifier.name().to_owned(), key_id: verifier.key_id(), bytes }
    }

    /// Reads signature lines, as a witness answers them.
    ///
    /// # Errors
    /// [`Error::Malformed`]
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, Error> {
        let malformed = |why| Error::malformed("signature lines", why);
        if lines.len() > MAX_NOTE_BYTES {
            return Err(malformed("they have at most 1000000 bytes"));
        }
        let lines = lines.strip_suffix('\n').ok_or_else(|| malformed("each ends with a newline"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(malformed("there are at most 100"));
        }
        let signature =
            |line| Self::parse_line(line).ok_or_else(|| malformed("each is a dash, a name and base64"));
        lines.split('\n').map(signature).collect()
    }

    fn parse_line(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let signature = from_base64(signature)?;
        let (key_id, bytes) = signature.split_first_chunk()?;
        let whole = is_key_name(name) && !bytes.is_empty();
        whole.then(|| Self {
            name: name.to_owned(),
            key_id: u32::from_be_bytes(*key_id),
            bytes: bytes.to_vec(),
        })
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// What the key made.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.to_be_bytes().as_slice(), &self.bytes].concat();
        writeln!(f, "\u{2014} {} {}", self.name, base64(&bytes))
    }
}
