//! What the documents say is so: their links, commands and snippets, and the translation.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use access::Role;
use actix_web::{App, HttpResponse, HttpServer, web};
use http_api::Limits;
use serde_json::{Value, json};

use crate::binary::{self, TempDir, said};
use crate::served::Served;

const README: &str = "README.md";
const TRANSLATED: &str = "crates/counterfoil/docs/README.zh-CN.md";
const INTEGRATING: &str = "crates/counterfoil/docs/INTEGRATING.md";

fn read(document: &str) -> String {
    std::fs::read_to_string(binary::root().join(document)).unwrap()
}

/// README.md, and all of `docs/`.
fn documents() -> Vec<String> {
    let docs = "crates/counterfoil/docs";
    let names = std::fs::read_dir(binary::root().join(docs)).unwrap();
    let names = names.map(|entry| format!("{docs}/{}", entry.unwrap().file_name().into_string().unwrap()));
    let mut documents: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    documents.push(README.to_owned());
    documents.sort();
    documents
}

/// The blocks of a document: the word behind their fence, and their text.
pub(crate) fn blocks(text: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in text.lines() {
        // Blocks of a list are indented.
        if let Some(word) = line.trim_start().strip_prefix("```") {
            open = !open;
            if open {
                blocks.push((word.to_owned(), String::new()));
            }
        } else if open {
            let block = &mut blocks.last_mut().unwrap().1;
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// The text outside of blocks.
fn prose(text: &str) -> String {
    let mut open = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            open = !open;
        } else if !open {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The links of a document, with their labels.
fn links(text: &str) -> Vec<(String, String)> {
    let prose = prose(text);
    let ends = prose.match_indices("](");
    let link = |(at, _): (usize, &str)| {
        let label = prose[..at].rfind('[').map(|start| prose[start + 1..at].to_owned())?;
        let target = &prose[at + 2..];
        Some((label, target[..target.find(')')?].to_owned()))
    };
    ends.filter_map(link).collect()
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn headings(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents() {
        let text = read(&document);
        let folder = binary::root().join(&document).parent().unwrap().to_owned();
        for (label, target) in links(&text).into_iter().filter(|(_, target)| !target.contains("://")) {
            let (path, place) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { binary::root().join(&document) } else { folder.join(path) };
            let there = file.is_dir()
                || std::fs::read_to_string(&file).is_ok_and(|text| {
                    let is_test = label.starts_with('`') && path.ends_with(".rs");
                    let has_test = text.contains(&format!("fn {}(", label.trim_matches('`')));
                    let has_place = headings(&text)
                        .iter()
                        .any(|line| anchor(line.trim_start_matches(['#', ' '])) == place);
                    (!is_test || has_test) && (place.is_empty() || has_place)
                });
            if !there {
                wrong.push(format!("{document}: [{label}]({target})"));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 40, "only {seen} links were found");
}

/// The lines of a block that a shell would run, put together where they are continued, without what is said beside them.
pub(crate) fn lines(block: &str) -> Vec<String> {
    let whole = block.replace("\\\n", " ");
    let lines = whole.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Help is given only when everything before it can be read; a shell reads quotes and redirections as a reader's does.
fn asked_for_help(dir: &Path, line: &str) -> Output {
    let programs = [binary::path().parent().unwrap().to_owned()];
    let path = std::env::var_os("PATH").unwrap();
    let programs = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = binary::clean(Command::new("sh"), dir);
    shell.args(["-c", &format!("{line} --help")]).env("PATH", programs).output().unwrap()
}

#[test]
fn every_command_of_every_document_is_known_with_its_arguments() {
    let dir = TempDir::new();
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for document in documents() {
        let text = read(&document);
        let blocks = blocks(&text).into_iter().filter(|(word, _)| word == "text" || word == "sh");
        let prose = prose(&text).replace('\n', " ");
        // What is left out as `..` is nothing that could be read.
        let inline =
            prose.split('`').skip(1).step_by(2).filter(|code| !code.contains("..")).map(str::to_owned);
        for line in blocks.flat_map(|(_, block)| lines(&block)).chain(inline) {
            if !line.starts_with("counterfoil ") || !seen.insert(line.clone()) {
                continue;
            }
            let output = asked_for_help(dir.path(), &line);
            if !output.status.success() {
                wrong.push(format!("{document}: {line}\n{}", said(&output)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 100, "only {} were found", seen.len());
}

/// The languages of the examples: the word behind a fence, and the file.
const SHOPS: [(&str, &str); 3] = [("python", "shop.py"), ("js", "shop.mjs"), ("go", "shop.go")];

fn example(file: &str) -> PathBuf {
    binary::root().join("crates/counterfoil/examples/shop").join(file)
}

#[test]
fn what_a_document_shows_of_an_example_is_its_very_text() {
    let blocks = blocks(&read(INTEGRATING));
    for (language, file) in SHOPS {
        let text = std::fs::read_to_string(example(file)).unwrap();
        let shown: Vec<&String> =
            blocks.iter().filter(|(word, _)| word == language).map(|(_, block)| block).collect();
        assert_eq!(shown.len(), 3, "{file}: the order, the placement, the feed");
        for block in shown {
            assert!(text.contains(block.as_str()), "{file} has no\n{block}");
        }
    }
}

/// What a shop asks PayPal for.
type Asked = Arc<Mutex<Vec<Value>>>;

/// As much of PayPal as a shop needs: tokens, orders, captures.
fn paypal() -> (String, Asked) {
    let asked = Asked::default();
    let data = web::Data::new(Arc::clone(&asked));
    let token = || async { HttpResponse::Ok().json(json!({"access_token": "a-token"})) };
    let capture = || async { HttpResponse::Created().json(json!({"status": "COMPLETED"})) };
    let app = move || {
        let app = App::new().app_data(data.clone()).route("/v1/oauth2/token", web::post().to(token));
        let app = app.route("/v2/checkout/orders", web::post().to(create));
        app.route("/v2/checkout/orders/{id}/capture", web::post().to(capture))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    (format!("http://{address}"), asked)
}

async fn create(body: web::Json<Value>, asked: web::Data<Asked>) -> HttpResponse {
    let mut asked = asked.lock().unwrap();
    asked.push(body.into_inner());
    let links = json!([{"rel": "approve", "href": "https://paypal.example/pay"}]);
    HttpResponse::Created().json(
        json!({"id": format!("5O190127TN36471{:02}", asked.len()), "status": "CREATED", "links": links}),
    )
}

/// What runs an example, where the language is here.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn runner(file: &str) -> Option<Command> {
    let (program, version, before): (_, _, &[&str]) = match Path::new(file).extension()?.to_str()? {
        "py" => ("python3", "--version", &[]),
        "mjs" => ("node", "--version", &[]),
        _ => ("go", "version", &["run"]),
    };
    if !Command::new(program).arg(version).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no {program} for {file} (apt-get install python3 nodejs golang)");
        return None;
    }
    let mut command = Command::new(program);
    command.args(before).arg(example(file));
    Some(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_of_each_language_sells_captures_and_ships_once() {
    let served = Served::start(Limits::default()).await;
    let key = served.key_with(Role::ALL).await;
    let (paypal, asked) = paypal();
    let (status, _) = served.post("/v1/stock/tea/receive", &key, &json!({"id": "first", "qty": 6})).await;
    assert_eq!(status, 200);
    for (n, (_, file)) in SHOPS.into_iter().enumerate() {
        let dir = TempDir::new();
        let run = async |arguments: &[&str]| {
            let mut command = runner(file)?;
            let environment = [
                ("PAYPAL_URL", paypal.as_str()),
                ("PAYPAL_CLIENT_ID", "an-app"),
                ("PAYPAL_SECRET", "a-secret"),
                ("COUNTERFOIL_URL", &format!("http://{}", served.address)),
                ("COUNTERFOIL_KEY", &key),
            ];
            command.args(arguments).current_dir(dir.path()).envs(environment);
            let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            assert!(output.status.success(), "{file} {arguments:?}: {}", said(&output));
            Some(String::from_utf8(output.stdout).unwrap())
        };
        let order = format!("W-{n}");
        let Some(link) = run(&["buy", &order]).await else { continue };
        assert_eq!(link, "https://paypal.example/pay\n");
        let created = asked.lock().unwrap().last().cloned().unwrap();
        let unit = &created["purchase_units"][0];
        assert_eq!((&unit["custom_id"], &unit["invoice_id"]), (&json!(order), &json!(order)));
        assert_eq!(unit["amount"], json!({"currency_code": "USD", "value": "20.00"}));
        assert!(run(&["ship"]).await.unwrap().contains(&format!("{order} wait\n")));
        assert_eq!(run(&["capture", "5O190127TN3647101"]).await.unwrap(), "COMPLETED\n");

        let body = served.captured(&order, "20.00");
        for _ in 0..2 {
            let headers = served.sign(&body);
            let answer = served.callback(crate::served::SHOP, &headers, body.clone()).await;
            assert_eq!(answer.status().as_u16(), 200);
        }
        served.settled().await;
        assert_eq!(run(&["ship"]).await.unwrap(), format!("{order} ship\n"), "{file}");
        assert_eq!(run(&["ship"]).await.unwrap(), "", "{file}: nothing is done twice");
    }
    served.stop().await;
}

/// A line's place in the outline of a document.
fn depth(heading: &str) -> usize {
    heading.bytes().take_while(|byte| *byte == b'#').count()
}

/// Where a link leads, whichever folder it is written in.
fn targets(document: &str) -> Vec<PathBuf> {
    let folder = binary::root().join(document).parent().unwrap().to_owned();
    let mut targets: Vec<PathBuf> = links(&read(document))
        .into_iter()
        .map(|(_, target)| match target.contains("://") {
            true => PathBuf::from(target),
            false => folder.join(target).canonicalize().unwrap(),
        })
        // Each names the other.
        .filter(|target| !target.ends_with("README.zh-CN.md") && *target != binary::root().join(README))
        .collect();
    targets.sort();
    targets
}

#[test]
fn the_translation_has_the_headings_commands_and_links_of_the_readme() {
    let (original, translated) = (read(README), read(TRANSLATED));
    let outline = |text: &str| headings(text).iter().map(|line| depth(line)).collect::<Vec<_>>();
    assert_eq!(outline(&original), outline(&translated));
    let commands = |text: &str| {
        let blocks =
            blocks(text).into_iter().filter(|(word, block)| word != "text" || !block.contains("+--"));
        blocks.flat_map(|(_, block)| lines(&block)).collect::<Vec<_>>()
    };
    assert_eq!(commands(&original), commands(&translated));
    assert_eq!(targets(README), targets(TRANSLATED));
    let quoted = |text: &str| -> BTreeSet<String> {
        let prose = prose(text).replace('\n', " ");
        prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    assert_eq!(quoted(&original), quoted(&translated), "what stands in code type");
    assert_eq!(original.matches("\n| ").count(), translated.matches("\n| ").count(), "rows of tables");
}
