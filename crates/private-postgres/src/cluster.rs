//! A cluster: its data, its socket, its server.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::control_file::ControlFile;
use crate::keeper::{Keeper, Launch, POLL_STEP};
use crate::privileges::Privileges;
use crate::{Binaries, Error};

const SUPERUSER: &str = "counterfoil_owner";
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// How much of a log an error quotes.
const LOG_TAIL_LINES: usize = 20;

/// What cluster to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the data is, or is to be made.
    pub data_dir: PathBuf,
    /// Settings for the server's command line, beyond those that make it private.
    pub settings: Vec<(String, String)>,
    /// A port of the loopback beside the socket.
    loopback_port: Option<u16>,
}

impl Options {
    /// A cluster with nothing special.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), settings: Vec::new(), loopback_port: None }
    }

    /// One more setting, as `("max_connections", "200")`.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Listens on a port of the loopback too, where every user of this machine may log in: for tests of what a socket has
    /// not, as TLS.
    #[must_use]
    pub fn on_loopback(mut self, port: u16) -> Self {
        self.loopback_port = Some(port);
        self
    }

    fn port(&self) -> u16 {
        self.loopback_port.unwrap_or(5432)
    }
}

/// A running cluster. Dropping it stops it, if it was started here.
#[derive(Debug)]
pub struct Cluster {
    data_dir: PathBuf,
    socket_dir: PathBuf,
    /// In the socket's name too.
    port: u16,
    pid: u32,
    /// None when somebody else's server was found running on the data.
    keeper: Option<Keeper>,
}

impl Cluster {
    /// Starts the cluster, making it first when there is no data; a server that runs on the data already is used as it
    /// is, and left running. Blocks until clients are let in.
    pub fn start(binaries: &Binaries, options: &Options) -> Result<Self, Error> {
        let wanted = absolute(&options.data_dir)?;
        let privileges = Privileges::detect(&binaries.program("postgres"), &wanted);
        let data_dir = reachable(privileges, wanted);
        if let Some(running) = find_running(&data_dir)? {
            return Ok(running);
        }
        if !data_dir.join("PG_VERSION").exists() {
            make_data(binaries, privileges, &data_dir)?;
        }
        check_version(binaries, &data_dir)?;

        let socket_dir = make_socket_dir(privileges, &data_dir)?;
        let launch = Launch {
            program: binaries.program("postgres"),
            arguments: arguments(&data_dir, &socket_dir, options),
            log: data_dir.join("server.log"),
            privileges,
        };
        let (keeper, pid) =
            Keeper::start(launch).map_err(Error::io("the server cannot be spawned", &data_dir))?;
        let cluster = Self { data_dir, socket_dir, port: options.port(), pid, keeper: Some(keeper) };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// What a client connects with: key words and values, as libpq reads them.
    pub fn connection_string(&self, user: &str, dbname: &str) -> String {
        format!("host={} port={} user={user} dbname={dbname}", self.socket_dir.display(), self.port)
    }

    /// The name of the role that may do everything.
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// Where the socket is.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Where the data is: elsewhere than asked for, when the server has to run as a user who cannot reach that.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the server was running already, and so is not ours to stop.
    pub fn was_running(&self) -> bool {
        self.keeper.is_none()
    }

    /// Ends the server as a crash would, without a word to anybody, and starts it again: it has to recover. For fault
    /// tests. A server that was not started here is left alone.
    pub fn restart_immediate(&mut self) -> Result<(), Error> {
        self.stop_immediate();
        self.start_again()
    }

    /// Ends the server as a crash would, and leaves it ended. For fault tests, as above.
    pub fn stop_immediate(&mut self) {
        if let Some(keeper) = &self.keeper {
            keeper.stop(Signal::QUIT);
        }
    }

    /// Starts the server again after [`Cluster::stop_immediate`].
    pub fn start_again(&mut self) -> Result<(), Error> {
        if let Some(keeper) = &self.keeper {
            self.pid =
                keeper.start_again().map_err(Error::io("the server cannot be spawned", &self.data_dir))?;
            self.wait_until_ready()?;
        }
        Ok(())
    }

    /// Stops the server, if it was started here, and waits until it has ended.
    pub fn stop(self) {}

    fn wait_until_ready(&self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            if ControlFile::read(&self.data_dir).is_some_and(|file| file.pid == self.pid && file.is_ready()) {
                return Ok(());
            }
            if self.keeper.as_ref().is_some_and(Keeper::has_ended) {
                return Err(Error::Failed { program: "postgres", said: log_tail(&self.data_dir) });
            }
            if Instant::now() > deadline {
                let log = log_tail(&self.data_dir);
                return Err(Error::TimedOut { seconds: READY_DEADLINE.as_secs(), log });
            }
            std::thread::sleep(POLL_STEP);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.keeper.take().is_some() {
            // Only when it is empty, as it is after an orderly end.
            let _ = std::fs::remove_dir(&self.socket_dir);
        }
    }
}

/// The server that runs on the data, once it is ready. One that is on its way up or down is waited for.
fn find_running(data_dir: &Path) -> Result<Option<Cluster>, Error> {
    let deadline = Instant::now() + READY_DEADLINE;
    while let Some(file) = ControlFile::read(data_dir) {
        if file.is_ready() {
            let ControlFile { pid, port, socket_dir, .. } = file;
            return Ok(Some(Cluster { data_dir: data_dir.to_owned(), socket_dir, port, pid, keeper: None }));
        }
        if !file.is_alive() {
            break;
        }
        if Instant::now() > deadline {
            let log = log_tail(data_dir);
            return Err(Error::TimedOut { seconds: READY_DEADLINE.as_secs(), log });
        }
        std::thread::sleep(POLL_STEP);
    }
    Ok(None)
}

/// Makes the data beside its place and moves it there: what is in place is whole, even when we are killed in between.
fn make_data(binaries: &Binaries, privileges: Privileges, data_dir: &Path) -> Result<(), Error> {
    let parent = data_dir.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(Error::io("the directory cannot be made", parent))?;
    let unfinished = data_dir.with_extension(format!("making-{}", std::process::id()));
    make_private_dir(&unfinished)?;
    privileges.give(&unfinished).map_err(Error::io("the directory cannot be given away", &unfinished))?;

    let mut command = Command::new(binaries.program("initdb"));
    command.arg("-D").arg(&unfinished).args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]);
    command.args(["--no-locale", "--data-checksums", "--no-instructions"]);
    command.stdin(Stdio::null()).current_dir("/").env("LC_ALL", "C");
    privileges.apply(&mut command, None);
    let output = command.output().map_err(Error::io("initdb cannot be run", binaries.bin_dir()))?;
    if !output.status.success() {
        let _ = std::fs::remove_dir_all(&unfinished);
        let said = tail(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Failed { program: "initdb", said });
    }
    // An empty directory gives way to the new one; anything else in that place is an error.
    std::fs::rename(&unfinished, data_dir).map_err(Error::io("the new data cannot be moved", data_dir))
}

