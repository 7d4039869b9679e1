//! Which trace something belongs to, as it is written from process to process and kept beside an event: the `traceparent` of
//! W3C Trace Context, <https://www.w3.org/TR/trace-context/>.
//!
//! Never: know what is traced.

mod span;
mod traceparent;

pub use span::{RECORDED, TARGET, follow};
pub use traceparent::{Invalid, TraceParent};
