//! What tests keep in the build directory, from one run to the next.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Cargo marks its build directory.
pub(crate) fn build_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let marked = exe.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| PathBuf::from("/var/tmp/counterfoil-tests"), Path::to_owned)
}

/// The folder of this name, which the first caller of all processes fills; whole or not at all.
pub(crate) async fn made_once(
    name: String,
    make: impl FnOnce(&Path) -> Result<(), String> + Send + 'static,
) -> Result<PathBuf, String> {
    let made = move || {
        let dir = build_dir().join(&name);
        let lock = File::create(build_dir().join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        // Written last: what was broken off is made anew.
        let complete = dir.join("complete");
        if !complete.is_file() {
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(&dir).unwrap();
            make(&dir)?;
            File::create(complete).unwrap();
        }
        Ok(dir)
    };
    tokio::task::spawn_blocking(made).await.unwrap()
}

/// Runs it to its end: what it wrote, or what it complained of.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The line of what a program wrote that says why it failed.
pub(crate) fn complaint(said: &str) -> &str {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().find(|line| line.contains("ERROR")).or(lines().next_back()).unwrap_or("it failed without a word")
}

/// Where the program is. A normal user's search path may lack the folder of servers.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
}
