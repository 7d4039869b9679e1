use std::io::BufRead;

use super::*;

fn binaries() -> Binaries {
    Binaries::find(None, None).unwrap()
}

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("private-postgres-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn options(&self) -> Options {
        Options::new(self.0.join("data"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        if let Ok(data) = std::path::absolute(self.0.join("data")) {
            let me = rustix::process::geteuid().as_raw();
            let _ = std::fs::remove_dir_all(format!("/tmp/counterfoil-{me}-{:016x}", digest(&data)));
        }
    }
}

fn wait_until_gone(data_dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while ControlFile::read(data_dir).is_some_and(|file| file.is_alive()) {
        assert!(Instant::now() < deadline, "the server is still there");
        std::thread::sleep(POLL_STEP);
    }
}

#[test]
fn a_cluster_starts_is_reused_restarts_and_stops() {
    let scratch = Scratch::new("life");
    let mut cluster = Cluster::start(&binaries(), &scratch.options()).unwrap();
    assert!(!cluster.was_running());
    assert!(cluster.connection_string("a", "b").starts_with("host=/tmp/counterfoil-"));

    let second = Cluster::start(&binaries(), &scratch.options()).unwrap();
    assert!(second.was_running());
    assert_eq!(second.pid(), cluster.pid());
    second.stop();
    assert!(ControlFile::read(cluster.data_dir()).unwrap().is_ready(), "a found server is left running");

    let before = cluster.pid();
    cluster.restart_immediate().unwrap();
    assert_ne!(cluster.pid(), before);

    let data_dir = cluster.data_dir().to_owned();
    cluster.stop();
    assert_eq!(ControlFile::read(&data_dir), None);
    assert!(std::fs::read_to_string(data_dir.join("server.log")).unwrap().contains("redo"), "it recovered");

    // The data is still there, so this is a start without initdb.
    Cluster::start(&binaries(), &scratch.options()).unwrap().stop();
}

#[test]
fn a_server_outlives_the_thread_that_asked_for_it() {
    let scratch = Scratch::new("thread");
    let options = scratch.options();
    let cluster = std::thread::spawn(move || Cluster::start(&binaries(), &options).unwrap()).join().unwrap();
    assert!(ControlFile::read(cluster.data_dir()).unwrap().is_ready());
}

#[test]
fn a_setting_that_the_server_refuses_is_told_with_its_words() {
    let scratch = Scratch::new("refused");
    let options = scratch.options().with_setting("no_such_setting", "1");
    let error = Cluster::start(&binaries(), &options).unwrap_err();
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn data_of_another_version_is_refused() {
    let scratch = Scratch::new("version");
    Cluster::start(&binaries(), &scratch.options()).unwrap().stop();
    std::fs::write(scratch.0.join("data/PG_VERSION"), "9\n").unwrap();
    let error = Cluster::start(&binaries(), &scratch.options()).unwrap_err();
    assert!(matches!(error, Error::OtherVersion { data: 9, .. }), "{error}");
}

#[test]
fn data_of_another_user_is_run_as_that_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new("nobody");
    let nobody = Privileges::User { uid: 65534, gid: 65534 };
    std::os::unix::fs::chown(&scratch.0, Some(65534), Some(65534)).unwrap();
    make_data(&binaries(), nobody, &scratch.options().data_dir).unwrap();

    let cluster = Cluster::start(&binaries(), &scratch.options()).unwrap();
    let process = std::fs::metadata(format!("/proc/{}", cluster.pid())).unwrap();
    assert_eq!(process.uid(), 65534);
}

/// The other half of the next test: a process that starts a cluster and is then killed. Does nothing on its own.
#[test]
fn child_that_is_killed() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(dir) = arguments.iter().find_map(|argument| argument.strip_prefix("scratch=")) else { return };
    let cluster = Cluster::start(&binaries(), &Options::new(dir)).unwrap();
    println!("\nready {}", cluster.pid());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_parent_leaves_no_server_behind() {
    let scratch = Scratch::new("killed");
    let data_dir = scratch.options().data_dir;
    let mut parent = Command::new(std::env::current_exe().unwrap())
        // Extra names are only more filters to the test harness, and the way to hand something over.
        .args(["child_that_is_killed", "--nocapture", &format!("scratch={}", data_dir.display())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(parent.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("ready ")), "the child started a cluster");
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until_gone(&data_dir);
    assert_eq!(ControlFile::read(&data_dir), None, "it shut down in order");
}
