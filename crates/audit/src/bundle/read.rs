//! Reads a bundle: a log to audit, without a database.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use domain::{Position, ShopId};
use event_log::Event;
use evidence::DataKey;
use paypal::Environment;
use serde::Deserialize;
use tlog::{Bundle as EntryBundle, Checkpoint, Note, TILE_WIDTH, Verifier, decode_bundle};

use super::{
    BODIES, CERTIFICATES, CHECKPOINTS, EXPORT, KEYS, LOG, MANIFEST, SHOP, ShopFile, VKEY, key_files,
};
use crate::Error;
use crate::verify::evidence::{Piece, PieceKey};

/// No file of a bundle that is read whole is larger: an entry bundle has 256 entries of 60 kB, and their lengths.
const FILE_MAX: u64 = 64 << 20;

/// A bundle on disk.
#[derive(Debug)]
pub struct Bundle {
    folder: PathBuf,
    shop: ShopId,
    environment: String,
    size: u64,
    root: tlog::Hash,
    note: Note,
    origin: String,
    /// The entries that were read last, and of which bundle.
    last: Mutex<Option<(u64, Vec<String>)>>,
}

impl Bundle {
    /// Opens one.
    ///
    /// # Errors
    /// A file that is missing, or none of a bundle.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let shop: ShopFile = serde_json::from_slice(&read(&folder.join(SHOP))?)
            .map_err(|error| odd(&folder.join(SHOP), &error.to_string()))?;
        let path = folder.join(LOG).join("checkpoint");
        let note = Note::parse(&read(&path)?).map_err(|error| odd(&path, &error.to_string()))?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|error| odd(&path, &error.to_string()))?;
        if i64::try_from(checkpoint.size()).is_err() {
            return Err(odd(&path, "its size is beyond any log"));
        }
        // Without it a signature would be judged by whatever environment the callback names.
        if shop.environment.parse::<Environment>().is_err() {
            return Err(odd(
                &folder.join(SHOP),
                &format!("{} is none of PayPal's environments", shop.environment),
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            shop: ShopId::parse(&shop.shop).map_err(|error| odd(&folder.join(SHOP), &error.to_string()))?,
            environment: shop.environment,
            size: checkpoint.size(),
            root: *checkpoint.root(),
            origin: checkpoint.origin().to_owned(),
            note,
            last: Mutex::new(None),
        })
    }

    /// Whose log.
    #[must_use]
    pub fn shop(&self) -> &ShopId {
        &self.shop
    }

    /// Which of PayPal's environments it is in.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The last position.
    #[must_use]
    pub fn head(&self) -> Position {
        Position(i64::try_from(self.size).unwrap_or(i64::MAX) - 1)
    }

    /// The root that was signed.
    pub(crate) fn root(&self) -> &tlog::Hash {
        &self.root
    }

    /// What signs it.
    pub(crate) fn note(&self) -> &Note {
        &self.note
    }

    /// Its origin.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The key that comes with it.
    pub(crate) fn vkey(&self) -> Result<Verifier, Error> {
        let path = self.folder.join(VKEY);
        let text = String::from_utf8(read(&path)?).map_err(|_| odd(&path, "it is no text"))?;
        text.trim().parse().map_err(|error: tlog::Error| odd(&path, &error.to_string()))
    }

    /// The files that have that key in other forms, and another one than it.
    pub(crate) fn other_keys(&self, key: &Verifier) -> Result<Vec<&'static str>, Error> {
        let mut others = Vec::new();
        for (name, text) in key_files(key) {
            if read(&self.folder.join(name))?.trim_ascii_end() != text.trim_end().as_bytes() {
                others.push(name);
            }
        }
        Ok(others)
    }

    /// The checkpoints beside the log's own, with their files' names, by size.
    pub(crate) fn checkpoints(&self) -> Result<Vec<(String, Note, Checkpoint)>, Error> {
        let folder = self.folder.join(CHECKPOINTS);
        let mut checkpoints = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|error| Error::file(&folder, &error))? {
            let path = entry.map_err(|error| Error::file(&folder, &error))?.path();
            if path.extension().is_none_or(|extension| extension != "note") {
                continue;
            }
            let note = Note::parse(&read(&path)?).map_err(|error| odd(&path, &error.to_string()))?;
            let checkpoint =
                Checkpoint::parse(note.text()).map_err(|error| odd(&path, &error.to_string()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            checkpoints.push((format!("{CHECKPOINTS}/{name}"), note, checkpoint));
        }
        checkpoints.sort_by_key(|(_, _, checkpoint)| checkpoint.size());
        Ok(checkpoints)
    }

    /// The entries that were exported, to be read in order.
    pub(crate) fn exported_entries(&self) -> Result<(PathBuf, File), Error> {
        let path = self.folder.join(EXPORT).join("events.jsonl");
        metadata(&path)?;
        let file = File::open(&path).map_err(|error| Error::file(&path, &error))?;
        Ok((path, file))
    }

    /// The first of them and the last.
    pub(crate) fn exported_range(&self) -> Result<[Position; 2], Error> {
        #[derive(Deserialize)]
        struct Manifest {
            range: [Position; 2],
        }
        let path = self.folder.join(EXPORT).join("manifest.json");
        let manifest: Manifest =
            serde_json::from_slice(&read(&path)?).map_err(|error| odd(&path, &error.to_string()))?;
        Ok(manifest.range)
    }

    /// A tile's bytes.
    pub(crate) fn tile(&self, tile: tlog::Tile) -> Result<Vec<u8>, Error> {
        read(&self.folder.join(LOG).join(tile.to_string()))
    }

    /// At most `limit` entries behind a position; never beyond the end of a bundle of entries.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn entries(&self, after: Position, limit: i64) -> Result<Vec<(Position, String)>, Error> {
        let next = u64::try_from(after.0 + 1).unwrap_or(0);
        if next >= self.size {
            return Ok(Vec::new());
        }
        let index = next / u64::from(TILE_WIDTH);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(of, _)| *of != index) {
            *last = Some((index, self.read_entries(index)?));
        }
        let Some((_, entries)) = last.as_ref() else { return Ok(Vec::new()) };
        let skip = usize::try_from(next % u64::from(TILE_WIDTH)).unwrap_or(0);
        let take = usize::try_from(limit).unwrap_or(0);
        let entries = entries.iter().skip(skip).take(take).cloned();
        Ok((after.0 + 1..).map(Position).zip(entries).collect())
    }

    fn read_entries(&self, index: u64) -> Result<Vec<String>, Error> {
        let of =
            EntryBundle::at(index, self.size).ok_or_else(|| Error::Failed("beyond the end".to_owned()))?;
        let path = self.folder.join(LOG).join(of.to_string());
        let bytes = read(&path)?;
        let entries = decode_bundle(&bytes).map_err(|error| odd(&path, &error.to_string()))?;
        if entries.len() != usize::from(of.width) {
            return Err(odd(&path, &format!("it has {} entries, and not {}", entries.len(), of.width)));
        }
        let text =
            |entry: &&[u8]| String::from_utf8(entry.to_vec()).map_err(|_| odd(&path, "an entry is no text"));
        entries.iter().map(text).collect()
    }

    /// The events for which a test holds, of all.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn scan(&self, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Event>, Error> {
        let (mut events, mut after) = (Vec::new(), Position(-1));
        loop {
            let page = self.entries(after, i64::from(TILE_WIDTH))?;
            let Some((last, _)) = page.last() else { return Ok(events) };
            after = *last;
            for (position, entry) in page {
                let event = Event::decode(position, entry)?;
                if wanted(&event) {
                    events.push(event);
                }
            }
        }
    }

    /// The evidence that is in it.
    pub(crate) fn evidence(
        &self,
        position: Position,
        keys: &BTreeMap<i64, String>,
    ) -> Result<Option<Piece>, Error> {
        let path = self.folder.join(BODIES).join(format!("{position}.sealed"));
        if !path.exists() {
            return Ok(None);
        }
        let key = keys.get(&position.0).map(|key| DataKey::parse(key)).transpose();
        let key = key.map_err(|error| odd(&self.folder.join(KEYS), &format!("at {position}: {error}")))?;
        Ok(Some(Piece { sealed: read(&path)?, key: key.map(PieceKey::Released) }))
    }

    /// The keys that were released, by position.
    pub(crate) fn keys(&self) -> Result<BTreeMap<i64, String>, Error> {
        let path = self.folder.join(KEYS);
        serde_json::from_slice(&read(&path)?).map_err(|error| odd(&path, &error.to_string()))
    }

    /// The certificates, PEM, by the SHA-256 of what is in them.
    pub(crate) fn certificates(&self) -> Result<HashMap<String, String>, Error> {
        let folder = self.folder.join(CERTIFICATES);
        let mut certificates = HashMap::new();
        let entries = fs::read_dir(&folder).map_err(|error| Error::file(&folder, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| Error::file(&folder, &error))?.path();
            let pem = String::from_utf8(read(&path)?).map_err(|_| odd(&path, "it is no text"))?;
            if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
                // A certificate that is not what its name says signs nothing: `explain` looks at what is in it.
                certificates.insert(name.to_owned(), pem);
            }
        }
        Ok(certificates)
    }

    /// The SHA-256 of a table's file, hexadecimal.
    pub(crate) fn exported(&self, table: &str) -> Result<String, Error> {
        digest_of(&self.folder.join(EXPORT).join(format!("{table}.jsonl")))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The files that a bundle's manifest lists and that are not what it says.
pub(crate) fn listed(folder: &Path) -> Result<Vec<String>, Error> {
    let path = folder.join(MANIFEST);
    let text = String::from_utf8(read(&path)?).map_err(|_| odd(&path, "it is no text"))?;
    let mut differing = Vec::new();
    for line in text.lines() {
        let (sha256, name) =
            line.split_once("  ").ok_or_else(|| odd(&path, "a line is none of sha256sum"))?;
        if Path::new(name).is_absolute() || name.split('/').any(|part| part == "..") {
            return Err(odd(&path, &format!("{name} leads out of the folder")));
        }
        if digest_of(&folder.join(name)).ok().as_deref() != Some(sha256) {
            differing.push(name.to_owned());
        }
    }
    Ok(differing)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    if metadata(path)?.len() > FILE_MAX {
        return Err(odd(path, "it is larger than any such file can be"));
    }
    fs::read(path).map_err(|error| Error::file(path, &error))
}

/// Of a file of any size.
fn digest_of(path: &Path) -> Result<String, Error> {
    metadata(path)?;
    let failed = |error: io::Error| Error::file(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut sha256, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok(hex::encode(sha256.finish()));
        }
        sha256.update(&buffer[..count]);
    }
}

/// A bundle comes from somebody else: what is no plain file, or leads elsewhere, is not read.
fn metadata(path: &Path) -> Result<fs::Metadata, Error> {
    let metadata = fs::symlink_metadata(path).map_err(|error| Error::file(path, &error))?;
    if metadata.is_file() { Ok(metadata) } else { Err(odd(path, "it is no plain file")) }
}

fn odd(path: &Path, why: &str) -> Error {
    Error::File { path: path.display().to_string(), why: why.to_owned() }
}
