//! PayPal's settlement report, read from its file.
//!
//! By PayPal's "Settlement Report Specification" (<https://developer.paypal.com/docs/reports/sftp-reports/settlement-report/>;
//! as a document up to version 9.0.5 of April 2019) and "Transaction event codes"
//! (<https://developer.paypal.com/docs/reports/reference/tcodes/>): UTF-8, perhaps with a byte order mark, comma-separated,
//! at most a million records a file. Each row's first field says what it is:
//!
//! | row | what | fields that are read |
//! |---|---|---|
//! | RH, FH | report header, file header | when it was made, version; which file of the report |
//! | SH | section header, for an account | the period, from and to, with its time zone; the account |
//! | CH | column header | the columns' names: versions 4 to 9 differ in which there are |
//! | SB | section body: a transaction | the columns of [`super::Transaction`] |
//! | SF, RF | totals a currency, of the section and of the report | none: the rows themselves are compared |
//! | SC, RC, FF | how many SB rows the section, the report and the file have | all |
//!
//! Amounts are unsigned integers with two decimals in every currency: genuine reports have a payment of 150 JPY, with a fee
//! of 43, as 15000 and 4300. (The specification's "100,00 yen and $100.00 USD are both represented as 10000" says as much.)
//!
//! Strict: what is not as the specification has it is named with its line, and nothing of the file is used.

use std::collections::BTreeMap;
use std::io::Read;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use domain::Timestamp;

use super::Transaction;
use super::meter::{Allowance, Meter, ROW_MAX_BYTES};
use super::place::{Place, RowType};
use super::row::{Columns, time};

/// PayPal writes no more records into a file.
pub const ROWS_MAX: u64 = 1_000_000;

/// What is wrong with a report, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Malformed {
    /// The line in the file, from 1.
    pub line: u64,
    /// What is wrong; never a value of another's.
    pub why: String,
}

/// A settlement report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of the file, byte for byte.
    pub sha256: [u8; 32],
    /// The version of its specification: `009`.
    pub version: String,
    /// How many transactions it lists.
    pub rows: u64,
    /// One for each account.
    pub sections: Vec<Section>,
}

/// What one account did in the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The merchant account, as PayPal names it.
    pub account: String,
    /// The beginning of the period.
    pub from: Timestamp,
    /// Its end: the last second in it.
    pub to: Timestamp,
    /// Payments and what went back.
    pub transactions: Vec<Transaction>,
    /// How many rows there are of every other code: fees, transfers, holds, conversions.
    pub others: BTreeMap<String, u64>,
}

impl Report {
    /// Reads a report to its end. Memory grows with its transactions, not with its bytes.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(source: impl Read) -> Result<Self, Malformed> {
        let allowance = Allowance::new();
        let meter = Meter::new(source, allowance.clone());
        let mut rows = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(meter);
        let (mut record, mut reading) = (StringRecord::new(), Reading::default());
        loop {
            let line = rows.position().line();
            match rows.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(_) if allowance.is_used_up() => {
                    return Err(Malformed {
                        line,
                        why: format!("a row has more than {ROW_MAX_BYTES} bytes"),
                    });
                }
                Err(error) => return Err(Malformed { line, why: told(&error) }),
            }
            allowance.renew();
            let line = record.position().map_or(line, csv::Position::line);
            reading.take(&record, line).map_err(|why| Malformed { line, why })?;
            reading.last_line = line;
        }
        let sha256 = rows.into_inner().finish();
        reading.finish(sha256)
    }
}

/// Never the bytes themselves.
fn told(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        ErrorKind::Io(error) => format!("it cannot be read: {error}"),
        _ => "it is no CSV".to_owned(),
    }
}

/// A report under way.
struct Reading {
    place: Place,
    version: String,
    sections: Vec<Section>,
    columns: Option<Columns>,
    rows: u64,
    rows_of_section: u64,
    last_line: u64,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            place: Place::Start,
            version: String::new(),
            sections: Vec::new(),
            columns: None,
            rows: 0,
            rows_of_section: 0,
            last_line: 0,
        }
    }
}

