//! The right to lead a shop until an instant, by the database's clock.
//!
//! The relay has one per shop, and so has everybody else who moves a checkpoint: each sink.

use std::sync::Arc;
use std::time::Duration;

use database::{Client, Database, sql};
use domain::ShopId;

use crate::Error;

/// A lease that was taken.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The shop.
    pub shop: ShopId,
    /// Whose checkpoint it is.
    pub consumer: Arc<str>,
    /// Went up when the lease was taken: the fence.
    pub epoch: i64,
    /// How long it lasts when it is not renewed.
    pub duration_ms: i64,
}

impl Lease {
    /// Takes the lease if it is free, and where the checkpoint stands. Raises the epoch, which fences off whoever had it.
    /// A lease whose row somebody has locked is not waited for: it counts as not free.
    ///
    /// # Errors
    /// The database cannot be had.
    pub async fn acquire(
        database: &Database,
        shop: &ShopId,
        consumer: &str,
        holder: &str,
        duration: Duration,
    ) -> Result<Option<(Self, i64)>, Error> {
        let duration_ms = in_ms(duration);
        let client = database.client().await?;
        let row = client
            .query_opt(&sql::relay::ACQUIRE_LEASE, &[&shop.as_str(), &consumer, &holder, &duration_ms])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let lease =
            Self { shop: shop.clone(), consumer: consumer.into(), epoch: row.try_get(0)?, duration_ms };
        Ok(Some((lease, row.try_get(1)?)))
    }

    /// Shows that the leader is alive.
    ///
    /// # Errors
    /// [`Error::LeaseLost`], or the database cannot be had.
    pub async fn renew(&self, database: &Database) -> Result<(), Error> {
        let client = database.client().await?;
        let renewed = client
            .execute(
                &sql::relay::RENEW_LEASE,
                &[&self.shop.as_str(), &&*self.consumer, &self.epoch, &self.duration_ms],
            )
            .await?;
        if renewed == 1 { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// Moves the checkpoint from where it stands, which must be the first statement of a transaction: the fence.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] when it stands elsewhere, or somebody else leads: nothing may follow but ROLLBACK.
    pub async fn advance(&self, client: &Client, from: i64, to: i64) -> Result<(), Error> {
        let Self { shop, consumer, epoch, duration_ms } = self;
        let moved = client
            .execute(
                &sql::relay::MOVE_CHECKPOINT,
                &[&shop.as_str(), &&**consumer, epoch, &from, &to, duration_ms],
            )
            .await?;
        if moved == 1 { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// Lets the next one lead at once. A lease that cannot be released runs out.
    pub async fn release(&self, database: &Database) {
        let released = async {
            let client = database.client().await?;
            client
                .execute(&sql::relay::RELEASE_LEASE, &[&self.shop.as_str(), &&*self.consumer, &self.epoch])
                .await
        };
        if let Err(error) = released.await {
            tracing::warn!(shop = %self.shop, %error, "the lease was not released: it runs out");
        }
    }

    /// Where the checkpoint stands, for whoever does not know what became of its commit.
    ///
    /// # Errors
    /// [`Error::LeaseLost`], or the database cannot be had.
    pub async fn checkpoint(&self, database: &Database) -> Result<i64, Error> {
        let client = database.client().await?;
        let row = client
            .query_opt(&sql::relay::READ_CHECKPOINT, &[&self.shop.as_str(), &&*self.consumer])
            .await?
            .ok_or(Error::LeaseLost)?;
        let epoch: i64 = row.try_get(1)?;
        if epoch == self.epoch { Ok(row.try_get(0)?) } else { Err(Error::LeaseLost) }
    }
}

/// Ends the sessions of leaders whose lease has run out, who hold a checkpoint still, and who have not been heard of for as
/// long. Says whether there was one. A backend that works on for a leader that was stopped is bounded by its
/// `statement_timeout`.
///
/// # Errors
/// The database cannot be had.
pub(crate) async fn end_stale_leaders(database: &Database, lease: Duration) -> Result<bool, Error> {
    let client = database.client().await?;
    let rows = client.query(&sql::relay::END_STALE_LEADERS, &[&in_ms(lease)]).await?;
    let mut ended = false;
    for row in rows {
        let (pid, login, program): (i32, String, String) =
            (row.try_get("pid")?, row.try_get("login")?, row.try_get("application_name")?);
        let (may_be_ended, is_ended): (bool, bool) = (row.try_get("be_ended")?, row.try_get("is_ended")?);
        ended |= is_ended;
        if is_ended {
            tracing::warn!(pid, program, "the session of a leader whose lease has run out was ended");
        } else if may_be_ended {
            tracing::warn!(pid, program, "the session of a leader whose lease has run out is slow to end");
        } else {
            tracing::warn!(
                pid,
                login,
                program,
                "a session holds a checkpoint and may not be ended by this login: have all instances log in as one \
                 role, or GRANT that role to this one; else its own time-outs end it"
            );
        }
    }
    Ok(ended)
}

fn in_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
