//! What a process remembers of its logs, carried over its end: one small file a shop.
//!
//! Each is whole or not there: it is written beside, synced and renamed, at most once a second. So it may be older than the
//! last commit, which does no harm: an earlier event binds as well, it only binds less.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use domain::{Position, ShopId};
use serde::{Deserialize, Serialize};

use crate::{Guard, Point};

/// Why a state file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The file system.
    #[error("the state file {} cannot be read or written: {why}", file.display())]
    Io {
        /// Which one.
        file: PathBuf,
        /// What it says.
        why: io::Error,
    },
    /// It is none.
    #[error(
        "{} is no state file ({why}): where you are sure that the database was not restored to an earlier state, remove it",
        file.display()
    )]
    Damaged {
        /// Which one.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// As it is written: JSON.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    shop: String,
    epoch: i32,
    position: Position,
    leaf_hash: String,
    /// For operators only: another server alone is no fork.
    system_identifier: Option<String>,
}

/// A folder of state files. Several processes may share one.
#[derive(Clone, Debug)]
pub struct StateFiles {
    dir: PathBuf,
    system_identifier: Option<String>,
}

impl StateFiles {
    /// The files of this folder, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StateFileError> {
        fs::create_dir_all(dir).map_err(|why| StateFileError::Io { file: dir.to_owned(), why })?;
        Ok(Self { dir: dir.to_owned(), system_identifier: None })
    }

    /// Has every file say which server it was.
    pub(crate) fn set_system_identifier(&mut self, identifier: Option<String>) {
        self.system_identifier = identifier;
    }

    /// What they say, to the guard.
    ///
    /// # Errors
    /// One of them cannot be read: then nobody knows what it forbids.
    pub fn recall(&self, guard: &Guard) -> Result<(), StateFileError> {
        for (shop, point) in self.read()? {
            guard.recall(&shop, point);
        }
        Ok(())
    }

    /// A guard that knows what they say: for a process that writes none of its own.
    ///
    /// # Errors
    /// As [`StateFiles::recall`].
    pub fn guard(&self) -> Result<Guard, StateFileError> {
        let guard = Guard::default();
        self.recall(&guard)?;
        Ok(guard)
    }

    /// What they say.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read(&self) -> Result<Vec<(ShopId, Point)>, StateFileError> {
        let failed = |why| StateFileError::Io { file: self.dir.clone(), why };
        let mut points = Vec::new();
        for found in fs::read_dir(&self.dir).map_err(failed)? {
            let file = found.map_err(failed)?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                points.extend(read(&file)?);
            }
        }
        Ok(points)
    }

    /// Writes one down, unless the file knows a later one. Blocks.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, shop: &ShopId, point: &Point) -> Result<(), StateFileError> {
        let file = self.dir.join(format!("{shop}.json"));
        if matches!(read(&file), Ok(Some((_, known))) if known >= *point) {
            return Ok(());
        }
        let state = State {
            shop: shop.as_str().to_owned(),
            epoch: point.epoch,
            position: point.position,
            leaf_hash: hex::encode(point.leaf_hash),
            system_identifier: self.system_identifier.clone(),
        };
        let write = || {
            let unfinished = self.dir.join(format!("{shop}.json.{}", std::process::id()));
            let mut written = File::create(&unfinished)?;
            written.write_all(&serde_json::to_vec(&state)?)?;
            written.sync_all()?;
            fs::rename(&unfinished, &file)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|why| StateFileError::Io { file: file.clone(), why })
    }
}

fn read(file: &Path) -> Result<Option<(ShopId, Point)>, StateFileError> {
    let damaged = |why: String| StateFileError::Damaged { file: file.to_owned(), why };
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(StateFileError::Io { file: file.to_owned(), why }),
    };
    let state: State = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let shop = ShopId::parse(&state.shop).map_err(|error| damaged(error.to_string()))?;
    let mut point = Point { epoch: state.epoch, position: state.position, leaf_hash: [0; 32] };
    hex::decode_to_slice(&state.leaf_hash, &mut point.leaf_hash)
        .map_err(|error| damaged(format!("its leaf hash: {error}")))?;
    Ok(Some((shop, point)))
}
