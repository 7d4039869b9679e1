//! The verbs of what goes downstream, as a person uses them beside a running service.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use http_api::Limits;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::binary::{self, TempDir, said};
use crate::served::Served;

struct Person<'a> {
    served: &'a Served,
    dir: TempDir,
}

impl Person<'_> {
    fn command(&self, line: &str) -> Command {
        let mut command = binary::command(self.dir.path());
        command.args(line.split_whitespace()).current_dir(self.dir.path());
        command.env("COUNTERFOIL_URL", self.served.url("")).env("COUNTERFOIL_KEY", &self.served.operator_key);
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn does(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}\n{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn shows(&self, line: &str) -> Value {
        serde_json::from_str(&self.does(&format!("{line} -o json"))).unwrap()
    }

    fn fails(&self, line: &str, code: i32, says: &str) {
        let output = self.run(line);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{line}\n{text}");
        assert!(text.contains(says), "{line}: {text}");
    }
}

async fn receive(served: &Served, id: &str) {
    let body = json!({ "id": id, "qty": 1 });
    let (status, answer) = served.post("/v1/stock/tea/receive", &served.shop_key, &body).await;
    assert!((200..300).contains(&status), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sinks_consumers_and_the_feed_are_run_from_the_command_line() {
    let served = Served::start(Limits::default()).await;
    let person = Person { served: &served, dir: TempDir::new() };
    for n in 0..3 {
        receive(&served, &format!("r-{n}")).await;
    }
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    std::fs::write(person.dir.path().join("hook.key"), format!("{key}\n")).unwrap();

    let create = "sinks create mail --kind webhook --secret signing_key=hook.key --set url=";
    let made = person.shows(&format!("{create}https://mail.example/hook --types stock.* --from start"));
    assert_eq!((&made["state"], &made["secrets"]), (&json!("running"), &json!(["signing_key"])));
    assert!(!made.to_string().contains("MfKQ9r8G"), "nobody sees a secret: {made}");
    person.fails(&format!("{create}https://mail.example/hook"), 1, "PUT changes it");
    person.fails(
        "sinks create other --kind webhook --secret signing_key=hook.key --set url=ftp://x",
        1,
        "url",
    );
    person.fails("sinks create other --kind smtp", 1, "smtp");
    person.fails("sinks create other --kind webhook --secret signing_key=nowhere", 78, "nowhere");
    assert!(person.does("sinks list").contains("mail"));
    let paused = person.does("sinks pause mail --reason moving");
    assert!(paused.contains("paused by") && paused.contains("moving"), "{paused}");
    assert_eq!(person.shows("sinks resume mail")["state"], "running");
    let reset = person.shows("sinks reset mail --to end --reason moved");
    assert_eq!(reset["lag_events"], 1, "the note of it");
    person.fails("sinks reset mail --to 0-999", 1, "0-9");
    assert_eq!(person.shows("sinks redrive mail --dry-run")["redriven"], 0);
    assert_eq!(person.shows("sinks undelivered mail"), json!([]));
    assert_eq!(person.shows("sinks check mail")["ok"], true);
    person.fails("sinks show nothing", 1, "No sink has this name");

    assert_eq!(person.shows("feed --types stock.received").as_array().unwrap().len(), 3);
    assert_eq!(person.does("feed --consumer shipping -o ndjson").lines().count(), 3);
    assert_eq!(
        person.does("feed --consumer shipping -o ndjson").lines().count(),
        0,
        "it goes on where it was"
    );
    assert_eq!(person.shows("consumers list")[0]["lag_events"], 0);
    // Three facts with their outcomes, and what was done to the sink and here.
    assert_eq!(person.shows("consumers reset shipping --to start")["lag_events"], 6 + 5);
    assert!(person.shows("consumers lose shipping")["lost_at"].is_string());
    let metrics = served.metrics().await;
    for line in [
        "counterfoil_reader_lag_events{shop=\"demo\",kind=\"consumer\",name=\"shipping\"} 12",
        "counterfoil_reader_well{shop=\"demo\",kind=\"consumer\",name=\"shipping\"} 0",
        "counterfoil_reader_well{shop=\"demo\",kind=\"webhook\",name=\"mail\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    person.fails("feed --after 7-3", 1, "Go on after 0-start");
    person.does("consumers delete shipping");
    person.does("sinks delete mail");
    assert_eq!(person.shows("sinks list"), json!([]));
    served.stop().await;
}

/// Answers each request with 204, and tells its body.
async fn endpoint() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, bodies) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let told = told.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
                    if serde_json::from_str::<Value>(body).is_err() {
                        continue;
                    }
                    let _ = told.send(body.to_owned());
                    request.clear();
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                }
            });
        }
    });
    (address, bodies)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listen_sends_what_happens_to_an_endpoint_and_says_so_line_by_line() {
    let served = Served::start(Limits::default()).await;
    let person = Person { served: &served, dir: TempDir::new() };
    receive(&served, "before").await;
    let (address, mut bodies) = endpoint().await;
    let mut command = person.command(&format!("listen --forward-to http://{address}/hook"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let begun = errors.lines().next().unwrap().unwrap();
    assert!(begun.contains("forwarding what follows 0-1"), "{begun}");
    receive(&served, "after").await;
    let body = tokio::time::timeout(Duration::from_secs(20), bodies.recv()).await.unwrap().unwrap();
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&event["type"], &event["sequence"]),
        (&json!("stock.received"), &json!(format!("{:020}", 3)))
    );
    let (tell, told) = mpsc::channel();
    let output = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)))
    });
    let line = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(line.starts_with("204") && line.contains(event["id"].as_str().unwrap()), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
    served.stop().await;
}
