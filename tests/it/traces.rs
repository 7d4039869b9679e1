//! Traces: one tree from a callback, a command or a timer to the sink, as a collector of OpenTelemetry gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use access::Role;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use paypal_simulator::sign;
use prost::Message as _;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use test_support::{TestDatabase, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use trace_context::TraceParent;

use crate::binary;
use crate::ground::{Ground, SHOP, WEBHOOK_ID, client, now};
use crate::program::free_addresses;
use crate::served::captured_body;

const DEADLINE: Duration = Duration::from_secs(60);
/// What a shop, PayPal's side, or a proxy before us, has begun.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OUTSIDE: &str = "00f067aa0ba902b7";
const BATCH: &str = "5bf92f3577b34da6a3ce929d0e0e4736";
/// One that its caller does not record.
const QUIET: &str = "6bf92f3577b34da6a3ce929d0e0e4736";

/// A request: its path, its headers in lower case, its body.
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Takes whatever comes and answers 200.
struct Taker {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Request>>>,
}

impl Taker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, taken) = (listener.local_addr().unwrap(), Arc::new(Mutex::default()));
        let kept = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { while_open(stream, &kept).await });
            }
        });
        Self { address, taken }
    }

    fn with<T>(&self, look: impl Fn(&Request) -> T) -> Vec<T> {
        self.taken.lock().unwrap().iter().map(look).collect()
    }
}

