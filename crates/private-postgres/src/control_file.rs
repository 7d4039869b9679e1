//! `postmaster.pid`: what a running server says about itself.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The lines of `postmaster.pid` that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlFile {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    pub(crate) socket_dir: PathBuf,
    /// "starting", "ready", "stopping", "standby".
    status: String,
}

impl ControlFile {
    /// None when there is none, or when it is only half written.
    pub(crate) fn read(data_dir: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(data_dir.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = |number: usize| text.lines().nth(number - 1).map(str::trim);
        Some(Self {
            pid: line(1)?.parse().ok()?,
            port: line(4)?.parse().ok()?,
            socket_dir: PathBuf::from(line(5)?),
            status: line(8)?.to_owned(),
        })
    }

    /// Whether clients are let in now: the server says so, and the socket answers. A file left behind by a crash
    /// says "ready" too.
    pub(crate) fn is_ready(&self) -> bool {
        self.status == "ready" && UnixStream::connect(self.socket()).is_ok()
    }

    fn socket(&self) -> PathBuf {
        self.socket_dir.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Whether the process is there and is a PostgreSQL: a number left behind by a crash may be another's by now.
    pub(crate) fn is_alive(&self) -> bool {
        process_is_postgres(self.pid)
    }
}

fn process_is_postgres(pid: u32) -> bool {
    let Some(raw) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    match rustix::process::test_kill_process(raw) {
        Ok(()) | Err(rustix::io::Errno::PERM) => {}
        Err(_) => return false,
    }
    // A zombie has a name still, and nothing else.
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains("(postgres)") && !stat.contains(") Z "),
        // No /proc on this system: the signal has to do.
        Err(_) => !Path::new("/proc/self/stat").exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_file_is_read_and_a_half_written_one_is_none() {
        let text = "42\n/data\n1700000000\n5432\n/tmp/socket\n\n  1234  5\nready   \n";
        let file = ControlFile::parse(text).unwrap();
        assert_eq!((file.pid, file.port, file.status.as_str()), (42, 5432, "ready"));
        assert_eq!(ControlFile::parse("42\n/data\n"), None);
    }

    #[test]
    fn another_program_under_the_same_number_is_not_a_server() {
        assert!(!process_is_postgres(std::process::id()));
    }
}
