//! A bundle as one file, to be sent: a ZIP archive, which whoever gets it can open with what their system has.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tokio_util::sync::CancellationToken;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{BODIES, CERTIFICATES, CHECKPOINTS, Folder, MANIFEST};
use crate::beside::beside;
use crate::{Error, Progress};

/// Folders that a bundle has also where nothing is in them.
const FOLDERS: [&str; 3] = [BODIES, CERTIFICATES, CHECKPOINTS];
/// A file from here on needs the longer form of ZIP.
const LARGE: u64 = u32::MAX as u64;

/// A bundle that was archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// How long the archive is.
    pub bytes: u64,
    /// SHA-256 of the bundle's manifest, hexadecimal: whatever becomes of the archive, it says what was in it.
    pub manifest_sha256: String,
}

/// Writes a bundle into a new file, below a folder of this name. Where nobody waits for it any more, it ends.
///
/// # Errors
/// The bundle cannot be read, or the file cannot be written.
pub async fn archive(folder: &Path, name: &str, file: File, progress: &Progress) -> Result<Archived, Error> {
    let left = CancellationToken::new();
    let _leaves = left.clone().drop_guard();
    let (files, name, progress) = (Folder::new(folder), name.to_owned(), progress.clone());
    beside(move || {
        let manifest_sha256 = files.digest(MANIFEST)?;
        let bytes = pack(&files, &name, file, &progress, &left)?;
        Ok(Archived { bytes, manifest_sha256 })
    })
    .await
}

fn pack(
    files: &Folder,
    name: &str,
    file: File,
    progress: &Progress,
    left: &CancellationToken,
) -> Result<u64, Error> {
    let failed = |error: io::Error| Error::Failed(format!("the archive cannot be written: {error}"));
    let all = files.all()?;
    progress.begin("packing", all.len() as u64);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new(BufWriter::new(file));
    for folder in FOLDERS {
        zip.add_directory(format!("{name}/{folder}"), options).map_err(|error| failed(error.into()))?;
    }
    for file in &all {
        if left.is_cancelled() {
            return Err(failed(io::ErrorKind::Interrupted.into()));
        }
        let mut from = files.open(file)?;
        let options = options.large_file(from.limit() >= LARGE);
        zip.start_file(format!("{name}/{file}"), options).map_err(|error| failed(error.into()))?;
        io::copy(&mut from, &mut zip).map_err(failed)?;
        progress.add(1);
    }
    let mut file = zip.finish().map_err(|error| failed(error.into()))?;
    file.flush().map_err(failed)?;
    Ok(file.get_ref().metadata().map_err(failed)?.len())
}
