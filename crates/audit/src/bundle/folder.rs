//! The folder of a bundle, which comes from somebody else: what is no plain file, or leads elsewhere, is not read.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Take};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::de::DeserializeOwned;

use super::MANIFEST;
use crate::Error;

/// No file of a bundle that is read whole is larger: an entry bundle has 256 entries of 60 kB, and their lengths.
const FILE_MAX: u64 = 64 << 20;
/// A line of the manifest: a SHA-256 and a name.
const LINE_MAX: u64 = 8 << 10;

/// A folder, whose files go by their names below it: `log/tile/0/000`.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// All of a file that can be held.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let mut file = self.open(name)?;
        if file.limit() > FILE_MAX {
            return Err(self.odd(name, "it is larger than any such file can be"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| self.failed(name, &error))?;
        Ok(bytes)
    }

    /// The same, of text.
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        String::from_utf8(self.read(name)?).map_err(|_| self.odd(name, "it is no text"))
    }

    /// The same, of JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.read(name)?).map_err(|error| self.odd(name, &error.to_string()))
    }

    /// A file of any size, as long as it is now.
    pub(crate) fn open(&self, name: &str) -> Result<Take<File>, Error> {
        let metadata = self.metadata(name)?;
        if !metadata.is_file() {
            return Err(self.odd(name, "it is no plain file"));
        }
        let file = File::open(self.path.join(name)).map_err(|error| self.failed(name, &error))?;
        Ok(file.take(metadata.len()))
    }

    /// The SHA-256 of a file of any size, hexadecimal.
    pub(crate) fn digest(&self, name: &str) -> Result<String, Error> {
        let mut file = self.open(name)?;
        let (mut sha256, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 16]);
        loop {
            let count = file.read(&mut buffer).map_err(|error| self.failed(name, &error))?;
            if count == 0 {
                return Ok(hex::encode(sha256.finish()));
            }
            sha256.update(&buffer[..count]);
        }
    }

    /// What is in a folder below it: files alone, in a bundle.
    pub(crate) fn files(&self, within: &str) -> Result<Vec<String>, Error> {
        Ok(self.entries(within)?.into_iter().map(|(name, _)| name).collect())
    }

    /// Every file, also what is none, in the order of their names.
    pub(crate) fn all(&self) -> Result<BTreeSet<String>, Error> {
        let (mut files, mut folders) = (BTreeSet::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            for (name, is_folder) in self.entries(&folder)? {
                if is_folder {
                    folders.push(name);
                } else {
                    files.insert(name);
                }
            }
        }
        Ok(files)
    }

    /// How the files are not as `manifest.sha256` says.
    pub(crate) fn differences(&self) -> Result<Vec<String>, Error> {
        let mut unlisted = self.all()?;
        unlisted.remove(MANIFEST);
        let mut differences = Vec::new();
        let (mut manifest, mut line) = (BufReader::new(self.open(MANIFEST)?), String::new());
        loop {
            line.clear();
            let read = manifest.by_ref().take(LINE_MAX).read_line(&mut line);
            if read.map_err(|error| self.failed(MANIFEST, &error))? == 0 {
                break;
            }
            let (sha256, name) = line
                .trim_end_matches('\n')
                .split_once("  ")
                .ok_or_else(|| self.odd(MANIFEST, "a line is none of sha256sum"))?;
            if Path::new(name).is_absolute() || name.split('/').any(|part| part == "..") {
                return Err(self.odd(MANIFEST, &format!("{name} leads out of the folder")));
            }
            unlisted.remove(name);
            if self.digest(name).ok().as_deref() != Some(sha256) {
                differences.push(format!("{name} is not what the manifest says"));
            }
        }
        differences.extend(unlisted.into_iter().map(|name| format!("{name} is not in the manifest")));
        Ok(differences)
    }

    /// Says what is wrong with a file.
    pub(crate) fn odd(&self, name: &str, why: &str) -> Error {
        Error::File { path: self.path.join(name).display().to_string(), why: why.to_owned() }
    }

    fn failed(&self, name: &str, error: &io::Error) -> Error {
        Error::file(&self.path.join(name), error)
    }

    /// What is in a folder, with whether it is a folder itself.
    fn entries(&self, within: &str) -> Result<Vec<(String, bool)>, Error> {
        if !self.metadata(within)?.is_dir() {
            return Err(self.odd(within, "it is no plain folder"));
        }
        let failed = |error: io::Error| self.failed(within, &error);
        let name = |entry: &DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if within.is_empty() { name } else { format!("{within}/{name}") }
        };
        let entries = fs::read_dir(self.path.join(within)).map_err(failed)?;
        entries
            .map(|entry| {
                entry.and_then(|entry| Ok((name(&entry), entry.file_type()?.is_dir()))).map_err(failed)
            })
            .collect()
    }

    /// Every folder on the way is one: a link in its place would lead elsewhere.
    fn metadata(&self, name: &str) -> Result<Metadata, Error> {
        for (end, _) in name.match_indices('/') {
            let folder = &name[..end];
            let metadata = fs::symlink_metadata(self.path.join(folder));
            if !metadata.map_err(|error| self.failed(folder, &error))?.is_dir() {
                return Err(self.odd(folder, "it is no plain folder"));
            }
        }
        fs::symlink_metadata(self.path.join(name)).map_err(|error| self.failed(name, &error))
    }
}
