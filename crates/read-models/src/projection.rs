//! The read models as the relay's projection.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{Client, sql};
use domain::{Expiry, Fact, Missing, Position, Redrive, ShopId, State, Timestamp};
use relay::{Error, Projection, Timer};

use crate::convert::parse;
use crate::load;
use crate::store::Changes;

/// At most so many timers of a kind at once: the rest is due again next time.
const DUE_MAX: i64 = 200;

/// When parked groups are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrives {
    /// How long after the first failure, the second, ..; behind the last nobody but an operator tries again.
    pub after: Vec<Duration>,
}

impl Default for Redrives {
    fn default() -> Self {
        Self { after: [10, 60, 600, 3_600, 21_600].map(Duration::from_secs).to_vec() }
    }
}

/// Orders, payments, stock, coupons, points, and what is parked.
#[derive(Clone, Debug, Default)]
pub struct ReadModels {
    /// When parked groups are tried again.
    pub redrives: Redrives,
}

/// The name that the read models' checkpoint and lease are kept under.
pub const CONSUMER: &str = "read-models";

impl Projection for ReadModels {
    type Changes = Changes;

    fn consumer(&self) -> &'static str {
        CONSUMER
    }

    async fn open(&self, client: &Client, shop: &ShopId) -> Result<State, Error> {
        load::open(client, shop).await
    }

    async fn load(
        &self,
        client: &Client,
        shop: &ShopId,
        state: &mut State,
        missing: &[Missing],
    ) -> Result<(), Error> {
        load::load(client, shop, state, missing).await
    }

    fn changes(&self, state: &State) -> Result<Changes, Error> {
        Changes::of(state)
    }

    async fn store(&self, client: &Client, shop: &ShopId, changes: &Changes) -> Result<(), Error> {
        changes.store(client, shop).await
    }

    async fn due(&self, client: &Client, shop: &ShopId) -> Result<Vec<Timer>, Error> {
        let mut due = Vec::new();
        let holds = client.query(&sql::read_models::LIST_EXPIRED_HOLDS, &[&shop.as_str(), &DUE_MAX]).await?;
        for row in holds {
            let order = parse("orders.order_id", row.try_get(0)?)?;
            let deadline = Timestamp::new(row.try_get::<_, DateTime<Utc>>(1)?);
            let id = format!("{order}/{deadline}");
            due.push(Timer { fact: Fact::OrderExpired(Expiry { order, deadline }), id });
        }
        let after: Vec<i64> = self.redrives.after.iter().map(whole_seconds).collect();
        let groups =
            client.query(&sql::read_models::LIST_REDRIVES_DUE, &[&shop.as_str(), &after, &DUE_MAX]).await?;
        for row in groups {
            let (of, failed_at) = (Position(row.try_get(0)?), Timestamp::new(row.try_get(2)?));
            let attempts = u32::try_from(row.try_get::<_, i64>(1)?).unwrap_or(u32::MAX);
            let id = Redrive::timer_id(of, attempts, failed_at);
            due.push(Timer { fact: Fact::EventRedriven(Redrive { of }), id });
        }
        Ok(due)
    }
}

fn whole_seconds(after: &Duration) -> i64 {
    i64::try_from(after.as_secs()).unwrap_or(i64::MAX)
}