impl Reading {
    fn take(&mut self, record: &StringRecord, line: u64) -> Result<(), String> {
        let kind = record.get(0).and_then(RowType::parse).ok_or("no row of a settlement report begins so")?;
        let next = self.place.step(kind).ok_or_else(|| {
            let first = record.get(0).unwrap_or_default();
            format!("no {first} row can stand here: {}", self.place)
        })?;
        match kind {
            RowType::ReportHeader => self.version = version(record)?,
            RowType::FileHeader if number(record, 1) != Some(1) => {
                return Err(
                    "it is not the first file of its report, and a part cannot be compared".to_owned()
                );
            }
            RowType::SectionHeader => self.begin_section(record)?,
            RowType::ColumnHeader => self.columns = Some(Columns::read(record)?),
            RowType::SectionBody => self.take_body(record, line)?,
            RowType::SectionCount => count_is(record, self.rows_of_section, "the section")?,
            RowType::ReportCount => count_is(record, self.rows, "the report")?,
            RowType::FileFooter if self.place == Place::SectionCount => {
                return Err("the report goes on in another file, and a part cannot be compared".to_owned());
            }
            RowType::FileFooter => count_is(record, self.rows, "the file")?,
            RowType::FileHeader | RowType::SectionFooter | RowType::ReportFooter => {}
        }
        self.place = next;
        Ok(())
    }

    fn begin_section(&mut self, record: &StringRecord) -> Result<(), String> {
        let field = |index: usize| record.get(index).unwrap_or_default();
        let from = time("the beginning of the period", field(1))?;
        let to = time("the end of the period", field(2))?;
        if to < from {
            return Err("the period ends before it begins".to_owned());
        }
        self.sections.push(Section {
            account: field(3).to_owned(),
            from,
            to,
            transactions: Vec::new(),
            others: BTreeMap::new(),
        });
        (self.columns, self.rows_of_section) = (None, 0);
        Ok(())
    }

    fn take_body(&mut self, record: &StringRecord, line: u64) -> Result<(), String> {
        let (Some(section), Some(columns)) = (self.sections.last_mut(), &self.columns) else {
            return Err("no CH row stands before it".to_owned());
        };
        if self.rows == ROWS_MAX {
            return Err(format!("it has more than {ROWS_MAX} transactions, and no report of PayPal's has"));
        }
        self.rows += 1;
        self.rows_of_section += 1;
        match columns.transaction(record, line)? {
            (_, Some(transaction)) => section.transactions.push(transaction),
            (code, None) => *section.others.entry(code).or_default() += 1,
        }
        Ok(())
    }

    fn finish(self, sha256: [u8; 32]) -> Result<Report, Malformed> {
        if self.place == Place::FileFooter {
            return Ok(Report { sha256, version: self.version, rows: self.rows, sections: self.sections });
        }
        let why =
            format!("it ends behind this line without an FF row, as a file that was cut: {}", self.place);
        Err(Malformed { line: self.last_line, why })
    }
}

fn version(record: &StringRecord) -> Result<String, String> {
    time("the time of its generation", record.get(1).unwrap_or_default())?;
    let version = record.get(4).unwrap_or_default();
    let plain = (1..=3).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| version.to_owned()).ok_or_else(|| "its version is no number".to_owned())
}

fn number(record: &StringRecord, index: usize) -> Option<u64> {
    record.get(index)?.parse().ok()
}

fn count_is(record: &StringRecord, counted: u64, what: &str) -> Result<(), String> {
    match number(record, 1) {
        Some(said) if said == counted => Ok(()),
        Some(said) => Err(format!("{what} has {counted} SB rows, and {said} according to this one")),
        None => Err(format!("how many rows {what} has is no number")),
    }
}
