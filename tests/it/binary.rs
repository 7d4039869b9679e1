//! The binary under test, built in the profile that the tests run in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// The working copy.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The binary; the first caller builds it, so that it is never an old one.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    // With the features of the tests, so that nothing is built twice.
    let features = [("kafka", cfg!(feature = "kafka")), ("otel", cfg!(feature = "otel"))];
    let features =
        features.into_iter().filter(|(_, is_on)| *is_on).flat_map(|(name, _)| ["--features", name]);
    let features: Vec<&str> = features.collect();
    PATH.get_or_init(|| build(root(), profile_dir().parent().unwrap(), &features))
}

/// Where this test was built.
pub(crate) fn profile_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Builds the binary of a working copy in the profile of this test, and says where it is.
pub(crate) fn build(sources: &Path, target_dir: &Path, features: &[&str]) -> PathBuf {
    let profile = profile_dir();
    let name = profile.file_name().unwrap().to_str().unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "counterfoil"])
        .args(features)
        .arg("--profile")
        .arg(if name == "debug" { "dev" } else { name })
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(sources)
        .status()
        .unwrap();
    assert!(status.success(), "the binary cannot be built");
    target_dir.join(name).join("counterfoil")
}

/// A command that finds nothing in the environment and no `.counterfoil` but its own.
pub(crate) fn command(dir: &Path) -> Command {
    clean(Command::new(path()), dir)
}

/// Takes our variables from a command's environment.
pub(crate) fn clean(mut command: Command, dir: &Path) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("COUNTERFOIL_") || name.contains("DATABASE_URL") {
            command.env_remove(name.as_ref());
        }
    }
    command.current_dir(dir);
    command
}

/// Runs it to its end.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir).args(arguments).output().unwrap()
}

/// What a program said, for messages.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What is in a folder, by name.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// What a file has.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A directory that goes away with the value.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("counterfoil-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
