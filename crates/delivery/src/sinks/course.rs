//! Where a sink's leader stands, and what follows from each round. Pure: what is read, published and recorded meanwhile is
//! the leader's, so that the same is decided over PostgreSQL and a broker, and in a simulation.

use std::sync::Arc;

use domain::Position;
use tokio::time::Instant;

use super::publisher::Delivery;
use super::suspects::Suspects;
use super::undelivered::{Rows, Undelivered};
use super::verdict::{Fate, Verdict, judge};
use super::window::Window;
use crate::{Message, Page};

/// Messages that are published together.
const BATCH: usize = 1_000;

/// Messages that are published now, with their places.
pub type Round = Vec<(usize, Arc<Message>)>;

/// What is open, what is set aside, and what is suspected of being in the way.
#[derive(Debug)]
pub struct Course {
    window: Window,
    undelivered: Undelivered,
    suspects: Suspects,
    refused_in_a_row: usize,
    /// How long to wait after the first refusal of a message, the second, ..
    retry_s: Vec<u32>,
}

impl Course {
    /// From the checkpoint on, with what was set aside before it.
    #[must_use]
    pub fn new(checkpoint: Position, undelivered: Undelivered, retry_s: Vec<u32>) -> Self {
        let (window, suspects) = (Window::new(checkpoint), Suspects::default());
        Self { window, undelivered, suspects, refused_in_a_row: 0, retry_s }
    }

    /// Everything up to here was looked at.
    #[must_use]
    pub fn seen(&self) -> Position {
        self.window.seen()
    }

    /// How many more messages may be read: none when too much is set aside already.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.undelivered.is_full() { 0 } else { self.window.room() }
    }

    /// Takes what was read, if anything was.
    pub fn read(&mut self, page: Option<Page>) {
        self.window.add(page);
    }

    /// Whether nothing waits to be published.
    #[must_use]
    pub fn has_nothing_open(&self) -> bool {
        self.window.open(1).is_empty()
    }

    /// Whether all that was read is passed.
    #[must_use]
    pub fn is_through(&self) -> bool {
        self.window.is_empty()
    }

    /// Whether nothing more can be set aside.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.undelivered.is_full()
    }

    /// What is to be published now. What comes behind something that was set aside is set aside too; what was set aside
    /// already, by a leader of before, is not taken up a second time.
    pub fn begin(&mut self, rows: &mut Rows, now: Instant) -> Round {
        let mut round = Round::new();
        for (place, message) in self.suspects.last(self.window.open(usize::MAX)) {
            if self.undelivered.take_ahead(message.position) {
                self.window.done(place);
            } else if !self.undelivered.holds_back(&message.key) {
                if round.len() < BATCH {
                    round.push((place, message));
                }
            } else if !self.undelivered.is_full() {
                self.undelivered.keep_back(rows, &message, now);
                self.window.done(place);
            }
        }
        round
    }

    /// Takes what became of each message of a round, and judges it.
    pub fn end(&mut self, rows: &mut Rows, round: Round, deliveries: Vec<Delivery>, now: Instant) -> Verdict {
        let (verdict, refused_in_a_row) = judge(&deliveries, self.refused_in_a_row);
        self.refused_in_a_row = refused_in_a_row;
        for ((place, message), delivery) in round.into_iter().zip(deliveries) {
            if self.settle(rows, &message, delivery, &verdict, now) {
                self.window.done(place);
            }
        }
        verdict
    }

    /// Whether the message is done with.
    fn settle(
        &mut self,
        rows: &mut Rows,
        message: &Message,
        delivery: Delivery,
        verdict: &Verdict,
        now: Instant,
    ) -> bool {
        match verdict.fate(delivery, self.suspects.strikes(message.position)) {
            Fate::Delivered => {}
            Fate::Dead(why) => self.undelivered.bury(rows, message, &why),
            Fate::Aside { why, retry_after } if !self.undelivered.is_full() => {
                self.undelivered.refuse(rows, message, &self.retry_s, (&why, retry_after), now);
            }
            Fate::Aside { .. } => {
                self.suspects.add(message.position, true);
                return false;
            }
            Fate::Suspect { is_strike } => {
                self.suspects.add(message.position, is_strike);
                return false;
            }
            Fate::Open => return false,
        }
        self.suspects.remove(message.position);
        true
    }

    /// Those that were set aside and are to be tried now: the first of each key.
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<Position> {
        self.undelivered.due(now)
    }

    /// When the next one of them is to be tried.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.undelivered.next_due()
    }

    /// Takes what became of messages that had been set aside. Each failure is an attempt of the schedule, whatever its reason.
    pub fn end_retry(
        &mut self,
        rows: &mut Rows,
        messages: &[Arc<Message>],
        deliveries: Vec<Delivery>,
        now: Instant,
    ) -> Verdict {
        let (verdict, _) = judge(&deliveries, 0);
        for (message, delivery) in messages.iter().zip(deliveries) {
            let (why, retry_after) = match delivery {
                Delivery::Confirmed => {
                    self.undelivered.delivered(rows, message);
                    continue;
                }
                Delivery::Undeliverable(why) => {
                    self.undelivered.bury(rows, message, &why);
                    continue;
                }
                Delivery::Held | Delivery::Gone(_) => continue,
                Delivery::Refused { why, retry_after } => (why, retry_after),
                Delivery::Unavailable(why) => (why, None),
                Delivery::Busy { why, wait } => (why, Some(wait)),
            };
            self.undelivered.refuse(rows, message, &self.retry_s, (&why, retry_after), now);
        }
        verdict
    }

    /// Everything up to here is done with: the checkpoint may stand there once the rows of what was set aside are written
    /// with it.
    pub fn passed(&mut self) -> Position {
        self.window.settle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::of_order as message;
    use crate::sinks::Waiting;

    fn page(messages: impl IntoIterator<Item = (i64, &'static str)>) -> Page {
        let messages: Vec<Message> =
            messages.into_iter().map(|(position, key)| message(position, key)).collect();
        let seen = messages.last().unwrap().position;
        Page { messages, seen, is_end: true }
    }

    /// The leader before held its checkpoint at 0 for the sake of 1, and had set aside 2 and 3 of another key, and buried 4.
    #[tokio::test]
    async fn given_what_was_set_aside_ahead_of_the_checkpoint_when_it_is_read_again_then_it_is_done_with() {
        let now = Instant::now();
        let waiting = |position| Waiting { position: Position(position), attempts: 2, next: now };
        let undelivered = Undelivered::of(
            [("order:b".to_owned(), waiting(2)), ("order:b".to_owned(), waiting(3))],
            [2, 3, 4].map(Position),
        );
        let (mut course, mut rows) = (Course::new(Position(0), undelivered, vec![1]), Rows::default());
        course.read(Some(page([(1, "a"), (2, "b"), (3, "b"), (4, "c"), (5, "c"), (6, "b")])));
        let round = course.begin(&mut rows, now);
        let published: Vec<i64> = round.iter().map(|(_, message)| message.position.0).collect();
        assert_eq!((published.as_slice(), rows.positions.as_slice()), (&[1, 5][..], &[6][..]));

        let mut order = Vec::new();
        while let [due] = course.due(now)[..] {
            order.push(due.0);
            let retried = [Arc::new(message(due.0, "b"))];
            course.end_retry(&mut rows, &retried, vec![Delivery::Confirmed], now);
        }
        assert_eq!(order, [2, 3, 6], "each once, in order");
        course.end(&mut rows, round, vec![Delivery::Confirmed, Delivery::Confirmed], now);
        assert_eq!(course.passed(), Position(6));
    }
}
