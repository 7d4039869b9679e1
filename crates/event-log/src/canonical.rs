//! The form of an entry's data: RFC 8785 within a profile that every JSON library reproduces.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

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
