//! Traces: one tree from PayPal's callback to the sink, as a collector of OpenTelemetry gets it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use access::Role;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use paypal_simulator::sign;
use prost::Message as _;
use serde_json::{Value, json};
use test_support::{TestDatabase, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::binary;
use crate::ground::{Ground, SHOP, WEBHOOK_ID, client, now};
use crate::program::free_addresses;
use crate::served::captured_body;

const DEADLINE: Duration = Duration::from_secs(60);
/// What PayPal's side, or a proxy before us, has begun.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OUTSIDE: &str = "00f067aa0ba902b7";

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
fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<&Span> =
        spans.iter().filter(|span| span.name == name && id(&span.trace_id) == TRACE).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]
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
    let told = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address)),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        // What nobody outside has begun is not recorded.
        ("OTEL_TRACES_SAMPLER", "parentbased_always_off".to_owned()),
    ];
    let decides = ground.serve_told(binary::path(), "decides", addresses[0], &told).await;
    let key = ground.key_of(Role::Operator).await;
    let sink = json!({
        "name": "mail", "kind": "webhook",
        "target": { "url": format!("http://{}/hook", endpoint.address), "allow_private": true },
        "secrets": { "signing_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    });
    let sinks = format!("http://{}/v1/sinks", addresses[0]);
    let made = client(Duration::from_secs(10)).post(sinks).bearer_auth(key).json(&sink).send().await.unwrap();
    assert_eq!(made.status().as_u16(), 201, "{}", made.text().await.unwrap());
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
    let (request, append) = (one(&spans, "request"), one(&spans, "append"));
    let (decide, deliver) = (one(&spans, "decide"), one(&spans, "deliver"));
    assert_eq!(id(&request.parent_span_id), OUTSIDE);
    assert_eq!(id(&append.parent_span_id), id(&request.span_id));
    assert_eq!(id(&decide.parent_span_id), id(&append.span_id));
    assert_eq!(id(&deliver.parent_span_id), id(&decide.span_id));
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
