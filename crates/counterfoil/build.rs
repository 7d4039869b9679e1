//! Says in the binary which commit it was built from. Without git, or from sources that are no clone, it says none.
#![expect(clippy::disallowed_methods, reason = "a build script is told by the environment")]

use std::path::Path;
use std::process::Command;

/// Set by whoever builds from an archive, as a package does.
const GIVEN: &str = "COUNTERFOIL_REVISION";

fn main() {
    println!("cargo::rerun-if-env-changed={GIVEN}");
    let given = std::env::var(GIVEN).ok().filter(|revision| !revision.is_empty());
    if let Some(revision) = given.or_else(of_clone) {
        println!("cargo::rustc-env=COUNTERFOIL_BUILT_FROM={revision}");
    }
}

/// The commit of this clone: not of another one that these sources happen to lie in.
fn of_clone() -> Option<String> {
    let root = git(&["rev-parse", "--show-toplevel"])?;
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().ok()?;
    if Path::new(&root).canonicalize().ok()? != ours {
        return None;
    }
    // Grows with each commit and each checkout.
    if let Some(moves) =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|file| Path::new(file).exists())
    {
        println!("cargo::rerun-if-changed={moves}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
