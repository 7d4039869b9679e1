//! The brokers of the tests: they answer, they survive a kill, and nothing of them stays.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use test_support::brokers::{Kafka, Login, Nats, RabbitMq, processes};
use test_support::{foreign, wait_until};

use crate::binary;

const LOGIN: Login = Login { user: "shop", password: "secret" };
const WRONG: Login = Login { user: "shop", password: "wrong" };

fn assert_gone(folder: &Path) {
    assert_eq!(processes(folder), Vec::<u32>::new());
    assert!(!folder.exists(), "{} is still there", folder.display());
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// What NATS answers to a ping of this login.
fn ping(address: &str, login: Login) -> String {
    let mut stream = connect(address);
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let info = lines.next().unwrap().unwrap();
    assert!(info.starts_with("INFO {") && info.contains("\"jetstream\":true"), "{info}");
    let Login { user, password } = login;
    write!(stream, "CONNECT {{\"verbose\":false,\"user\":\"{user}\",\"pass\":\"{password}\"}}\r\nPING\r\n")
        .unwrap();
    lines.next().unwrap().unwrap()
}

#[tokio::test]
#[ignore = "needs nats-server: make test-all"]
async fn nats_answers_and_survives_a_kill() {
    let Some(mut nats) = Nats::start_for(Some(LOGIN)).await else { return };
    let folder = nats.folder().to_owned();
    assert_eq!(ping(&nats.address(), LOGIN), "PONG");
    assert!(ping(&nats.address(), WRONG).starts_with("-ERR 'Authorization Violation'"));
    nats.kill();
    assert!(TcpStream::connect(nats.address()).is_err());
    nats.restart().await;
    assert_eq!(ping(&nats.address(), LOGIN), "PONG");
    drop(nats);
    assert_gone(&folder);
}

/// Class and method of the first frame that RabbitMQ sends.
fn first_method(address: &str) -> (u16, u16) {
    let mut stream = connect(address);
    stream.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    let mut frame = [0; 11];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[..3], [1, 0, 0], "a method frame of channel 0");
    (u16::from_be_bytes([frame[7], frame[8]]), u16::from_be_bytes([frame[9], frame[10]]))
}

#[tokio::test]
#[ignore = "needs rabbitmq-server: make test-all"]
async fn rabbitmq_answers_and_survives_a_kill() {
    const CONNECTION_START: (u16, u16) = (10, 10);
    let Some(mut rabbit) = RabbitMq::start().await else { return };
    let folder = rabbit.folder().to_owned();
    assert_eq!(first_method(&rabbit.address()), CONNECTION_START);
    rabbit.kill();
    assert!(TcpStream::connect(rabbit.address()).is_err());
    rabbit.restart().await;
    assert_eq!(first_method(&rabbit.address()), CONNECTION_START);
    drop(rabbit);
    assert_gone(&folder);
}

#[tokio::test]
#[ignore = "needs java and mvn: make test-all"]
async fn kafka_keeps_its_topics_over_a_kill() {
    let Some(mut kafka) = Kafka::start().await else { return };
    let folder = kafka.folder().to_owned();
    kafka.create_topic("orders", 3).await;
    assert_eq!(kafka.list_topics().await, ["orders"]);
    kafka.kill();
    assert!(TcpStream::connect(kafka.address()).is_err());
    kafka.restart().await;
    assert_eq!(kafka.list_topics().await, ["orders"]);
    drop(kafka);
    assert_gone(&folder);
}

/// Sends a message with the right password and reads it again, then tries a wrong one.
const CLIENTS: &str = r#"
import asyncio, sys
import cloudevents, nats, pika, standardwebhooks
from confluent_kafka import Consumer, Producer

amqp, address, url = sys.argv[1:]

def refused(attempt):
    try:
        attempt()
    except Exception:
        return
    raise SystemExit(f"{attempt} was let in")

channel = pika.BlockingConnection(pika.URLParameters(amqp)).channel()
channel.confirm_delivery()
channel.queue_declare("orders", durable=True)
channel.basic_publish("", "orders", b"one", mandatory=True)
assert channel.basic_get("orders")[2] == b"one"
refused(lambda: pika.BlockingConnection(pika.URLParameters(amqp.replace("secret", "wrong"))))

def kafka(password, **more):
    return {"bootstrap.servers": address, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
            "sasl.username": "shop", "sasl.password": password} | more
producer = Producer(kafka("secret", **{"enable.idempotence": True}))
producer.produce("orders", key=b"1", value=b"one")
assert producer.flush(30) == 0
consumer = Consumer(kafka("secret", **{"group.id": "clients", "auto.offset.reset": "earliest"}))
consumer.subscribe(["orders"])
assert consumer.poll(30).value() == b"one"
consumer.close()
refused(lambda: Producer(kafka("wrong", **{"log_level": 0})).list_topics(timeout=1))

async def jetstream():
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="OUTBOX", subjects=["orders.>"])
    await stream.publish("orders.1", b"one")
    assert (await stream.get_msg("OUTBOX", 1)).data == b"one"
    await client.close()
asyncio.run(jetstream())
"#;

#[tokio::test]
#[ignore = "needs brokers, java, mvn and python: make test-all"]
async fn clients_in_another_language_reach_each_broker() {
    let packages = ["cloudevents", "confluent-kafka", "nats-py", "pika", "standardwebhooks"];
    let Some(python) = foreign::python(&packages).await else { return };
    let started = tokio::join!(
        RabbitMq::start_for(Some(LOGIN)),
        Kafka::start_for(Some(LOGIN)),
        Nats::start_for(Some(LOGIN))
    );
    let (Some(rabbit), Some(kafka), Some(nats)) = started else { return };
    kafka.create_topic("orders", 1).await;
    let arguments = [rabbit.amqp_url(), kafka.address(), nats.url()];
    let output = Command::new(python).args(["-c", CLIENTS]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", binary::said(&output));
}

/// Set for the process that is to be killed.
const HOLD: &str = "COUNTERFOIL_HOLD_BROKERS";

#[tokio::test]
#[ignore = "needs rabbitmq-server and nats-server: make test-all"]
async fn brokers_end_with_the_process_that_started_them() {
    if std::env::var_os(HOLD).is_some() {
        let (Some(rabbit), Some(nats)) = tokio::join!(RabbitMq::start(), Nats::start()) else { return };
        println!("\nholds {}\nholds {}", rabbit.folder().display(), nats.folder().display());
        return std::future::pending().await;
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact"])
        .arg("brokers::brokers_end_with_the_process_that_started_them")
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let folders: Vec<PathBuf> =
        lines.filter_map(|line| line.strip_prefix("holds ").map(PathBuf::from)).take(2).collect();
    let running = || folders.iter().flat_map(|folder| processes(folder)).collect::<Vec<_>>();
    // None where the brokers are not installed, which the holder said.
    assert_eq!(folders.is_empty(), running().is_empty());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let ended = wait_until(Duration::from_secs(10), async || running().is_empty()).await;
    assert!(ended, "still running: {:?}", running());
}
