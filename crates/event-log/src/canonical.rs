//! The form of an entry's data: RFC 8785 within a profile that every JSON library reproduces.
//!
//! Data whose names come in order already, as the domain's do, is written as it comes; all else is sorted first. What is
//! written as it comes is looked at on the way, and anything that is not plain is left to the slow way, which also says
//! what is wrong and where.

use std::io;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// What every JSON library keeps exact: 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why something cannot be an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It would be too long.
    #[error("the entry would have {bytes} bytes, {} are allowed", crate::ENTRY_MAX_BYTES)]
    TooLarge {
        /// How long it would be.
        bytes: usize,
    },
    /// It has a value that no entry has.
    #[error("an entry has no {what}: {pointer}")]
    Profile {
        /// What it has.
        what: &'static str,
        /// Where, as a JSON pointer.
        pointer: String,
    },
    /// One of the texts around the data is empty or too long.
    #[error("{0} must have 1 to {1} characters")]
    Text(&'static str, usize),
    /// It cannot be serialised.
    #[error("the data is no JSON: {0}")]
    Json(String),
}

/// The data as the entry has it, from whatever serialises to it.
///
/// # Errors
/// As [`canonical_data`], and [`EntryError::Json`] for what is no JSON.
pub fn canonical<T: Serialize>(data: &T) -> Result<String, EntryError> {
    if let Some(written) = as_it_comes(data) {
        return Ok(written);
    }
    canonical_data(&serde_json::to_value(data).map_err(|error| EntryError::Json(error.to_string()))?)
}

/// `None` when it is not within the profile, or has names that are not plain or not in order.
pub(crate) fn as_it_comes<T: Serialize>(data: &T) -> Option<String> {
    let mut written = Vec::with_capacity(1024);
    data.serialize(&mut serde_json::Serializer::with_formatter(&mut written, InOrder::default())).ok()?;
    String::from_utf8(written).ok()
}

/// Whether this is how the data is written, so that [`canonical`] would make the same text of it. Nothing is written and
/// nothing kept for the answer: a replay asks for each outcome of a log. A text that is canonical in another way than
/// the data comes, its names sorted, is not told.
#[must_use]
pub fn is_written_as<T: Serialize>(data: &T, written: &str) -> bool {
    let mut left = Expected(written.as_bytes());
    // What is as it comes is within the profile: the text is an entry's.
    serde_json::to_writer(&mut left, data).is_ok() && left.0.is_empty()
}

/// Takes what it expects, and fails at the first byte that is another.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Most of what comes is a quote, a colon or a comma.
        let left = match (bytes, self.0) {
            ([byte], [first, left @ ..]) => Some(left).filter(|_| byte == first),
            _ => self.0.strip_prefix(bytes),
        };
        match left {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => give_up(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes compact JSON, and gives up where RFC 8785 or the profile would have something else.
#[derive(Default)]
struct InOrder {
    /// The name that was written last, of each object that is open, one behind the other.
    names: Vec<u8>,
    /// Where each begins.
    begins: Vec<usize>,
    /// Where the name that is being written begins, if one is.
    name: Option<usize>,
    /// Whether it is the first of its object.
    is_first: bool,
}

fn give_up<T>() -> io::Result<T> {
    Err(io::ErrorKind::InvalidData.into())
}

impl Formatter for InOrder {
    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        give_up()
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        give_up()
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        give_up()
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, _: &mut W, _: i128) -> io::Result<()> {
        give_up()
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, _: &mut W, _: u128) -> io::Result<()> {
        give_up()
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, n: i64) -> io::Result<()> {
        if n.unsigned_abs() > INTEGER_MAX { give_up() } else { CompactFormatter.write_i64(writer, n) }
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, n: u64) -> io::Result<()> {
        if n > INTEGER_MAX { give_up() } else { CompactFormatter.write_u64(writer, n) }
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        give_up()
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        if self.name.is_some() {
            // RFC 8785 sorts by UTF-16, which is the order of bytes while names are ASCII.
            if !text.is_ascii() {
                return give_up();
            }
            self.names.extend_from_slice(text.as_bytes());
        }
        writer.write_all(text.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        if self.name.is_some() || matches!(escape, CharEscape::AsciiControl(0)) {
            return give_up();
        }
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begins.push(self.names.len());
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.names.truncate(self.begins.pop().unwrap_or_default());
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.name = Some(self.names.len());
        self.is_first = first;
        CompactFormatter.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if let (Some(name), Some(&last)) = (self.name.take(), self.begins.last()) {
            if !self.is_first && self.names[last..name] >= self.names[name..] {
                return give_up();
            }
            self.names.drain(last..name);
        }
        CompactFormatter.end_object_key(writer)
    }
}

/// The data as the entry has it.
///
/// # Errors
/// [`EntryError::Profile`] when it has a null, a fraction, an integer beyond 2^53 - 1, or a NUL character, which `jsonb`
/// downstream would refuse.
pub fn canonical_data(data: &Value) -> Result<String, EntryError> {
    check(data, &mut String::new())?;
    let written = if has_plain_names(data) {
        // Within the profile serde_json writes the same bytes, many times as fast: it sorts names by their UTF-8, which
        // is RFC 8785's order while they are ASCII, escapes what RFC 8785 escapes, and there are no fractions.
        serde_json::to_string(data)
    } else {
        serde_json_canonicalizer::to_string(data)
    };
    written.map_err(|error| EntryError::Json(error.to_string()))
}

fn has_plain_names(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(has_plain_names),
        Value::Object(members) => {
            members.iter().all(|(name, member)| name.is_ascii() && has_plain_names(member))
        }
        _ => true,
    }
}

fn check(value: &Value, pointer: &mut String) -> Result<(), EntryError> {
    let refuse = |what, pointer: &str| Err(EntryError::Profile { what, pointer: pointer.to_owned() });
    match value {
        Value::Null => refuse("null", pointer),
        Value::Bool(_) => Ok(()),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(n), _) if n <= INTEGER_MAX => Ok(()),
            (None, Some(n)) if n.unsigned_abs() <= INTEGER_MAX => Ok(()),
            (None, None) => refuse("fraction", pointer),
            _ => refuse("integer beyond 2^53 - 1", pointer),
        },
        Value::String(text) if text.contains('\0') => refuse("NUL character", pointer),
        Value::String(_) => Ok(()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(n, item)| step(pointer, &n.to_string(), |pointer| check(item, pointer))),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            step(pointer, name, |pointer| {
                if name.contains('\0') { refuse("NUL character", pointer) } else { check(member, pointer) }
            })
        }),
    }
}

fn step<T>(pointer: &mut String, name: &str, within: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(name);
    let result = within(pointer);
    pointer.truncate(length);
    result
}

/// A text as RFC 8785 writes it: serde_json escapes the same characters in the same way.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The leaf of the Merkle tree (RFC 6962): SHA-256 of a zero byte and the entry.
#[must_use]
pub fn leaf_hash(entry: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(entry.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
