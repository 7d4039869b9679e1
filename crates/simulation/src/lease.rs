//! The right to lead until an instant. As `sql/queries/relay/acquire_lease.sql` and `renew_lease.sql` do.

use std::time::Duration;

use relay::Error;

use crate::world::{Consumer, Lock, World};

/// Takes the lease if it is free; the epoch, and where the checkpoint stands.
pub(crate) async fn acquire(
    world: &World,
    consumer: Consumer,
    lease: Duration,
) -> Result<Option<(i64, i64)>, Error> {
    world.round_trip().await?;
    if world.is_locked(Lock::Checkpoint(consumer)) {
        return Ok(None);
    }
    let state = &mut *world.state();
    let (now, checkpoint) = (state.now, state.checkpoint(consumer));
    if checkpoint.lease_until.is_some_and(|until| until >= now) {
        return Ok(None);
    }
    checkpoint.epoch += 1;
    checkpoint.lease_until = Some(now + lease);
    Ok(Some((checkpoint.epoch, checkpoint.position)))
}

/// Shows that the leader is alive.
pub(crate) async fn renew(
    world: &World,
    consumer: Consumer,
    epoch: i64,
    lease: Duration,
) -> Result<(), Error> {
    let transaction = world.begin();
    world.round_trip().await?;
    transaction.lock(Lock::Checkpoint(consumer)).await?;
    let leads = {
        let state = &mut *world.state();
        let (now, checkpoint) = (state.now, state.checkpoint(consumer));
        let leads = checkpoint.epoch == epoch;
        if leads {
            checkpoint.lease_until = Some(now + lease);
        }
        leads
    };
    transaction.end();
    if leads { Ok(()) } else { Err(Error::LeaseLost) }
}
