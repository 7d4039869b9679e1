//! The money of today, by currency: counted on from where it was counted last, so that a page reads what is new and no more.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use database::Database;
use domain::{Currency, Minor, Position, ShopId, Timestamp};
use event_log::Said;
use http_api::Api;

use crate::rows::NOWHERE;

const DAY_MICROS: i64 = 86_400_000_000;
/// Events that are read at a time: as many as a page waits for.
const AT_ONCE: i64 = 2_000;
/// Payments that are remembered, at least, so that none counts twice: what is said again is so within minutes. Twice as many take
/// 5 MB of a shop.
const REMEMBERED: usize = 200_000;

/// What came in and what went out, in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) came: Minor,
    pub(crate) went: Minor,
}

/// The money of a day, as far as it is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Money {
    pub(crate) sums: BTreeMap<Currency, Sum>,
    /// Where more is to be counted: the last event that is.
    pub(crate) counted_to: Option<Position>,
}

/// The days of this process: one of each shop that was looked at.
#[derive(Clone, Default)]
pub(crate) struct Days(Arc<Mutex<HashMap<ShopId, Arc<Day>>>>);

/// A day of a shop. While a page of the log is counted it is locked, and whoever looks waits.
struct Day {
    midnight: Timestamp,
    tally: tokio::sync::Mutex<Tally>,
}

/// How far a day is counted.
struct Tally {
    /// Up to where; nothing before it is known where the day began.
    through: Option<Position>,
    money: BTreeMap<Currency, Sum>,
    known: Known,
    /// Somebody counts the rest, whether or not a page waits.
    is_counted_on: bool,
}

/// Payments that have counted, by a hash of their ids that nobody outside can foresee.
#[derive(Default)]
struct Known {
    by: RandomState,
    new: HashSet<u64>,
    old: HashSet<u64>,
}

impl Known {
    /// Whether it is new. Of two generations the older one is forgotten, so that no day takes more memory than that.
    fn insert(&mut self, is_out: bool, id: &str) -> bool {
        let hash = self.by.hash_one((is_out, id));
        if self.old.contains(&hash) || !self.new.insert(hash) {
            return false;
        }
        if self.new.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.new);
        }
        true
    }
}

impl Tally {
    fn new() -> Self {
        Self { through: None, money: BTreeMap::new(), known: Known::default(), is_counted_on: false }
    }

    fn add(&mut self, said: &[Said]) {
        for Said { is_out, id, currency, minor } in said {
            if self.known.insert(*is_out, id) {
                let sum = self.money.entry(*currency).or_default();
                let sum = if *is_out { &mut sum.went } else { &mut sum.came };
                *sum = sum.saturating_add(*minor);
            }
        }
    }

    /// Counts the next events; true: up to the log's head.
    async fn count(
        &mut self,
        database: &Database,
        shop: &ShopId,
        midnight: Timestamp,
    ) -> Result<bool, event_log::Error> {
        let client = database.client().await?;
        let head = event_log::head(&client, shop).await?.map_or(NOWHERE, |(position, _)| position);
        let after = match self.through {
            Some(through) => through,
            None => {
                let began = event_log::positions_at(&client, shop, &[midnight]).await?;
                began.first().copied().unwrap_or(NOWHERE)
            }
        };
        let through = head.min(Position(after.0 + AT_ONCE));
        self.add(&event_log::read_money(&client, shop, after, through).await?);
        self.through = Some(through);
        Ok(through >= head)
    }
}

impl Days {
    /// The money of the day of `now`. A page waits for a few thousand events; what is more than that is counted behind it.
    pub(crate) async fn money(
        &self,
        api: &Api,
        shop: &ShopId,
        now: Timestamp,
    ) -> Result<Money, event_log::Error> {
        let day = self.day(shop, now);
        let mut tally = day.tally.lock().await;
        let is_whole = tally.count(&api.database, shop, day.midnight).await?;
        let money = Money { sums: tally.money.clone(), counted_to: tally.through.filter(|_| !is_whole) };
        if !is_whole && !tally.is_counted_on {
            tally.is_counted_on = true;
            drop(tally);
            let (database, shop) = (api.database.clone(), shop.clone());
            api.spawn(async move { count_on(&day, &database, &shop).await });
        }
        Ok(money)
    }

    /// Days of before are forgotten with the first look at a new one.
    fn day(&self, shop: &ShopId, now: Timestamp) -> Arc<Day> {
        let micros = now.micros();
        let midnight = Timestamp::from_micros(micros - micros.rem_euclid(DAY_MICROS)).unwrap_or(now);
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.retain(|_, day| day.midnight == midnight);
        let day = || Arc::new(Day { midnight, tally: tokio::sync::Mutex::new(Tally::new()) });
        Arc::clone(days.entry(shop.clone()).or_insert_with(day))
    }
}

/// Counts to the head, a page at a time: who looks meanwhile is let in between.
async fn count_on(day: &Day, database: &Database, shop: &ShopId) {
    loop {
        let mut tally = day.tally.lock().await;
        match tally.count(database, shop, day.midnight).await {
            Ok(false) => {}
            // After an error whoever looks next begins again from here.
            Ok(true) | Err(_) => {
                tally.is_counted_on = false;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(is_out: bool, id: &str, minor: Minor) -> Said {
        Said { is_out, id: id.into(), currency: Currency::parse("USD").unwrap(), minor }
    }

    #[test]
    fn given_a_payment_that_is_said_again_when_it_is_counted_then_it_counts_once() {
        let mut tally = Tally::new();
        tally.add(&[said(false, "C1", 1_000), said(false, "C2", 1), said(false, "C1", 1_000)]);
        tally.add(&[said(false, "C1", 1_000), said(true, "C1", 250)]);
        let usd = Currency::parse("USD").unwrap();
        assert_eq!(tally.money[&usd], Sum { came: 1_001, went: 250 });
    }

    #[test]
    fn given_more_payments_than_are_remembered_when_the_last_ones_are_said_again_then_none_counts_twice() {
        let mut known = Known::default();
        for number in 0..REMEMBERED * 3 {
            assert!(known.insert(false, &number.to_string()), "{number}");
            assert!(known.new.len() + known.old.len() <= 2 * REMEMBERED);
        }
        let mut last = REMEMBERED * 2..REMEMBERED * 3;
        assert!(last.all(|number| !known.insert(false, &number.to_string())));
    }
}
