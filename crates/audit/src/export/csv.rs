//! Tables as CSV that a spreadsheet can be trusted with.
//!
//! A text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return would be taken for a formula: it gets an
//! apostrophe in front (<https://owasp.org/www-community/attacks/CSV_Injection>). Numbers stay as they are.

use std::path::Path;

use packed_rows::PackedRows;
use read_models::Table;
use serde_json::Value;

use super::files::{NewFile, Written};
use crate::Error;

pub(super) fn write(all: &PackedRows, table: Table, folder: &Path) -> Result<Written, Error> {
    let name = format!("{}.csv", table.name());
    let mut file = NewFile::create(folder, &name)?;
    let columns = table.columns();
    file.bytes(&record(columns.iter().copied())?)?;
    for cells in table.rows(all) {
        let cells = cells?;
        let fields = columns.iter().map(|column| cells.get(*column).map_or_else(String::new, cell));
        file.row(&record(fields)?)?;
    }
    file.finish()
}

/// One record, RFC 4180.
fn record(fields: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<Vec<u8>, Error> {
    let failed = |error: csv::Error| Error::Failed(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields).map_err(failed)?;
    writer.into_inner().map_err(|error| Error::Failed(error.to_string()))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => harmless(text),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts = items.iter().filter_map(Value::as_str).collect::<Vec<_>>();
            harmless(&texts.join(" "))
        }
        other => other.to_string(),
    }
}

fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_is_a_formula_and_every_field_is_one() {
        assert_eq!(cell(&json!("=cmd|' /C calc'!A0")), "'=cmd|' /C calc'!A0");
        for (value, shown) in
            [(json!("-1"), "'-1"), (json!(-1), "-1"), (json!("@x"), "'@x"), (json!("a=b"), "a=b")]
        {
            assert_eq!(cell(&value), shown);
        }
        let fields = ["a,b", "say \"x\"", "two\nlines", "plain"];
        let expected = "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",plain\n";
        assert_eq!(record(fields.into_iter()).unwrap(), expected.as_bytes());
    }
}
