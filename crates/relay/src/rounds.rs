//! What a process does beside others: it looks again and again for what it may lead, and has a task for each.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Rounds that are gone until they are stopped, and the tasks that came of them. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Rounds {
    /// Goes the first round at once, and each next one so long after the last. One that fails is told as `why`, and the next
    /// one is gone all the same.
    pub fn start<F, E>(
        &self,
        every: Duration,
        why: &'static str,
        mut round: impl FnMut() -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send,
        E: fmt::Display + Send,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            while !stop.is_cancelled() {
                if let Err(error) = round().await {
                    tracing::warn!(%error, "{why}");
                }
                tokio::select! {
                    () = tokio::time::sleep(every) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
        self.tasks.close();
    }

    /// A task that is waited for at the end; it has to look itself whether the end is [`Rounds::stopping`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// When everything is to stop.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Has everything stop, and waits for it.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

/// What this process leads. Clones are the same.
#[derive(Clone, Debug)]
pub struct Leading<K>(Arc<Mutex<HashSet<K>>>);

impl<K> Default for Leading<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Leading<K> {
    /// Whether it leads this.
    pub fn contains(&self, key: &K) -> bool {
        self.set().contains(key)
    }

    /// It leads this for as long as the answer is there, however the task ends that has it.
    pub fn begin(&self, key: K) -> Leads<K> {
        self.set().insert(key.clone());
        Leads { leading: self.clone(), key }
    }

    fn set(&self) -> MutexGuard<'_, HashSet<K>> {
        // A panic elsewhere leaves the set whole: each change of it is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that something is led by this process.
#[derive(Debug)]
pub struct Leads<K: Clone + Eq + Hash> {
    leading: Leading<K>,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for Leads<K> {
    fn drop(&mut self) {
        self.leading.set().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn given_a_round_that_fails_then_the_next_is_gone_and_a_stop_waits_for_the_tasks() {
        let (rounds, gone, ended) =
            (Rounds::default(), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (told, tell) = tokio::sync::oneshot::channel();
        let (mut told, counted) = (Some(told), Arc::clone(&gone));
        rounds.start(Duration::ZERO, "it fails", move || {
            let third = (counted.fetch_add(1, Ordering::SeqCst) == 2).then(|| told.take()).flatten();
            async move {
                let _ = third.map(|told| told.send(()));
                Err("as it must")
            }
        });
        let (stopping, end) = (rounds.stopping().clone(), Arc::clone(&ended));
        rounds.spawn(async move {
            stopping.cancelled().await;
            end.fetch_add(1, Ordering::SeqCst);
        });
        let _ = tell.await;
        rounds.stop().await;
        assert!(gone.load(Ordering::SeqCst) >= 3);
        assert_eq!(ended.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_is_led_is_led_no_more_when_its_task_has_gone_however_it_went() {
        let leading = Leading::default();
        let leads = leading.begin("a");
        assert!(leading.contains(&"a") && !leading.contains(&"b"));
        let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _leads = leads;
            std::panic::resume_unwind(Box::new("a panic"));
        }));
        assert!(gone.is_err() && !leading.contains(&"a"));
    }
}
