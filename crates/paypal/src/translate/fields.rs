//! A JSON object read one level at a time, so that each problem names its field and nothing is parsed for nothing.
//!
//! Values stay as they were written until someone asks for them: no amount passes through a floating-point number, and
//! depth costs no stack.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use domain::Money;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What could not be understood. Names fields, never repeats values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why(pub(super) String);

/// Names are of the body itself where they are written without escapes, as PayPal's are.
type Values<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The fields of one object.
pub(super) struct Fields<'a> {
    path: String,
    /// By name.
    values: Values<'a>,
}

/// An object whose names are all different, by name.
struct Unique<'a>(Values<'a>);

impl<'de> Deserialize<'de> for Unique<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Unique<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Values::new();
                while let Some(Name(name)) = map.next_key()? {
                    values.push((name, map.next_value::<&RawValue>()?));
                }
                values.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                // Readers differ in which of two values they take, so neither can be meant.
                if values.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                    return Err(serde::de::Error::custom("a name is there twice"));
                }
                Ok(Unique(values))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// A name, copied only where it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'a> Fields<'a> {
    /// Reads an object; `path` is where it stands.
    pub(super) fn read(raw: &'a RawValue, path: &str) -> Result<Self, Why> {
        Self::read_text(raw.get(), path)
    }

    /// The same of a text; `path` is empty for the body itself.
    pub(super) fn read_text(text: &'a str, path: &str) -> Result<Self, Why> {
        let shown = if path.is_empty() { "the body" } else { path };
        match serde_json::from_str::<Unique<'a>>(text) {
            Ok(Unique(values)) => Ok(Self { path: path.to_owned(), values }),
            Err(_) if text.trim_start().starts_with('{') => {
                Err(Why(format!("{shown} has a name twice or a malformed one")))
            }
            Err(_) => Err(Why(format!("{shown} is no object"))),
        }
    }

    /// A reason about a field of this object.
    pub(super) fn why(&self, name: &str, problem: impl fmt::Display) -> Why {
        let dot = if self.path.is_empty() { "" } else { "." };
        Why(format!("{}{dot}{name} {problem}", self.path))
    }

    fn value(&self, name: &str) -> Option<&'a RawValue> {
        let at = self.values.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        Some(self.values[at].1).filter(|raw| raw.get() != "null")
    }

    /// A text, or a number as it is written. Empty is absent: PayPal sends `""` for what was not set.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Why> {
        let Some(raw) = self.value(name) else { return Ok(None) };
        let text = match raw.get().as_bytes() {
            [b'"', ..] => {
                serde_json::from_str::<String>(raw.get()).map_err(|_| self.why(name, "is malformed"))?
            }
            [b'-' | b'0'..=b'9', ..] => raw.get().to_owned(),
            _ => return Err(self.why(name, "is no text")),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// An object within. An empty list stands for an empty object where a sender does not tell them apart.
    pub(super) fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Why> {
        let Some(raw) = self.value(name) else { return Ok(None) };
        if raw.get().starts_with('[') && raw.get()[1..].trim_start().starts_with(']') {
            return Ok(None);
        }
        Fields::read(raw, &self.path_of(name)).map(Some)
    }

    /// A list of objects; absent is empty.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Fields<'a>>, Why> {
        let Some(raw) = self.value(name) else { return Ok(Vec::new()) };
        let items: Vec<&'a RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| self.why(name, "is no list"))?;
        let path = self.path_of(name);
        items.into_iter().filter(|item| item.get() != "null").map(|item| Fields::read(item, &path)).collect()
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Whether a flag is set, as JSON or as text.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.value(name).is_some_and(|raw| matches!(raw.get(), "true" | "\"true\""))
    }

    /// An id that must be there.
    pub(super) fn id<T: FromStr>(&self, name: &str) -> Result<T, Why> {
        let text = self.text(name)?.ok_or_else(|| self.why(name, "is missing"))?;
        text.parse().map_err(|_| self.why(name, "has not the shape of an id"))
    }

    /// An id that may be there; one of another shape names nothing that we could know.
    pub(super) fn id_if_any<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).ok().flatten()?.parse().ok()
    }

    /// An amount that must be there, of either version: `{value, currency_code}` or `{total, currency}`.
    pub(super) fn money(&self, name: &str) -> Result<Money, Why> {
        self.money_if_any(name)?.ok_or_else(|| self.why(name, "is missing"))
    }

    /// An amount that may be there.
    pub(super) fn money_if_any(&self, name: &str) -> Result<Option<Money>, Why> {
        let Some(amount) = self.object(name)? else { return Ok(None) };
        let value = match amount.text("value")? {
            Some(value) => Some(value),
            None => amount.text("total")?,
        };
        let currency = match amount.text("currency_code")? {
            Some(currency) => Some(currency),
            None => amount.text("currency")?,
        };
        let value = value.ok_or_else(|| amount.why("value", "is missing"))?;
        let currency = currency.ok_or_else(|| amount.why("currency_code", "is missing"))?;
        Money::parse(&value, &currency).map(Some).map_err(|error| Why(format!("{}: {error}", amount.path)))
    }

    /// The status, upper-case: `status`, or `state` of the first version.
    pub(super) fn status(&self) -> Result<Option<String>, Why> {
        let status = match self.text("status")? {
            Some(status) => Some(status),
            None => self.text("state")?,
        };
        Ok(status.map(|status| status.to_ascii_uppercase()))
    }

    /// The path segments of the links of one kind, after the host: `["v2", "payments", "captures", "3C6.."]`.
    pub(super) fn links(&self, rel: &str) -> Result<Vec<Vec<String>>, Why> {
        let mut found = Vec::new();
        for link in self.list("links")? {
            if link.text("rel")?.as_deref() != Some(rel) {
                continue;
            }
            let Some(href) = link.text("href")? else { continue };
            let path = href.split(['?', '#']).next().unwrap_or_default();
            let path = path.split_once("://").map_or(path, |(_, rest)| rest);
            found.push(path.split('/').skip(1).filter(|part| !part.is_empty()).map(str::to_owned).collect());
        }
        Ok(found)
    }
}

/// The id behind a folder in links: `linked(&links, &["captures", "capture"])`.
pub(super) fn linked<T: FromStr>(links: &[Vec<String>], folders: &[&str]) -> Option<T> {
    links.iter().find_map(|path| match path.as_slice() {
        [.., folder, id] if folders.contains(&folder.as_str()) => id.parse().ok(),
        _ => None,
    })
}
