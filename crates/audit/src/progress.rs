//! How far something long has come, for whoever waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts what is done of a whole; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    what: Mutex<&'static str>,
    done: AtomicU64,
    whole: AtomicU64,
}

impl Progress {
    /// So much of something is to be done, from the beginning.
    pub fn begin(&self, what: &'static str, whole: u64) {
        *self.0.what.lock().unwrap_or_else(PoisonError::into_inner) = what;
        self.0.done.store(0, Ordering::Relaxed);
        self.0.whole.store(whole, Ordering::Relaxed);
    }

    /// So much more is done.
    pub fn add(&self, done: u64) {
        self.0.done.fetch_add(done, Ordering::Relaxed);
    }

    /// What is being done, how much of it is, and the whole.
    #[must_use]
    pub fn read(&self) -> (&'static str, u64, u64) {
        let what = *self.0.what.lock().unwrap_or_else(PoisonError::into_inner);
        (what, self.0.done.load(Ordering::Relaxed), self.0.whole.load(Ordering::Relaxed))
    }
}
