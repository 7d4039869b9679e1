//! Messages that failed and are still open: those of other keys are tried before them, so that they are in nobody's way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::Position;

use crate::Message;

/// A message and its place in the window.
pub(crate) type Placed = (usize, Arc<Message>);

/// By position, in how many rounds each was lost while others got through. No more than the window has.
#[derive(Debug, Default)]
pub(crate) struct Suspects(HashMap<Position, u32>);

impl Suspects {
    pub(crate) fn strikes(&self, position: Position) -> u32 {
        self.0.get(&position).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, position: Position, is_strike: bool) {
        *self.0.entry(position).or_default() += u32::from(is_strike);
    }

    /// It is not open any more.
    pub(crate) fn remove(&mut self, position: Position) {
        self.0.remove(&position);
    }

    /// The same messages, those of suspects' keys last. Those of one key keep their order.
    pub(crate) fn last(&self, open: Vec<Placed>) -> Vec<Placed> {
        if self.0.is_empty() {
            return open;
        }
        let is_suspect = |(_, message): &&Placed| self.0.contains_key(&message.position);
        let keys: HashSet<String> =
            open.iter().filter(is_suspect).map(|(_, message)| message.key.clone()).collect();
        let (suspect, mut others): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(_, message)| keys.contains(&message.key));
        others.extend(suspect);
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::of_order;

    fn placed(place: usize, key: &str) -> Placed {
        (place, Arc::new(of_order(place as i64, key)))
    }

    #[test]
    fn given_a_suspect_when_messages_are_chosen_then_those_of_its_key_come_last_and_in_order() {
        let open: Vec<Placed> = ["a", "b", "a", "c"].iter().zip(0..).map(|(key, n)| placed(n, key)).collect();
        let places = |of: Vec<Placed>| of.into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        let mut suspects = Suspects::default();
        assert_eq!(places(suspects.last(open.clone())), [0, 1, 2, 3]);
        suspects.add(Position(0), false);
        assert_eq!(places(suspects.last(open.clone())), [1, 3, 0, 2]);
        suspects.add(Position(0), true);
        assert_eq!(suspects.strikes(Position(0)), 1);
        suspects.remove(Position(0));
        assert_eq!((places(suspects.last(open)), suspects.strikes(Position(0))), (vec![0, 1, 2, 3], 0));
    }
}
