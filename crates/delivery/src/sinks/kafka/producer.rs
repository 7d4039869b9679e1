//! The producer's own thread: librdkafka's calls block, and somebody has to listen to it also while nothing is published.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use database::BoxFuture;
use tokio::sync::oneshot;

use super::config;
use super::connection::Connection;
use crate::Message;
use crate::sinks::publisher::{Context, Delivery, Publisher};
use crate::sinks::settings::{KafkaTarget, Secrets};

/// How long librdkafka is not listened to.
const LISTEN: Duration = Duration::from_millis(200);

/// Messages to be published, and who waits for what becomes of them.
struct Job {
    batch: Vec<Arc<Message>>,
    answer: oneshot::Sender<Vec<Delivery>>,
}

/// The way to a producer. Dropped, the producer's thread ends what it is at, within the time that it has for it, and closes.
struct Kafka {
    jobs: Sender<Job>,
}

/// Connects. The first batch fences off whoever published for this sink before.
pub(crate) async fn open(
    target: &KafkaTarget,
    secrets: &Secrets,
    context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    let config = config::of(target, secrets)?;
    let (jobs, queue) = mpsc::channel();
    let (ready, opened) = oneshot::channel();
    let (target, context) = (target.clone(), context.clone());
    let work = move || match Connection::open(config, target, &context) {
        Ok(connection) => {
            if ready.send(Ok(())).is_ok() {
                serve(connection, &queue);
            }
        }
        Err(why) => {
            let _ = ready.send(Err(why));
        }
    };
    let thread = thread::Builder::new().name("kafka".to_owned()).spawn(work);
    thread.map_err(|error| format!("there is no thread for it: {error}"))?;
    opened.await.unwrap_or_else(|_| Err(ENDED.to_owned()))?;
    Ok(Box::new(Kafka { jobs }))
}

const ENDED: &str = "the producer's thread has ended";

/// Publishes until nobody asks any more.
fn serve(mut connection: Connection, jobs: &Receiver<Job>) {
    loop {
        match jobs.recv_timeout(LISTEN) {
            // Whoever asked has lost its lease: another publishes.
            Ok(Job { answer, .. }) if answer.is_closed() => {}
            Ok(Job { batch, answer }) => {
                let deliveries = connection.publish(&batch);
                let _ = answer.send(deliveries);
            }
            Err(RecvTimeoutError::Timeout) => connection.listen(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Publisher for Kafka {
    fn publish<'a>(&'a mut self, batch: &'a [Arc<Message>]) -> BoxFuture<'a, Vec<Delivery>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let sent = self.jobs.send(Job { batch: batch.to_vec(), answer });
            let deliveries = match sent {
                Ok(()) => answered.await.ok(),
                Err(_) => None,
            };
            deliveries.unwrap_or_else(|| vec![Delivery::Unavailable(ENDED.to_owned()); batch.len()])
        })
    }
}
