//! Reads a bundle: a log to audit, without a database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Take;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use domain::{Position, ShopId};
use event_log::Event;
use evidence::DataKey;
use paypal::Environment;
use tlog::{Bundle as EntryBundle, Checkpoint, Note, TILE_WIDTH, Verifier, decode_bundle};

use super::{
    BODIES, BundleReport, CERTIFICATES, CHECKPOINT, CHECKPOINTS, EXPORT, Folder, KEYS, LOG, REPORT, SHOP,
    ShopFile, VKEY, key_files,
};
use crate::Error;
use crate::export::{ENTRIES, Manifest};
use crate::verify::evidence::{Piece, PieceKey};

/// A bundle on disk.
#[derive(Debug)]
pub struct Bundle {
    folder: Folder,
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
        let folder = Folder::new(folder);
        let shop: ShopFile = folder.json(SHOP)?;
        let odd = |error: tlog::Error| folder.odd(CHECKPOINT, &error.to_string());
        let note = Note::parse(&folder.read(CHECKPOINT)?).map_err(odd)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(odd)?;
        if i64::try_from(checkpoint.size()).is_err() {
            return Err(folder.odd(CHECKPOINT, "its size is beyond any log"));
        }
        // Without it a signature would be judged by whatever environment the callback names.
        if shop.environment.parse::<Environment>().is_err() {
            let what = format!("{} is none of PayPal's environments", shop.environment);
            return Err(folder.odd(SHOP, &what));
        }
        Ok(Self {
            shop: ShopId::parse(&shop.shop).map_err(|error| folder.odd(SHOP, &error.to_string()))?,
            environment: shop.environment,
            size: checkpoint.size(),
            root: *checkpoint.root(),
            origin: checkpoint.origin().to_owned(),
            folder,
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
        let text = self.folder.text(VKEY)?;
        text.trim().parse().map_err(|error: tlog::Error| self.folder.odd(VKEY, &error.to_string()))
    }

    /// The files that have that key in other forms, and another one than it.
    pub(crate) fn other_keys(&self, key: &Verifier) -> Result<Vec<&'static str>, Error> {
        let mut others = Vec::new();
        for (name, text) in key_files(key) {
            if self.folder.read(name)?.trim_ascii_end() != text.trim_end().as_bytes() {
                others.push(name);
            }
        }
        Ok(others)
    }

    /// The checkpoints beside the log's own, with their files' names, by size.
    pub(crate) fn checkpoints(&self) -> Result<Vec<(String, Note, Checkpoint)>, Error> {
        let mut checkpoints = Vec::new();
        for name in self.folder.files(CHECKPOINTS)? {
            if !name.ends_with(".note") {
                continue;
            }
            let odd = |error: tlog::Error| self.folder.odd(&name, &error.to_string());
            let note = Note::parse(&self.folder.read(&name)?).map_err(odd)?;
            let checkpoint = Checkpoint::parse(note.text()).map_err(odd)?;
            checkpoints.push((name, note, checkpoint));
        }
        checkpoints.sort_by_key(|(_, _, checkpoint)| checkpoint.size());
        Ok(checkpoints)
    }

    /// The entries that were exported, to be read in order.
    pub(crate) fn exported_entries(&self) -> Result<Take<File>, Error> {
        self.folder.open(&format!("{EXPORT}/{ENTRIES}"))
    }

    /// What it says was exported.
    pub(crate) fn exported(&self) -> Result<Manifest, Error> {
        self.folder.json(&format!("{EXPORT}/manifest.json"))
    }

    /// What it says is in it.
    pub(crate) fn report(&self) -> Result<BundleReport, Error> {
        self.folder.json(REPORT)
    }

    /// A tile's bytes.
    pub(crate) fn tile(&self, tile: tlog::Tile) -> Result<Vec<u8>, Error> {
        self.folder.read(&format!("{LOG}/{tile}"))
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
        let name = format!("{LOG}/{of}");
        let odd = |why: &str| self.folder.odd(&name, why);
        let bytes = self.folder.read(&name)?;
        let entries = decode_bundle(&bytes).map_err(|error| odd(&error.to_string()))?;
        if entries.len() != usize::from(of.width) {
            return Err(odd(&format!("it has {} entries, and not {}", entries.len(), of.width)));
        }
        let text = |entry: &&[u8]| String::from_utf8(entry.to_vec()).map_err(|_| odd("an entry is no text"));
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

    /// Where it has evidence of.
    pub(crate) fn bodies(&self) -> Result<BTreeSet<Position>, Error> {
        let of = |name: &String| {
            let position = name.strip_prefix(BODIES)?.strip_prefix('/')?.strip_suffix(".sealed")?;
            position.parse().ok().map(Position)
        };
        let files = self.folder.files(BODIES)?;
        Ok(files.iter().filter_map(of).collect())
    }

    /// The evidence at one of them.
    pub(crate) fn evidence(&self, position: Position, keys: &BTreeMap<i64, String>) -> Result<Piece, Error> {
        let name = format!("{BODIES}/{position}.sealed");
        let key = keys.get(&position.0).map(|key| DataKey::parse(key)).transpose();
        let key = key.map_err(|error| self.folder.odd(KEYS, &format!("at {position}: {error}")))?;
        Ok(Piece { sealed: self.folder.read(&name)?, key: key.map(PieceKey::Released) })
    }

    /// The keys that were released, by position.
    pub(crate) fn keys(&self) -> Result<BTreeMap<i64, String>, Error> {
        self.folder.json(KEYS)
    }

    /// The certificates, PEM, by the SHA-256 of what is in them.
    pub(crate) fn certificates(&self) -> Result<HashMap<String, String>, Error> {
        let mut certificates = HashMap::new();
        for name in self.folder.files(CERTIFICATES)? {
            let pem = self.folder.text(&name)?;
            if let Some(sha256) = Path::new(&name).file_stem().and_then(|name| name.to_str()) {
                // A certificate that is not what its name says signs nothing: `explain` looks at what is in it.
                certificates.insert(sha256.to_owned(), pem);
            }
        }
        Ok(certificates)
    }

    /// The SHA-256 of a file that was exported, hexadecimal.
    pub(crate) fn exported_digest(&self, file: &str) -> Result<String, Error> {
        self.folder.digest(&format!("{EXPORT}/{file}"))
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}
