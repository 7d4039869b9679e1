//! A producer that is let in: it publishes batches, each as one transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ShopId;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use super::config;
use super::events::Events;
use super::record;
use crate::Message;
use crate::sinks::publisher::{Context, Delivery};
use crate::sinks::settings::KafkaTarget;

/// For the way to the brokers.
const OPENING: Duration = Duration::from_secs(7);
/// So long one call waits before it is looked whether we are let in at all.
const SLICE: Duration = Duration::from_millis(300);
/// For asking what a topic is.
const ASKING: Duration = Duration::from_secs(2);
/// For a batch, to its commit.
const PUBLISHING: Duration = Duration::from_millis(7_500);
/// For breaking a transaction off.
const ABORTING: Duration = Duration::from_millis(1_000);
/// Between looks at the queue. Asked to wait by itself, rdkafka does so to the end whatever comes, and spins through the
/// last millisecond.
const TICK: Duration = Duration::from_micros(300);

/// Why a batch was not committed.
enum Failure {
    /// These were too large, or what was written together with them, by their place. The others do not count as tried.
    TooLarge(HashSet<usize>),
    /// As a whole.
    Whole(String),
}

pub(super) struct Connection {
    config: ClientConfig,
    /// Records are written one by one, since something was too large.
    is_one_by_one: bool,
    /// They take turns, a transaction each: the broker is busy with the end of one for a while after its commit, and asks
    /// whoever begins the next under the same id to wait for 20 ms.
    producers: [BaseProducer<Events>; 2],
    turn: usize,
    /// The producers before them are fenced off.
    is_begun: bool,
    transactional_id: String,
    target: KafkaTarget,
    shop: ShopId,
    /// The topics that are there.
    topics: HashSet<String>,
}

impl Connection {
    /// Connects, and changes nothing yet: whoever only sees whether a sink can be used must not fence off its leader.
    pub(super) fn open(config: ClientConfig, target: KafkaTarget, context: &Context) -> Result<Self, String> {
        let transactional_id = config::transactional_id(context);
        let connection = Self {
            producers: create(&config, &transactional_id)?,
            turn: 0,
            config,
            is_one_by_one: false,
            is_begun: false,
            transactional_id,
            target,
            shop: context.shop.clone(),
            topics: HashSet::new(),
        };
        let any_topic = format!("{}order", connection.target.topic_prefix);
        let client = connection.producer().client();
        connection.insist(Instant::now() + OPENING, || client.fetch_metadata(Some(&any_topic), SLICE))?;
        Ok(connection)
    }

    /// Fences off the producers before it of these transactional ids, and breaks off what they left.
    fn begin(&mut self, deadline: Instant) -> Result<(), Failure> {
        while !self.is_begun {
            let begun = self.insist(deadline, || self.producer().init_transactions(SLICE));
            begun.map_err(Failure::Whole)?;
            self.turn = (self.turn + 1) % self.producers.len();
            self.is_begun = self.turn == 0;
        }
        Ok(())
    }

    /// Whose turn it is.
    fn producer(&self) -> &BaseProducer<Events> {
        &self.producers[self.turn]
    }

    /// Asks until the brokers answer, unless waiting does not help.
    fn insist<T>(&self, deadline: Instant, ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, String> {
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            self.listen();
            let is_for_later = match &error {
                KafkaError::Transaction(error) => error.is_retriable(),
                error => error.rdkafka_error_code().is_some_and(is_vague),
            };
            if !is_for_later || self.events().refusal().is_some() || Instant::now() >= deadline {
                return Err(self.why(&error));
            }
        }
    }

    fn events(&self) -> &Events {
        self.producer().context()
    }

    /// Lets librdkafka tell what it has to tell.
    pub(super) fn listen(&self) {
        for producer in &self.producers {
            producer.poll(Duration::ZERO);
        }
    }

