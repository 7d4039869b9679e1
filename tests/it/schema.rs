//! `sql/schema.sql` is what the migrations make: there to be read, and never applied.

use std::process::Command;

use secrecy::ExposeSecret;
use test_support::TestDatabase;

use crate::binary;

const HEADING: &str =
    "-- What the migrations make, for reading. Written by `make schema-dump`, and never applied.\n";

/// The statements alone: comments, blank lines and settings differ from one version of `pg_dump` to the next.
fn statements(dump: &str) -> String {
    let mut text = HEADING.to_owned();
    let ends_block = |line: &str| line.ends_with(';');
    for line in dump.lines().map(str::trim_end) {
        let is_noise = line.is_empty()
            || ["--", "SET ", "SELECT pg_catalog.set_config", "\\"]
                .iter()
                .any(|start| line.starts_with(start));
        if !is_noise {
            text.push_str(line);
            text.push('\n');
            if ends_block(line) && !line.starts_with(' ') {
                text.push('\n');
            }
        }
    }
    text
}

/// The schema of a database, as in the file. None: skip the test, it was said why.
pub(crate) fn made(database: &TestDatabase) -> Option<String> {
    let programs = test_support::binaries();
    let pg_dump = programs.program("pg_dump");
    if !pg_dump.is_file() {
        test_support::skip("pg_dump is missing", "apt-get install postgresql-client");
        return None;
    }
    let output = Command::new(pg_dump)
        .args(["--schema-only", "--no-owner", "--no-privileges", "--schema=counterfoil", "--dbname"])
        .arg(database.url_owner().expose_secret())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", binary::said(&output));
    Some(statements(&String::from_utf8(output.stdout).unwrap()))
}

#[tokio::test]
async fn the_schema_file_is_what_the_migrations_make() {
    let Some(made) = made(&TestDatabase::create().await) else { return };
    let file = binary::root().join("sql/schema.sql");
    if std::env::var_os("SCHEMA_DUMP").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "sql/schema.sql is stale: run `make schema-dump`");
}
