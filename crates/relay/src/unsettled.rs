//! Money that came in and that nobody has decided about yet: how far a shop is behind, in the words of whoever waits for it.

use std::collections::{BTreeMap, BTreeSet};

use database::{Client, Database, sql};
use domain::{Capture, CaptureId, Currency, Fact, Position, ShopId};

use crate::{Error, Health};

/// Events behind the checkpoint that are looked at: what a relay decides in a second or less.
const EVENTS_MAX: i64 = 2_000;
/// Shops that are looked at: in good health few are behind at any moment.
const SHOPS_MAX: usize = 32;

/// Captures of one shop that are in the log and not decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// Their gross sum in minor units, by currency. A capture that two events are about counts once; one that was decided
    /// before counts too, until the event that repeats it is decided.
    pub minor: BTreeMap<Currency, i64>,
    /// There is more behind what was looked at: the sums say "at least".
    pub is_capped: bool,
}

/// Of every shop that has something to decide.
///
/// # Errors
/// The database cannot be had.
pub async fn unsettled(database: &Database, shops: &[Health]) -> Result<BTreeMap<String, Unsettled>, Error> {
    let behind = shops.iter().filter(|shop| shop.lag() > 0).enumerate();
    let (mut all, client) = (BTreeMap::new(), database.client().await?);
    for (index, shop) in behind {
        let unsettled = match ShopId::parse(&shop.shop) {
            Ok(id) if index < SHOPS_MAX => of_shop(&client, &id, shop.position).await?,
            _ => Unsettled { is_capped: true, ..Unsettled::default() },
        };
        all.insert(shop.shop.clone(), unsettled);
    }
    Ok(all)
}

async fn of_shop(client: &Client, shop: &ShopId, after: i64) -> Result<Unsettled, Error> {
    let rows = client.query(&sql::relay::READ_UNDECIDED, &[&shop.as_str(), &after, &EVENTS_MAX]).await?;
    let (mut unsettled, mut seen) = (Unsettled::default(), BTreeSet::new());
    unsettled.is_capped = rows.len() as i64 >= EVENTS_MAX;
    for row in rows {
        let Some(entry) = row.try_get::<_, Option<String>>(1)? else { continue };
        if let Some(capture) = capture(Position(row.try_get(0)?), entry) {
            unsettled.add(&capture, &mut seen);
        }
    }
    Ok(unsettled)
}

/// One that only a newer version can read says nothing here.
fn capture(position: Position, entry: String) -> Option<Capture> {
    let event = event_log::Event::decode(position, entry).ok()?;
    match event.fact() {
        Ok(Fact::PaymentCaptured(capture)) => Some(capture),
        _ => None,
    }
}

impl Unsettled {
    fn add(&mut self, capture: &Capture, seen: &mut BTreeSet<CaptureId>) {
        if seen.insert(capture.capture.clone()) {
            let sum = self.minor.entry(capture.currency).or_default();
            *sum = sum.saturating_add(capture.amount_minor);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(captures: &[(&str, &str, i64)]) -> Unsettled {
        let (mut unsettled, mut seen) = (Unsettled::default(), BTreeSet::new());
        for (id, currency, minor) in captures {
            let data = json!({"amount_minor": minor, "capture": id, "currency": currency});
            unsettled.add(&serde_json::from_value(data).unwrap(), &mut seen);
        }
        unsettled
    }

    #[test]
    fn given_captures_that_nobody_decided_when_summed_then_each_counts_once_in_its_currency() {
        let summed = of(&[("C1", "EUR", 500), ("C2", "EUR", 1), ("C1", "EUR", 500), ("C3", "JPY", 70)]);
        let minor: Vec<(&str, i64)> = summed.minor.iter().map(|(c, minor)| (c.code(), *minor)).collect();
        assert_eq!(minor, [("EUR", 501), ("JPY", 70)]);
    }

    #[test]
    fn a_sum_that_is_too_large_is_the_largest_there_is() {
        let summed = of(&[("C1", "EUR", i64::MAX), ("C2", "EUR", 1)]);
        assert_eq!(summed.minor.values().copied().collect::<Vec<_>>(), [i64::MAX]);
    }
}
