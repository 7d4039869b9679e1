//! The shop's own statuses: NDJSON or CSV, an order a line.

use std::collections::BTreeMap;
use std::path::Path;

use audit::Progress;
use domain::{Currency, Minor, Order, OrderId, OrderState};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::lines::{LINE_MAX, Lines};
use crate::problems::Problems;

/// Where an order stands, in the words of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was held for it.
    Refused,
    /// Nothing is paid.
    Open,
    /// Less than the total is paid.
    PartiallyPaid,
    /// Paid.
    Paid,
    /// Paid, and all of it has been shipped.
    Shipped,
    /// Paid, and all of the money went back.
    Refunded,
    /// Paid, and the goods are not to be had.
    Unfulfillable,
    /// Cancelled.
    Cancelled,
    /// Its hold ran out unpaid.
    Expired,
    /// Closed by an operator.
    Closed,
}

impl Status {
    /// Where an order stands here.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        match order.state {
            OrderState::Refused => Self::Refused,
            OrderState::Open => Self::Open,
            OrderState::PartiallyPaid => Self::PartiallyPaid,
            OrderState::Paid if order.flags.cancelled => Self::Cancelled,
            OrderState::Paid
                if order.money.captured_minor > 0
                    && order.money.refunded_minor >= order.money.captured_minor =>
            {
                Self::Refunded
            }
            OrderState::Paid if order.has_shipped_all() => Self::Shipped,
            OrderState::Paid => Self::Paid,
            OrderState::Unfulfillable => Self::Unfulfillable,
            OrderState::Cancelled => Self::Cancelled,
            OrderState::Expired => Self::Expired,
            OrderState::Closed => Self::Closed,
        }
    }

    /// Whether both say the same. A shop that only says that an order is paid does not say whether it was shipped.
    #[must_use]
    pub(crate) fn agrees(self, here: Self) -> bool {
        self == here || (self, here) == (Self::Paid, Self::Shipped)
    }

    fn parse(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}

/// The shop's words for statuses, beside those of [`Status`]: `completed` for paid.
#[derive(Clone, Debug, Default)]
pub struct Words(BTreeMap<String, Status>);

impl Words {
    /// Takes `theirs=ours` as one more; none where ours is no status.
    #[must_use]
    pub fn with(mut self, pair: &str) -> Option<Self> {
        let (theirs, ours) = pair.split_once('=')?;
        self.0.insert(theirs.to_owned(), Status::parse(ours)?);
        Some(self)
    }

    fn read(&self, word: &str) -> Option<Status> {
        self.0.get(word).copied().or_else(|| Status::parse(word))
    }
}

/// What the shop says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stated {
    pub(crate) line: u64,
    pub(crate) order: OrderId,
    pub(crate) status: Status,
    pub(crate) currency: Option<Currency>,
    pub(crate) captured_minor: Option<Minor>,
    pub(crate) refunded_minor: Option<Minor>,
}

/// A line as it is written. Fields of other names are the shop's own.
#[derive(Deserialize)]
struct Written {
    order: OrderId,
    status: String,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default)]
    captured_minor: Option<Minor>,
    #[serde(default)]
    refunded_minor: Option<Minor>,
}

/// Reads a file to its end, and gives away each line that can be understood; the others are named.
pub(crate) fn read(
    path: &Path,
    words: &Words,
    progress: &Progress,
    mut take: impl FnMut(Stated) -> Result<(), Error>,
) -> Result<Problems, Error> {
    let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
    progress.begin("bytes read", size);
    let mut problems = Problems::default();
    let mut one = |line: u64, written: Result<Written, String>, problems: &mut Problems| match written
        .and_then(|written| stated(line, written, words))
    {
        Ok(stated) => take(stated),
        Err(why) => {
            problems.add(line, "", why);
            Ok(())
        }
    };
    if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) {
        let mut reader = csv::Reader::from_path(path).map_err(|error| csv_error(path, error))?;
        let headers = reader.headers().map_err(|error| csv_error(path, error))?.clone();
        let (mut record, mut read) = (csv::StringRecord::new(), 0);
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {
                    let written = record.deserialize(Some(&headers)).map_err(|error| error.to_string());
                    one(line, written, &mut problems)?;
                }
                Err(error) if error.is_io_error() => return Err(csv_error(path, error)),
                Err(error) => problems.add(line, "", error.to_string()),
            }
            progress.add(reader.position().byte().saturating_sub(read));
            read = reader.position().byte();
        }
    } else {
        let mut lines = Lines::open(path).map_err(Error::file(path))?;
        while let Some(line) = lines.next().map_err(Error::file(path))? {
            progress.add(line.bytes);
            let written = match line.text {
                None => Err(format!("has more than {LINE_MAX} bytes")),
                Some(text) => serde_json::from_slice(text).map_err(|error| error.to_string()),
            };
            one(line.number, written, &mut problems)?;
        }
    }
    Ok(problems)
}

fn stated(line: u64, written: Written, words: &Words) -> Result<Stated, String> {
    let Written { order, status, currency, captured_minor, refunded_minor } = written;
    let status = words
        .read(&status)
        .ok_or("its status is no word of Counterfoil's: say which it stands for with --as THEIRS=OURS")?;
    Ok(Stated { line, order, status, currency, captured_minor, refunded_minor })
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    Error::file(path)(std::io::Error::other(error))
}
