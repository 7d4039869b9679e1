//! The processes of a program that tests start, on free ports of the loopback and in a folder that goes away with it: started
//! together, watched, killed together.

mod folder;
mod ports;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) use folder::Folder;
pub use folder::processes;

use crate::wait_until;
use folder::has_ended;
use ports::free_port;

/// How long it may take to start on a machine that is busy.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// How long killed processes may take to be gone.
const END_DEADLINE: Duration = Duration::from_secs(10);

/// Leads the program's process group. When its input ends, because we close it or because we are dead, it kills the group
/// and so itself. The same when the program ends.
const WATCHER: &str = r#"( "$@"; kill -9 0 ) & read -r _; kill -9 0"#;

/// What it is started with.
pub(crate) struct Launch {
    /// As [`watched`] made it.
    pub(crate) command: Command,
    /// What it logs when clients may come.
    pub(crate) ready: &'static str,
}

/// A command for the program under the watcher.
pub(crate) fn watched(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", WATCHER, "watcher"]).arg(program.as_ref());
    command
}

/// In the words of each program.
fn says_port_is_taken(log: &str) -> bool {
    let log = log.to_lowercase();
    log.contains("address already in use")
        || log.contains("eaddrinuse")
        || log.contains("failed to listen on")
}

/// A program that is there; it is killed when dropped.
pub(crate) struct Process {
    name: &'static str,
    launch: Launch,
    watcher: Option<Child>,
    folder: Folder,
}

impl Process {
    /// Starts it on ports that are free: when somebody else was quicker, on others.
    pub(crate) async fn start<const N: usize>(
        name: &'static str,
        prepare: impl Fn(&Folder, [u16; N]) -> Launch,
    ) -> (Self, [u16; N]) {
        loop {
            let folder = Folder::create();
            let ports = [(); N].map(|()| free_port());
            let launch = prepare(&folder, ports);
            let mut process = Self { name, launch, watcher: None, folder };
            match process.spawn().await {
                Ok(()) => return (process, ports),
                Err(log) if says_port_is_taken(&log) => {}
                Err(log) => panic!("{name} does not start:\n{log}"),
            }
        }
    }

    /// Starts it again with its ports and data.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        if let Err(log) = self.spawn().await {
            panic!("{} does not start again:\n{log}", self.name);
        }
    }

    /// Ends all its processes with SIGKILL, and waits until they are gone.
    pub(crate) fn kill(&mut self) {
        let running = processes(self.folder.path());
        if let Some(mut watcher) = self.watcher.take() {
            // Closes its input first.
            let _ = watcher.wait();
        }
        let deadline = Instant::now() + END_DEADLINE;
        // Erlang's helpers have groups of their own, and end when they see that it is gone.
        while !running.iter().all(|&pid| has_ended(pid)) || !processes(self.folder.path()).is_empty() {
            assert!(Instant::now() < deadline || std::thread::panicking(), "{} does not end", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts it and waits until it is ready; else the end of its log.
    async fn spawn(&mut self) -> Result<(), String> {
        let log = File::create(self.log_path()).unwrap();
        let command = &mut self.launch.command;
        command.env("HOME", self.folder.path()).env("LC_ALL", "C").current_dir(self.folder.path());
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        self.watcher = Some(command.spawn().unwrap());
        let ready = wait_until(START_DEADLINE, async || self.is_ready() || self.has_ended()).await;
        if ready && self.is_ready() { Ok(()) } else { Err(self.log_tail()) }
    }

    fn is_ready(&self) -> bool {
        self.log().contains(self.launch.ready)
    }

    fn has_ended(&mut self) -> bool {
        self.watcher.as_mut().is_none_or(|watcher| !matches!(watcher.try_wait(), Ok(None)))
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
