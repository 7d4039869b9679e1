//! The folder `.counterfoil/`, where `dev` keeps a cluster, keys and a development CA, and where other verbs find them.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::exit;

/// The folder's usual name.
pub(crate) const NAME: &str = ".counterfoil";
const STATE: &str = "dev.json";

/// What a running `dev` tells the other verbs. No secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DevState {
    /// Where it serves.
    pub(crate) url: String,
    /// The shop that it made.
    pub(crate) shop: String,
    /// The webhook id whose callbacks the shop takes.
    pub(crate) webhook_id: String,
    /// How the owner reaches the private cluster; nothing when the database is somebody else's.
    pub(crate) owner_url: Option<String>,
}

/// A folder of `dev`.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    dir: PathBuf,
}

impl Project {
    /// The folder that was named; else the nearest one from here upwards.
    pub(crate) fn find(named: Option<&Path>) -> Option<Self> {
        if let Some(dir) = named {
            return dir.is_dir().then(|| Self { dir: dir.to_owned() });
        }
        let here = std::env::current_dir().ok()?;
        let mut found = here.ancestors().map(|dir| dir.join(NAME)).filter(|dir| dir.is_dir());
        found.next().map(|dir| Self { dir })
    }

    /// The folder that was named, or the one here; made when it is not there.
    pub(crate) fn make(named: Option<&Path>) -> anyhow::Result<Self> {
        let dir = std::path::absolute(named.unwrap_or(Path::new(NAME)))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| dir.display().to_string())?;
        let project = Self { dir };
        // What is in here is nobody's but this working copy's.
        project.write_private(".gitignore", "*\n")?;
        Ok(project)
    }

    /// Holds the folder for this process until the file is dropped.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        let path = self.path("lock");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(exit::unavailable(format!(
                "another `counterfoil dev` works in {}: stop it, or use another folder with --project",
                self.dir.display()
            ))),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// A path within the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The folder itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What a `dev` in this folder said last.
    pub(crate) fn dev_state(&self) -> Option<DevState> {
        serde_json::from_slice(&std::fs::read(self.path(STATE)).ok()?).ok()
    }

    /// Says where `dev` is.
    pub(crate) fn set_dev_state(&self, state: &DevState) -> anyhow::Result<()> {
        self.write_private(STATE, &serde_json::to_string_pretty(state)?)
    }

    /// Forgets where `dev` was.
    pub(crate) fn clear_dev_state(&self) {
        let _ = std::fs::remove_file(self.path(STATE));
    }

    /// The API key of this name, where `dev` has made one.
    pub(crate) fn api_key(&self, name: &str) -> Option<SecretString> {
        let text = std::fs::read_to_string(self.path(&key_file(name))).ok()?;
        Some(text.trim().into())
    }

    /// Keeps an API key.
    pub(crate) fn set_api_key(&self, name: &str, key: &str) -> anyhow::Result<()> {
        self.write_private(&key_file(name), key)
    }

    /// Writes a file that only this user may read; whole or not at all.
    pub(crate) fn write_private(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write_private(&self.path(name), text)
    }
}

/// Writes a file that only this user may read; whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let write = || -> std::io::Result<()> {
        let _ = std::fs::remove_file(&unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
    };
    write().with_context(|| path.display().to_string())
}

fn key_file(name: &str) -> String {
    format!("{name}.key")
}
