//! Instants as the log writes them: RFC 3339, UTC, microseconds.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in microseconds, as PostgreSQL keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The instant, cut to microseconds.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        // `from_timestamp_micros` covers all that `timestamp_micros` gives.
        Self(DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at))
    }

    /// The instant for PostgreSQL.
    #[must_use]
    pub fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The instant so many microseconds after 1970; `None` beyond the calendar.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// The instant a microsecond earlier: the last one that counts before this one.
    #[must_use]
    pub fn just_before(self) -> Self {
        Self(self.0 - Duration::microseconds(1))
    }

    /// The instant `seconds` later; `None` beyond the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Option<Self> {
        self.0.checked_add_signed(Duration::try_seconds(seconds)?).map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "format": "date-time",
            "description": "An instant, RFC 3339 in UTC with microseconds."
        })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|at| Self::new(at.with_timezone(&Utc)))
            .map_err(serde::de::Error::custom)
    }
}
