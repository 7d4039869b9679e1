//! What was read and is not confirmed: bounded, in the order of the log.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::Position;

use crate::{Message, Page};

const ROWS: usize = 4_000;
const BYTES: usize = 16 << 20;

/// The messages from the first that is not done with, to the last that was read.
#[derive(Debug)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Everything up to here was looked at.
    seen: Position,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    is_done: bool,
}

impl Window {
    pub(crate) fn new(after: Position) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, seen: after }
    }

    pub(crate) fn seen(&self) -> Position {
        self.seen
    }

    /// How many more messages may be read.
    pub(crate) fn room(&self) -> usize {
        if self.bytes >= BYTES { 0 } else { ROWS - self.entries.len().min(ROWS) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes what was read, if anything was.
    pub(crate) fn add(&mut self, page: Option<Page>) {
        let Some(Page { messages, seen, .. }) = page else { return };
        self.bytes += messages.iter().map(Message::bytes).sum::<usize>();
        let entries =
            messages.into_iter().map(|message| Entry { message: Arc::new(message), is_done: false });
        self.entries.extend(entries);
        self.seen = seen;
    }

    /// Those that are not done with, from the first on, with their places.
    pub(crate) fn open(&self, most: usize) -> Vec<(usize, Arc<Message>)> {
        let open = self.entries.iter().enumerate().filter(|(_, entry)| !entry.is_done);
        open.take(most).map(|(place, entry)| (place, entry.message.clone())).collect()
    }

    /// The message at this place is done with.
    pub(crate) fn done(&mut self, place: usize) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.is_done = true;
        }
    }

    /// Forgets what is done with from the front; places are others afterwards. Everything up to the answer is done with.
    pub(crate) fn settle(&mut self) -> Position {
        while let Some(first) = self.entries.front() {
            if !first.is_done {
                return Position(first.message.position.0 - 1);
            }
            self.bytes -= first.message.bytes();
            self.entries.pop_front();
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::of_order;

    fn page(messages: Vec<Message>, seen: i64) -> Option<Page> {
        Some(Page { messages, seen: Position(seen), is_end: true })
    }

    #[test]
    fn the_front_passes_nothing_that_is_not_done_with() {
        let mut window = Window::new(Position(9));
        window.add(page(vec![of_order(11, "1"), of_order(13, "1"), of_order(15, "1")], 16));
        assert_eq!(window.settle(), Position(10), "all before the first is done with");
        window.done(1);
        assert_eq!(window.settle(), Position(10));
        assert_eq!(window.open(10).len(), 2);
        window.done(0);
        assert_eq!(window.settle(), Position(14));
        window.done(0);
        assert_eq!(window.settle(), Position(16), "and what was looked at behind the last");
        assert!(window.is_empty() && window.bytes == 0);
    }

    #[test]
    fn it_is_bounded_by_rows() {
        let mut window = Window::new(Position(-1));
        window.add(page((0..ROWS as i64).map(|n| of_order(n, "1")).collect(), ROWS as i64));
        assert_eq!(window.room(), 0);
    }
}
