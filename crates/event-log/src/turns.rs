//! When whoever was sent away may come again. Those that are sent away together would come together again, and most of them be
//! sent away again: each gets a turn of its own, so many a second as can be taken beside what is new.

use std::time::Duration;

use tokio::time::Instant;

/// The soonest, and the latest.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(300);
/// What is taken is counted over so long, while others are sent away: what is taken of little says nothing about much.
const WINDOW: Duration = Duration::from_secs(1);
/// Who is sent away after so long without anybody else is the first one.
const PAUSE: Duration = Duration::from_secs(2);
/// Of what can be taken those that come again have one part, and what is new the others.
const PARTS: u32 = 2;

/// The turns of one shop.
#[derive(Debug)]
pub(crate) struct Turns {
    /// The last turn that was given, and when that was.
    last: Instant,
    gave: Instant,
    /// How long one fact takes; `None` before anything was counted.
    each: Option<Duration>,
    since: Instant,
    taken: u32,
}

impl Turns {
    pub(crate) fn new(now: Instant) -> Self {
        Self { last: now, gave: now, each: None, since: now, taken: 0 }
    }

    /// So many facts were committed.
    pub(crate) fn took(&mut self, now: Instant, facts: usize) {
        self.taken = self.taken.saturating_add(u32::try_from(facts).unwrap_or(u32::MAX));
        let elapsed = now - self.since;
        if elapsed >= WINDOW {
            self.each = Some(elapsed / self.taken.max(1));
            (self.since, self.taken) = (now, 0);
        }
    }

    /// How long the next one who is sent away should stay away.
    pub(crate) fn give(&mut self, now: Instant) -> Duration {
        if now - self.gave >= PAUSE {
            (self.each, self.since, self.taken) = (None, now, 0);
        }
        self.gave = now;
        let step = self.each.unwrap_or_default().saturating_mul(PARTS);
        self.last = (self.last.max(now) + step.min(LATE)).min(now + LATE);
        (self.last - now).max(SOON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    /// A second in which so many are taken and one is sent away.
    fn busy(turns: &mut Turns, start: Instant, facts: usize) {
        turns.give(start);
        for ms in (100..=1_000).step_by(100) {
            turns.took(after(start, ms), facts / 10);
        }
    }

    #[test]
    fn given_a_thousand_are_taken_a_second_when_ten_thousand_are_sent_away_then_five_hundred_come_again_each_second()
     {
        let start = Instant::now();
        let mut turns = Turns::new(start);
        busy(&mut turns, start, 1_000);
        let now = after(start, 1_000);
        let mut seconds = [0; 21];
        for _ in 0..10_000 {
            seconds[turns.give(now).as_secs() as usize] += 1;
        }
        assert_eq!(seconds[0], 0, "nobody comes again at once");
        assert!(seconds[2..20].iter().all(|come| (499..=501).contains(come)), "{seconds:?}");
    }

    #[test]
    fn given_little_came_for_a_minute_when_the_first_is_sent_away_then_that_says_nothing_about_what_can_be_taken()
     {
        let start = Instant::now();
        let mut turns = Turns::new(start);
        for second in 1..=60 {
            turns.took(after(start, second * 1_000), 1);
        }
        assert!((0..500).all(|_| turns.give(after(start, 60_000)) == SOON));
    }

    #[test]
    fn given_the_turns_are_over_when_one_is_sent_away_then_it_comes_again_after_a_second() {
        let start = Instant::now();
        let mut turns = Turns::new(start);
        busy(&mut turns, start, 10);
        assert!((0..50).map(|_| turns.give(after(start, 1_000))).last() > Some(SOON));
        assert_eq!(turns.give(after(start, 60_000)), SOON);
    }

    #[test]
    fn given_nothing_is_taken_any_more_when_many_are_sent_away_then_none_stays_away_for_ever() {
        let start = Instant::now();
        let mut turns = Turns::new(start);
        busy(&mut turns, start, 0);
        assert_eq!((0..1_000).map(|_| turns.give(after(start, 1_000))).last(), Some(LATE));
    }
}
