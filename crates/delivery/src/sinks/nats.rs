//! To be written.

use super::publisher::{Context, Publisher};
use super::settings::{NatsTarget, Secrets};

pub(crate) async fn open(
    _target: &NatsTarget,
    _secrets: &Secrets,
    _context: &Context,
) -> Result<Box<dyn Publisher>, String> {
    Err("not there yet".to_owned())
}
