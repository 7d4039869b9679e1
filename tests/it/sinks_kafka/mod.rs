//! The sink to Apache Kafka, with a real one.

mod ground;

use std::process::Command;
use std::time::Duration;

use delivery::sinks::Secrets;
use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;
use test_support::brokers::{Kafka, Login};
use test_support::{foreign, wait_until};

use self::ground::{
    COMMANDS, Lake, SINK, TOPICS, assert_arrived, client, create_topics, everything, outcomes, partition_of,
    read,
};
use crate::binary;
use crate::sink_ground::operator;

const LOGIN: Login = Login { user: "shop", password: "secret" };
const MEGABYTE: &str = "1048588";
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java and mvn: make test-all"]
async fn kafka_has_every_outcome_once_each_key_in_order_and_as_the_outbox_has_it() {
    let Some(kafka) = Kafka::start().await else { return };
    let address = kafka.address();
    create_topics(&client(&address), &TOPICS, MEGABYTE).await;
    assert_everything_arrives_once(&address).await;
}

/// What it can, where Kafka itself cannot be had.
#[tokio::test(flavor = "multi_thread")]
async fn librdkafkas_own_mock_has_every_outcome_too() {
    println!("not Kafka itself but librdkafka's mock of it");
    let mock = MockCluster::new(1).unwrap();
    for topic in TOPICS {
        mock.create_topic(topic, 3, 1).unwrap();
    }
    assert_everything_arrives_once(&mock.bootstrap_servers()).await;
}

async fn assert_everything_arrives_once(address: &str) {
    let address = address.to_owned();
    let lake = Lake::create().await;
    a_day(&lake, 100).await;
    lake.sink(&outcomes(&address), None).await;
    let running = lake.run();
    lake.delivered().await;
    running.stop().await;
    let (records, rows) = (read(&address, &TOPICS).await, lake.outbox(&TOPICS).await);
    assert!(rows.len() > 200, "{}", rows.len());
    assert_eq!(assert_arrived(&records, &rows), 0, "nothing comes twice when nothing breaks");
    for record in &records {
        assert_eq!(record.headers["content-type"], "application/json");
        assert_eq!(record.headers["ce_id"], record.headers["id"]);
        assert_eq!(record.headers["ce_source"], "/shops/shop");
        assert_eq!(record.headers["ce_partitionkey"], record.key);
        assert_eq!(record.headers["ce_epoch"], "0");
        assert_eq!(record.partition, partition_of(&record.key));
    }
    assert_eq!(lake.health().await.error, None);
}

