//! The sink to NATS JetStream, with a real server.

use std::process::Command;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use serde_json::{Value, json};
use test_support::brokers::{Login, Nats};
use test_support::foreign;

use crate::binary;
use crate::sink_ground::{Got, NAME, SinkGround};

const LOGIN: Login = Login { user: "shop", password: "sesame123" };

fn target(nats: &Nats) -> Value {
    json!({"servers": format!("nats://{}", nats.address())})
}

/// A plain client of the same server.
async fn jetstream(nats: &Nats) -> jetstream::Context {
    let Login { user, password } = LOGIN;
    // A server that lets in everybody does not ask who it is.
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    jetstream::new(options.connect(nats.address()).await.unwrap())
}

fn outbox_stream() -> stream::Config {
    let subjects = vec!["outbox.>".to_owned()];
    stream::Config { name: "OUTBOX".to_owned(), subjects, ..Default::default() }
}

async fn add_stream(nats: &Nats) {
    jetstream(nats).await.create_stream(outbox_stream()).await.unwrap();
}

/// Everything that the stream has.
async fn got(nats: &Nats) -> Vec<Got> {
    let stream = jetstream(nats).await.get_stream("OUTBOX").await.unwrap();
    let state = &stream.cached_info().state;
    let mut got = Vec::new();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let header = |name: &str| header(&message.headers, name);
        let (id, key) = (header("ce-id"), header("ce-subject"));
        assert_eq!(header("Nats-Msg-Id"), id);
        let sku = key.strip_prefix("sku:").unwrap().replace('.', "%2E");
        assert_eq!(message.subject.as_str(), format!("outbox.stock.received.{sku}"));
        got.push(Got { id, key, payload: message.payload.to_vec() });
    }
    got
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).unwrap().as_str().to_owned()
}

