//! A log as it was published: a directory in the layout of `tlog-tiles`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::Position;
use event_log::Event;
use tlog::{Bundle, Checkpoint, Hash, Note, Policy, TILE_WIDTH, decode_bundle};

use crate::Error;

/// A published log, whose checkpoint is believed.
#[derive(Clone, Debug)]
pub struct Published {
    dir: PathBuf,
    checkpoint: Checkpoint,
}

impl Published {
    /// Opens the directory that has the file `checkpoint`.
    ///
    /// # Errors
    /// It cannot be read, or the policy does not believe it.
    pub fn open(dir: &Path, policy: &Policy) -> Result<Self, Error> {
        let file = dir.join("checkpoint");
        let bytes = fs::read(&file).map_err(|why| Error::File { file: file.clone(), why })?;
        let opened = Note::parse(&bytes).and_then(|note| Ok(policy.open(&note)?.checkpoint));
        let checkpoint = opened.map_err(|why| Error::Checkpoint { file, why })?;
        Ok(Self { dir: dir.to_owned(), checkpoint })
    }

    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How many events it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The events from one position on, as many as stand in one file; none at the end. Whether they are those that the
    /// checkpoint is of is for the caller to find out.
    ///
    /// # Errors
    /// The file is missing or damaged, or an entry is none.
    pub fn events_from(&self, position: u64) -> Result<Vec<Event>, Error> {
        let entries = self.entries_from(position)?;
        let decode = |(position, entry)| {
            let position = Position(i64::try_from(position).unwrap_or(i64::MAX));
            Ok(Event::decode(position, entry)?)
        };
        (position..).zip(entries).map(decode).collect()
    }

    /// The leaf hashes from one position on, as many as stand in one file; none at the end.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn leaves_from(&self, position: u64) -> Result<Vec<Hash>, Error> {
        Ok(self.entries_from(position)?.iter().map(|entry| tlog::leaf_hash(entry.as_bytes())).collect())
    }

    fn entries_from(&self, position: u64) -> Result<Vec<String>, Error> {
        let Some(bundle) = Bundle::at(position / u64::from(TILE_WIDTH), self.size()) else {
            return Ok(Vec::new());
        };
        let damaged = |why: String| Error::Damaged(format!("{bundle}: {why}"));
        let bytes = self.read(bundle)?;
        let entries = decode_bundle(&bytes).map_err(|error| damaged(error.to_string()))?;
        if entries.len() < usize::from(bundle.width) {
            return Err(damaged(format!("it has {} entries, not {}", entries.len(), bundle.width)));
        }
        // The full bundle in place of a partial one has more, which the checkpoint is not of.
        let wanted = &entries[..usize::from(bundle.width)];
        let skipped = usize::try_from(position - bundle.positions().start).unwrap_or(usize::MAX);
        let text = |entry: &&[u8]| {
            String::from_utf8(entry.to_vec()).map_err(|_| damaged("an entry is not UTF-8".to_owned()))
        };
        wanted.iter().skip(skipped).map(text).collect()
    }

    /// Partial bundles may be gone once the full one is there.
    fn read(&self, bundle: Bundle) -> Result<Vec<u8>, Error> {
        let partial = self.dir.join(bundle.to_string());
        match fs::read(&partial) {
            Err(why) if why.kind() == io::ErrorKind::NotFound && !bundle.is_full() => {
                let full = self.dir.join(bundle.full().to_string());
                fs::read(&full).map_err(|_| Error::File { file: partial, why })
            }
            read => read.map_err(|why| Error::File { file: partial, why }),
        }
    }
}
