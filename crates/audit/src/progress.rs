//! How far something long has come, for whoever waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is done of a whole; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    whole: AtomicU64,
}

impl Progress {
    /// So much is to be done, from the beginning.
    pub fn begin(&self, whole: u64) {
        self.0.done.store(0, Ordering::Relaxed);
        self.0.whole.store(whole, Ordering::Relaxed);
    }

    /// So much more is done.
    pub fn add(&self, done: u64) {
        self.0.done.fetch_add(done, Ordering::Relaxed);
    }

    /// What is done, and the whole.
    #[must_use]
    pub fn read(&self) -> (u64, u64) {
        (self.0.done.load(Ordering::Relaxed), self.0.whole.load(Ordering::Relaxed))
    }
}
