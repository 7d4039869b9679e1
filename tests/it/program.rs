//! A running `serve`, as a process that can be killed.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use test_support::wait_until;

use crate::binary;

/// A running `serve`. Killed when dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(
        address: SocketAddr,
        arguments: &[String],
        environment: &[(&str, String)],
    ) -> Self {
        let child = Command::new(binary::path())
            .arg("serve")
            .args(["--listen", &address.to_string()])
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("COUNTERFOIL_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let serving = Self { child, address };
        serving.is_ready().await;
        serving
    }

    async fn is_ready(&self) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/readyz", self.address);
        let ready = wait_until(Duration::from_secs(30), async || {
            client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        });
        assert!(ready.await, "serve does not become ready");
    }

    /// kill -9: no destructor, no flush, no goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// SIGTERM, and its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
