//! NATS with JetStream.

use std::path::Path;

use super::Login;
use crate::build_dir::find_program;
use crate::missing::skip;
use crate::process::{Launch, Process, watched};

/// A NATS server with JetStream.
pub struct Nats {
    process: Process,
    port: u16,
    login: Option<Login>,
}

impl Nats {
    /// Starts one that lets in everybody.
    pub async fn start() -> Option<Self> {
        Self::start_for(None).await
    }

    /// Starts one that lets in the login only.
    pub async fn start_for(login: Option<Login>) -> Option<Self> {
        Self::start_with(login, "").await
    }

    /// Starts one with these settings, as its configuration file has them.
    pub async fn start_with(login: Option<Login>, settings: &str) -> Option<Self> {
        let Some(program) = find_program("nats-server") else {
            skip("nats-server is missing", "apt-get install nats-server");
            return None;
        };
        let (process, [port]) = Process::start("nats-server", |folder, [port]| {
            let mut command = watched(&program);
            command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream"]);
            command.arg("--store_dir").arg(folder.path());
            command.arg("--config").arg(folder.write("nats.conf", settings));
            if let Some(Login { user, password }) = login {
                command.args(["--user", user, "--pass", password]);
            }
            Launch { command, ready: "Server is ready" }
        })
        .await;
        Some(Self { process, port, login })
    }

    /// With the login, where there is one.
    pub fn url(&self) -> String {
        format!("nats://{}{}", Login::in_url(self.login), self.address())
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where its data is.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// Ends it as a crash would. Blocks until it is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port with the same data, killed or not.
    pub async fn restart(&mut self) {
        self.process.restart().await;
    }
}
