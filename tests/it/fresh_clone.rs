//! What somebody does who has just cloned the project: the two commands of the README, and those beside them.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{self, TempDir};
use crate::dev::{check_day, is_day_over, run_commands};
use crate::upgrade::lend_dependencies;

/// From `make` to the end of the day: all of the project's own crates are compiled on the way.
const DEADLINE: Duration = Duration::from_secs(1800);

/// A `make run` with all that it has started, which ends with the value.
struct Made(Child);

impl Made {
    fn start(clone: &Path, build: &Path) -> Self {
        let mut make = binary::clean(Command::new("make"), clone);
        // A test may not take the port that a developer has; where it is taken `dev` takes the next one.
        make.arg("run").env("CARGO_TARGET_DIR", build).stdin(Stdio::null()).stdout(Stdio::null());
        Self(make.process_group(0).spawn().unwrap())
    }

    /// Ctrl-C goes to all of a terminal's processes.
    fn interrupt(&self) {
        let _ = Command::new("kill").args(["-INT", "--", &format!("-{}", self.0.id())]).status();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.interrupt();
        let _ = self.0.wait();
    }
}

/// Dependencies are not built again; everything else is, from what is committed.
#[test]
#[ignore = "builds the project once more: make test-all"]
fn the_commands_of_the_readme_work_in_a_fresh_clone() {
    let dir = TempDir::new();
    let (clone, profile) = (dir.path().join("counterfoil"), binary::profile_dir());
    let build = profile.parent().unwrap().join("clone");
    let cloned = Command::new("git").args(["clone", "--quiet"]).arg(binary::root()).arg(&clone).status();
    if !cloned.is_ok_and(|status| status.success()) {
        return test_support::skip("no repository to clone, or no git", "apt-get install git");
    }
    lend_dependencies(&build);
    let mut made = Made::start(&clone, &build);
    let since = Instant::now();
    while !is_day_over(&clone) {
        assert!(made.0.try_wait().unwrap().is_none(), "make run has ended");
        assert!(since.elapsed() < DEADLINE, "make run does not get through its day");
        std::thread::sleep(Duration::from_millis(500));
    }
    check_day(&clone);
    let state = std::fs::read_to_string(clone.join(".counterfoil/dev.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    run_commands(&["README.md"], &build.join("ci"), &clone, state["url"].as_str().unwrap());
    made.interrupt();
    assert!(made.0.wait().is_ok());
    assert!(!clone.join(".counterfoil/pg/postmaster.pid").exists(), "the cluster still runs");
    let dirty = Command::new("git").args(["status", "--porcelain"]).current_dir(&clone).output().unwrap();
    let dirty = String::from_utf8(dirty.stdout).unwrap();
    assert_eq!(dirty, "", "what it makes is ignored by git");
}
