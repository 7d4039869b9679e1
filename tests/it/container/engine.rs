//! Podman over a storage of its own, so that nothing of this machine's is touched, with stand-ins for the images of others.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use test_support::{foreign, skip};

use crate::binary;
use crate::fresh_debian::{fresh_debian, run};

const DEBIAN: &str = "docker.io/library/debian:bookworm-slim";
const POSTGRES: &str = "docker.io/library/postgres:17";
const RUST: &str = "localhost/rust";
/// Whatever hangs is ended after so many seconds: a package is fetched and one is made at the longest.
const AT_MOST: &str = "300";

/// The engine, and one project of Compose in it; both end with the value.
pub(super) struct Engine {
    folder: PathBuf,
    python: PathBuf,
    project: String,
    /// What Compose is told: its files, and what stands in them.
    told: Vec<(&'static str, String)>,
    /// One test process at a time: an image has one name.
    _lock: File,
}

impl Engine {
    /// None: skip the test, it was said why.
    pub(super) async fn start(told: Vec<(&'static str, String)>) -> Option<Arc<Self>> {
        let debian = fresh_debian("test-debian-slim", "").await?;
        let has = |program: &&str| Command::new(program).arg("--version").output().is_ok();
        let needed =
            ["podman", "runc", "iptables", "/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns"];
        if !needed.iter().all(has) {
            skip("no podman", "apt-get install podman runc netavark aardvark-dns iptables");
            return None;
        }
        let python = foreign::python(&["podman-compose==1.6.0"]).await?;
        let make = move || Self::with_stand_ins(python, told, &debian);
        Some(Arc::new(tokio::task::spawn_blocking(make).await.unwrap()))
    }

    fn with_stand_ins(python: PathBuf, told: Vec<(&'static str, String)>, debian: &Path) -> Self {
        let folder = binary::profile_dir().parent().unwrap().join("test-containers");
        std::fs::create_dir_all(folder.join("tmp")).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let project = format!("counterfoil-it-{}", std::process::id());
        let engine = Self { folder, python, project, told, _lock: lock };
        engine.configure();
        if !engine.podman().args(["image", "exists", DEBIAN]).status().unwrap().success() {
            let archive = engine.folder.join("debian.tar");
            run(Command::new("tar").arg("-C").arg(debian).arg("-cf").arg(&archive).arg("."));
            run(engine.podman().args(["import", "--quiet"]).arg(&archive).arg(DEBIAN));
            std::fs::remove_file(archive).unwrap();
        }
        let context = binary::root().join("tests/it/container");
        for (stage, name) in [("rust", RUST), ("postgres", POSTGRES)] {
            let mut build = engine.podman();
            build.args([
                "build",
                "--quiet",
                "--pull-never",
                "--network=host",
                "--target",
                stage,
                "--tag",
                name,
            ]);
            run(build.arg(&context));
        }
        engine
    }

    fn configure(&self) {
        let folder = self.folder.display();
        // Limits that everybody may set, and what runs without systemd under each kind of cgroups.
        let containers = format!(
            "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n\
             [engine]\ncgroup_manager = \"cgroupfs\"\nruntime = \"runc\"\nevents_logger = \"none\"\ntmp_dir = \"{folder}/run\"\n\
             [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{folder}/networks\"\n"
        );
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{folder}/graph\"\nrunroot = \"{folder}/run\"\n"
        );
        std::fs::write(self.folder.join("containers.conf"), containers).unwrap();
        std::fs::write(self.folder.join("storage.conf"), storage).unwrap();
    }

    fn within(&self, program: &Path) -> Command {
        let mut command = binary::clean(Command::new("timeout"), &self.folder);
        command.arg(AT_MOST).arg(program).env("TMPDIR", self.folder.join("tmp"));
        for (name, file) in
            [("CONTAINERS_CONF", "containers.conf"), ("CONTAINERS_STORAGE_CONF", "storage.conf")]
        {
            command.env(name, self.folder.join(file));
        }
        command.env("COMPOSE_PROJECT_NAME", &self.project);
        command.envs(self.told.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn podman(&self) -> Command {
        self.within(Path::new("podman"))
    }

    pub(super) fn compose(&self) -> Command {
        self.within(&self.python.with_file_name("podman-compose"))
    }

    /// A line of a document, as a shell in that folder reads it.
    pub(super) fn line_of_a_document(&self, line: &str, folder: &Path) {
        // Debian's podman cannot start what depends on something that depends on something, and its Compose copies nothing.
        let docker = "docker() {
            [ \"$1\" = compose ] || { podman \"$@\"; return; }
            verb=$2; shift 2
            case $verb in
                cp) podman cp \"${COMPOSE_PROJECT_NAME}_${1%%:*}_1:${1#*:}\" \"$2\" ;;
                *) \"$compose\" \"$verb\" --no-deps \"$@\" ;;
            esac
        }";
        let mut shell = self.within(Path::new("sh"));
        shell.args(["-c", &format!("{docker}; {line}")]).current_dir(folder);
        run(shell.env("compose", self.python.with_file_name("podman-compose")));
    }

    /// What the project's network is called.
    pub(super) fn network(&self) -> String {
        format!("{}_default", self.project)
    }

    /// What the one container that Compose does not know is called, and its volume.
    pub(super) fn alone(&self) -> String {
        format!("{}-alone", self.project)
    }

    fn remove_alone(&self) {
        let alone = self.alone();
        let _ = self.podman().args(["rm", "--force", "--ignore", "--time=1", &alone]).output();
        let _ = self.podman().args(["volume", "rm", "--force", &alone]).output();
    }

    /// A file of Compose, as it is read.
    pub(super) fn read(&self, file: &Path) -> Value {
        let read = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
        serde_json::from_str(&run(Command::new(&self.python).args(["-c", read]).arg(file))).unwrap()
    }

    /// Builds our image as the Compose file says. The compiler is ours; into that folder it says which sources it was given.
    pub(super) fn build(&self, tests: &Path) {
        self.prune();
        let arguments = format!("--pull-never --network=host --volume={}:/tests", tests.display());
        let mut build = self.compose();
        build.arg(format!("--podman-build-args={arguments}"));
        run(build.args(["build", "--build-arg", &format!("RUST={RUST}"), "counterfoil"]));
    }

    /// Ours stays, and with it what only the next one's first layers can be taken from; what was made of the program goes, so
    /// that the next build has its own.
    fn prune(&self) {
        let _ = self.podman().args(["image", "prune", "--force"]).output();
    }

    /// The container of a service.
    pub(super) fn container(&self, service: &str) -> String {
        format!("{}_{service}_1", self.project)
    }

    /// What a shell in a service's container says.
    pub(super) fn ask(&self, service: &str, script: &str) -> String {
        run(self.podman().args(["exec", &self.container(service), "sh", "-c", script]))
    }

    pub(super) fn logs(&self, service: &str) -> String {
        binary::said(&self.podman().args(["logs", &self.container(service)]).output().unwrap())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.remove_alone();
        let _ = self.compose().args(["down", "--volumes", "--timeout", "1"]).output();
        self.prune();
    }
}
