//! The history of attempts: what was answered to each, and when. Those of a batch that is cut off, because the sink is
//! stopped or changed, are not in it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::sql;
use domain::Position;
use tokio::time::timeout;

use crate::Error;
use crate::sinks::{Context, Delivery};

/// The history never holds up the delivery for longer.
const WRITING: Duration = Duration::from_secs(2);

/// The attempts of one batch, as columns.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Columns>);

#[derive(Debug, Default)]
struct Columns {
    positions: Vec<i64>,
    at: Vec<DateTime<Utc>>,
    duration_ms: Vec<i32>,
    statuses: Vec<Option<i32>>,
    errors: Vec<Option<String>>,
}

impl Attempts {
    /// Remembers one.
    pub(crate) fn add(
        &self,
        position: Position,
        at: DateTime<Utc>,
        took: Duration,
        status: Option<u16>,
        delivery: &Delivery,
    ) {
        let mut columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        columns.positions.push(position.0);
        columns.at.push(at);
        columns.duration_ms.push(i32::try_from(took.as_millis()).unwrap_or(i32::MAX));
        columns.statuses.push(status.map(i32::from));
        columns.errors.push(match delivery {
            Delivery::Confirmed | Delivery::Held => None,
            Delivery::Unavailable(why) | Delivery::Undeliverable(why) | Delivery::Gone(why) => {
                Some(why.clone())
            }
            Delivery::Busy { why, .. } | Delivery::Refused { why, .. } => Some(why.clone()),
        });
    }

    /// Keeps them. A history that cannot be kept is no reason to deliver again.
    pub(crate) async fn keep(self, context: &Context) {
        let columns = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if columns.positions.is_empty() {
            return;
        }
        let kept = timeout(WRITING, columns.insert(context)).await;
        let Context { shop, sink, .. } = context;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%shop, sink, %error, "attempts are not in the history"),
            Err(_) => tracing::warn!(%shop, sink, "attempts are not in the history: the database is slow"),
        }
    }
}

impl Columns {
    async fn insert(&self, context: &Context) -> Result<(), Error> {
        let client = context.database.client().await?;
        let parameters: database::Parameters<'_> = &[
            &context.shop.as_str(),
            &context.sink,
            &self.positions,
            &self.at,
            &self.duration_ms,
            &self.statuses,
            &self.errors,
        ];
        client.execute(&sql::delivery::INSERT_ATTEMPTS, parameters).await?;
        Ok(())
    }
}
