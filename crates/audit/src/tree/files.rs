//! A log as files: written whole or not at all, never over something else.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Error;

const CHECKPOINT: &str = "checkpoint";
/// What says that a process has the directory.
pub(crate) const LOCK: &str = ".lock";
/// What was not finished; a crash may leave it behind.
const UNFINISHED: &str = ".unfinished";

/// The directory of one log, held by this process alone.
#[derive(Debug)]
pub(crate) struct LogFiles {
    dir: PathBuf,
    _lock: File,
}

impl LogFiles {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Takes it, and makes it where it is not there. None: another process has it.
    pub(crate) fn take(dir: &Path) -> Result<Option<Self>, Error> {
        fs::create_dir_all(dir).map_err(|why| failed(dir, why))?;
        let path = dir.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|why| failed(&path, why))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { dir: dir.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(failed(&path, why)),
        }
    }

    /// The checkpoint that is there.
    pub(crate) fn checkpoint(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.dir.join(CHECKPOINT))
    }

    /// Writes what is not there yet. What is there must be the same.
    pub(crate) fn add(&self, files: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let mut dirs = BTreeSet::new();
        for (name, bytes) in files {
            let path = self.dir.join(name);
            match read(&path)? {
                Some(there) if there == *bytes => continue,
                Some(_) => {
                    let why = "it is there already, and is not what the log has".to_owned();
                    return Err(Error::Published { file: path, why });
                }
                None => {}
            }
            let parent = path.parent().unwrap_or(&self.dir);
            fs::create_dir_all(parent).map_err(|why| failed(parent, why))?;
            write(&path, bytes)?;
            // A new directory is itself an entry of the one above.
            dirs.extend(parent.ancestors().take_while(|dir| dir.starts_with(&self.dir)).map(Path::to_owned));
        }
        dirs.iter().rev().try_for_each(|dir| sync_dir(dir))
    }

    /// Writes the checkpoint in place of the one before; everything that it is of must be there.
    pub(crate) fn set_checkpoint(&self, note: &str) -> Result<(), Error> {
        write(&self.dir.join(CHECKPOINT), note.as_bytes())?;
        sync_dir(&self.dir)
    }

    /// Removes the partial ones of what is full now: whoever asks for them is to take the full one.
    pub(crate) fn drop_partial(&self, full: &str) {
        let path = self.dir.join(format!("{full}.p"));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "cannot be removed, and is not needed any more");
            }
            _ => {}
        }
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(failed(path, why)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    let unfinished = PathBuf::from(name);
    let written = || -> io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    written().map_err(|why| failed(path, why))
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|why| failed(dir, why))
}

fn failed(file: &Path, why: io::Error) -> Error {
    Error::File { file: file.to_owned(), why }
}