/// Orders that are placed and paid.
async fn a_day(lake: &Lake, orders: usize) {
    let led = &lake.led;
    let relay = led.lead();
    led.append("stock.received", json!({"sku": "A", "qty": 1_000_000})).await;
    let mut last = None;
    for n in 0..orders {
        let placement = json!({"order": n.to_string(), "buyer": "bea", "currency": "USD", "total_minor": 1800,
            "lines": [{"sku": "A", "qty": 2, "unit_minor": 900}]});
        led.append("order.placed", placement).await;
        let capture = json!({"capture": format!("C{n}"), "order": n.to_string(), "amount_minor": 1800,
            "currency": "USD", "fee_minor": 5, "net_minor": 1795});
        last = Some(led.append("payment.captured", capture).await);
    }
    crate::led_shop::applied(&relay, &led.shop, last.unwrap()).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java and mvn: make test-all"]
async fn a_kafka_that_is_killed_in_the_middle_gets_everything_in_the_end() {
    const EVENTS: usize = 4_000;
    const THINGS: usize = 50;
    let Some(mut kafka) = Kafka::start().await else { return };
    let address = kafka.address();
    create_topics(&client(&address), &[COMMANDS], MEGABYTE).await;
    let lake = Lake::create().await;
    lake.sink(&everything(&address), None).await;
    let running = lake.run();
    let load = async {
        for start in (0..EVENTS).step_by(200) {
            lake.receive_stock(start..start + 200, THINGS).await;
        }
    };
    let fault = async {
        let begun = wait_until(DEADLINE, async || lake.health().await.cursor.position.0 > 300).await;
        assert!(begun, "{:#?}", lake.health().await);
        kafka.kill();
        let killed_at = lake.health().await.cursor.position.0;
        assert!(killed_at < EVENTS as i64 / 2, "{killed_at}");
        lake.complains(&address).await;
        kafka.restart().await;
    };
    tokio::join!(load, fault);
    lake.delivered().await;
    running.stop().await;
    let rows = lake.outbox(&[COMMANDS]).await;
    assert_eq!(rows.len(), EVENTS);
    assert_arrived(&read(&address, &[COMMANDS]).await, &rows);
    assert_eq!(lake.letters().await, []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java and mvn: make test-all"]
async fn a_topic_that_is_missing_is_named_with_the_command_and_never_made_by_itself() {
    let Some(kafka) = Kafka::start().await else { return };
    let address = kafka.address();
    let lake = Lake::create().await;
    lake.receive_stock(0..10, 3).await;
    lake.sink(&everything(&address), None).await;
    let running = lake.run();
    let said = lake.complains("kafka-topics.sh").await;
    let command = format!(
        "kafka-topics.sh --bootstrap-server {address} --create --topic {COMMANDS} --partitions 6 \
         --replication-factor 1"
    );
    assert_eq!(said, format!("there is no topic {COMMANDS}: {command}"));
    assert!(!kafka.list_topics().await.contains(&COMMANDS.to_owned()));
    create_topics(&client(&address), &[COMMANDS], MEGABYTE).await;
    lake.delivered().await;
    lake.is_well().await;
    running.stop().await;
    assert_eq!(assert_arrived(&read(&address, &[COMMANDS]).await, &lake.outbox(&[COMMANDS]).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java and mvn: make test-all"]
async fn a_wrong_password_is_told_without_it_and_the_right_one_lets_the_sink_go_on() {
    let Some(kafka) = Kafka::start_for(Some(LOGIN)).await else { return };
    let address = kafka.address();
    let mut admin = client(&address);
    admin.set("security.protocol", "sasl_plaintext").set("sasl.mechanism", "PLAIN");
    admin.set("sasl.username", LOGIN.user).set("sasl.password", LOGIN.password);
    create_topics(&admin, &[COMMANDS], MEGABYTE).await;
    let lake = Lake::create().await;
    lake.receive_stock(0..10, 3).await;
    let mut settings = everything(&address);
    settings["target"]["username"] = json!(LOGIN.user);
    settings["target"]["sasl_mechanism"] = json!("PLAIN");
    lake.sink(&settings, Some("hunter2")).await;
    let running = lake.run();
    let said = lake.complains("Authentication failed").await;
    assert!(!said.contains("hunter2"), "{said}");
    let checked = lake.sinks.check(&lake.led.shop, SINK).await.unwrap().unwrap();
    assert_eq!(checked, Err(said));
    let mut secrets = Secrets::default();
    secrets.set("password", LOGIN.password.to_owned().into());
    let changed = lake.sinks.change(&operator(), &lake.led.shop, SINK, &settings, Some(secrets)).await;
    assert_eq!(changed.unwrap(), Some(Ok(())));
    assert_eq!(lake.sinks.check(&lake.led.shop, SINK).await.unwrap(), Some(Ok(())));
    lake.delivered().await;
    lake.is_well().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java and mvn: make test-all"]
async fn what_is_too_large_for_its_topic_is_a_dead_letter_and_the_others_go_on() {
    let Some(kafka) = Kafka::start().await else { return };
    let address = kafka.address();
    create_topics(&client(&address), &[COMMANDS], "6000").await;
    let lake = Lake::create().await;
    lake.receive_stock(0..100, 7).await;
    let lines: Vec<_> = (0..700_u64)
        .map(|n| {
            let sku = format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            json!({"sku": sku, "qty": 1, "unit_minor": 1})
        })
        .collect();
    let large =
        json!({"order": "large", "buyer": "bea", "currency": "USD", "total_minor": 700, "lines": lines});
    let large = lake.led.append("order.placed", large).await;
    lake.receive_stock(100..200, 7).await;
    lake.sink(&everything(&address), None).await;
    let running = lake.run();
    lake.delivered().await;
    running.stop().await;
    let letters = lake.letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let (state, position, error) = &letters[0];
    assert_eq!((state.as_str(), *position), ("dead", large.0));
    assert!(error.contains(COMMANDS) && error.contains("max.message.bytes"), "{error}");
    let mut rows = lake.outbox(&[COMMANDS]).await;
    rows.retain(|row| row.position != large.0);
    assert_eq!(rows.len(), 200);
    assert_eq!(assert_arrived(&read(&address, &[COMMANDS]).await, &rows), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java and mvn: make test-all"]
async fn a_leader_that_was_overtaken_is_fenced_off_and_nothing_of_it_is_seen() {
    let Some(kafka) = Kafka::start().await else { return };
    let address = kafka.address();
    create_topics(&client(&address), &[COMMANDS], MEGABYTE).await;
    let lake = Lake::create().await;
    lake.keep_told().await;
    lake.receive_stock(0..10, 3).await;
    let rival = |n: usize| -> BaseProducer {
        let mut config = client(&address);
        config.set("transactional.id", format!("counterfoil.{}.{SINK}.{n}", lake.led.shop));
        config.create().unwrap()
    };
    let stale = rival(0);
    let stale = tokio::task::spawn_blocking(move || {
        stale.init_transactions(DEADLINE).unwrap();
        stale.begin_transaction().unwrap();
        stale.send(BaseRecord::to(COMMANDS).key("sku-0").payload("from the grave")).unwrap();
        stale.flush(DEADLINE).unwrap();
        stale
    });
    let stale = stale.await.unwrap();
    lake.sink(&everything(&address), None).await;
    let running = lake.run();
    lake.delivered().await;
    let committed = tokio::task::spawn_blocking(move || stale.commit_transaction(DEADLINE)).await.unwrap();
    assert!(matches!(&committed, Err(KafkaError::Transaction(error)) if error.is_fatal()), "{committed:?}");

    // Whoever only looks whether the sink can be used overtakes nobody.
    assert_eq!(lake.sinks.check(&lake.led.shop, SINK).await.unwrap(), Some(Ok(())));
    lake.receive_stock(10..20, 3).await;
    lake.delivered().await;
    assert_eq!(lake.told().await, Vec::<String>::new());

    // Now the sink is the one that was overtaken.
    for newer in [rival(0), rival(1)] {
        tokio::task::spawn_blocking(move || newer.init_transactions(DEADLINE).unwrap()).await.unwrap();
    }
    lake.receive_stock(20..30, 3).await;
    lake.delivered().await;
    running.stop().await;
    let told = lake.told().await;
    assert_eq!(told, ["fenced off: another leader of this sink publishes now"], "and it opened its way anew");
    assert_eq!(assert_arrived(&read(&address, &[COMMANDS]).await, &lake.outbox(&[COMMANDS]).await), 0);
}

/// Reads each topic to its end, and has each record parsed as CloudEvents are: id, position, type and data of all.
const READER: &str = r#"
import json, sys
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Consumer, KafkaError, TopicPartition

address, *topics = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": address, "group.id": "python", "isolation.level": "read_committed",
                     "enable.auto.commit": False, "enable.partition.eof": True})
partitions = [TopicPartition(topic, partition, 0) for topic in topics for partition in range(3)]
consumer.assign(partitions)
left = len(partitions)
while left:
    message = consumer.poll(60)
    if message.error():
        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        left -= 1
        continue
    event = from_binary(KafkaMessage(dict(message.headers()), message.key(), message.value()), JSONFormat())
    extension = event.get_extension
    assert event.get_specversion() == "1.0" and event.get_time().tzinfo
    assert extension("partitionkey") == message.key().decode()
    print(json.dumps([event.get_id(), int(extension("sequence")), event.get_type(), event.get_data()]))
consumer.close()
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs java, mvn and python: make test-all"]
async fn a_client_in_another_language_reads_cloudevents() {
    let Some(python) = foreign::python(&["cloudevents", "confluent-kafka", "python-dateutil"]).await else {
        return;
    };
    let Some(kafka) = Kafka::start().await else { return };
    let address = kafka.address();
    create_topics(&client(&address), &TOPICS, MEGABYTE).await;
    let lake = Lake::create().await;
    a_day(&lake, 10).await;
    lake.sink(&outcomes(&address), None).await;
    let running = lake.run();
    lake.delivered().await;
    running.stop().await;
    let output = Command::new(python).args(["-c", READER, &address]).args(TOPICS).output().unwrap();
    assert!(output.status.success(), "{}", binary::said(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    let mut read: Vec<(i64, String, serde_json::Value)> = said
        .lines()
        .map(|line| {
            let (id, position, _type, data): (String, i64, String, _) = serde_json::from_str(line).unwrap();
            (position, id, data)
        })
        .collect();
    read.sort_by_key(|(position, ..)| *position);
    let rows = lake.outbox(&TOPICS).await.into_iter();
    let rows: Vec<_> =
        rows.map(|row| (row.position, row.id, serde_json::from_str(&row.payload).unwrap())).collect();
    assert_eq!(read, rows);
}
