//! `dev` from the outside: its day, and every command of the READMEs beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use paypal_simulator::{EventKind, Ids, PayPal, Story};
use reqwest::redirect::Policy;
use serde_json::Value;

use crate::binary::{self, TempDir, json, run, said};

/// A `dev` that runs, and is ended however the test ends.
struct Dev {
    child: Child,
    state: Value,
    /// What it has said to the person so far.
    said: String,
    more: BufReader<ChildStderr>,
}

impl Dev {
    fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// The same, with more arguments.
    fn start_with(dir: &Path, more: &[&str]) -> Self {
        let mut child = binary::command(dir)
            .args(["dev", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let more = BufReader::new(child.stderr.take().unwrap());
        let mut dev = Self { child, state: Value::Null, said: String::new(), more };
        let deadline = Instant::now() + Duration::from_secs(120);
        // The day is over when its last command has been decided.
        while !is_day_over(dir) {
            if let Some(status) = dev.child.try_wait().unwrap() {
                panic!("dev has ended: {status}\n{}", dev.output());
            }
            assert!(Instant::now() < deadline, "dev does not get through its day");
            std::thread::sleep(Duration::from_millis(50));
        }
        dev.state = json(&dir.join(".counterfoil/dev.json"));
        dev
    }

    /// All of it, once it has ended.
    fn output(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            let _ = stdout.read_to_string(&mut text);
        }
        let _ = self.more.read_to_string(&mut self.said);
        text + &self.said
    }

    /// The page that it says to sign in by.
    fn link(&mut self) -> String {
        // It says how it ends behind everything else.
        while !self.said.contains("Ctrl-C stops everything") {
            assert!(self.more.read_line(&mut self.said).unwrap() > 0, "{}", self.said);
        }
        let mut words = self.said.split_whitespace();
        words.find(|word| word.contains("/console/sign-in/")).expect("a link").to_owned()
    }

    /// Ctrl-C.
    fn interrupt(mut self) -> String {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let text = self.output();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}\n{text}");
        text
    }
}

/// Its last command is the fourth delivery of stock.
pub(crate) fn is_day_over(dir: &Path) -> bool {
    if !dir.join(".counterfoil/dev.json").is_file() {
        return false;
    }
    let received = ["events", "--type", "stock.received", "--kind", "outcome", "-o", "ndjson"];
    run(dir, &received).stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() >= 4
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the day must have come to: state, fulfilment, captured, refunded.
const DAY: [(&str, &str, &str, i64, i64); 8] = [
    ("A-1001", "paid", "ship", 2500, 0),
    ("A-1002", "paid", "ship", 4400, 0),
    ("A-1003", "open", "wait", 0, 0),
    ("A-1004", "paid", "ship", 5000, 2500),
    ("A-1005", "paid", "stop", 1400, 1400),
    ("A-1006", "paid", "stop", 4200, 4200),
    ("A-1007", "refused", "stop", 0, 0),
    ("A-1008", "paid", "ship", 1800, 0),
];

pub(crate) fn check_day(dir: &Path) {
    let output = run(dir, &["orders", "list", "-o", "json"]);
    let rows: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let rows: BTreeMap<&str, &Value> = rows.iter().map(|row| (row["order"].as_str().unwrap(), row)).collect();
    for (order, state, fulfilment, captured, refunded) in DAY {
        let row = rows.get(order).unwrap_or_else(|| panic!("no order {order} in {rows:?}"));
        assert_eq!(
            (row["state"].as_str(), row["fulfilment"].as_str()),
            (Some(state), Some(fulfilment)),
            "{row}"
        );
        assert_eq!(row["money"]["captured_minor"], captured, "{row}");
        assert_eq!(row["money"]["refunded_minor"], refunded, "{row}");
    }
}

/// The commands of a document's blocks that are marked `sh`.
fn commands(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(binary::root().join(document)).unwrap();
    let mut inside = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.trim().is_empty() {
            commands.push(line.to_owned());
        }
    }
    commands
}

