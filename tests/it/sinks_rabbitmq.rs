//! The sink to RabbitMQ, with a real broker.

use std::process::Command;

use lapin::options::{
    BasicGetOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use serde_json::{Value, json};
use test_support::brokers::{Login, RabbitMq};
use test_support::foreign;

use crate::binary;
use crate::sink_ground::{Got, NAME, SinkGround};

const LOGIN: Login = Login { user: "shop", password: "sesame123" };
const QUEUE: &str = "events";

fn target(rabbit: &RabbitMq) -> Value {
    json!({"url": format!("amqp://{}/%2f", rabbit.address())})
}

/// A plain client of the same broker.
struct Client {
    _connection: Connection,
    channel: Channel,
}

impl Client {
    async fn connect(rabbit: &RabbitMq) -> Self {
        let connection =
            Connection::connect(&rabbit.amqp_url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self { _connection: connection, channel }
    }

    async fn declare_exchange(&self, kind: ExchangeKind, durable: bool) {
        let options = ExchangeDeclareOptions { durable, ..Default::default() };
        self.channel.exchange_declare("outbox".into(), kind, options, FieldTable::default()).await.unwrap();
    }

    async fn delete_exchange(&self) {
        self.channel.exchange_delete("outbox".into(), ExchangeDeleteOptions::default()).await.unwrap();
    }

    async fn bind_queue(&self, routing_key: &str) {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        self.channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await.unwrap();
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        self.channel
            .queue_bind(QUEUE.into(), "outbox".into(), routing_key.into(), options, none)
            .await
            .unwrap();
    }

    /// Takes everything out of the queue.
    async fn got(&self) -> Vec<Got> {
        let mut got = Vec::new();
        while let Some(message) =
            self.channel.basic_get(QUEUE.into(), BasicGetOptions { no_ack: true }).await.unwrap()
        {
            let delivery = message.delivery;
            let properties = &delivery.properties;
            assert_about(properties, delivery.routing_key.as_str());
            let id = properties.message_id().as_ref().unwrap().to_string();
            assert_eq!(header(properties, "cloudEvents_id"), id);
            got.push(Got { id, key: header(properties, "cloudEvents_subject"), payload: delivery.data });
        }
        got
    }
}

fn assert_about(properties: &BasicProperties, routing_key: &str) {
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), routing_key);
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "counterfoil");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert!(properties.timestamp().unwrap() > 1_700_000_000);
}

fn header(properties: &BasicProperties, name: &str) -> String {
    let headers = properties.headers().as_ref().unwrap();
    let Some(AMQPValue::LongString(value)) = headers.inner().get(name) else { panic!("{name}: {headers:?}") };
    value.to_string()
}

