//! The Debian package, installed as its users install it: in a fresh Debian, beside Debian's PostgreSQL, by the commands of the
//! documents.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use paypal_simulator::Authority;
use test_support::{skip, wait_until};

use crate::binary::{self, TempDir};
use crate::fresh_debian::{fresh_debian, run, settle_an_order};
use crate::ground::WEBHOOK_ID;
use crate::program::free_addresses;

/// What the fresh Debian has beside its base: what the package depends on, the server, and what judges units.
const PACKAGES: &str = "adduser,ca-certificates,libssl3,postgresql,systemd";
const DEADLINE: Duration = Duration::from_secs(60);
/// Lets the package be installed, the server be started and the schema be migrated.
const INSTALLED: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, debootstrap and dpkg-dev: make test-all"]
async fn the_debian_package_settles_an_order_in_a_fresh_debian() {
    if Command::new("dpkg-shlibdeps").arg("--version").output().is_err() {
        return skip("no dpkg-shlibdeps", "apt-get install dpkg-dev");
    }
    let Some(base) = fresh_debian("test-debian", PACKAGES).await else { return };
    let folder = TempDir::new();
    let root = folder.path().join("root");
    run(Command::new("cp").arg("-a").arg(base).arg(&root));
    package(&root);
    let authority = Authority::load_or_create(&root.join("paypal")).unwrap();
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(root.join("paypal")));
    let addresses = free_addresses(2);
    let (database, service) = (addresses[0].port(), addresses[1]);
    let notified = UnixDatagram::bind(root.join("notify")).unwrap();
    run(Command::new("chmod").arg("a+rw").arg(root.join("notify")));
    notified.set_nonblocking(true).unwrap();

    let mut installed = Installed::start(&root, database, &service.to_string());
    let mut told = String::new();
    let ready = wait_until(INSTALLED, async || {
        installed.assert_running();
        told.push_str(&heard(&notified));
        told.contains("READY=1")
    });
    assert!(ready.await, "{told}\n{}", installed.said());
    let key = std::fs::read_to_string(root.join("checkout.key")).unwrap();
    settle_an_order(&format!("http://{service}"), ("shop", WEBHOOK_ID), key.trim(), &authority).await;
    let lives = wait_until(DEADLINE, async || heard(&notified).contains("WATCHDOG=1"));
    assert!(lives.await, "systemd is not told that it lives");

    installed.terminate();
    let ended = wait_until(DEADLINE, async || installed.has_ended());
    assert!(ended.await, "{}", installed.said());
    let said = installed.said();
    assert!(said.contains("serve ended: 0") && said.contains("the key is still there"), "{said}");
    assert!(heard(&notified).contains("STOPPING=1"), "systemd is not told that it ends");
}

/// The script, in the fresh root; all of it ends with this.
struct Installed {
    child: Child,
    said: PathBuf,
    served: PathBuf,
}

impl Installed {
    fn start(root: &Path, port: u16, listen: &str) -> Self {
        std::fs::write(root.join("install.sh"), include_str!("install.sh")).unwrap();
        let said = root.join("said.log");
        let out = std::fs::File::create(&said).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "chroot"])
            .arg(root)
            .args(["/bin/sh", "/install.sh", &port.to_string(), listen])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        Self { child, said, served: root.join("serve.log") }
    }

    fn said(&self) -> String {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        format!("{}\n{}", read(&self.said), read(&self.served))
    }

    fn assert_running(&mut self) {
        assert!(!self.has_ended(), "{}", self.said());
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// As systemd ends a service.
    fn terminate(&self) {
        run(Command::new("pkill").args(["-TERM", "-f", "^/bin/sh /install.sh"]));
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the service has told systemd since.
fn heard(socket: &UnixDatagram) -> String {
    let mut all = String::new();
    let mut message = [0; 4096];
    while let Ok(length) = socket.recv(&mut message) {
        all.push_str(&String::from_utf8_lossy(&message[..length]));
        all.push('\n');
    }
    all
}

/// The package of this build, at /counterfoil.deb of the root.
fn package(root: &Path) {
    let folder = TempDir::new();
    let build = binary::root().join("crates/counterfoil/deploy/deb/build");
    run(Command::new(build).arg(binary::path()).arg(folder.path()));
    let package = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(package, root.join("counterfoil.deb")).unwrap();
}
