//! Where a reader stands, and whether the log can go on from there.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use database::{Client, sql};
use domain::{Position, ShopId};
use futures_util::try_join;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::Error;

/// The last event that a reader is done with: `<epoch>-<position>`, or `<epoch>-start` before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Counts the forks of the log.
    pub epoch: i64,
    /// -1 before the first event.
    pub position: Position,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.position.0 < 0 {
            return write!(f, "{}-start", self.epoch);
        }
        write!(f, "{}-{}", self.epoch, self.position)
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is written <epoch>-<position>, as 0-1042, or <epoch>-start")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (epoch, position) = text.split_once('-').ok_or(InvalidCursor)?;
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse::<i64>().ok()).flatten().ok_or(InvalidCursor)
        };
        let position = if position == "start" { -1 } else { number(position)? };
        let epoch = number(epoch)?;
        // The column's range: no log has forked so often.
        if i32::try_from(epoch).is_err() {
            return Err(InvalidCursor);
        }
        Ok(Self { epoch, position: Position(position) })
    }
}

impl JsonSchema for Cursor {
    fn schema_name() -> Cow<'static, str> {
        "Cursor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9]+-([0-9]+|start)$",
            "description": "The last event that a reader is done with: <epoch>-<position>, or <epoch>-start."
        })
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a log forked from what a reader knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    /// The epoch of the reader's cursor.
    pub old_epoch: i64,
    /// The epoch of the log.
    pub new_epoch: i64,
    /// The last position that both have.
    pub forked_at: Position,
    /// From where the reader misses nothing.
    pub resume_after: Cursor,
}

/// Why a reader cannot go on from its cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The log has forked since.
    #[error("the log has forked at {} and is in its epoch {}", .0.forked_at, .0.new_epoch)]
    Forked(Forked),
    /// Nothing stands there yet.
    #[error("the log ends at {head}, before the cursor")]
    Ahead {
        /// The last event.
        head: Cursor,
    },
    /// What follows is not in the outbox any more.
    #[error("the outbox is pruned through {pruned_through}; it goes on behind that")]
    Pruned {
        /// From where the reader can go on, having missed what is pruned.
        pruned_through: Cursor,
    },
    /// No event in the outbox has this id.
    #[error("no event in the outbox has this id; it goes on behind {pruned_through}")]
    UnknownId {
        /// From where the reader can go on.
        pruned_through: Cursor,
    },
}

/// What is there of a shop's log and outbox.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The log's epoch.
    pub epoch: i64,
    /// The last event; -1: none.
    pub head: Position,
    /// Up to here the outbox is pruned; -1: it is whole.
    pub pruned_through: Position,
    /// (epoch, the last position that it has in common with the one before), in order.
    forks: Vec<(i64, i64)>,
}

