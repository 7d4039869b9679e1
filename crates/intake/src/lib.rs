//! From an authentic callback or a valid command to an appended fact.
//!
//! Validates, translates, seals, and hands over to the log. Nothing is decided here except "authentic and well formed":
//! what a fact means for an order is the relay's to say.
//!
//! Never: decide, change a read model, or parse a callback before its signature holds.

mod callback;
pub mod command;
mod door;
mod error;
mod json;
mod meters;
mod open;
mod postback;
mod retranslate;
pub mod shops;

pub use callback::{AuthenticCallback, Received, ReceivedKind, callback_headers};
pub use command::{Command, CommandKind, InvalidCommand};
pub use door::{Accepted, By, Intake, Trust, Trusts, seal_reason};
pub use error::{CallbackError, CommandError, ShopError};
pub use json::FieldProblem;
pub use meters::Meters;
pub use open::Opened;
pub use postback::{Postback, When};
pub use retranslate::Retranslated;
pub use shops::Shop;
