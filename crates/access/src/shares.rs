//! How much somebody may have at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Held = Arc<Mutex<HashMap<String, usize>>>;

/// Counts what each holder has open, up to a bound for each. Clones share the count.
#[derive(Clone, Debug)]
pub struct Shares {
    most: usize,
    held: Held,
}

/// One that is open; dropped, it is free again.
#[derive(Debug)]
pub struct Share {
    holder: String,
    held: Held,
}

impl Shares {
    /// So many for each holder at a time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, held: Held::default() }
    }

    /// One more for the holder; none when it has as many as it may have.
    #[must_use]
    pub fn take(&self, holder: &str) -> Option<Share> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.get(holder).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        held.insert(holder.to_owned(), count + 1);
        Some(Share { holder: holder.to_owned(), held: Arc::clone(&self.held) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.holder) {
            Some(count) if *count > 1 => *count -= 1,
            // Only who has something open is remembered.
            _ => _ = held.remove(&self.holder),
        }
    }
}
