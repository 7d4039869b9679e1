//! What breaks things from outside: system calls that fail, file systems that end, clocks that jump.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use test_support::{skip, wait_until};

/// Whether this program is there; else it is said what brings it, and in continuous integration that fails.
pub(crate) fn need(program: &str, package: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    if folders.any(|folder: PathBuf| folder.join(program).is_file()) {
        return Ok(());
    }
    missing(&format!("{program} is missing"), &format!("apt-get install {package}"))
}

/// Whether we may mount file systems and break system calls of others.
pub(crate) fn need_root() -> Result<(), String> {
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        return Ok(());
    }
    missing("it needs root", "sudo make faults")
}

pub(crate) fn need_strace() -> Result<(), String> {
    need_root()?;
    need("strace", "strace")
}

/// The library that has a process believe in another time.
pub(crate) fn need_faketime() -> Result<PathBuf, String> {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found =
        folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file());
    match found {
        Some(library) => Ok(library),
        None => missing("libfaketime is missing", "apt-get install faketime").map(|()| PathBuf::new()),
    }
}

fn missing(what: &str, command: &str) -> Result<(), String> {
    skip(what, command);
    Err(format!("{what}: {command}"))
}

/// Runs it to its end, and it must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// System calls of running processes that go wrong, for as long as it is there.
pub(crate) struct Strace(Child);

impl Strace {
    /// In these processes, their threads, and what they start: `fdatasync:error=EIO`.
    pub(crate) async fn attach(pids: &[u32], inject: &str) -> Self {
        let calls = inject.split(':').next().unwrap();
        let mut command = Command::new("strace");
        command.args(["-f", "-qqq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={inject}")]);
        for pid in pids {
            command.args(["-p", &pid.to_string()]);
        }
        let mut strace = Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let attached = wait_until(Duration::from_secs(10), async || {
            let has_ended = strace.0.try_wait().unwrap().is_some();
            has_ended || pids.iter().all(|pid| is_traced(*pid))
        });
        assert!(attached.await, "strace does not get at {pids:?}");
        strace
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It lets go of them at an orderly end only.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// Gone, or every thread of it is traced.
fn is_traced(pid: u32) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    tasks.flatten().all(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}

/// A process and everything that it has started itself.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    [pid].into_iter().chain(numbers.filter(|number| parent(*number) == Some(pid))).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// A file system of its own, which ends with the value.
pub(crate) struct Volume {
    pub(crate) dir: PathBuf,
    image: Option<PathBuf>,
}

impl Volume {
    /// In memory, with so much room.
    pub(crate) fn in_memory(dir: PathBuf, megabytes: u32) -> Self {
        std::fs::create_dir_all(&dir).unwrap();
        let size = format!("size={megabytes}m,mode=0700");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", dir.to_str().unwrap()]);
        Self { dir, image: None }
    }

    /// Ext4 with a journal on a file, as on a disk.
    pub(crate) fn on_disk(dir: PathBuf, megabytes: u32) -> Self {
        std::fs::create_dir_all(&dir).unwrap();
        let image = dir.with_extension("ext4");
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(u64::from(megabytes) << 20).unwrap();
        run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
        let volume = Self { dir, image: Some(image) };
        volume.mount();
        std::fs::remove_dir(volume.dir.join("lost+found")).unwrap();
        volume
    }

    fn mount(&self) {
        let image = self.image.as_ref().unwrap();
        run("mount", &["-o", "loop", image.to_str().unwrap(), self.dir.to_str().unwrap()]);
    }

    /// The power fails: what was not written through is gone, the journal's last blocks too. And comes back, when nobody
    /// has a file open any more.
    pub(crate) fn cut_power(&self) {
        let script = crate::binary::root().join("tests/foreign/shut_down.py");
        run("python3", &[script.to_str().unwrap(), self.dir.to_str().unwrap()]);
    }

    pub(crate) fn restore_power(&self) {
        run("umount", &[self.dir.to_str().unwrap()]);
        self.mount();
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.dir.join("filler")).unwrap();
        let block = vec![0; 1 << 16];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        let page = vec![0; 1 << 12];
        while std::io::Write::write_all(&mut file, &page).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.dir.join("filler")).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.dir).status();
        if let Some(image) = &self.image {
            let _ = std::fs::remove_file(image);
        }
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// What has a process take its time from a file.
pub(crate) fn faked(library: &Path, clock: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // Only the time of day: what measures how long something takes goes on.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Steps the clock of those who read it from here: `+0`, `+1h`, `-1h`.
pub(crate) fn step(clock: &Path, by: &str) {
    // In one step: it is read at any moment.
    let next = clock.with_extension("next");
    std::fs::write(&next, by).unwrap();
    std::fs::rename(next, clock).unwrap();
}
