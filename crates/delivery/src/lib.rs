//! Hands every event downstream: by a feed that readers ask, and by sinks that it is sent to.
//!
//! A message is an outbox row; where it stands and what it is about never change, and a reader that keeps the highest
//! position per key can drop whatever comes late. A cursor moves only behind what was confirmed, so that nothing is
//! skipped, and something may come twice, with the same id and the same bytes.
//!
//! A reader that is slow or dead holds up nobody: messages are read from the outbox when they are asked for, within bounds
//! of rows, bytes and time. The outbox is pruned behind its readers.
//!
//! Never: decide.

mod consumers;
pub mod contract;
mod cursor;
mod error;
mod feed;
mod message;
mod outbox;
mod readers;
mod retention;
mod selection;
pub mod sinks;
mod tail;

pub use consumers::{Consumer, Consumers, Moved, To};
pub use cursor::{Bounds, Cursor, CursorError, Forked, InvalidCursor};
pub use error::Error;
pub use feed::{Feed, Since, events};
pub use message::{Message, TRACEPARENT, write_batch};
pub use outbox::{Page, read};
pub use readers::{Reader, readers};
pub use retention::{Retention, RetentionOptions, prune};
pub use selection::{InvalidSelection, Partition, Selection};
pub use tail::Tail;
