//! How a row's fields are written: numbers as short as they are, ids and what recurs by number, times by their distance
//! from others.

use domain::{Currency, Position, Reason, Timestamp};

use crate::PackedRows;
use crate::entities::{Kind, Number};

/// What rows share, so that each has it by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    currencies: Vec<Currency>,
    /// Reasons without figures: there is a handful of them.
    reasons: Vec<Vec<Reason>>,
    /// The first time that was written, in microseconds: others are written by their distance from it.
    base: Option<i64>,
}

/// Lists of reasons that are shared; any more are written out.
const REASONS_MAX: usize = 256;

/// A row that can be written.
pub(crate) trait Pack {
    fn pack(&self, writer: &mut Writer<'_>);
}

/// Writes a row's fields, one behind the other.
pub(crate) struct Writer<'a> {
    pub(crate) rows: &'a mut PackedRows,
    pub(crate) out: Vec<u8>,
}

impl Writer<'_> {
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// Numbers near 0 on either side are short.
    pub(crate) fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    pub(crate) fn all_signed<const N: usize>(&mut self, numbers: [i64; N]) {
        numbers.into_iter().for_each(|number| self.signed(number));
    }

    /// Whether each of them is so.
    pub(crate) fn flags<const N: usize>(&mut self, flags: [bool; N]) {
        self.number(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u64::from(*flag)));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn id(&mut self, kind: Kind, id: &str) {
        let Number(number) = self.rows.entities.name(kind, id.as_bytes());
        self.number(number.into());
    }

    pub(crate) fn position(&mut self, position: Position) {
        self.signed(position.0);
    }

    /// A time by itself.
    pub(crate) fn time(&mut self, time: Timestamp) {
        let base = *self.rows.shared.base.get_or_insert(time.micros());
        self.signed(time.micros().wrapping_sub(base));
    }

    /// A time near another.
    pub(crate) fn time_near(&mut self, time: Timestamp, near: Option<Timestamp>) {
        match near {
            Some(near) => self.signed(time.micros().wrapping_sub(near.micros())),
            None => self.time(time),
        }
    }

    pub(crate) fn currency(&mut self, currency: Currency) {
        let currencies = &mut self.rows.shared.currencies;
        let at = currencies.iter().position(|known| *known == currency).unwrap_or_else(|| {
            currencies.push(currency);
            currencies.len() - 1
        });
        self.number(at as u64);
    }

    /// Reasons that many rows have.
    pub(crate) fn shared_reasons(&mut self, reasons: &[Reason]) {
        let shared = &mut self.rows.shared.reasons;
        let at = shared.iter().position(|known| known == reasons);
        let at = at.or_else(|| {
            (shared.len() < REASONS_MAX).then(|| {
                shared.push(reasons.to_vec());
                shared.len() - 1
            })
        });
        match at {
            Some(at) => self.number(at as u64 + 1),
            None => {
                self.number(0);
                self.reasons(reasons);
            }
        }
    }

    pub(crate) fn reasons(&mut self, reasons: &[Reason]) {
        self.number(reasons.len() as u64);
        for reason in reasons {
            self.text(&reason.code);
            self.text(&reason.detail);
        }
    }
}

/// Reads them again, in the order in which they were written. What was written is there: `None` is never seen.
pub(crate) struct Reader<'a> {
    pub(crate) rows: &'a PackedRows,
    pub(crate) left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, left) = self.left.split_first()?;
            self.left = left;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(crate) fn flags<const N: usize>(&mut self) -> Option<[bool; N]> {
        let bits = self.number()?;
        Some(std::array::from_fn(|n| bits >> n & 1 != 0))
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let (text, left) = self.left.split_at_checked(length)?;
        self.left = left;
        String::from_utf8(text.to_vec()).ok()
    }

    pub(crate) fn named(&mut self) -> Option<(u8, &'a str)> {
        let (kind, id) = self.rows.entities.id(Number(u32::try_from(self.number()?).ok()?));
        Some((kind, std::str::from_utf8(id).ok()?))
    }

    pub(crate) fn id<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.named()?.1.parse().ok()
    }

    /// One that is there if `there` says so.
    pub(crate) fn optional<T>(
        &mut self,
        there: bool,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        if there { read(self).map(Some) } else { Some(None) }
    }

    pub(crate) fn many<T, C: FromIterator<T>>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<C> {
        let length = self.length()?;
        (0..length).map(|_| read(self)).collect()
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        self.signed().map(Position)
    }

    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        Timestamp::from_micros(self.rows.shared.base?.wrapping_add(self.signed()?))
    }

    pub(crate) fn time_near(&mut self, near: Option<Timestamp>) -> Option<Timestamp> {
        match near {
            Some(near) => Timestamp::from_micros(near.micros().wrapping_add(self.signed()?)),
            None => self.time(),
        }
    }

    pub(crate) fn currency(&mut self) -> Option<Currency> {
        let at = self.length()?;
        self.rows.shared.currencies.get(at).copied()
    }

    pub(crate) fn shared_reasons(&mut self) -> Option<Vec<Reason>> {
        match self.length()? {
            0 => self.reasons(),
            at => self.rows.shared.reasons.get(at - 1).cloned(),
        }
    }

    pub(crate) fn reasons(&mut self) -> Option<Vec<Reason>> {
        self.many(|reader| Some(Reason { code: reader.text()?, detail: reader.text()? }))
    }
}
