//! A running `serve`, as a process that can be killed, stopped and asked to end.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use test_support::wait_until;

/// What `serve` promises: it ends so soon after SIGTERM.
const END: Duration = Duration::from_secs(10);

/// A running `serve`. Killed when dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(
        program: &Path,
        address: SocketAddr,
        arguments: &[String],
        environment: &[(&str, String)],
    ) -> Self {
        let mut serving = Self::spawn(program, address, arguments, environment);
        serving.is_ready().await;
        serving
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn spawn(
        program: &Path,
        address: SocketAddr,
        arguments: &[String],
        environment: &[(&str, String)],
    ) -> Self {
        Self::spawn_saying(program, address, arguments, environment, Stdio::inherit())
    }

    /// The same, and what it says goes there.
    pub(crate) fn spawn_saying(
        program: &Path,
        address: SocketAddr,
        arguments: &[String],
        environment: &[(&str, String)],
        said: Stdio,
    ) -> Self {
        let child = Command::new(program)
            .arg("serve")
            .args(["--listen", &address.to_string()])
            .args(arguments)
            .env_clear()
            .env("COUNTERFOIL_LOG", "error")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn is_ready(&mut self) {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build().unwrap();
        let url = format!("http://{}/readyz", self.address);
        let ready = wait_until(Duration::from_secs(30), async || {
            assert!(self.is_running(), "serve has ended");
            client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        });
        assert!(ready.await, "serve does not become ready");
    }

    /// Whether the process is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// kill -9: no destructor, no flush, no goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGSTOP: alive for everybody, and does nothing.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: goes on as if no time had passed.
    pub(crate) fn wake(&self) {
        self.signal("CONT");
    }

    /// SIGTERM, and its exit code: it ends in time.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        assert!(
            wait_until(END, async || !self.is_running()).await,
            "it does not end within {END:?} of SIGTERM"
        );
        self.ended().unwrap().code()
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    fn signal(&self, name: &str) {
        let arguments = [format!("-{name}"), self.pid().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many addresses that were free a moment ago.
pub(crate) fn free_addresses(count: usize) -> Vec<SocketAddr> {
    // Held all at once, so that they differ.
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    free_addresses(1)[0]
}
