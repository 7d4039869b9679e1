//! What was found: each with what is to be done about it.

use clap::builder::styling::AnsiColor;
use serde::Serialize;
use serde_json::Value;

use crate::output::{self, Format};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and will not for long, or not for everything.
    Warn,
    /// It does not work, or is not safe.
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    result: Verdict,
    check: &'static str,
    what: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cure: String,
}

/// All that was found, in the order of looking.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(Verdict::Ok, check, what, "");
    }

    pub(super) fn warn(&mut self, check: &'static str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(Verdict::Warn, check, what, cure);
    }

    pub(super) fn fail(&mut self, check: &'static str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(Verdict::Fail, check, what, cure);
    }

    pub(super) fn add(
        &mut self,
        result: Verdict,
        check: &'static str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.0.push(Finding { result, check, what: what.into(), cure: cure.into() });
    }

    /// What was got, or why not.
    pub(super) fn judge<T, E: std::fmt::Display>(
        &mut self,
        check: &'static str,
        result: Result<T, E>,
        good: &str,
        cure: &str,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.ok(check, good);
                Some(value)
            }
            Err(error) => {
                self.fail(check, error.to_string(), cure);
                None
            }
        }
    }

    /// An answer of the database, of which only trouble is worth a line.
    pub(super) fn asked<T, E: std::fmt::Display>(
        &mut self,
        check: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        let cure = "see the log of the database, and ask again";
        result.map_err(|error| self.fail(check, error.to_string(), cure)).ok()
    }

    /// An error of ours that says behind a colon what to do.
    pub(super) fn fail_as_told(&mut self, check: &'static str, told: &str) {
        let (what, cure) = told.split_once(": ").unwrap_or((told, ""));
        self.fail(check, what, cure);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.result == Verdict::Fail)
    }

    /// Each as people read it.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Finding::line)
    }

    pub(super) fn show(&self, format: Format) -> anyhow::Result<()> {
        if format == Format::Table {
            return self.lines().try_for_each(|line| output::line(&line));
        }
        let rows = self.0.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
        output::rows(format, &rows, &[])
    }
}

impl Finding {
    fn line(&self) -> String {
        let (word, color) = match self.result {
            Verdict::Ok => ("ok  ", AnsiColor::Green),
            Verdict::Warn => ("warn", AnsiColor::Yellow),
            Verdict::Fail => ("fail", AnsiColor::Red),
        };
        let cure = if self.cure.is_empty() { String::new() } else { format!(" - {}", self.cure) };
        format!("{}  {}: {}{cure}", output::painted(word, color), self.check, self.what)
    }
}
