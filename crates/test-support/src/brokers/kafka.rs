//! Apache Kafka: one node that is broker and controller, from the jars of its release.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Login;
use crate::build_dir::{complaint, find_program, made_once, run};
use crate::missing::skip;
use crate::process::{Folder, Launch, Process, watched};

/// Needs Java 17.
const VERSION: &str = "4.1.1";

/// Small, and compiled by the quick compiler only, since none of these lives long.
const JAVA: [&str; 3] = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The data is made when it is not there yet.
const SCRIPT: &str = "test -e data/meta.properties || \
    \"$@\" kafka.tools.StorageTool format --cluster-id AAAAAAAAAAAAAAAAAAAAAQ --config server.properties && \
    exec \"$@\" kafka.Kafka server.properties";

/// A Kafka of one node.
pub struct Kafka {
    process: Process,
    jars: PathBuf,
    port: u16,
    /// For us and itself, who need no login.
    internal_port: u16,
}

impl Kafka {
    /// Starts one that lets in everybody.
    pub async fn start() -> Option<Self> {
        Self::start_for(None).await
    }

    /// Starts one that lets in the login only, by SASL/PLAIN without TLS.
    pub async fn start_for(login: Option<Login>) -> Option<Self> {
        let jars = jars().await?;
        let prepare = |folder: &Folder, ports| launch(&jars, folder, ports, login);
        let (process, [port, internal_port, _]) = Process::start("Kafka", prepare).await;
        Some(Self { process, jars, port, internal_port })
    }

    /// Host and port: the value of `bootstrap.servers`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes a topic; topics do not come by themselves.
    pub async fn create_topic(&self, name: &str, partitions: u32) {
        let partitions = partitions.to_string();
        self.topics(&["--create", "--topic", name, "--partitions", &partitions]).await;
    }

    /// The topics that are there.
    pub async fn list_topics(&self) -> Vec<String> {
        self.topics(&["--list", "--exclude-internal"]).await.lines().map(str::to_owned).collect()
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

    /// Runs Kafka's own tool; what it wrote.
    async fn topics(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("java");
        command.args(JAVA).arg("-cp").arg(class_path(&self.jars));
        command
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "org.apache.kafka.tools.TopicCommand"]);
        command.arg("--bootstrap-server").arg(format!("127.0.0.1:{}", self.internal_port)).args(arguments);
        let output = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
        output.unwrap_or_else(|why| panic!("{}: {why}", arguments.join(" ")))
    }
}

/// Kafka's jars, which Maven brings once.
async fn jars() -> Option<PathBuf> {
    let install = "apt-get install default-jre-headless maven";
    if find_program("java").is_none() {
        skip("java is missing", install);
        return None;
    }
    let fetched = made_once(format!("test-kafka-{VERSION}"), |dir| {
        std::fs::write(dir.join("pom.xml"), project()).map_err(|error| error.to_string())?;
        let copy =
            ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"];
        // Not in the user's home, which not every user has.
        let own = "-Dmaven.repo.local=repository";
        run(Command::new("mvn").args(copy).arg(own).current_dir(dir))?;
        let _ = std::fs::remove_dir_all(dir.join("repository"));
        Ok(())
    });
    match fetched.await {
        Ok(dir) => Some(dir.join("jars")),
        Err(why) => {
            skip(&format!("Kafka cannot be fetched by mvn: {}", complaint(&why)), install);
            None
        }
    }
}

/// What Maven is to fetch: the broker, its tools without what only other tools need, and a log on standard error.
fn project() -> String {
    let dependency = |group: &str, name: &str, version: &str, more: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version>{more}</dependency>\n"
        )
    };
    let alone =
        "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
    [
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>counterfoil</groupId><artifactId>test-kafka</artifactId><version>0</version>\
         <packaging>pom</packaging><dependencies>\n",
        &dependency("org.apache.kafka", "kafka_2.13", VERSION, ""),
        &dependency("org.apache.kafka", "kafka-tools", VERSION, alone),
        &dependency("org.slf4j", "slf4j-simple", "1.7.36", ""),
        "</dependencies></project>\n",
    ]
    .concat()
}

fn class_path(jars: &Path) -> String {
    format!("{}/*", jars.display())
}

fn launch(jars: &Path, folder: &Folder, ports: [u16; 3], login: Option<Login>) -> Launch {
    folder.write("server.properties", &properties(folder, ports, login));
    let mut command = watched("sh");
    command.args(["-c", SCRIPT, "kafka", "java"]).args(JAVA).arg("-cp").arg(class_path(jars));
    Launch { command, ready: "Kafka Server started" }
}

fn properties(folder: &Folder, [port, internal, controller]: [u16; 3], login: Option<Login>) -> String {
    let (protocol, sasl) = match login {
        None => ("PLAINTEXT", String::new()),
        Some(Login { user, password }) => (
            "SASL_PLAINTEXT",
            format!(
                "sasl.enabled.mechanisms=PLAIN\n\
                 listener.name.client.plain.sasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";\n"
            ),
        ),
    };
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=CLIENT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}\n\
         listener.security.protocol.map=CLIENT:{protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=INTERNAL\n\
         controller.listener.names=CONTROLLER\n\
         {sasl}\
         log.dirs={}/data\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=1\n\
         group.initial.rebalance.delay.ms=0\n\
         # One that was killed may come again when it is thought to be gone.\n\
         broker.heartbeat.interval.ms=500\n\
         broker.session.timeout.ms=3000\n",
        folder.path().display()
    )
}