    /// All of them or none, and why not.
    pub(super) fn publish(&mut self, batch: &[Arc<Message>]) -> Vec<Delivery> {
        let deadline = Instant::now() + PUBLISHING;
        let begun = self.begin(deadline).and_then(|()| self.check_topics(batch));
        match begun.and_then(|()| self.transact(batch, deadline)) {
            Ok(()) => {
                self.events().clear();
                self.turn = (self.turn + 1) % self.producers.len();
                vec![Delivery::Confirmed; batch.len()]
            }
            Err(Failure::Whole(why)) => {
                // What cannot be broken off now is, by the next producer.
                let _ = self.abort();
                vec![Delivery::Unavailable(why); batch.len()]
            }
            Err(Failure::TooLarge(places)) if self.is_one_by_one => self.leave_out(&places, batch),
            Err(Failure::TooLarge(_)) => {
                let rest = self.go_one_by_one().map_or_else(Delivery::Unavailable, |()| Delivery::Held);
                vec![rest; batch.len()]
            }
        }
    }

    /// What is too large is so for good; the others come again without it.
    fn leave_out(&self, places: &HashSet<usize>, batch: &[Arc<Message>]) -> Vec<Delivery> {
        let rest = self.abort().map_or_else(Delivery::Unavailable, |()| Delivery::Held);
        let of = |(place, message): (usize, &Arc<Message>)| {
            if places.contains(&place) { self.too_large(message) } else { rest.clone() }
        };
        batch.iter().enumerate().map(of).collect()
    }

    /// Records that are written together are refused together: only by itself is one seen to be too large. For as long as
    /// this connection lasts, since a topic that takes little goes on taking little.
    fn go_one_by_one(&mut self) -> Result<(), String> {
        config::one_by_one(&mut self.config);
        self.producers = create(&self.config, &self.transactional_id)?;
        (self.is_one_by_one, self.is_begun, self.turn) = (true, false, 0);
        Ok(())
    }