fn check_version(binaries: &Binaries, data_dir: &Path) -> Result<(), Error> {
    let file = data_dir.join("PG_VERSION");
    let text = std::fs::read_to_string(&file).map_err(Error::io("the version cannot be read", &file))?;
    match text.trim().parse() {
        Ok(data) if data != binaries.major() => {
            Err(Error::OtherVersion { data_dir: data_dir.to_owned(), data, programs: binaries.major() })
        }
        _ => Ok(()),
    }
}

fn arguments(data_dir: &Path, socket_dir: &Path, options: &Options) -> Vec<String> {
    let mut arguments = vec!["-D".to_owned(), data_dir.display().to_string()];
    let mut set = |name: &str, value: &str| arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
    set("unix_socket_permissions", "0700");
    // A leftover prepared transaction would hold back vacuum for ever.
    set("max_prepared_transactions", "0");
    set("logging_collector", "off");
    for (name, value) in &options.settings {
        set(name, value);
    }
    // Last, so that no setting can undo them: nobody but this machine's user, and durable.
    set("listen_addresses", if options.loopback_port.is_some() { "127.0.0.1" } else { "" });
    set("unix_socket_directories", &socket_dir.display().to_string());
    set("port", &options.port().to_string());
    set("fsync", "on");
    set("full_page_writes", "on");
    arguments
}

/// The path of a socket is limited to about 100 bytes, so it is not beside the data.
fn make_socket_dir(privileges: Privileges, data_dir: &Path) -> Result<PathBuf, Error> {
    let me = rustix::process::geteuid().as_raw();
    let dir = PathBuf::from(format!("/tmp/counterfoil-{me}-{:016x}", digest(data_dir)));
    if !dir.exists() {
        make_private_dir(&dir)?;
        privileges.give(&dir).map_err(Error::io("the directory cannot be given away", &dir))?;
    }
    // Everybody may write into /tmp: what is there under our name must be ours.
    let metadata =
        std::fs::symlink_metadata(&dir).map_err(Error::io("the directory cannot be read", &dir))?;
    let ours = metadata.is_dir() && metadata.mode() & 0o077 == 0 && metadata.uid() == privileges.owner();
    if ours { Ok(dir) } else { Err(Error::NotOurs(dir)) }
}

fn make_private_dir(dir: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().mode(0o700).create(dir).map_err(Error::io("the directory cannot be made", dir))
}

/// Another user usually cannot enter root's directories, so the data goes where everybody can.
fn reachable(privileges: Privileges, wanted: PathBuf) -> PathBuf {
    if privileges.needs_reachable_data() && !wanted.join("PG_VERSION").exists() {
        PathBuf::from(format!("/var/tmp/counterfoil-{:016x}", digest(&wanted)))
    } else {
        wanted
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(Error::io("the path cannot be resolved", path))
}

fn digest(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

fn log_tail(data_dir: &Path) -> String {
    tail(&String::from_utf8_lossy(&std::fs::read(data_dir.join("server.log")).unwrap_or_default()))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests;
