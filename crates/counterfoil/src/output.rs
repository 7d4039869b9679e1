//! What verbs print: tables for people, JSON for programs. The only place that writes to standard output.

use std::io::{IsTerminal, Write};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use domain::{Currency, Money};
use serde_json::Value;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table; without lines when it is not for a terminal.
    #[default]
    Table,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Ndjson,
}

/// A column of a table: its heading, and where its value is found in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    heading: &'static str,
    path: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Money,
    SomeMoney,
}

impl Column {
    /// Text at a path of names with points between: `terms.buyer`.
    pub(crate) const fn text(heading: &'static str, path: &'static str) -> Self {
        Self { heading, path, kind: Kind::Text }
    }

    /// A number, aligned to the right.
    pub(crate) const fn number(heading: &'static str, path: &'static str) -> Self {
        Self { heading, path, kind: Kind::Number }
    }

    /// Minor units, shown in the row's `currency`.
    pub(crate) const fn money(heading: &'static str, path: &'static str) -> Self {
        Self { heading, path, kind: Kind::Money }
    }

    /// Minor units in the row's `currency`; nothing is shown for none.
    pub(crate) const fn some_money(heading: &'static str, path: &'static str) -> Self {
        Self { heading, path, kind: Kind::SomeMoney }
    }

    fn show(&self, row: &Value) -> String {
        let Some(value) = at(row, self.path) else { return String::new() };
        match (self.kind, value.as_i64(), at(row, "currency").and_then(Value::as_str)) {
            (Kind::SomeMoney, Some(0), _) => String::new(),
            (Kind::Money | Kind::SomeMoney, Some(minor), Some(code)) => match Currency::parse(code) {
                Ok(currency) => Money { minor, currency }.to_string(),
                Err(_) => minor.to_string(),
            },
            _ => plain(value),
        }
    }
}

/// The value at a path of names with points between.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// A value in a cell: lists and objects in short.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(object)
            if object.len() == 2 && object.contains_key("code") && object.contains_key("detail") =>
        {
            plain(&object["code"])
        }
        // Flags are read better as the names of those that are set.
        Value::Object(object) if object.values().all(Value::is_boolean) => {
            let set = object.iter().filter(|(_, value)| **value == Value::Bool(true));
            set.map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ")
        }
        Value::Object(_) => value.to_string(),
    }
}

/// Prints rows.
pub(crate) fn rows(format: Format, rows: &[Value], columns: &[Column]) -> anyhow::Result<()> {
    match format {
        Format::Json => line(&serde_json::to_string_pretty(rows)?),
        Format::Ndjson => rows.iter().try_for_each(|row| line(&row.to_string())),
        Format::Table => line(&table(rows, columns)),
    }
}

/// Prints one thing.
pub(crate) fn one(format: Format, value: &Value) -> anyhow::Result<()> {
    match (format, value) {
        (Format::Json, _) => line(&serde_json::to_string_pretty(value)?),
        (Format::Table, Value::Object(object)) => {
            let width = object.keys().map(String::len).max().unwrap_or(0);
            object.iter().try_for_each(|(name, value)| match value {
                Value::Array(list) if list.iter().any(Value::is_object) => {
                    line(&format!("{name:width$}"))?;
                    list.iter().try_for_each(|element| line(&format!("{:width$}  {element}", "")))
                }
                _ => line(format!("{name:width$}  {}", plain(value)).trim_end()),
            })
        }
        _ => line(&value.to_string()),
    }
}

/// A table as text.
pub(crate) fn table(rows: &[Value], columns: &[Column]) -> String {
    let mut table = Table::new();
    if std::io::stdout().is_terminal() {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.load_style(presets::NOTHING);
    }
    table.set_header(columns.iter().map(|column| column.heading));
    for row in rows {
        table.add_row(columns.iter().map(|column| column.show(row)));
    }
    for (index, column) in columns.iter().enumerate() {
        if let (Kind::Number | Kind::Money | Kind::SomeMoney, Some(drawn)) =
            (column.kind, table.column_mut(index))
        {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Prints a line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints text as it is. Nobody listening any more is no failure: `counterfoil events | head` ends quietly.
pub(crate) fn bytes(text: &[u8]) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

/// Tells what was done: a person in a sentence, beside the results, and a program by a value.
pub(crate) fn done(format: Format, value: &Value, sentence: &str) -> anyhow::Result<()> {
    if format != Format::Table {
        return one(format, value);
    }
    note(sentence);
    Ok(())
}

/// Says something to the person who waits, beside the results.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Asks the person who waits; the answer comes behind it.
pub(crate) fn ask(question: &str) -> anyhow::Result<()> {
    let mut error = std::io::stderr();
    error.write_all(question.as_bytes())?;
    Ok(error.flush()?)
}

/// Whether colours are wanted there: on a terminal, but for NO_COLOR (<https://no-color.org>); or by CLICOLOR_FORCE
/// (<https://bixense.com/clicolors>).
pub(crate) fn wants_color(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// A word of the results in a colour, where colours are wanted. The word alone must say enough.
pub(crate) fn painted(word: &str, color: AnsiColor) -> String {
    if !wants_color(&std::io::stdout()) {
        return word.to_owned();
    }
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{word}{style:#}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_shows_money_in_its_currency_and_flags_by_name() {
        let rows = [
            json!({"order": "A-1", "currency": "JPY", "money": {"due": 5}, "flags": {"a": true, "b": false}}),
        ];
        let columns = [
            Column::text("ORDER", "order"),
            Column::money("DUE", "money.due"),
            Column::text("FLAGS", "flags"),
        ];
        let text = table(&rows, &columns);
        assert!(text.contains("5 JPY"), "{text}");
        assert!(text.lines().last().unwrap().trim_end().ends_with('a'), "{text}");
    }
}
