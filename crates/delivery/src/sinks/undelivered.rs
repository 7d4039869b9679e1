//! What a sink has passed and not delivered: kept in its table, and here as far as its leader must know.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use database::{Database, sql};
use domain::{Position, ShopId};
use tokio::time::Instant;

use crate::{Error, Message};

/// More than this are not set aside: the sink waits instead.
const MOST: usize = 10_000;
/// Taken up again at a time.
const AT_ONCE: usize = 200;
/// Of what an error says, so much is kept.
const ERROR_MAX: usize = 500;

/// One that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Where it stands.
    pub position: Position,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub next: Instant,
}

/// What waits, by key, in the order of the log: only the first of a key is tried.
#[derive(Debug, Default)]
pub struct Undelivered {
    by_key: HashMap<String, VecDeque<Waiting>>,
    count: usize,
    /// Set aside by a leader of before, ahead of its checkpoint: they are read again, and are done with.
    ahead: HashSet<Position>,
}

/// Rows to be written, as columns.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Those that are delivered after all.
    pub delivered: Vec<i64>,
    /// Those that are set aside or tried again, or dead: where they stand.
    pub positions: Vec<i64>,
    /// Their keys.
    pub keys: Vec<String>,
    /// Their types.
    pub types: Vec<String>,
    /// `waiting` or `dead`.
    pub states: Vec<&'static str>,
    /// How often they were tried.
    pub attempts: Vec<i32>,
    /// In how many milliseconds they are tried again.
    pub in_ms: Vec<i64>,
    /// Why they were not taken.
    pub errors: Vec<String>,
}

impl Rows {
    /// Whether there is nothing to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.delivered.is_empty() && self.positions.is_empty()
    }

    fn push(&mut self, message: &Message, state: &'static str, attempts: u32, wait: Duration, error: &str) {
        self.positions.push(message.position.0);
        self.keys.push(message.key.clone());
        self.types.push(message.type_name.clone());
        self.states.push(state);
        self.attempts.push(i32::try_from(attempts).unwrap_or(i32::MAX));
        self.in_ms.push(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.errors.push(error.chars().filter(|c| !c.is_control()).take(ERROR_MAX).collect());
    }
}

impl Undelivered {
    /// Those that wait, by key, in the order of the log; and all that were set aside ahead of the checkpoint, dead ones too.
    pub fn of(
        waiting: impl IntoIterator<Item = (String, Waiting)>,
        ahead: impl IntoIterator<Item = Position>,
    ) -> Self {
        let mut undelivered = Self { ahead: ahead.into_iter().collect(), ..Self::default() };
        waiting.into_iter().for_each(|(key, waiting)| undelivered.add(key, waiting));
        undelivered
    }

    /// What the table has, where the checkpoint stands there.
    pub(crate) async fn load(
        database: &Database,
        shop: &ShopId,
        sink: &str,
        checkpoint: Position,
    ) -> Result<Self, Error> {
        let client = database.client().await?;
        // One more than is ever set aside, by leaders of before and an operator's redrive.
        let limit = 10 * MOST as i64;
        let parameters: database::Parameters<'_> = &[&shop.as_str(), &sink, &checkpoint.0, &limit];
        let rows = client.query(&sql::delivery::LOAD_UNDELIVERED, parameters).await?;
        let (mut undelivered, now) = (Self::default(), Instant::now());
        for row in rows {
            let position = Position(row.try_get("position")?);
            if position > checkpoint {
                undelivered.ahead.insert(position);
            }
            if row.try_get::<_, &str>("state")? != "waiting" {
                continue;
            }
            let in_ms: i64 = row.try_get("in_ms")?;
            let waiting = Waiting {
                position,
                attempts: u32::try_from(row.try_get::<_, i32>("attempts")?).unwrap_or(0),
                next: now + Duration::from_millis(u64::try_from(in_ms).unwrap_or(0)),
            };
            undelivered.add(row.try_get("key")?, waiting);
        }
        Ok(undelivered)
    }

    fn add(&mut self, key: String, waiting: Waiting) {
        self.by_key.entry(key).or_default().push_back(waiting);
        self.count += 1;
    }

    /// Whether a leader of before has set it aside already: it is asked for each once.
    pub(crate) fn take_ahead(&mut self, position: Position) -> bool {
        self.ahead.remove(&position)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= MOST
    }

    pub(crate) fn holds_back(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    /// When the next one is to be tried.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.by_key.values().filter_map(|waiting| Some(waiting.front()?.next)).min()
    }

    /// Those that are to be tried now: the first of each key, the earliest first.
    pub(crate) fn due(&self, now: Instant) -> Vec<Position> {
        let firsts = self.by_key.values().filter_map(VecDeque::front);
        let due: BTreeMap<(Instant, Position), ()> = firsts
            .filter(|first| first.next <= now)
            .map(|first| ((first.next, first.position), ()))
            .collect();
        due.into_keys().map(|(_, position)| position).take(AT_ONCE).collect()
    }

