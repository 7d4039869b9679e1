//! Serial number and validity out of a certificate, which the chain checker does not tell.

use chrono::{NaiveDate, NaiveDateTime};

/// What is read out of a certificate. Times are seconds since 1970; both ends are included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) serial: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }
}

/// Reads a certificate as far as its validity; `None` when it has another form.
pub(crate) fn read(certificate: &[u8]) -> Option<Facts> {
    let mut certificate = Reader(Reader(certificate).expect(SEQUENCE)?);
    let mut signed = Reader(certificate.expect(SEQUENCE)?);
    if signed.0.first() == Some(&VERSION) {
        signed.next()?;
    }
    let serial = signed.expect(INTEGER)?;
    signed.expect(SEQUENCE)?; // the algorithm
    signed.expect(SEQUENCE)?; // the issuer
    let mut validity = Reader(signed.expect(SEQUENCE)?);
    let not_before = time(validity.next()?)?;
    let not_after = time(validity.next()?)?;
    // A leading zero only keeps the number positive.
    let digits = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
    Some(Facts { serial: hex::encode_upper(digits), not_before, not_after })
}

fn time((tag, contents): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(contents).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // RFC 5280: two digits from 50 on are of the last century.
        UTC_TIME if text.len() == 12 && text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME if text.len() == 12 => format!("19{text}"),
        GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
        _ => return None,
    };
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(text[..4].parse().ok()?, part(4, 6)?, part(6, 8)?)?;
    let at: NaiveDateTime = date.and_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?)?;
    Some(at.and_utc().timestamp())
}
