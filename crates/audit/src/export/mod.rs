//! Writes a log and what it comes to into files for other programs, with a manifest that says what they are.
//!
//! Everything is made from the log alone: entries byte for byte, and each read model as of the last of them.

mod csv;
mod files;

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest as sha256;
use domain::Position;
use event_log::Event;
use packed_rows::PackedRows;
use read_models::{Cells, Table};
use serde::{Deserialize, Serialize};

use crate::beside::beside;
use crate::digest::digest;
use crate::{Digest, Error, Fold, Progress, Source, Take, line, read_into};
use files::NewFile;
pub use files::Written;
pub(crate) use files::{make_empty, write_whole};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// RFC 4180, safe in a spreadsheet.
    Csv,
}

/// What is to be exported.
#[derive(Clone, Debug)]
pub struct Request {
    /// How read models are written; entries are lines of JSON in any case.
    pub format: Format,
    /// The first entry that is written; read models are made from all entries before it too.
    pub from: Position,
    /// The last one.
    pub through: Position,
    /// How it was asked for, for the manifest.
    pub arguments: Vec<String>,
    /// The program's version, for the manifest.
    pub version: String,
}

/// What was exported; `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Whose log.
    pub shop: String,
    /// The first entry and the last.
    pub range: [Position; 2],
    /// How it was asked for.
    pub arguments: Vec<String>,
    /// The program's version.
    pub version: String,
    /// How many rows each file has, and its digest.
    pub files: Vec<Written>,
    /// Sums of the orders by currency, in minor units.
    pub totals: BTreeMap<String, Totals>,
}

/// Sums of orders of one currency, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// How many.
    pub orders: u64,
    /// What they come to.
    pub total_minor: i128,
    /// What came in.
    pub captured_minor: i128,
    /// What went back.
    pub refunded_minor: i128,
    /// What is owed.
    pub refund_due_minor: i128,
}

/// The tables that are exported: all that a fold makes.
const TABLES: [Table; 10] = Table::ALL;
pub(crate) const ENTRIES: &str = "events.jsonl";
const SETTINGS: &str = "shop_settings.jsonl";

/// Writes everything into a folder, which must be empty or not be there. The manifest comes last: a folder without one is
/// not whole.
///
/// # Errors
/// The log cannot be read or folded, or the folder cannot be written.
pub async fn export(
    source: &Source,
    folder: &Path,
    request: Request,
    progress: &Progress,
) -> Result<Manifest, Error> {
    files::make_empty(folder)?;
    let events = NewFile::create(folder, ENTRIES)?;
    let taker = Writing { from: request.from, events, fold: Fold::default(), failed: None };
    let taker = read_into(source, request.through, taker, ("exporting", progress)).await?;
    if let Some(error) = taker.failed {
        return Err(error);
    }
    let (to, format, of) = (folder.to_owned(), request.format, progress.clone());
    let (files, totals) = beside(move || write_tables(taker, &to, format, &of)).await?;
    let manifest = Manifest {
        shop: source.shop().to_string(),
        range: [request.from, request.through],
        arguments: request.arguments,
        version: request.version,
        files,
        totals,
    };
    files::write_whole(folder, "manifest.json", &serde_json::to_vec_pretty(&manifest)?)?;
    Ok(manifest)
}

struct Writing {
    from: Position,
    events: NewFile,
    fold: Fold,
    failed: Option<Error>,
}

impl Take for Writing {
    fn take(&mut self, event: Event) {
        if self.failed.is_none() && event.position >= self.from {
            self.failed = self.events.line(&event.entry).err();
        }
        self.fold.push(event);
    }
}

/// The read models, behind the entries.
fn write_tables(
    taken: Writing,
    folder: &Path,
    format: Format,
    progress: &Progress,
) -> Result<(Vec<Written>, BTreeMap<String, Totals>), Error> {
    let mut files = vec![taken.events.finish()?];
    let (all, mismatches) = taken.fold.finish();
    if let Some(mismatch) = mismatches.first() {
        return Err(Error::Unfoldable(mismatch.clone()));
    }
    progress.begin("writing the read models", TABLES.len() as u64);
    for table in TABLES {
        files.push(write_table(&all, table, folder, format)?);
        progress.add(1);
    }
    files.push(write_settings(&all, folder)?);
    Ok((files, totals(&all)))
}

fn write_table(all: &PackedRows, table: Table, folder: &Path, format: Format) -> Result<Written, Error> {
    match format {
        Format::Jsonl => {
            let mut file = NewFile::create(folder, &format!("{}.jsonl", table.name()))?;
            for cells in table.rows(all) {
                file.line(&line(cells?)?)?;
            }
            file.finish()
        }
        Format::Csv => csv::write(all, table, folder),
    }
}

/// The settings and rules in force, as `shop.configured` and `rules.activated` left them.
fn write_settings(all: &PackedRows, folder: &Path) -> Result<Written, Error> {
    let mut file = NewFile::create(folder, SETTINGS)?;
    file.line(&settings(all)?)?;
    file.finish()
}

fn settings(all: &PackedRows) -> Result<String, Error> {
    let mut cells = Cells::new();
    cells.insert("rules".to_owned(), all.shop().rules.into());
    cells.insert("settings".to_owned(), serde_json::to_value(&all.shop().settings)?);
    line(cells)
}

/// What the files beside the entries must be, in the order of the manifest.
pub(crate) fn expected(all: &PackedRows) -> Result<Vec<Written>, Error> {
    let of_table = |table: &Table| {
        let Digest { model, rows, sha256 } = digest(all, *table)?;
        Ok(Written { file: format!("{model}.jsonl"), rows, sha256 })
    };
    let mut files = TABLES.iter().map(of_table).collect::<Result<Vec<_>, Error>>()?;
    let settings = sha256::digest(&sha256::SHA256, format!("{}\n", settings(all)?).as_bytes());
    files.push(Written { file: SETTINGS.to_owned(), rows: 1, sha256: hex::encode(settings) });
    Ok(files)
}

pub(crate) fn totals(all: &PackedRows) -> BTreeMap<String, Totals> {
    let mut totals: BTreeMap<String, Totals> = BTreeMap::new();
    for order in all.orders() {
        let sums = totals.entry(order.currency.to_string()).or_default();
        sums.orders += 1;
        sums.total_minor += i128::from(order.total_minor);
        sums.captured_minor += i128::from(order.money.captured_minor);
        sums.refunded_minor += i128::from(order.money.refunded_minor);
        sums.refund_due_minor += i128::from(order.money.refund_due_minor);
    }
    totals
}