    /// Sets one aside that was refused: it is tried again, unless the schedule is at its end.
    pub(crate) fn refuse(
        &mut self,
        rows: &mut Rows,
        message: &Message,
        schedule: &[u32],
        (why, retry_after): (&str, Option<Duration>),
        now: Instant,
    ) {
        let attempts = self.attempts(message) + 1;
        let Some(wait) = pause(schedule, attempts, retry_after, message.position) else {
            return self.bury(rows, message, why);
        };
        rows.push(message, "waiting", attempts, wait, why);
        let waiting = Waiting { position: message.position, attempts, next: now + wait };
        match self.first(message) {
            Some(first) => *first = waiting,
            None => self.add(message.key.clone(), waiting),
        }
    }

    /// Keeps one back that comes behind another of its key.
    pub(crate) fn keep_back(&mut self, rows: &mut Rows, message: &Message, now: Instant) {
        rows.push(message, "waiting", 0, Duration::ZERO, "waits behind an earlier event of its key");
        let waiting = Waiting { position: message.position, attempts: 0, next: now };
        self.add(message.key.clone(), waiting);
    }

    /// Makes a dead letter of it: it holds back nothing any more.
    pub(crate) fn bury(&mut self, rows: &mut Rows, message: &Message, why: &str) {
        tracing::warn!(position = message.position.0, why, "a dead letter");
        let attempts = self.attempts(message) + 1;
        rows.push(message, "dead", attempts, Duration::ZERO, why);
        self.forget(message);
    }

    /// One that waited is delivered.
    pub(crate) fn delivered(&mut self, rows: &mut Rows, message: &Message) {
        rows.delivered.push(message.position.0);
        self.forget(message);
    }

    fn attempts(&mut self, message: &Message) -> u32 {
        self.first(message).map_or(0, |first| first.attempts)
    }

    fn first(&mut self, message: &Message) -> Option<&mut Waiting> {
        let first = self.by_key.get_mut(&message.key)?.front_mut()?;
        (first.position == message.position).then_some(first)
    }

    fn forget(&mut self, message: &Message) {
        if self.first(message).is_none() {
            return;
        }
        if let Some(waiting) = self.by_key.get_mut(&message.key) {
            waiting.pop_front();
            self.count -= 1;
            if waiting.is_empty() {
                self.by_key.remove(&message.key);
            }
        }
    }
}

/// How long until the next attempt; none when the schedule is at its end. Within a tenth, by where it stands, so that what was
/// refused together does not come back together.
fn pause(schedule: &[u32], attempts: u32, retry_after: Option<Duration>, of: Position) -> Option<Duration> {
    let seconds = *schedule.get(attempts.checked_sub(1)? as usize)?;
    let wait = Duration::from_secs(u64::from(seconds)).max(retry_after.unwrap_or_default());
    // Neighbours are far apart: 8 and 21 have nothing in common.
    let percent = u32::try_from((of.0 + i64::from(attempts)).wrapping_mul(8).rem_euclid(21)).unwrap_or(0);
    Some(wait * (95 + percent / 2) / 100 + Duration::from_millis(u64::from(percent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::of_order as message;

    fn in_an_hour() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[tokio::test]
    async fn a_refused_one_holds_back_its_key_and_only_the_first_of_a_key_is_tried() {
        let (mut undelivered, mut rows) = (Undelivered::default(), Rows::default());
        undelivered.refuse(&mut rows, &message(1, "a"), &[5, 300], ("no", None), Instant::now());
        undelivered.keep_back(&mut rows, &message(2, "a"), Instant::now());
        undelivered.refuse(&mut rows, &message(3, "b"), &[5, 300], ("no", None), Instant::now());
        assert!(undelivered.holds_back("order:a") && !undelivered.holds_back("order:c"));
        assert!(undelivered.due(Instant::now()).is_empty(), "not before their time");
        let mut due = undelivered.due(in_an_hour());
        due.sort_unstable();
        assert_eq!(due, [Position(1), Position(3)]);
        undelivered.delivered(&mut rows, &message(1, "a"));
        assert!(undelivered.due(Instant::now()).contains(&Position(2)), "the next of the key at once");
    }

    #[tokio::test]
    async fn behind_the_schedule_it_is_a_dead_letter_and_its_key_goes_on() {
        let (mut undelivered, mut rows) = (Undelivered::default(), Rows::default());
        for _ in 0..2 {
            undelivered.refuse(&mut rows, &message(1, "a"), &[5, 300], ("no", None), Instant::now());
        }
        undelivered.keep_back(&mut rows, &message(2, "a"), Instant::now());
        undelivered.refuse(&mut rows, &message(1, "a"), &[5, 300], ("no", None), Instant::now());
        assert_eq!(rows.states, ["waiting", "waiting", "waiting", "dead"]);
        assert_eq!(rows.attempts, [1, 2, 0, 3]);
        assert_eq!(undelivered.due(Instant::now()), [Position(2)]);
    }

    #[test]
    fn a_sink_that_asks_for_more_time_gets_it() {
        let wait = pause(&[5], 1, Some(Duration::from_secs(100)), Position(7)).unwrap();
        assert!((95..=106).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(pause(&[5], 2, None, Position(7)), None);
    }
}
