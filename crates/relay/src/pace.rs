//! How many facts a batch takes: more while all goes well, fewer when batches take long or fail.

use std::time::Duration;

/// The first batch of a lease. The last leader may have lost it because its batches took too long: grown from here, one
/// that fits is found.
const FIRST: usize = 8;

/// How many facts the next batch takes.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    most: usize,
    /// A batch that takes longer is too large.
    bearable: Duration,
}

impl Pace {
    /// The lease is renewed between batches: one that takes as long would be lost to whoever takes over.
    pub(crate) fn new(batch_max: usize, lease: Duration) -> Self {
        Self { limit: batch_max.min(FIRST), most: batch_max, bearable: lease / 4 }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A batch of so many facts was written.
    pub(crate) fn wrote(&mut self, facts: usize, took: Duration) {
        if took > self.bearable {
            self.halve(facts);
        } else {
            self.limit = (self.limit * 2).min(self.most);
        }
    }

    /// A batch of so many facts was not: it may have been too large for the time that there is, or one of its facts is to
    /// blame. One that failed before it had any says nothing of its size.
    pub(crate) fn failed(&mut self, facts: usize) {
        if facts > 0 {
            self.halve(facts);
        }
    }

    fn halve(&mut self, facts: usize) {
        self.limit = (facts / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    #[test]
    fn it_grows_while_batches_are_quick_and_never_beyond_the_most() {
        let mut pace = Pace::new(500, LEASE);
        let mut limits = Vec::new();
        for _ in 0..8 {
            limits.push(pace.limit());
            pace.wrote(pace.limit(), Duration::from_millis(1));
        }
        assert_eq!(limits, [8, 16, 32, 64, 128, 256, 500, 500]);
        assert_eq!(Pace::new(3, LEASE).limit(), 3);
    }

    #[test]
    fn given_a_batch_that_was_slow_when_written_then_the_next_is_half_of_it() {
        let mut pace = Pace::new(500, LEASE);
        pace.wrote(8, LEASE / 2);
        assert_eq!(pace.limit(), 4);
        pace.failed(0);
        assert_eq!(pace.limit(), 4);
        pace.wrote(1, LEASE / 2);
        assert_eq!(pace.limit(), 1);
    }

    #[test]
    fn given_batches_that_fail_when_too_large_then_one_that_fits_is_found_from_any_size() {
        for fits in 1..=20 {
            let mut pace = Pace::new(500, LEASE);
            let (mut done, mut failures) = (0, 0);
            while done < 1_000 {
                if pace.limit() > fits {
                    failures += 1;
                    pace.failed(pace.limit());
                } else {
                    done += pace.limit();
                    pace.wrote(pace.limit(), Duration::from_millis(1));
                }
                assert!(failures <= 4 + done, "it gets nowhere with batches of {fits}");
            }
        }
    }
}