async fn count(nats: &Nats) -> u64 {
    jetstream(nats).await.get_stream("OUTBOX").await.unwrap().cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server: make test-all"]
async fn nats_gets_every_event_once_though_it_is_killed_in_the_middle() {
    let Some(mut nats) = Nats::start_for(Some(LOGIN)).await else { return };
    add_stream(&nats).await;
    let ground = SinkGround::create().await;
    let mut target = target(&nats);
    target["username"] = json!(LOGIN.user);
    ground.begin("nats", target, json!({"password": LOGIN.password})).await;
    tokio::join!(ground.receive(20, 200), async {
        ground.until("under way", |sink| sink.cursor.position.0 > 1_000).await;
        nats.kill();
    });
    ground.until("failing", |sink| sink.failing_since.is_some()).await;
    nats.restart().await;
    ground.until_all_is_delivered().await;
    let got = got(&nats).await;
    ground.assert_got_all(&got).await;
    assert_eq!(got.len(), 4_000, "what was published again is known by its id");
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server: make test-all"]
async fn given_no_stream_when_an_operator_makes_it_then_the_nats_sink_goes_on_by_itself() {
    let Some(nats) = Nats::start().await else { return };
    let ground = SinkGround::create().await;
    ground.receive(3, 5).await;
    ground.begin("nats", target(&nats), json!({})).await;
    ground.until_it_says("nats stream add OUTBOX --subjects 'outbox.>'").await;
    let short = stream::Config { duplicate_window: Duration::from_secs(10), ..outbox_stream() };
    let client = jetstream(&nats).await;
    client.create_stream(short).await.unwrap();
    ground.until_it_says("nats stream edit OUTBOX --dupe-window 2m").await;
    assert_eq!(count(&nats).await, 0);
    let orders = stream::Config { subjects: vec!["orders.>".to_owned()], ..outbox_stream() };
    client.update_stream(orders).await.unwrap();
    ground.until_it_says("nats stream edit OUTBOX --subjects 'orders.>,outbox.>'").await;
    client.update_stream(outbox_stream()).await.unwrap();
    ground.until_all_is_delivered().await;
    // It is deleted while the sink runs.
    client.delete_stream("OUTBOX").await.unwrap();
    ground.receive(1, 5).await;
    ground.until_it_says("nats stream add OUTBOX").await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server: make test-all"]
async fn a_nats_sink_that_is_not_let_in_says_so_and_tells_no_secret() {
    let Some(nats) = Nats::start_for(Some(LOGIN)).await else { return };
    add_stream(&nats).await;
    let ground = SinkGround::create().await;
    ground.receive(1, 5).await;
    let mut target = target(&nats);
    target["username"] = json!(LOGIN.user);
    ground.begin("nats", target.clone(), json!({"password": "guessed42"})).await;
    let sink = ground.until_it_says("the server refuses the login").await;
    assert!(!format!("{sink:?}").contains("guessed42"), "{sink:?}");
    ground.change("nats", json!({"servers": nats.url()}), json!({})).await;
    ground.until_it_says("a login does not belong into the URL").await;
    ground.change("nats", target, json!({"password": LOGIN.password})).await;
    ground.until_all_is_delivered().await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server: make test-all"]
async fn a_paused_nats_sink_sends_nothing_and_a_reset_one_sends_all_again() {
    let Some(nats) = Nats::start().await else { return };
    add_stream(&nats).await;
    let ground = SinkGround::create().await;
    ground.receive(2, 5).await;
    ground.begin("nats", target(&nats), json!({})).await;
    ground.until_all_is_delivered().await;
    ground.pause().await;
    ground.until("let go", |sink| sink.leader.is_none()).await;
    ground.receive(2, 5).await;
    let sink = ground.sink().await;
    assert!(sink.lag_events > 0 && count(&nats).await == 10, "{sink:?}");
    ground.resume().await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&got(&nats).await).await;
    // Another stream of the name knows no ids.
    let client = jetstream(&nats).await;
    client.delete_stream("OUTBOX").await.unwrap();
    add_stream(&nats).await;
    ground.reset_to_start().await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&got(&nats).await).await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server: make test-all"]
async fn what_is_too_large_for_nats_is_a_dead_letter_with_the_reason_and_others_go_on() {
    let Some(nats) = Nats::start_with(None, "max_payload: 1000\n").await else { return };
    add_stream(&nats).await;
    let ground = SinkGround::create().await;
    ground.settle("stock.received", json!({"sku": "A", "qty": 100_000})).await;
    let line = |n: usize| json!({"sku": "A", "qty": 1, "unit_minor": n});
    let lines: Vec<Value> = (1..=20).map(line).collect();
    let order = json!({"order": "1", "currency": "EUR", "total_minor": 210, "lines": lines, "buyer": "bea"});
    ground.settle("order.placed", order).await;
    ground.settle("stock.received", json!({"sku": "A", "qty": 1})).await;
    ground.begin("nats", target(&nats), json!({})).await;
    let sink = ground.until("done", |sink| sink.lag_events == 0).await;
    assert_eq!((sink.dead, sink.waiting, &sink.error), (1, 0, &None));
    let letters = ground.sinks.letters(&ground.shop.shop, NAME, &Default::default(), 10).await.unwrap();
    assert_eq!((letters[0].key.as_str(), letters[0].state.as_str()), ("order:1", "dead"));
    assert!(letters[0].error.contains("too large for the server"), "{}", letters[0].error);
    assert_eq!(count(&nats).await, 2);
    ground.stop().await;
}

/// Reads the stream, and gives each event as CloudEvents' own library understands it, a line each.
const READER: &str = r#"
import asyncio, json, sys
import nats
from cloudevents.core.bindings import http

async def main(url, count):
    client = await nats.connect(url)
    subscription = await client.jetstream().subscribe("outbox.>", ordered_consumer=True)
    for _ in range(count):
        message = await subscription.next_msg(timeout=30)
        # The binding to NATS is that to HTTP, but for the content type.
        headers = dict(message.headers, **{"content-type": message.headers["ce-datacontenttype"]})
        event = http.from_binary_event(http.HTTPMessage(headers=headers, body=message.data))
        assert event.get_data() == json.loads(message.data) and event.get_time() and event.get_dataschema()
        print(json.dumps({"id": event.get_id(), "key": event.get_subject(), "type": event.get_type(),
                          "source": event.get_source(), "sequence": event.get_extension("sequence"),
                          "payload": message.data.decode()}))
    await client.close()
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server and python: make test-all"]
async fn a_client_in_python_reads_what_nats_was_sent() {
    let Some(python) = foreign::python(&["cloudevents", "nats-py"]).await else { return };
    let Some(nats) = Nats::start().await else { return };
    add_stream(&nats).await;
    let ground = SinkGround::create().await;
    ground.receive(3, 7).await;
    ground.begin("nats", target(&nats), json!({})).await;
    ground.until_all_is_delivered().await;
    let output = Command::new(python).args(["-c", READER, &nats.url(), "21"]).output().unwrap();
    assert!(output.status.success(), "{}", binary::said(&output));
    ground.assert_got_all_of(&String::from_utf8(output.stdout).unwrap()).await;
    ground.stop().await;
}