    fn transact(&self, batch: &[Arc<Message>], deadline: Instant) -> Result<(), Failure> {
        let whole = |error: KafkaError| Failure::Whole(self.why(&error));
        self.events().take_failed();
        self.producer().begin_transaction().map_err(whole)?;
        for (place, message) in batch.iter().enumerate() {
            match self.enqueue(place, message, deadline) {
                Ok(()) => {}
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)) => {
                    return Err(Failure::TooLarge(HashSet::from([place])));
                }
                // One before it was not taken, which is told below.
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::State)) => break,
                Err(error) => return Err(whole(error)),
            }
        }
        self.drain(deadline);
        self.judge(batch)?;
        let left = deadline.saturating_duration_since(Instant::now());
        self.producer().commit_transaction(left).map_err(|error| {
            self.listen();
            Failure::Whole(format!("it is not known whether a batch was committed: {}", self.why(&error)))
        })
    }

    fn enqueue(&self, place: usize, message: &Message, deadline: Instant) -> Result<(), KafkaError> {
        let topic = self.topic_of(message);
        // Without a time: the broker keeps records by it, and would forget at once what a new sink gets of old.
        let mut record = BaseRecord::with_opaque_to(&topic, place)
            .key(&message.aggregate_id)
            .payload(&message.payload)
            .headers(record::headers(message, &self.shop));
        loop {
            match self.producer().send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if Instant::now() < deadline =>
                {
                    record = again;
                    std::thread::sleep(TICK);
                    self.listen();
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Until everything that was enqueued is answered.
    fn drain(&self, deadline: Instant) {
        self.listen();
        while self.producer().in_flight_count() > 0 && Instant::now() < deadline {
            std::thread::sleep(TICK);
            self.listen();
        }
    }

    /// Whether all of the batch was taken.
    fn judge(&self, batch: &[Arc<Message>]) -> Result<(), Failure> {
        let failed = self.events().take_failed();
        let is_too_large =
            |(_, code): &&(usize, RDKafkaErrorCode)| *code == RDKafkaErrorCode::MessageSizeTooLarge;
        let too_large: HashSet<usize> = failed.iter().filter(is_too_large).map(|(place, _)| *place).collect();
        if !too_large.is_empty() {
            return Err(Failure::TooLarge(too_large));
        }
        let is_cause = |(_, code): &&(usize, RDKafkaErrorCode)| !is_vague(*code);
        if let Some((place, code)) = failed.iter().find(is_cause).or(failed.first()) {
            let why = self.why(&KafkaError::MessageProduction(*code));
            let is_of_topic = self.producer().client().fatal_error().is_none();
            let topic = self.topic_of(&batch[*place]);
            return Err(Failure::Whole(if is_of_topic { format!("{topic}: {why}") } else { why }));
        }
        if self.producer().in_flight_count() > 0 {
            let why = self.events().trouble().unwrap_or_else(|| "nobody answers".to_owned());
            return Err(Failure::Whole(format!("not everything was taken in time: {why}")));
        }
        Ok(())
    }

    /// Breaks the transaction off, where there is one.
    fn abort(&self) -> Result<(), String> {
        self.producer().purge(PurgeConfig::default().queue());
        self.drain(Instant::now() + ABORTING);
        self.producer().abort_transaction(ABORTING).map_err(|error| self.why(&error))
    }

    /// Sees that each topic is there, when it is met for the first time.
    fn check_topics(&mut self, batch: &[Arc<Message>]) -> Result<(), Failure> {
        for message in batch {
            let topic = self.topic_of(message);
            if !self.topics.contains(&topic) {
                self.check_topic(&topic).map_err(Failure::Whole)?;
                self.topics.insert(topic);
            }
        }
        Ok(())
    }

    fn check_topic(&self, topic: &str) -> Result<(), String> {
        let metadata = self.producer().client().fetch_metadata(Some(topic), ASKING);
        self.listen();
        let metadata = metadata.map_err(|error| self.why(&error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.and_then(|found| found.error()).map(RDKafkaErrorCode::from) {
            None if found.is_some_and(|found| !found.partitions().is_empty()) => Ok(()),
            None | Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let replicas = metadata.brokers().len().clamp(1, 3);
                Err(format!(
                    "there is no topic {topic}: kafka-topics.sh --bootstrap-server {} --create --topic {topic} \
                     --partitions 6 --replication-factor {replicas}",
                    self.target.brokers
                ))
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(self.not_allowed(&format!("--topic {topic}")))
            }
            Some(code) => Err(format!("{topic}: {code}")),
        }
    }

    fn topic_of(&self, message: &Message) -> String {
        format!("{}{}", self.target.topic_prefix, message.aggregate_type)
    }

    fn too_large(&self, message: &Message) -> Delivery {
        Delivery::Undeliverable(format!(
            "its {} bytes are more than {} takes (max.message.bytes)",
            message.payload.len(),
            self.topic_of(message)
        ))
    }

    fn not_allowed(&self, to: &str) -> String {
        format!(
            "{} may not write: kafka-acls.sh --bootstrap-server {} --add --allow-principal User:{} \
             --operation Write --operation Describe {to}",
            self.target.username.as_deref().unwrap_or("this client"),
            self.target.brokers,
            self.target.username.as_deref().unwrap_or("ANONYMOUS")
        )
    }

    /// What an operator should know of an error.
    fn why(&self, error: &KafkaError) -> String {
        use RDKafkaErrorCode as Code;
        let fatal = self.producer().client().fatal_error();
        let code = fatal.as_ref().map(|(code, _)| *code).or(error.rdkafka_error_code());
        match code {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => {
                "fenced off: another leader of this sink publishes now".to_owned()
            }
            Some(Code::TransactionalIdAuthorizationFailed) => self.not_allowed(&format!(
                "--transactional-id {}. --resource-pattern-type prefixed",
                self.transactional_id
            )),
            Some(Code::TopicAuthorizationFailed) => self.not_allowed(&format!(
                "--topic {} --resource-pattern-type prefixed",
                self.target.topic_prefix
            )),
            _ => {
                let events = self.events();
                let told = if code.is_some_and(is_vague) { events.trouble() } else { events.refusal() };
                let fatal = fatal.map(|(_, why)| why);
                fatal.or(told).unwrap_or_else(|| config::complaint(error))
            }
        }
    }
}

/// Only that something did not come about, which was told before with its reason.
fn is_vague(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::PurgeQueue
            | Code::PurgeInflight
    )
}

fn create(config: &ClientConfig, transactional_id: &str) -> Result<[BaseProducer<Events>; 2], String> {
    let one = |n: usize| {
        let mut config = config.clone();
        config.set("transactional.id", format!("{transactional_id}.{n}"));
        config.create_with_context(Events::default()).map_err(|error| config::complaint(&error))
    };
    Ok([one(0)?, one(1)?])
}
