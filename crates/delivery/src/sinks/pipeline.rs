//! Many messages under way, at most one of each key: for sinks that keep no order by themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::publisher::Delivery;
use crate::Message;

/// Sends each message when the ones before it of its key are confirmed, and no more than `most` at a time. One that is not
/// confirmed holds back the later ones of its key; where the sink is unavailable or gone, nothing more is begun.
pub async fn in_key_order<F>(
    batch: &[Arc<Message>],
    most: usize,
    send: impl Fn(Arc<Message>) -> F,
) -> Vec<Delivery>
where
    F: Future<Output = Delivery>,
{
    let mut deliveries = vec![Delivery::Held; batch.len()];
    let mut of_key: HashMap<&str, VecDeque<usize>> = HashMap::with_capacity(batch.len());
    let mut ready = VecDeque::with_capacity(batch.len());
    for (index, message) in batch.iter().enumerate() {
        let behind = of_key.entry(&message.key).or_default();
        if behind.is_empty() {
            ready.push_back(index);
        }
        behind.push_back(index);
    }
    let mut under_way = FuturesUnordered::new();
    let mut is_open = true;
    loop {
        while is_open && under_way.len() < most {
            let Some(index) = ready.pop_front() else { break };
            let sent = send(batch[index].clone());
            under_way.push(async move { (index, sent.await) });
        }
        let Some((index, delivery)) = under_way.next().await else { return deliveries };
        match &delivery {
            Delivery::Confirmed => {
                let behind = of_key.get_mut(batch[index].key.as_str());
                let next = behind.and_then(|behind| {
                    behind.pop_front();
                    behind.front().copied()
                });
                ready.extend(next);
            }
            Delivery::Unavailable(_) | Delivery::Busy { .. } | Delivery::Gone(_) => is_open = false,
            Delivery::Held | Delivery::Refused { .. } | Delivery::Undeliverable(_) => {}
        }
        deliveries[index] = delivery;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::message::of_order;

    fn message(position: i64, key: &str) -> Arc<Message> {
        Arc::new(of_order(position, key))
    }

    #[tokio::test]
    async fn at_most_one_message_of_a_key_is_under_way_and_keys_do_not_wait_for_each_other() {
        let batch: Vec<_> = (0..60).map(|n| message(n, ["a", "b", "c"][n as usize % 3])).collect();
        let (now, most, sent) = (Mutex::new(HashMap::new()), Mutex::new(0), Mutex::new(Vec::new()));
        let deliveries = in_key_order(&batch, 16, |message| {
            let (now, most, sent) = (&now, &most, &sent);
            async move {
                {
                    let mut now = now.lock().unwrap();
                    *now.entry(message.key.clone()).or_insert(0) += 1;
                    assert_eq!(now[&message.key], 1, "{}", message.key);
                    let all: i32 = now.values().sum();
                    let mut most = most.lock().unwrap();
                    *most = all.max(*most);
                }
                tokio::task::yield_now().await;
                *now.lock().unwrap().get_mut(&message.key).unwrap() -= 1;
                sent.lock().unwrap().push(message.position.0);
                Delivery::Confirmed
            }
        })
        .await;
        assert!(deliveries.iter().all(|delivery| *delivery == Delivery::Confirmed));
        assert_eq!(*most.lock().unwrap(), 3);
        for key in 0..3 {
            let of_key: Vec<i64> = sent.lock().unwrap().iter().copied().filter(|n| n % 3 == key).collect();
            assert!(of_key.is_sorted(), "{of_key:?}");
        }
    }

    #[tokio::test]
    async fn given_a_refusal_when_more_of_its_key_follow_then_they_are_held_and_others_go_on() {
        let batch = [message(0, "a"), message(1, "a"), message(2, "b"), message(3, "a"), message(4, "b")];
        let refused = Delivery::Refused { why: "no".to_owned(), retry_after: None };
        let deliveries = in_key_order(&batch, 16, |message| {
            let refused = refused.clone();
            async move { if message.position.0 == 1 { refused } else { Delivery::Confirmed } }
        })
        .await;
        use Delivery::{Confirmed, Held};
        assert_eq!(deliveries, [Confirmed, refused, Confirmed, Held, Confirmed]);
    }

    #[tokio::test]
    async fn given_an_unavailable_sink_when_it_is_found_out_then_nothing_more_is_begun() {
        let batch: Vec<_> = (0..10).map(|n| message(n, &n.to_string())).collect();
        let begun = Mutex::new(0);
        let deliveries = in_key_order(&batch, 1, |message| {
            *begun.lock().unwrap() += 1;
            async move {
                if message.position.0 == 3 {
                    Delivery::Unavailable("gone away".to_owned())
                } else {
                    Delivery::Confirmed
                }
            }
        })
        .await;
        assert_eq!(*begun.lock().unwrap(), 4);
        assert!(deliveries[4..].iter().all(|delivery| *delivery == Delivery::Held));
    }
}