/// Runs the commands of these documents once each, as a reader would, beside a `dev` in this folder.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub(crate) fn run_commands(documents: &[&str], programs: &Path, dir: &Path, url: &str) {
    let path = std::env::var_os("PATH").unwrap();
    let programs =
        std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut seen = BTreeSet::new();
    for line in documents.iter().flat_map(|document| commands(document)) {
        if !seen.insert(line.clone()) {
            continue;
        }
        let line = line.replace("http://127.0.0.1:8080", url).replace("curl -s", "curl -sS --fail");
        let mut shell = binary::clean(Command::new("sh"), dir);
        let output = shell.args(["-c", &line]).env("PATH", &programs).output().unwrap();
        if line.starts_with("curl") && output.status.code() == Some(127) {
            println!("skipped: curl is not here (apt-get install curl)");
            continue;
        }
        assert!(output.status.success(), "{line}\n{}", said(&output));
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[test]
fn a_day_of_dev_settles_and_every_command_of_the_readme_works_beside_it() {
    let dir = TempDir::new();
    let dev = Dev::start(dir.path());
    check_day(dir.path());

    let unmatched = run(dir.path(), &["payments", "list", "--standing", "unmatched", "-o", "json"]);
    assert!(String::from_utf8_lossy(&unmatched.stdout).contains("B-4711"), "{}", said(&unmatched));

    let documents = ["README.md", "crates/counterfoil/docs/REFERENCE.md"];
    let url = dev.state["url"].as_str().unwrap();
    run_commands(&documents, binary::path().parent().unwrap(), dir.path(), url);

    every_verb_prints_json(dir.path());

    let tampered = run(dir.path(), &["trigger", "PAYMENT.CAPTURE.COMPLETED", "--tamper"]);
    assert!(tampered.status.success(), "{}", said(&tampered));
    assert!(String::from_utf8_lossy(&tampered.stdout).contains("401"), "{}", said(&tampered));

    let second = run(dir.path(), &["dev"]);
    assert_eq!(second.status.code(), Some(69), "two at a time: {}", said(&second));

    let text = dev.interrupt();
    assert!(text.contains("A-1001") && text.contains("trusted in this mode only"), "{text}");
    assert!(text.contains("\"stopped\""), "not stopped in order: {text}");
    let pid = dir.path().join(".counterfoil/pg/postmaster.pid");
    assert!(!pid.exists(), "the cluster still runs");

    // The data is used again.
    let again = run(dir.path(), &["dev", "--exit-after-day", "--listen", "127.0.0.1:0"]);
    assert!(again.status.success(), "{}", said(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains("A-1001"), "{}", said(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_that_dev_prints_signs_in_once() {
    let dir = TempDir::new();
    let mut dev = Dev::start(dir.path());
    let link = dev.link();
    let browser = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let other = browser.get(link.replace("/sign-in/", "/sign-in/0")).send().await.unwrap();
    assert_eq!((other.status().as_u16(), header(&other, "set-cookie")), (401, None));

    let followed = browser.get(&link).send().await.unwrap();
    assert_eq!(
        (followed.status().as_u16(), header(&followed, "location").as_deref()),
        (303, Some("/console"))
    );
    let cookie = header(&followed, "set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = |path: &str| browser.get(format!("{}{path}", dev.state["url"].as_str().unwrap()));
    let overview = page("/console").header("cookie", cookie).send().await.unwrap();
    assert_eq!(overview.status(), 200);
    assert!(
        overview.text().await.unwrap().contains("counterfoil dev"),
        "the holder of dev's key looks at it"
    );

    // Who is in may follow it again, and nobody else.
    let again = browser.get(&link).header("cookie", cookie).send().await.unwrap();
    assert_eq!(header(&again, "location").as_deref(), Some("/console"));
    let stranger = browser.get(&link).send().await.unwrap();
    assert_eq!((stranger.status().as_u16(), header(&stranger, "set-cookie")), (401, None));
    assert!(stranger.text().await.unwrap().contains("sign-in-error"));

    let text = dev.interrupt();
    let token = link.rsplit('/').next().unwrap();
    assert_eq!(text.matches(token).count(), 1, "it stands elsewhere too: {text}");
}

/// Beside a day of `dev`: what prints data prints it as a program wants it, and nothing else among it.
fn every_verb_prints_json(dir: &Path) {
    for line in [
        "shops list",
        "shops webhooks dev",
        "shops configure",
        "keys list dev",
        "keys log show",
        "orders list",
        "orders get A-1001",
        "stock list",
        "stock get mug-blue",
        "payments list",
        "refunds-due",
        "events",
        "events get 0-0",
        "dead-letters list",
        "feed",
        "consumers list",
        "sinks list",
        "projections list",
        "log status",
        "verify",
        "replay",
        "as-of 40 order A-1001",
        "rebuild stock --dry-run",
        "digest --dry-run",
        "legal-hold list",
        "prove 0",
        "doctor",
        "migrate --status",
        "postgres",
        "what-if --rules 2",
        "export --format csv --out json-export",
        "evidence --out json-evidence",
        "keys create dev --holder x --role feed",
        "trigger PAYMENT.CAPTURE.COMPLETED --order A-1001",
        "keys log create --file json-log.pem",
    ] {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["-o", "json"]);
        let output = run(dir, &arguments);
        let printed: Result<Value, _> = serde_json::from_slice(&output.stdout);
        assert!(printed.is_ok() && output.status.success(), "{line}\n{}", said(&output));
    }
    for line in ["orders list", "events", "doctor", "feed"] {
        let arguments: Vec<&str> = line.split(' ').chain(["-o", "ndjson"]).collect();
        let output = run(dir, &arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.starts_with('{')), "{line}\n{text}");
    }
    let piped = run(dir, &["orders", "list"]);
    let text = String::from_utf8(piped.stdout).unwrap();
    assert!(
        text.is_ascii() && !text.contains('\u{1b}') && !text.contains('|'),
        "lines or colours in a pipe:\n{text}"
    );
}

/// Without a public URL: what PayPal's sandbox lists is taken as it happens.
#[tokio::test(flavor = "multi_thread")]
async fn dev_takes_the_events_of_a_sandbox_that_it_polls() {
    let dir = TempDir::new();
    let paypal =
        PayPal::start(paypal_simulator::Authority::in_memory().unwrap(), 5, crate::ground::now).unwrap();
    let client = paypal.client();
    let credentials = serde_json::json!({
        "client_id": client.id, "client_secret": secrecy::ExposeSecret::expose_secret(&client.secret),
        "base_url": paypal.url(),
    });
    std::fs::write(dir.path().join("sandbox.json"), credentials.to_string()).unwrap();
    let dev = Dev::start_with(dir.path(), &["--poll", "sandbox.json"]);
    let amount = domain::Money::parse("12.00", "EUR").unwrap();
    let story = Story::new(&mut Ids::seeded(9), "POLLED-1", amount, crate::ground::now());
    paypal.happened(&story, EventKind::CaptureCompleted).unwrap();
    let polled = test_support::wait_until(Duration::from_secs(60), async || {
        let listed = run(dir.path(), &["payments", "list", "--standing", "unmatched", "-o", "json"]);
        String::from_utf8_lossy(&listed.stdout).contains(&story.capture)
    });
    assert!(polled.await, "what happened at the sandbox does not come");
    dev.interrupt();
}

#[test]
fn every_other_command_of_the_documents_is_known() {
    let dir = TempDir::new();
    let mut seen = 0;
    for document in ["README.md", "tests/README.md", "crates/README.md", "sql/README.md"] {
        for line in commands(document) {
            let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
            let output = match words.as_slice() {
                ["make", ..] => {
                    // By a shell, for a variable may have several words.
                    let dry = line.replacen("make", "make -n", 1);
                    Command::new("sh").args(["-c", &dry]).current_dir(binary::root()).output().unwrap()
                }
                ["counterfoil", rest @ ..] => {
                    // Help is given only when everything before it can be read.
                    let mut arguments: Vec<&str> =
                        rest.iter().map(|word| word.trim_matches(['\'', '"'])).collect();
                    arguments.push("--help");
                    run(dir.path(), &arguments)
                }
                _ => continue,
            };
            assert!(output.status.success(), "{document}: {line}\n{}", said(&output));
            seen += 1;
        }
    }
    assert!(seen > 5);
}

#[test]
#[ignore = "needs root, and setpriv of util-linux: make test-all"]
fn dev_works_for_a_normal_user() {
    const NOBODY: u32 = 65534;
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if !root || !setpriv {
        // Whoever is not root has been a normal user all along.
        assert!(!root || std::env::var_os("CI").is_none(), "setpriv is missing: apt-get install util-linux");
        println!("skipped: needs root and setpriv (apt-get install util-linux)");
        return;
    }
    let dir = TempDir::new();
    let program = dir.path().join("counterfoil");
    std::fs::copy(binary::path(), &program).unwrap();
    std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let output = binary::clean(Command::new("setpriv"), dir.path())
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["dev", "--exit-after-day", "--listen", "127.0.0.1:0"])
        .env("HOME", dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("A-1001"), "{}", said(&output));
}
