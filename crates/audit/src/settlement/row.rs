//! The rows of a report's body: columns by name, amounts, times.

use chrono::DateTime;
use csv::StringRecord;
use domain::{CaptureId, Currency, MINOR_MAX, Minor, PaymentKey, RefundId, Timestamp};

/// Amounts have two decimals and no point, whatever their currency has: 150 yen are 15000.
const REPORT_DECIMALS: u8 = 2;

/// An amount of the report, in the currency's own smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// In the currency's smallest unit; below 0 only for a fee that was given back.
    pub minor: Minor,
    /// What it is counted in.
    pub currency: Currency,
}

/// A payment that came in, or money that went back: what the log must have as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Where it stands in the file.
    pub line: u64,
    /// What the log has it as: a capture, or a refund.
    pub key: PaymentKey,
    /// PayPal's transaction event code.
    pub code: String,
    /// Before the fee.
    pub gross: Money,
    /// PayPal's fee; none where the row has none.
    pub fee: Option<Money>,
    /// When it moved the balance.
    pub completed_at: Timestamp,
}

/// Where in a row each column stands.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    count: usize,
    at: [usize; NAMES.len()],
}

/// The columns that are read, in the order of the constants below.
const NAMES: [&str; 9] = [
    "transaction id",
    "transaction event code",
    "transaction completion date",
    "transaction debit or credit",
    "gross transaction amount",
    "gross transaction currency",
    "fee debit or credit",
    "fee amount",
    "fee currency",
];
const ID: usize = 0;
const CODE: usize = 1;
const COMPLETED: usize = 2;
const DIRECTION: usize = 3;
const GROSS: usize = 4;
const CURRENCY: usize = 5;
const FEE_DIRECTION: usize = 6;
const FEE: usize = 7;
const FEE_CURRENCY: usize = 8;

impl Columns {
    /// Finds the columns by their names: versions of the report add others, and one has a blank too many in a name.
    pub(super) fn read(header: &StringRecord) -> Result<Self, String> {
        let plain =
            |name: &str| name.split_whitespace().map(str::to_ascii_lowercase).collect::<Vec<_>>().join(" ");
        let names: Vec<String> = header.iter().map(plain).collect();
        let (mut at, mut missing) = ([0; NAMES.len()], Vec::new());
        for (wanted, at) in NAMES.iter().zip(&mut at) {
            let mut found = names.iter().enumerate().filter(|(_, name)| name == wanted);
            match (found.next(), found.next()) {
                (Some((index, _)), None) => *at = index,
                (Some(_), Some(_)) => {
                    return Err(format!("the column {wanted:?} stands twice in the CH row"));
                }
                (None, _) => missing.push(format!("{wanted:?}")),
            }
        }
        if missing.is_empty() {
            Ok(Self { count: names.len(), at })
        } else {
            Err(format!("the CH row lacks {}", missing.join(", ")))
        }
    }

    fn get<'r>(&self, row: &'r StringRecord, column: usize) -> &'r str {
        row.get(self.at[column]).unwrap_or_default()
    }

    /// The event code of a body row, and the transaction where it is one that the log must have.
    pub(super) fn transaction(
        &self,
        row: &StringRecord,
        line: u64,
    ) -> Result<(String, Option<Transaction>), String> {
        if row.len() != self.count {
            return Err(format!("it has {} fields, and the CH row has {}", row.len(), self.count));
        }
        let code = self.get(row, CODE);
        let digits = code.strip_prefix('T').unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err("its transaction event code is not of the form T0000".to_owned());
        }
        let gross = hundredths("the gross transaction amount", self.get(row, GROSS))?;
        let key = match (code, self.get(row, DIRECTION)) {
            // T00nn are payments; those that were sent and not received are none of the shop's sales.
            (code, "CR") if code.starts_with("T00") => {
                PaymentKey::Capture(CaptureId::parse(self.get(row, ID)).map_err(no_id)?)
            }
            // A reversal by PayPal, a refund by the merchant, a chargeback.
            ("T1106" | "T1107" | "T1201", "DR") => {
                PaymentKey::Refund(RefundId::parse(self.get(row, ID)).map_err(no_id)?)
            }
            (_, "CR" | "DR") => return Ok((code.to_owned(), None)),
            _ => return Err("it is neither CR nor DR".to_owned()),
        };
        let gross = money("the gross transaction amount", gross, self.get(row, CURRENCY))?;
        let completed_at = time("the transaction completion date", self.get(row, COMPLETED))?;
        let fee = self.fee(row)?;
        Ok((
            code.to_owned(),
            Some(Transaction { line, key, code: code.to_owned(), gross, fee, completed_at }),
        ))
    }

    fn fee(&self, row: &StringRecord) -> Result<Option<Money>, String> {
        let text = self.get(row, FEE);
        if text.is_empty() {
            return Ok(None);
        }
        let fee = hundredths("the fee amount", text)?;
        let sign = match self.get(row, FEE_DIRECTION) {
            "DR" => 1,
            "CR" => -1,
            "" if fee == 0 => return Ok(None),
            _ => return Err("its fee is neither CR nor DR".to_owned()),
        };
        let fee = money("the fee amount", fee, self.get(row, FEE_CURRENCY))?;
        Ok(Some(Money { minor: sign * fee.minor, ..fee }))
    }
}

fn no_id(_: domain::InvalidId) -> String {
    "it has no transaction id".to_owned()
}

/// An amount as the report writes it: digits, without sign, point or blank.
fn hundredths(what: &str, text: &str) -> Result<i64, String> {
    let plain = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let amount = plain.then(|| text.parse::<i64>().ok()).flatten().filter(|amount| *amount <= MINOR_MAX);
    amount.ok_or_else(|| format!("{what} is no integer of at most 2^53 - 1"))
}

fn money(what: &str, hundredths: i64, currency: &str) -> Result<Money, String> {
    let currency =
        Currency::parse(currency).map_err(|_| format!("the currency of {what} is none of ISO 4217"))?;
    let decimals = currency.decimals();
    let minor = if decimals >= REPORT_DECIMALS {
        hundredths.checked_mul(10_i64.pow(u32::from(decimals - REPORT_DECIMALS)))
    } else {
        let unit = 10_i64.pow(u32::from(REPORT_DECIMALS - decimals));
        (hundredths % unit == 0).then_some(hundredths / unit)
    };
    let minor = minor.filter(|minor| *minor <= MINOR_MAX).ok_or_else(|| {
        format!("{what} is in hundredths, and {hundredths} of them are no whole amount of {currency}")
    })?;
    Ok(Money { minor, currency })
}

/// `2026/11/25 23:59:59 -0800`.
pub(super) fn time(what: &str, text: &str) -> Result<Timestamp, String> {
    let parsed = DateTime::parse_from_str(text, "%Y/%m/%d %H:%M:%S %z");
    parsed
        .map(|at| Timestamp::new(at.to_utc()))
        .map_err(|_| format!("{what} is not of the form YYYY/MM/DD HH:MM:SS +0000"))
}
