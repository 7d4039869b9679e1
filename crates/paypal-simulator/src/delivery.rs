//! Delivers what happened as PayPal does: again until it is taken, sometimes twice, sometimes late, and now and then never.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use domain::Timestamp;
use futures_util::future::join_all;

use crate::books::Pending;
use crate::site::Site;
use crate::{DeliverError, Ids, deliver, sign};

/// When a transmission that nobody took is sent again, in seconds since the first: 25 times over three days, as PayPal says.
/// It publishes no times; these grow evenly from a minute.
pub const RETRIES_AFTER_S: [i64; 25] = [
    60, 85, 121, 171, 242, 343, 486, 689, 977, 1_385, 1_963, 2_782, 3_944, 5_589, 7_922, 11_229, 15_915,
    22_557, 31_972, 45_315, 64_228, 91_033, 129_026, 182_876, 259_200,
];

/// How PayPal delivers. Time is simulated: a transmission carries the time at which PayPal would send it, and three days of
/// retries pass in a moment, unless `speed` says how fast.
///
/// What becomes of an event follows from the seed, its id and the webhook's; with one at once and no `speed`, so does the
/// order of all transmissions, as long as the answers are the same. What happens while a delivery is under way is part of it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Decides everything.
    pub seed: u64,
    /// Of a thousand events, so many are never sent.
    pub loses: u16,
    /// Of a thousand events, so many are sent twice: half of these at the same moment, half when the answer to the first
    /// was not heard.
    pub duplicates: u16,
    /// The first attempts are up to so many simulated seconds late, each for itself.
    pub reorders_s: u32,
    /// So many events at the same time.
    pub at_once: usize,
    /// When it is sent again, in simulated seconds since the first attempt; then it is given up.
    pub retries_after_s: Vec<i64>,
    /// So many simulated seconds pass in a real one; `None` waits for nothing.
    pub speed: Option<u32>,
    /// How long an answer is waited for, really.
    pub patience: Duration,
}

impl Delivery {
    /// Everything arrives once and in order, one after the other.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            loses: 0,
            duplicates: 0,
            reorders_s: 0,
            at_once: 1,
            retries_after_s: RETRIES_AFTER_S.to_vec(),
            speed: None,
            patience: Duration::from_secs(30),
        }
    }
}

/// One transmission.
#[derive(Debug)]
pub struct Attempt {
    /// The event.
    pub event_id: String,
    /// The webhook.
    pub webhook_id: String,
    /// Another one for each transmission.
    pub transmission_id: String,
    /// When, in simulated time.
    pub at: Timestamp,
    /// The status of the answer.
    pub status: Result<u16, DeliverError>,
}

impl Attempt {
    /// Whether the webhook has taken it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.status.as_ref().is_ok_and(|status| (200..300).contains(status))
    }
}

/// What became of all that waited. An event that goes to two webhooks may stand in two lists.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Event ids that a webhook has taken, in the order of the answers.
    pub taken: Vec<String>,
    /// Event ids that were never sent.
    pub lost: Vec<String>,
    /// Event ids that were refused until the last retry.
    pub given_up: Vec<String>,
    /// Every transmission, in the order of the answers.
    pub attempts: Vec<Attempt>,
}

/// How an event fares, as the seed has it.
struct Fate {
    is_lost: bool,
    is_doubled: bool,
    /// The first answer that says "taken" is not heard.
    is_unheard: bool,
    late_s: i64,
}

struct Queued {
    number: u64,
    pending: Pending,
    fate: Fate,
    first: Timestamp,
    retries: usize,
    was_taken: bool,
}

/// One delivery under way.
struct Run<'a> {
    delivery: &'a Delivery,
    site: &'a Site,
    /// The earliest first: when, and which of `queued`.
    queue: BinaryHeap<Reverse<(Timestamp, usize)>>,
    queued: Vec<Queued>,
    /// The last that was queued, of what waits at PayPal.
    seen: u64,
    /// The simulated time: never runs backwards.
    clock: Option<Timestamp>,
    /// When the clock was last moved, really.
    moved: Instant,
    delivered: Delivered,
}

