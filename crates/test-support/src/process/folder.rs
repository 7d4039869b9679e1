//! A program's folder, and the processes that belong to it.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::build_dir::build_dir;

/// Goes away with the value.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        let base = build_dir().join("test-processes");
        // Whoever comes meanwhile waits: what they make would be swept away too.
        SWEPT.call_once(|| sweep(&base));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = base.join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it; the file's path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what killed test processes left.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.split('-').next().unwrap_or_default();
        if owner == std::process::id().to_string() || !Path::new("/proc").join(owner).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The processes of the program in this folder: it is their home, also where they left the group they were started in.
pub fn processes(folder: &Path) -> Vec<u32> {
    let home = format!("HOME={}", folder.display());
    let is_home = |environment: Vec<u8>| environment.split(|&byte| byte == 0).any(|v| v == home.as_bytes());
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(is_home)).collect()
}

/// Whether nothing of the process is left but its number: one that is about to end has no environment any more, and may
/// still hold its ports.
pub(crate) fn has_ended(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    // The first thread may have ended before the others.
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    matches!(state, Some('Z' | 'X')) && threads <= 1
}