impl Bounds {
    /// Reads them.
    ///
    /// # Errors
    /// The database's, or there is no such shop.
    pub async fn read(client: &Client, shop: &ShopId) -> Result<Self, Error> {
        let parameters: database::Parameters<'_> = &[&shop.as_str()];
        let (row, forks) = try_join!(
            client.query_opt(&sql::delivery::READ_BOUNDS, parameters),
            client.query(&sql::delivery::LIST_FORKS, parameters),
        )?;
        let row = row.ok_or(Error::UnknownShop)?;
        let forks = forks
            .iter()
            .map(|row| Ok((i64::from(row.try_get::<_, i32>(0)?), row.try_get(1)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            epoch: i64::from(row.try_get::<_, i32>(0)?),
            head: Position(row.try_get(1)?),
            pruned_through: Position(row.try_get(2)?),
            forks,
        })
    }

    /// The cursor of a position.
    #[must_use]
    pub fn at(&self, position: Position) -> Cursor {
        Cursor { epoch: self.epoch, position }
    }

    /// The epoch that an event was appended in, so that the same event is the same message in every later epoch.
    #[must_use]
    pub fn epoch_of(&self, position: Position) -> i64 {
        let later = self.forks.iter().rev().find(|(_, forked_at)| position.0 > *forked_at);
        later.map_or(0, |(epoch, _)| *epoch)
    }

    /// Where a reader goes on that stands at this cursor.
    ///
    /// # Errors
    /// [`CursorError`], with where it can go on instead.
    pub fn resume(&self, cursor: Cursor) -> Result<Position, CursorError> {
        if cursor.epoch != self.epoch {
            return Err(CursorError::Forked(self.forked(cursor)));
        }
        if cursor.position > self.head {
            return Err(CursorError::Ahead { head: self.at(self.head) });
        }
        if cursor.position < self.pruned_through {
            return Err(CursorError::Pruned { pruned_through: self.at(self.pruned_through) });
        }
        Ok(cursor.position)
    }

    fn forked(&self, cursor: Cursor) -> Forked {
        // Of several forks the earliest counts. An epoch that is not known here has nothing in common with this log.
        let since = self.forks.iter().filter(|(epoch, _)| *epoch > cursor.epoch);
        let forked_at = if cursor.epoch < self.epoch { since.map(|(_, at)| *at).min() } else { None };
        let forked_at = Position(forked_at.unwrap_or(-1));
        let resume_after = self.at(cursor.position.min(forked_at));
        Forked { old_epoch: cursor.epoch, new_epoch: self.epoch, forked_at, resume_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(epoch: i64, forks: &[(i64, i64)]) -> Bounds {
        Bounds { epoch, head: Position(100), pruned_through: Position(9), forks: forks.to_vec() }
    }

    fn cursor(text: &str) -> Cursor {
        text.parse().unwrap()
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for text in ["0-0", "0-1042", "3-7", "2-start"] {
            assert_eq!(cursor(text).to_string(), text);
        }
        for text in [
            "",
            "7",
            "-7",
            "0-",
            "0--1",
            "a-1",
            "0-1x",
            "0-+1",
            "0-99999999999999999999",
            "0-Start",
            "2147483648-0",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text:?}");
        }
    }

    #[test]
    fn a_reader_goes_on_only_where_everything_behind_its_cursor_is_there() {
        let bounds = bounds(0, &[]);
        assert_eq!(bounds.resume(cursor("0-9")), Ok(Position(9)));
        assert_eq!(bounds.resume(cursor("0-100")), Ok(Position(100)));
        assert_eq!(bounds.resume(cursor("0-8")), Err(CursorError::Pruned { pruned_through: cursor("0-9") }));
        assert_eq!(
            bounds.resume(cursor("0-start")),
            Err(CursorError::Pruned { pruned_through: cursor("0-9") })
        );
        assert_eq!(bounds.resume(cursor("0-101")), Err(CursorError::Ahead { head: cursor("0-100") }));
    }

    #[test]
    fn given_forks_when_a_reader_of_an_older_epoch_comes_then_it_is_told_from_where_it_misses_nothing() {
        let bounds = bounds(2, &[(1, 80), (2, 40)]);
        let told = |text: &str| match bounds.resume(cursor(text)) {
            Err(CursorError::Forked(forked)) => (forked.forked_at.0, forked.resume_after.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(told("1-90"), (40, "2-40".to_owned()));
        assert_eq!(told("1-30"), (40, "2-30".to_owned()));
        assert_eq!(told("0-90"), (40, "2-40".to_owned()));
        assert_eq!(told("7-90"), (-1, "2-start".to_owned()), "an epoch that never was");
    }

    #[test]
    fn an_event_keeps_the_epoch_that_it_was_appended_in() {
        let bounds = bounds(2, &[(1, 40), (2, 80)]);
        let epochs: Vec<i64> = [0, 40, 41, 80, 81].map(|p| bounds.epoch_of(Position(p))).into();
        assert_eq!(epochs, [0, 0, 1, 1, 2]);
    }
}