impl Run<'_> {
    /// Queues what waits and was not queued yet; what is to be lost is lost.
    fn absorb(&mut self) {
        let mut books = self.site.books();
        let new: Vec<_> = books.pending_after(self.seen);
        for (number, pending) in new {
            self.seen = number;
            let fate = self.delivery.fate(&pending);
            if fate.is_lost {
                books.done(number);
                self.delivered.lost.push(pending.event.id);
                continue;
            }
            let due = pending.due.plus_seconds(fate.late_s).unwrap_or(pending.due);
            let first = self.clock.map_or(due, |clock| clock.max(due));
            self.queue.push(Reverse((first, self.queued.len())));
            self.queued.push(Queued { number, pending, fate, first, retries: 0, was_taken: false });
        }
    }

    /// Moves the clock to when the next is due; false when something came meanwhile that may be due before.
    async fn wait_for(&mut self, next: Timestamp) -> bool {
        let (Some(clock), Some(speed)) = (self.clock, self.delivery.speed) else {
            self.clock = Some(self.clock.map_or(next, |clock| clock.max(next)));
            return true;
        };
        let speed = speed.max(1);
        let missing = (next.as_datetime() - clock.as_datetime()).to_std().unwrap_or_default();
        let wait = (missing / speed).saturating_sub(self.moved.elapsed());
        let in_time = tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.site.more_waits(self.seen) => false,
        };
        let passed = self.moved.elapsed().saturating_mul(speed);
        let passed = i64::try_from(passed.as_secs()).unwrap_or(i64::MAX);
        let clock = clock.plus_seconds(passed).unwrap_or(clock);
        // Whole seconds only: what is less goes on to count.
        if passed > 0 || in_time {
            self.clock = Some(if in_time { clock.max(next) } else { clock });
            self.moved = Instant::now();
        }
        in_time
    }

    async fn finish(mut self) -> Delivered {
        loop {
            self.absorb();
            let Some(Reverse((next, _))) = self.queue.peek().copied() else { return self.delivered };
            if !self.wait_for(next).await {
                continue;
            }
            let until = self.delivery.speed.and(self.clock);
            let mut wave = Vec::new();
            while wave.len() < self.delivery.at_once.max(1)
                && let Some(Reverse((at, index))) = self.queue.pop()
            {
                if until.is_some_and(|until| at > until) {
                    self.queue.push(Reverse((at, index)));
                    break;
                }
                // The subscription may have ended meanwhile.
                if self.site.books().is_pending(self.queued[index].number) {
                    wave.push((at, index));
                }
            }
            let sends =
                wave.iter().map(|(at, index)| self.delivery.send(self.site, &self.queued[*index], *at));
            for ((_, index), attempts) in wave.iter().zip(join_all(sends).await) {
                self.settle(*index, attempts);
            }
        }
    }

    /// Writes down what became of a transmission, and has it sent again unless this was the last time.
    fn settle(&mut self, index: usize, attempts: Vec<Attempt>) {
        let queued = &mut self.queued[index];
        let is_taken = attempts.iter().any(Attempt::is_taken);
        self.delivered.attempts.extend(attempts);
        queued.was_taken |= is_taken;
        if !is_taken || std::mem::take(&mut queued.fate.is_unheard) {
            let after = self.delivery.retries_after_s.get(queued.retries);
            if let Some(at) = after.and_then(|after| queued.first.plus_seconds(*after)) {
                queued.retries += 1;
                self.queue.push(Reverse((at, index)));
                return;
            }
        }
        self.site.books().done(queued.number);
        let id = queued.pending.event.id.clone();
        if queued.was_taken { self.delivered.taken.push(id) } else { self.delivered.given_up.push(id) }
    }
}

impl Delivery {
    pub(crate) async fn run(&self, site: &Site) -> Delivered {
        let run = Run {
            delivery: self,
            site,
            queue: BinaryHeap::new(),
            queued: Vec::new(),
            seen: 0,
            clock: None,
            moved: Instant::now(),
            delivered: Delivered::default(),
        };
        run.finish().await
    }

    fn fate(&self, pending: &Pending) -> Fate {
        let text = [pending.event.id.as_bytes(), b"/", pending.webhook_id.as_bytes()].concat();
        let mix = |seed, byte: &u8| Ids::seeded(seed ^ u64::from(*byte)).number();
        let mut dice = Ids::seeded(text.iter().fold(self.seed, mix));
        let mut share = |of_thousand: u16| dice.number() % 1000 < u64::from(of_thousand);
        let (is_lost, is_twice, is_at_once) = (share(self.loses), share(self.duplicates), share(500));
        let late = dice.number() % (u64::from(self.reorders_s) + 1);
        Fate {
            is_lost,
            is_doubled: is_twice && is_at_once,
            is_unheard: is_twice && !is_at_once,
            late_s: i64::try_from(late).unwrap_or(0),
        }
    }

    async fn send(&self, site: &Site, queued: &Queued, at: Timestamp) -> Vec<Attempt> {
        let copies = if queued.fate.is_doubled && queued.retries == 0 { 2 } else { 1 };
        join_all((0..copies).map(|_| self.attempt(site, &queued.pending, at))).await
    }

    async fn attempt(&self, site: &Site, pending: &Pending, at: Timestamp) -> Attempt {
        let Pending { event, webhook_id, .. } = pending;
        let headers = sign(&site.authority, webhook_id, &event.body, at);
        let url = site.books().webhooks.get(webhook_id).map(|webhook| webhook.url.clone());
        // A subscription that ends at this moment is no URL at all.
        let url = url.unwrap_or_default();
        let sent = deliver(&site.client, &url, &headers, event.body.to_vec());
        let status = match tokio::time::timeout(self.patience, sent).await {
            Ok(status) => status,
            Err(_) => Err(DeliverError::Silent),
        };
        let transmission_id = headers.into_iter().next().map(|(_, id)| id).unwrap_or_default();
        Attempt { event_id: event.id.clone(), webhook_id: webhook_id.clone(), transmission_id, at, status }
    }
}
