//! Reads a command's JSON strictly, and says everything that is wrong at once.
//!
//! A command becomes money, so nothing in it may mean two things: a name that stands twice, a number with a fraction or
//! an exponent. serde's own reading would take the last of two names, and a fraction where a field is unknown.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most problems that one answer names.
pub(crate) const PROBLEMS_MAX: usize = 50;

/// One thing that is wrong with a command, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// JSON pointer (RFC 6901) into the body; empty for the body as a whole.
    pub pointer: String,
    /// What is wrong. Never repeats a value.
    pub detail: String,
}

impl FieldProblem {
    /// A problem of the field at the pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Problems as they are found, up to [`PROBLEMS_MAX`]: a body of two megabytes may hold a hundred thousand.
#[derive(Default)]
pub(crate) struct Problems(Vec<FieldProblem>);

impl Problems {
    pub(crate) fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(FieldProblem::new(pointer, detail));
        }
    }

    pub(crate) fn none(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<FieldProblem> {
        self.0
    }
}

/// Reads the text as JSON.
///
/// # Errors
/// What is not JSON at all: also wrong UTF-8, nesting beyond 128, and anything behind the end.
pub(crate) fn parse(text: &[u8], problems: &mut Problems) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let mut pointer = String::new();
    let value = Strict { problems, pointer: &mut pointer }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Appends one name to a pointer, escaped as RFC 6901 asks.
pub(crate) fn push_name(pointer: &mut String, name: &str) {
    pointer.push('/');
    // A name of a megabyte helps nobody.
    for c in name.chars().take(64) {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

struct Strict<'a> {
    problems: &'a mut Problems,
    pointer: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        self.problems.add(self.pointer, "must be an integer: no fraction, no exponent, at most 2^53 - 1");
        // The right type, so that the one mistake is named once.
        Ok(Value::from(1))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let length = self.pointer.len();
        loop {
            push_name(self.pointer, &list.len().to_string());
            let seed = Strict { problems: &mut *self.problems, pointer: &mut *self.pointer };
            let element = elements.next_element_seed(seed);
            self.pointer.truncate(length);
            match element? {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let length = self.pointer.len();
        while let Some(name) = fields.next_key::<String>()? {
            push_name(self.pointer, &name);
            if object.contains_key(&name) {
                self.problems.add(self.pointer, "stands twice");
            }
            let seed = Strict { problems: &mut *self.problems, pointer: &mut *self.pointer };
            let value = fields.next_value_seed(seed);
            self.pointer.truncate(length);
            object.insert(name, value.map_err(A::Error::custom)?);
        }
        Ok(Value::Object(object))
    }
}
