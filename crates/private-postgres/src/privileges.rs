//! As whom PostgreSQL runs, and that it ends with us.
//!
//! PostgreSQL refuses to run as root. As root it therefore runs in a user namespace, in which it is somebody else while
//! its files stay root's; where the system forbids that, it runs as another user, who must be able to reach its data.
//!
//! The only file with unsafe code: a child process has to change its own state between fork and exec.

#![expect(unsafe_code, reason = "a child must change its own state between fork and exec")]

use std::ffi::CStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;

/// As whom the programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// As we are: not root.
    Direct,
    /// Root outside, somebody else inside.
    Namespace,
    /// As this user and group.
    User {
        /// The user's number.
        uid: u32,
        /// The group's number.
        gid: u32,
    },
}

/// Who nobody is on every Linux.
const NOBODY: u32 = 65534;

impl Privileges {
    /// Finds the way that works here. Data that is there already decides: whoever owns it has to run it.
    pub(crate) fn detect(postgres: &Path, data_dir: &Path) -> Self {
        let me = rustix::process::geteuid().as_raw();
        if me != 0 {
            return Self::Direct;
        }
        if let Ok(metadata) = std::fs::metadata(data_dir.join("PG_VERSION"))
            && metadata.uid() != 0
        {
            return Self::User { uid: metadata.uid(), gid: metadata.gid() };
        }
        let mut probe = Command::new(postgres);
        probe.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self::Namespace.apply(&mut probe, None);
        match probe.status() {
            Ok(status) if status.success() => Self::Namespace,
            _ => postgres_user(),
        }
    }

    /// Makes the command run so; with a signal, that is what it gets when the thread that spawned it ends.
    pub(crate) fn apply(self, command: &mut Command, on_parent_death: Option<Signal>) {
        // Not in our group: an interrupt from the terminal is for us, and we stop the server last.
        command.process_group(0);
        if let Self::User { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        let parent = rustix::process::getpid();
        // SAFETY: between fork and exec only system calls are made; nothing allocates, locks or unwinds. The standard
        // library runs this after it has changed user and group, which would clear the death signal.
        unsafe {
            command.pre_exec(move || {
                if self == Self::Namespace {
                    enter_namespace()?;
                }
                if let Some(signal) = on_parent_death {
                    die_with_parent(signal, parent)?;
                }
                Ok(())
            });
        }
    }

    /// Whether the data must be somewhere that another user can reach.
    pub(crate) fn needs_reachable_data(self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// Gives a directory to the user who will run the programs.
    pub(crate) fn give(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Direct | Self::Namespace => Ok(()),
            Self::User { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        }
    }

    /// The user, seen from outside, who owns the files.
    pub(crate) fn owner(self) -> u32 {
        match self {
            Self::Direct | Self::Namespace => rustix::process::geteuid().as_raw(),
            Self::User { uid, .. } => uid,
        }
    }
}

/// The user whom Debian's package makes, else nobody.
fn postgres_user() -> Privileges {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (name == "postgres").then(|| Some((uid.parse().ok()?, gid.parse().ok()?))).flatten()
    });
    let (uid, gid) = found.unwrap_or((NOBODY, NOBODY));
    Privileges::User { uid, gid }
}

/// A user namespace in which root is user 1000. Runs in the child.
#[cfg(target_os = "linux")]
fn enter_namespace() -> io::Result<()> {
    // SAFETY: the child has one thread and shares nothing with anybody that the new namespace could confuse.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUSER)? };
    write_file(c"/proc/self/setgroups", b"deny")?;
    write_file(c"/proc/self/uid_map", b"1000 0 1")?;
    write_file(c"/proc/self/gid_map", b"1000 0 1")
}

#[cfg(not(target_os = "linux"))]
fn enter_namespace() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn write_file(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, bytes)?;
    Ok(())
}

/// Runs in the child.
#[cfg(target_os = "linux")]
fn die_with_parent(signal: Signal, parent: rustix::process::Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(signal))?;
    // A parent that ended before the line above sends nothing any more.
    if rustix::process::getppid() != Some(parent) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_signal: Signal, _parent: rustix::process::Pid) -> io::Result<()> {
    Ok(())
}
