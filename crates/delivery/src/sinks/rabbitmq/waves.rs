//! Messages go in waves: the next begins when everything of the last one is known.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::Message;
use crate::sinks::publisher::Delivery;

/// Sends at most `most` messages at a time, and of each key the next one when the last is confirmed. Where the sink is
/// unavailable, or time is up, no other wave is begun.
pub(super) async fn in_waves<F>(
    batch: &[Arc<Message>],
    most: usize,
    is_time: impl Fn() -> bool,
    send: impl Fn(Vec<Arc<Message>>) -> F,
) -> Vec<Delivery>
where
    F: Future<Output = Vec<Delivery>>,
{
    let mut deliveries = vec![Delivery::Held; batch.len()];
    let (mut ready, mut behind, mut last) = (VecDeque::new(), vec![None; batch.len()], HashMap::new());
    for (index, message) in batch.iter().enumerate() {
        match last.insert(message.key.as_str(), index) {
            Some(before) => behind[before] = Some(index),
            None => ready.push_back(index),
        }
    }
    let mut is_open = true;
    while is_open && !ready.is_empty() && is_time() {
        let wave: Vec<usize> = ready.drain(..ready.len().min(most)).collect();
        let sent = send(wave.iter().map(|&index| batch[index].clone()).collect()).await;
        for (index, delivery) in wave.into_iter().zip(sent) {
            match &delivery {
                Delivery::Confirmed => ready.extend(behind[index]),
                Delivery::Unavailable(_) | Delivery::Busy { .. } | Delivery::Gone(_) => is_open = false,
                Delivery::Held | Delivery::Refused { .. } | Delivery::Undeliverable(_) => {}
            }
            deliveries[index] = delivery;
        }
    }
    deliveries
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::{Position, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn batch(keys: &str) -> Vec<Arc<Message>> {
        let message = |(position, key): (usize, char)| Message {
            epoch: 0,
            position: Position(position as i64),
            id: Uuid::nil(),
            type_name: "order.paid".to_owned(),
            aggregate_type: "order".to_owned(),
            aggregate_id: key.to_string(),
            key: format!("order:{key}"),
            at: Timestamp::new(chrono::DateTime::UNIX_EPOCH),
            payload: "{}".to_owned(),
            trace: None,
            hop: None,
        };
        keys.chars().enumerate().map(message).map(Arc::new).collect()
    }

    /// The positions of each wave, and what became of them, where this is what becomes of a position.
    async fn sent(
        keys: &str,
        most: usize,
        becomes: impl Fn(i64) -> Delivery,
    ) -> (Vec<Vec<i64>>, Vec<Delivery>) {
        let (batch, waves) = (batch(keys), Mutex::new(Vec::new()));
        let deliveries = in_waves(
            &batch,
            most,
            || true,
            |messages| {
                let positions: Vec<i64> = messages.iter().map(|message| message.position.0).collect();
                let deliveries = positions.iter().map(|&position| becomes(position)).collect();
                waves.lock().unwrap().push(positions);
                async move { deliveries }
            },
        )
        .await;
        (waves.into_inner().unwrap(), deliveries)
    }

    #[tokio::test]
    async fn a_wave_has_each_key_once_and_no_more_than_it_may() {
        let (waves, deliveries) = sent("aabcab", 2, |_| Delivery::Confirmed).await;
        assert_eq!(waves, [vec![0, 2], vec![3, 1], vec![5, 4]]);
        assert!(deliveries.iter().all(|delivery| *delivery == Delivery::Confirmed));
    }

    #[tokio::test]
    async fn given_a_refusal_when_more_of_its_key_follow_then_they_are_held_and_others_go_on() {
        use Delivery::{Confirmed, Held};
        let refused = Delivery::Refused { why: "no".to_owned(), retry_after: None };
        let becomes = |position| if position == 0 { refused.clone() } else { Confirmed };
        let (_, deliveries) = sent("aabb", 9, becomes).await;
        assert_eq!(deliveries, [refused.clone(), Held, Confirmed, Confirmed]);
    }

    #[tokio::test]
    async fn given_an_unavailable_sink_when_it_is_found_out_then_no_other_wave_is_begun() {
        let becomes = |_| Delivery::Unavailable("gone away".to_owned());
        let (waves, deliveries) = sent("aabc", 2, becomes).await;
        assert_eq!(waves, [vec![0, 2]]);
        assert_eq!((&deliveries[1], &deliveries[3]), (&Delivery::Held, &Delivery::Held));
    }
}
