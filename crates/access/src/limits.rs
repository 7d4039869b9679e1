//! How often somebody may do something: a token bucket for each, and no more buckets than fit.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;

/// Buckets that are remembered. Beyond it those that are seen seldom are forgotten, and begin full again: a flood from
/// many places takes no memory, and whoever goes on is not forgotten.
const BUCKETS_MAX: u64 = 20_000;

/// So many a second, and so many at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second.
    pub per_second: NonZeroU32,
    /// Tokens of a full bucket.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate; zero is taken for one, for a bucket that is never filled would shut somebody out for ever.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }
}

/// As `10/300`: ten a second, three hundred at once.
impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(rate, burst)| {
            Some(Self { per_second: rate.trim().parse().ok()?, burst: burst.trim().parse().ok()? })
        });
        numbers.ok_or_else(|| "give so many a second and so many at once, as 10/300".to_owned())
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.per_second, self.burst)
    }
}

/// The bucket is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// When there is a token again.
    pub after: Duration,
}

/// One token bucket for each key, in bounded memory. Clones share the buckets.
#[derive(Clone)]
pub struct RateLimit<K: Hash + Eq + Send + Sync + 'static> {
    quota: Quota,
    buckets: Cache<K, Arc<DefaultDirectRateLimiter>>,
    /// Whose bucket was found empty, until it has a token again.
    exhausted: Cache<K, ()>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Send + Sync + Clone + 'static> RateLimit<K> {
    /// Full buckets.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        // After so long a bucket is full again: nothing is forgotten with it.
        let full_after = Duration::from_secs(u64::from(rate.burst.get() / rate.per_second.get()) + 1);
        let refill = Duration::from_secs(1).checked_div(rate.per_second.get()).unwrap_or_default();
        Self {
            quota: Quota::per_second(rate.per_second).allow_burst(rate.burst),
            buckets: Cache::builder().max_capacity(BUCKETS_MAX).time_to_idle(full_after).build(),
            exhausted: Cache::builder().max_capacity(BUCKETS_MAX).time_to_live(refill).build(),
            clock: DefaultClock::default(),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// [`Exhausted`]: there is none, and none was taken.
    pub fn take(&self, key: &K) -> Result<(), Exhausted> {
        let bucket = self.buckets.get_with_by_ref(key, || Arc::new(RateLimiter::direct(self.quota)));
        bucket.check().map_err(|until| {
            self.exhausted.insert(key.clone(), ());
            Exhausted { after: until.wait_time_from(self.clock.now()) }
        })
    }

    /// Whether the bucket was found empty and has no token yet. Takes none: for what is only counted when it has failed.
    #[must_use]
    pub fn is_exhausted(&self, key: &K) -> bool {
        self.exhausted.contains_key(key)
    }
}

impl<K: Hash + Eq + Send + Sync + 'static> std::fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimit").field("quota", &self.quota).finish_non_exhaustive()
    }
}