/// A broker with the exchange, and a queue for all of it.
async fn ready(rabbit: &RabbitMq) -> Client {
    let client = Client::connect(rabbit).await;
    client.declare_exchange(ExchangeKind::Topic, true).await;
    client.bind_queue("#").await;
    client
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn rabbitmq_gets_every_event_though_it_is_killed_in_the_middle() {
    let Some(mut rabbit) = RabbitMq::start_for(Some(LOGIN)).await else { return };
    drop(ready(&rabbit).await);
    let ground = SinkGround::create().await;
    let target = json!({"url": format!("amqp://{}@{}", LOGIN.user, rabbit.address())});
    ground.begin("rabbitmq", target, json!({"password": LOGIN.password})).await;
    tokio::join!(ground.receive(20, 200), async {
        ground.until("under way", |sink| sink.cursor.position.0 > 1_000).await;
        rabbit.kill();
    });
    ground.until("failing", |sink| sink.failing_since.is_some()).await;
    rabbit.restart().await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&Client::connect(&rabbit).await.got().await).await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn given_no_exchange_when_an_operator_makes_it_then_the_rabbitmq_sink_goes_on_by_itself() {
    const COMMAND: &str = "rabbitmqadmin declare exchange name=outbox type=topic durable=true";
    let Some(rabbit) = RabbitMq::start().await else { return };
    let ground = SinkGround::create().await;
    // So many keys that it cannot be single events' fault.
    ground.receive(3, 20).await;
    ground.begin("rabbitmq", target(&rabbit), json!({})).await;
    ground.until_it_says(&format!("there is no exchange outbox: {COMMAND}")).await;
    let client = Client::connect(&rabbit).await;
    for (kind, durable) in [(ExchangeKind::Fanout, true), (ExchangeKind::Topic, false)] {
        client.declare_exchange(kind, durable).await;
        ground.until_it_says("outbox is no durable topic exchange").await;
        client.delete_exchange().await;
        ground.until_it_says("there is no exchange outbox").await;
    }
    client.declare_exchange(ExchangeKind::Topic, true).await;
    ground
        .until_it_says("no queue is bound for stock.received (312 NO_ROUTE): rabbitmqadmin declare binding")
        .await;
    client.bind_queue("stock.*").await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&client.got().await).await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn a_rabbitmq_sink_that_is_not_let_in_says_so_and_tells_no_secret() {
    let Some(rabbit) = RabbitMq::start_for(Some(LOGIN)).await else { return };
    let client = ready(&rabbit).await;
    let ground = SinkGround::create().await;
    ground.receive(1, 5).await;
    let target = json!({"url": format!("amqp://{}@{}", LOGIN.user, rabbit.address())});
    ground.begin("rabbitmq", target.clone(), json!({"password": "guessed42"})).await;
    let sink = ground.until_it_says("see the user in `url`, and the secret `password`").await;
    assert!(!format!("{sink:?}").contains("guessed42"), "{sink:?}");
    ground.change("rabbitmq", json!({"url": rabbit.amqp_url()}), json!({})).await;
    ground.until_it_says("a password does not belong into it").await;
    ground.change("rabbitmq", target, json!({"password": LOGIN.password})).await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&client.got().await).await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn what_no_queue_of_rabbitmq_takes_is_set_aside_with_its_key_and_delivered_when_one_does() {
    let Some(rabbit) = RabbitMq::start().await else { return };
    let client = Client::connect(&rabbit).await;
    client.declare_exchange(ExchangeKind::Topic, true).await;
    client.bind_queue("stock.received").await;
    let ground = SinkGround::create().await;
    ground.receive(2, 20).await;
    ground.settle("stock.adjusted", json!({"sku": "S.3", "on_hand": 7})).await;
    ground.receive(2, 20).await;
    ground.begin("rabbitmq", target(&rabbit), json!({})).await;
    let sink = ground.until("done", |sink| sink.dead == 1 && sink.waiting == 0 && sink.lag_events == 0).await;
    assert_eq!(sink.error, None, "the sink itself is well");
    let letters = ground.sinks.letters(&ground.shop.shop, NAME, &Default::default(), 10).await.unwrap();
    assert_eq!((letters[0].key.as_str(), letters[0].attempts), ("sku:S.3", 2));
    let why = &letters[0].error;
    assert!(why.contains("no queue is bound for stock.adjusted") && why.contains("source=outbox"), "{why}");
    let before = client.got().await;
    assert_eq!(before.len(), 80, "all but the one");
    client.bind_queue("stock.adjusted").await;
    assert_eq!(ground.redrive().await, 1);
    ground.until_all_is_delivered().await;
    let after = client.got().await;
    assert_eq!((after.len(), after[0].key.as_str()), (1, "sku:S.3"));
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn of_many_that_rabbitmq_returns_at_once_none_is_taken_for_delivered() {
    let Some(rabbit) = RabbitMq::start().await else { return };
    let client = Client::connect(&rabbit).await;
    client.declare_exchange(ExchangeKind::Topic, true).await;
    client.bind_queue("stock.received").await;
    let ground = SinkGround::create().await;
    for n in 0..100 {
        ground.shop.append("stock.received", json!({"sku": format!("A{n}"), "qty": 1})).await;
        ground.shop.append("stock.adjusted", json!({"sku": format!("B{n}"), "on_hand": 1})).await;
    }
    ground.receive(1, 1).await;
    ground.begin("rabbitmq", target(&rabbit), json!({})).await;
    ground.until("done", |sink| sink.dead == 100 && sink.waiting == 0 && sink.lag_events == 0).await;
    assert!(client.got().await.iter().all(|got| got.key.starts_with("sku:A") || got.key == "sku:S.0"));
    client.bind_queue("stock.adjusted").await;
    assert_eq!(ground.redrive().await, 100);
    ground.until_all_is_delivered().await;
    let late = client.got().await;
    assert!(late.len() == 100 && late.iter().all(|got| got.key.starts_with("sku:B")), "{late:?}");
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn given_a_memory_alarm_when_it_ends_then_the_rabbitmq_sink_goes_on() {
    let Some(rabbit) = RabbitMq::start().await else { return };
    let client = ready(&rabbit).await;
    let ground = SinkGround::create().await;
    ground.receive(1, 5).await;
    ground.begin("rabbitmq", target(&rabbit), json!({})).await;
    ground.until_all_is_delivered().await;
    rabbit.control(&["set_vm_memory_high_watermark", "0"]);
    ground.receive(1, 5).await;
    ground.until_it_says("the broker blocks publishers").await;
    rabbit.control(&["set_vm_memory_high_watermark", "0.4"]);
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&client.got().await).await;
    ground.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn a_paused_rabbitmq_sink_sends_nothing_and_a_reset_one_sends_all_again() {
    let Some(rabbit) = RabbitMq::start().await else { return };
    let client = ready(&rabbit).await;
    let ground = SinkGround::create().await;
    ground.receive(2, 5).await;
    ground.begin("rabbitmq", target(&rabbit), json!({})).await;
    ground.until_all_is_delivered().await;
    ground.pause().await;
    ground.until("let go", |sink| sink.leader.is_none()).await;
    ground.receive(2, 5).await;
    assert!(ground.sink().await.lag_events > 0);
    let before = client.got().await;
    assert_eq!(before.len(), 10);
    ground.resume().await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&[before, client.got().await].concat()).await;
    ground.reset_to_start().await;
    ground.until_all_is_delivered().await;
    ground.assert_got_all(&client.got().await).await;
    ground.stop().await;
}

/// Reads the queue, and gives each event as CloudEvents' own library understands it, a line each.
const READER: &str = r#"
import json, sys
import pika
from cloudevents.core.bindings import amqp

channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
for _ in range(int(sys.argv[2])):
    method, properties, body = channel.basic_get("events", auto_ack=True)
    about = {"content-type": properties.content_type}
    event = amqp.from_binary_event(amqp.AMQPMessage(about, properties.headers, body))
    assert event.get_data() == json.loads(body) and event.get_time() and event.get_dataschema()
    assert properties.message_id == event.get_id() and properties.type == event.get_type()
    print(json.dumps({"id": event.get_id(), "key": event.get_subject(), "type": event.get_type(),
                      "source": event.get_source(), "sequence": event.get_extension("sequence"),
                      "payload": body.decode()}))
assert channel.basic_get("events", auto_ack=True)[0] is None
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs rabbitmq-server and python: make test-all"]
async fn a_client_in_python_reads_what_rabbitmq_was_sent() {
    let Some(python) = foreign::python(&["cloudevents", "pika"]).await else { return };
    let Some(rabbit) = RabbitMq::start().await else { return };
    let _client = ready(&rabbit).await;
    let ground = SinkGround::create().await;
    ground.receive(3, 7).await;
    ground.begin("rabbitmq", target(&rabbit), json!({})).await;
    ground.until_all_is_delivered().await;
    let output = Command::new(python).args(["-c", READER, &rabbit.amqp_url(), "21"]).output().unwrap();
    assert!(output.status.success(), "{}", binary::said(&output));
    ground.assert_got_all_of(&String::from_utf8(output.stdout).unwrap()).await;
    ground.stop().await;
}
