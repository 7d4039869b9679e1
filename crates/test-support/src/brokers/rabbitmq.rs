//! RabbitMQ.

use std::path::Path;
use std::process::Command;

use super::Login;
use crate::build_dir::find_program;
use crate::missing::skip;
use crate::process::{Folder, Launch, Process, watched};

/// Whom RabbitMQ knows by itself, and lets in from the loopback only.
const GUEST: Login = Login { user: "guest", password: "guest" };

/// Erlang's register of nodes is ours too, and in our group: the one that Erlang starts would outlive us.
const SCRIPT: &str = "epmd & until epmd -names; do sleep 0.05; done > /dev/null 2>&1; exec \"$0\"";

/// A RabbitMQ node.
pub struct RabbitMq {
    process: Process,
    port: u16,
    register: u16,
    login: Login,
}

impl RabbitMq {
    /// Starts one that lets in `guest`.
    pub async fn start() -> Option<Self> {
        Self::start_for(None).await
    }

    /// Starts one that lets in the login only.
    pub async fn start_for(login: Option<Login>) -> Option<Self> {
        // The one in /usr/sbin becomes another user.
        let program = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        if !program.is_file() || find_program("epmd").is_none() {
            skip("rabbitmq-server is missing", "apt-get install rabbitmq-server");
            return None;
        }
        let login = login.unwrap_or(GUEST);
        let prepare = |folder: &Folder, ports| launch(program, folder, ports, login);
        let (process, [port, _, register]) = Process::start("rabbitmq-server", prepare).await;
        Some(Self { process, port, register, login })
    }

    /// Runs its own tool, `rabbitmqctl`. Blocks until that is done.
    pub fn control(&self, arguments: &[&str]) {
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        node(&mut command, self.folder(), self.port, self.register);
        let output = command.env("HOME", self.folder()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// With the login; the path is that of the virtual host `/`.
    pub fn amqp_url(&self) -> String {
        format!("amqp://{}{}/%2f", Login::in_url(Some(self.login)), self.address())
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

fn launch(program: &Path, folder: &Folder, [port, distribution, register]: [u16; 3], login: Login) -> Launch {
    let config = folder.write(
        "rabbitmq.conf",
        &format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\n\
             log.console = true\n\
             log.file = false\n\
             default_user = {}\n\
             default_pass = {}\n",
            login.user, login.password
        ),
    );
    let mut command = watched("sh");
    node(&mut command, folder.path(), port, register);
    command
        .args(["-c", SCRIPT])
        .arg(program)
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        )
        .env("RABBITMQ_CONFIG_FILE", config)
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.write("enabled_plugins", "[].\n"))
        .env("RABBITMQ_MNESIA_BASE", folder.path().join("data"))
        .env("RABBITMQ_LOG_BASE", folder.path().join("logs"))
        .env("RABBITMQ_PID_FILE", folder.path().join("pid"));
    Launch { command, ready: "Server startup complete" }
}

/// What the node and its tool know it by.
fn node(command: &mut Command, folder: &Path, port: u16, register: u16) {
    command
        .env("RABBITMQ_NODENAME", format!("counterfoil-{port}@localhost"))
        .env("ERL_EPMD_PORT", register.to_string())
        // The system's settings are for the system's node.
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("no-settings"));
}