async fn while_open(mut stream: TcpStream, taken: &Mutex<Vec<Request>>) {
    let mut bytes = Vec::new();
    loop {
        let Some(request) = read(&mut stream, &mut bytes).await else { return };
        taken.lock().unwrap().push(request);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Request> {
    loop {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let mut lines = text.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= head + 4 + length {
                let body = bytes[head + 4..head + 4 + length].to_vec();
                bytes.drain(..head + 4 + length);
                return Some(Request { path, headers, body });
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Every span that a collector has got.
fn spans(collector: &Taker) -> Vec<Span> {
    let bodies = collector.with(|request| {
        assert_eq!(request.path, "/v1/traces");
        request.body.clone()
    });
    let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
    let of_scopes = requests.flat_map(|request| request.resource_spans).flat_map(|of| of.scope_spans);
    of_scopes.flat_map(|scope| scope.spans).collect()
}

fn id(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The one span of this name in the trace.
fn one<'a>(spans: &'a [Span], trace: &str, name: &str) -> &'a Span {
    let found: Vec<&Span> =
        spans.iter().filter(|span| span.name == name && id(&span.trace_id) == trace).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]
}

/// Sees that from each of these spans of a trace the next one follows; the first one follows from this.
fn assert_chain(spans: &[Span], trace: &str, parent: &str, names: &[&str]) {
    let mut parent = parent.to_owned();
    for name in names {
        let span = one(spans, trace, name);
        assert_eq!(id(&span.parent_span_id), parent, "{name}");
        parent = id(&span.span_id);
    }
    let all = spans.iter().filter(|span| id(&span.trace_id) == trace).count();
    assert_eq!(all, names.len(), "{spans:?}");
}

/// Where traces go, and which of them.
fn traced(collector: &Taker, sampler: &str) -> [(&'static str, String); 3] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address)),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ("OTEL_TRACES_SAMPLER", sampler.to_owned()),
    ]
}

/// Has everything that is decided sent there.
async fn hook(ground: &Ground, address: SocketAddr, endpoint: &Taker) {
    let key = ground.key_of(Role::Operator).await;
    let sink = json!({
        "name": "mail", "kind": "webhook",
        "target": { "url": format!("http://{}/hook", endpoint.address), "allow_private": true },
        "secrets": { "signing_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    });
    let sinks = format!("http://{address}/v1/sinks");
    let made = client(Duration::from_secs(10)).post(sinks).bearer_auth(key).json(&sink).send().await.unwrap();
    assert_eq!(made.status().as_u16(), 201, "{}", made.text().await.unwrap());
}

async fn callback(ground: &Ground, address: SocketAddr, order: &str, traceparent: Option<String>) {
    let body = captured_body(order, "10.00");
    let mut request =
        client(Duration::from_secs(10)).post(format!("http://{address}/webhooks/paypal/{SHOP}"));
    for (name, value) in sign(&ground.authority, WEBHOOK_ID, &body, now()) {
        request = request.header(name, value);
    }
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    assert_eq!(request.body(body).send().await.unwrap().status().as_u16(), 200);
}

/// Two processes: one takes the callback, the other decides and delivers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_from_callback_to_sink_is_one_tree_across_processes() {
    let ground = Ground::prepare(TestDatabase::create().await).await;
    let (collector, endpoint, addresses) = (Taker::start().await, Taker::start().await, free_addresses(2));
    // What nobody outside has begun is not recorded.
    let told = traced(&collector, "parentbased_always_off");
    let decides = ground.serve_told(binary::path(), "decides", addresses[0], &told).await;
    hook(&ground, addresses[0], &endpoint).await;
    let mut takes = ground.spawn_told(binary::path(), "takes", addresses[1], &told);
    takes.is_ready().await;

    // The relay's leader is the one that was there first.
    callback(&ground, addresses[1], "5001", None).await;
    callback(&ground, addresses[1], "5002", Some(format!("00-{TRACE}-{OUTSIDE}-01"))).await;
    callback(&ground, addresses[1], "5003", Some(format!("00-{TRACE}-{OUTSIDE}-00"))).await;
    let arrived = wait_until(DEADLINE, async || {
        endpoint.with(|request| request.path.clone()).len() >= 3 && {
            let names: Vec<String> = spans(&collector).into_iter().map(|span| span.name).collect();
            ["request", "append", "decide", "deliver"]
                .iter()
                .all(|name| names.iter().any(|seen| seen == name))
        }
    });
    assert!(arrived.await, "{:?}", spans(&collector));

    let spans = spans(&collector);
    assert_chain(&spans, TRACE, OUTSIDE, &["request", "append", "decide", "deliver"]);
    let (decide, deliver) = (one(&spans, TRACE, "decide"), one(&spans, TRACE, "deliver"));
    assert_eq!(spans.len(), 4, "nothing else is recorded: {spans:?}");

    // The endpoint is told where to go on, in its header; and in the event of which trace it is, the same each time.
    let told = endpoint.with(|request| {
        let event: Value = serde_json::from_slice(&request.body).unwrap();
        (request.headers.get("traceparent").cloned(), event["traceparent"].as_str().map(str::to_owned))
    });
    let hop = format!("00-{TRACE}-{}-01", id(&deliver.span_id));
    let kept = format!("00-{TRACE}-{}-01", id(&decide.span_id));
    let mut expected = vec![(None, None), (Some(hop), Some(kept)), (None, None)];
    let mut told = told;
    expected.sort();
    told.sort();
    assert_eq!(told, expected);

    // Untraced events have nothing in the column.
    let database = ground.test.database();
    let rows = database.client().await.unwrap();
    let query = "SELECT count(*) FILTER (WHERE traceparent IS NOT NULL), count(*) FROM counterfoil.events WHERE kind <> 'note'";
    let row = rows.raw().query_one(query, &[]).await.unwrap();
    let (traced, all): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((traced, all), (2, 6), "a fact and its outcome");
    drop(rows);
    assert_eq!(takes.terminate().await, Some(0));
    assert_eq!(decides.terminate().await, Some(0));
}

/// What a command is asked with, and what a shop began around it.
async fn command(
    ground: &Ground,
    address: SocketAddr,
    path: &str,
    body: &str,
    traceparents: &[&[u8]],
) -> reqwest::Response {
    let url = format!("http://{address}/v1/{path}");
    let mut request = client(Duration::from_secs(10)).post(url).bearer_auth(&ground.key);
    for traceparent in traceparents {
        request = request.header("traceparent", HeaderValue::from_bytes(traceparent).unwrap());
    }
    request.header("content-type", "application/json").body(body.to_owned()).send().await.unwrap()
}

async fn place(ground: &Ground, address: SocketAddr, order: &str, traceparents: &[&[u8]]) {
    let placement = json!({
        "order": order, "currency": "USD", "total_minor": 1000, "hold_s": 1,
        "lines": [{ "sku": "tea", "qty": 1, "unit_minor": 1000 }],
    });
    let answer = command(ground, address, "orders", &placement.to_string(), traceparents).await;
    assert_eq!(answer.status().as_u16(), 202, "{}", answer.text().await.unwrap());
}

/// The traces that are kept beside the facts of this type and key.
async fn kept(ground: &Ground, type_name: &str, key: &str) -> Vec<Option<String>> {
    let database = ground.test.database();
    let query = "SELECT traceparent FROM counterfoil.events WHERE kind = 'fact' AND type = $1 AND key = $2";
    let rows = database.client().await.unwrap().raw().query(query, &[&type_name, &key]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What the endpoint was told of an order's placement.
fn placed(endpoint: &Taker, order: &str) -> Option<Value> {
    let events = endpoint.with(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    let subject = format!("order:{order}");
    events.into_iter().find(|event| event["type"] == "order.placed" && event["subject"] == subject)
}

/// The trace of the one fact of this type and key.
async fn trace_of(ground: &Ground, type_name: &str, key: &str) -> String {
    let kept = kept(ground, type_name, key).await;
    let [Some(kept)] = kept.as_slice() else { panic!("{type_name} of {key}: {kept:?}") };
    kept.parse::<TraceParent>().unwrap().trace()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_goes_on_with_its_callers_trace_and_without_one_begins_its_own_as_timers_do() {
    let ground = Ground::prepare(TestDatabase::create().await).await;
    let (collector, endpoint) = (Taker::start().await, Taker::start().await);
    let address = free_addresses(1)[0];
    let told = traced(&collector, "parentbased_always_on");
    let serving = ground.serve_told(binary::path(), "serve", address, &told).await;
    ground.stock(address).await;
    hook(&ground, address, &endpoint).await;

    place(&ground, address, "6001", &[format!("00-{TRACE}-{OUTSIDE}-01").as_bytes()]).await;
    place(&ground, address, "6002", &[]).await;
    place(&ground, address, "6003", &[format!("00-{QUIET}-{OUTSIDE}-00").as_bytes()]).await;
    let lines: String = (0..2)
        .map(|n| format!("{{\"op\": \"receive\", \"sku\": \"pot\", \"id\": \"p{n}\", \"qty\": 1}}\n"))
        .collect();
    let parent = format!("00-{BATCH}-{OUTSIDE}-01");
    let answer = command(&ground, address, "stock:batch", &lines, &[parent.as_bytes()]).await;
    assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());

    // Nobody pays: a timer ends the holds.
    let has_expired =
        async |order: &str| !kept(&ground, "order.expired", &format!("order:{order}")).await.is_empty();
    let expired = wait_until(DEADLINE, async || {
        has_expired("6001").await && has_expired("6002").await && has_expired("6003").await
    });
    assert!(expired.await);
    let own = trace_of(&ground, "order.placed", "order:6002").await;
    let timers = trace_of(&ground, "order.expired", "order:6002").await;
    let arrived = wait_until(DEADLINE, async || {
        let spans = spans(&collector);
        let of = |trace: &str| spans.iter().filter(|span| id(&span.trace_id) == trace).count();
        let is_traced = of(TRACE) >= 4 && of(&own) >= 4 && of(&timers) >= 3 && of(BATCH) >= 7;
        is_traced && placed(&endpoint, "6003").is_some()
    });
    assert!(arrived.await, "{:?}", spans(&collector));

    let spans = spans(&collector);
    let whole = ["request", "append", "decide", "deliver"];
    assert_chain(&spans, TRACE, OUTSIDE, &whole);
    assert_chain(&spans, &own, "", &whole);
    assert_chain(&spans, &timers, "", &whole[1..]);
    assert_eq!(BTreeSet::from([TRACE, &own, &timers]).len(), 3, "each has its own");
    // Each line is appended for itself, of the one request.
    let request = one(&spans, BATCH, "request");
    let appends: Vec<&Span> =
        spans.iter().filter(|span| span.name == "append" && id(&span.trace_id) == BATCH).collect();
    assert_eq!(appends.len(), 2);
    assert!(appends.iter().all(|append| append.parent_span_id == request.span_id), "{appends:?}");

    // Of what its caller does not record nothing is recorded or kept.
    assert_eq!(kept(&ground, "order.placed", "order:6003").await, [None]);
    assert!(spans.iter().all(|span| id(&span.trace_id) != QUIET), "{spans:?}");
    assert_eq!(placed(&endpoint, "6003").unwrap().get("traceparent"), None);
    let decide = one(&spans, TRACE, "decide");
    let told = format!("00-{TRACE}-{}-01", id(&decide.span_id));
    assert_eq!(placed(&endpoint, "6001").unwrap()["traceparent"], told);
    assert_eq!(serving.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_traceparent_is_passed_over_and_its_command_taken() {
    let ground = Ground::prepare(TestDatabase::create().await).await;
    let collector = Taker::start().await;
    let address = free_addresses(1)[0];
    let told = traced(&collector, "parentbased_always_on");
    let serving = ground.serve_told(binary::path(), "serve", address, &told).await;

    let right = format!("00-{TRACE}-{OUTSIDE}-01");
    // Whichever character is another.
    let wrong = (0..right.len()).map(|at| {
        let mut bytes = right.clone().into_bytes();
        bytes[at] = if at % 2 == 0 { b'g' } else { b'_' };
        vec![bytes]
    });
    let zeros = "0".repeat(32);
    let strange: [Vec<Vec<u8>>; 8] = [
        vec![b"".into()],
        vec![right[..54].into()],
        vec![format!("{right}-more").into()],
        vec![right.to_uppercase().into()],
        vec![right.replace(TRACE, &zeros).into()],
        vec!["é".repeat(27).into()],
        vec!["0".repeat(4000).into()],
        // Which of two would it be?
        vec![right.clone().into(), right.clone().into()],
    ];
    let all: Vec<Vec<Vec<u8>>> = wrong.chain(strange).collect();
    for (n, traceparents) in all.iter().enumerate() {
        let headers: Vec<&[u8]> = traceparents.iter().map(Vec::as_slice).collect();
        let body = format!("{{\"id\": \"n{n}\", \"qty\": 1}}");
        let answer = command(&ground, address, "stock/tea/receive", &body, &headers).await;
        assert_eq!(answer.status().as_u16(), 202, "{traceparents:?}");
    }
    let kept = kept(&ground, "stock.received", "sku:tea").await;
    let traces: BTreeSet<String> =
        kept.iter().flatten().map(|kept| kept.parse::<TraceParent>().unwrap().trace()).collect();
    assert_eq!(traces.len(), all.len(), "each begins its own: {kept:?}");
    assert!(!traces.contains(TRACE), "{kept:?}");
    assert_eq!(serving.terminate().await, Some(0));
}
