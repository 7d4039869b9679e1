//! Files that are written once, counted and digested as they are.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its name in the folder.
    pub file: String,
    /// How many rows it has, a heading not counted.
    pub rows: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// A file being written, a line a row.
pub(super) struct NewFile {
    name: String,
    out: BufWriter<File>,
    sha256: Context,
    rows: u64,
}

impl NewFile {
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        let opened = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = opened.map_err(|error| Error::file(&path, &error))?;
        Ok(Self { name: name.to_owned(), out: BufWriter::new(file), sha256: Context::new(&SHA256), rows: 0 })
    }

    /// A row on a line of its own.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Error> {
        self.row(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// A row with its end.
    pub(super) fn row(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.rows += 1;
        self.bytes(bytes)
    }

    /// What is no row.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sha256.update(bytes);
        self.out.write_all(bytes).map_err(|error| Error::file(Path::new(&self.name), &error))
    }

    pub(super) fn finish(self) -> Result<Written, Error> {
        let Self { name, out, sha256, rows } = self;
        let failed = |error: &std::io::Error| Error::file(Path::new(&name), error);
        let file = out.into_inner().map_err(|error| failed(error.error()))?;
        file.sync_all().map_err(|error| failed(&error))?;
        Ok(Written { file: name, rows, sha256: hex::encode(sha256.finish()) })
    }
}

/// Makes a folder, or takes one that is empty.
pub(crate) fn make_empty(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
    let mut entries = fs::read_dir(folder).map_err(|error| Error::file(folder, &error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            let taken = std::io::Error::new(ErrorKind::AlreadyExists, "it is not empty: name another folder");
            Err(Error::file(folder, &taken))
        }
    }
}

/// Writes a file that is there whole or not at all.
pub(crate) fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, unfinished) = (folder.join(name), folder.join(format!(".{name}.unfinished")));
    let written = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    };
    written().map_err(|error| Error::file(&path, &error))
}
