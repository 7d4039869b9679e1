//! Brings facts and their outcomes together: outcomes stand in the order of their causes, with newer facts between.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{Position, ReceivedFact};
use event_log::{Event, Kind};
use relay::received;

/// A fact with all that was decided from it.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) fact: Arc<ReceivedFact>,
    pub(crate) outcomes: Vec<Event>,
    /// More outcomes may follow: the log was cut here.
    pub(crate) is_cut: bool,
}

/// Facts whose outcomes have not all been seen.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    waiting: VecDeque<Arc<ReceivedFact>>,
    /// The outcomes of the first of them.
    outcomes: Vec<Event>,
}

/// An outcome that stands where none can.
#[derive(Debug)]
pub(crate) struct Stray(pub(crate) Position, pub(crate) String);

impl Pairing {
    /// Takes the next event, and hands over each fact whose outcomes have all been seen by now.
    pub(crate) fn push(&mut self, event: Event, mut decided: impl FnMut(Decided)) -> Result<(), Stray> {
        match (event.kind, event.cause) {
            (Kind::Fact, _) => self.waiting.push_back(Arc::new(received(&event))),
            (Kind::Outcome, Some(cause)) => {
                while self.waiting.front().is_some_and(|fact| fact.position < cause) {
                    self.take_first(false).into_iter().for_each(&mut decided);
                }
                if self.waiting.front().is_none_or(|fact| fact.position != cause) {
                    let what = format!("an outcome of {cause}, which is no fact that waits");
                    return Err(Stray(event.position, what));
                }
                self.outcomes.push(event);
            }
            // Notes decide nothing.
            _ => {}
        }
        Ok(())
    }

    /// The first fact, with those of its outcomes that were seen; more of them may follow.
    pub(crate) fn begun(&self) -> Option<(&Arc<ReceivedFact>, &[Event])> {
        self.waiting.front().map(|fact| (fact, &*self.outcomes)).filter(|(_, outcomes)| !outcomes.is_empty())
    }

    /// Hands over the first fact, of which it is known that nothing follows.
    pub(crate) fn finish_first(&mut self) -> Option<Decided> {
        self.take_first(false)
    }

    /// Hands over what is left: the facts up to the last one that has outcomes, and those up to `decided_through`. In a log
    /// that was cut, the last one may have more outcomes than were seen.
    pub(crate) fn finish(&mut self, end: End, mut decided: impl FnMut(Decided)) {
        let through = match end {
            End::Decided(position) => position,
            End::Cut => Position(-1),
        };
        while self.waiting.front().is_some_and(|fact| fact.position <= through) || !self.outcomes.is_empty() {
            let is_cut = matches!(end, End::Cut);
            self.take_first(is_cut).into_iter().for_each(&mut decided);
        }
    }

    fn take_first(&mut self, is_cut: bool) -> Option<Decided> {
        let fact = self.waiting.pop_front()?;
        Some(Decided { fact, outcomes: std::mem::take(&mut self.outcomes), is_cut })
    }
}

/// Where a log that is replayed ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With everything that was decided: facts up to here, the relay's checkpoint, have all their outcomes in it.
    Decided(Position),
    /// Somewhere: outcomes may stand behind the cut.
    Cut,
}
