//! Who else has seen a log: witnesses that cosign its checkpoints, authorities that stamp them with a time.
//!
//! [`Feeder`] submits each published checkpoint to the witnesses of a policy, and never holds up the log. What they have
//! seen is what [`Witnessed`] compares the log with before anything is appended, and [`PublishedMemory`] does the same with
//! the checkpoint that was published last. The tree itself is `audit`'s: see [`LogTree`].
//!
//! Never: know what an entry means, keep a log from growing because somebody cannot be reached.

mod client;
mod directories;
mod error;
mod feeder;
mod memory;
mod stamp;
mod stamper;
mod store;
mod submit;
mod tree;

pub use client::{Answer, WitnessClient};
pub use directories::LogTree;
pub use error::Error;
pub use feeder::{Feeder, FeederOptions, Feeding};
pub use memory::{PublishedMemory, Witnessed};
pub use stamp::{Request, Stamped};
pub use stamper::{Stamp, Stamper, last_stamp, stamps};
pub use store::{Seen, seen};
pub use tree::{Tree, compare_checkpoint};
