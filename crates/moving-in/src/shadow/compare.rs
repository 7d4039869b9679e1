//! Both sides, order by order, however many there are.

use std::path::Path;

use audit::Progress;
use database::Database;
use domain::{Currency, Minor, OrderId, ShopId};
use read_models::query::orders::{self, OrderFilter};
use serde::{Deserialize, Serialize};

use super::statuses::{self, Stated, Status, Words};
use crate::Error;
use crate::buckets::Buckets;
use crate::problems::Problems;

/// Orders are read so many at a time.
const PAGE: i64 = 1_000;

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The shop's words for statuses.
    pub words: Words,
    /// The file has only some of the shop's orders: what it lacks is no difference.
    pub is_partial: bool,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Another status.
    Status,
    /// Other money: captured, refunded, or the currency.
    Money,
    /// The shop has the order, Counterfoil does not.
    MissingHere,
    /// Counterfoil has the order, the shop does not.
    MissingThere,
    /// The file has the order more than once.
    Twice,
}

/// How one side has an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Where it stands.
    pub status: Status,
    /// The currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// What came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured_minor: Option<Minor>,
    /// What went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded_minor: Option<Minor>,
}

/// An order that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// In what.
    pub kind: DifferenceKind,
    /// The order.
    pub order: OrderId,
    /// How it stands here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here: Option<Side>,
    /// How the shop has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there: Option<Side>,
    /// Where in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// How many orders agree, and how many do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Both sides say the same.
    pub same: u64,
    /// Another status.
    pub status: u64,
    /// Other money.
    pub money: u64,
    /// Not here.
    pub missing_here: u64,
    /// Not there.
    pub missing_there: u64,
    /// More than once in the file.
    pub twice: u64,
}

impl Differences {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_none(&self) -> bool {
        Self { same: 0, ..*self } == Self::default()
    }

    fn count(&mut self, kind: DifferenceKind) {
        *match kind {
            DifferenceKind::Status => &mut self.status,
            DifferenceKind::Money => &mut self.money,
            DifferenceKind::MissingHere => &mut self.missing_here,
            DifferenceKind::MissingThere => &mut self.missing_there,
            DifferenceKind::Twice => &mut self.twice,
        } += 1;
    }
}

#[derive(Serialize, Deserialize)]
enum Told {
    Here(Side),
    There(Stated),
}

/// Compares the shop's statuses with the orders here, and gives each difference away: an order may have several. Where lines
/// cannot be understood nothing is compared.
///
/// Orders are read as they stand, each at its moment: what changes meanwhile may be seen as it was or as it is.
///
/// # Errors
/// The file, the space for sorting, or the database cannot be read.
pub async fn diff(
    database: &Database,
    shop: &ShopId,
    path: &Path,
    options: &Options,
    progress: &Progress,
    mut each: impl FnMut(Difference),
) -> Result<Result<Differences, Problems>, Error> {
    let mut buckets = Buckets::new().map_err(Error::sorting)?;
    let problems = statuses::read(path, &options.words, progress, |stated| {
        let order = stated.order.clone();
        buckets.put(order.as_str(), &Told::There(stated)).map_err(Error::sorting)
    })?;
    if !problems.is_empty() {
        return Ok(Err(problems.in_order()));
    }
    read_orders(database, shop, &mut buckets, progress).await?;
    let mut differences = Differences::default();
    for groups in buckets.groups::<Told>() {
        for (order, told) in groups.map_err(Error::sorting)? {
            let Ok(order) = OrderId::parse(&order) else { continue };
            let found = compare(&order, told, options);
            differences.same += u64::from(found.is_empty());
            for difference in found {
                differences.count(difference.kind);
                each(difference);
            }
        }
    }
    Ok(Ok(differences))
}

async fn read_orders(
    database: &Database,
    shop: &ShopId,
    buckets: &mut Buckets,
    progress: &Progress,
) -> Result<(), Error> {
    progress.begin("orders read", 0);
    let client = database.client().await?;
    let (filter, mut after) = (OrderFilter::default(), None);
    loop {
        let page = orders::list(&client, shop, &filter, after.as_deref(), PAGE).await?;
        progress.add(page.items.len() as u64);
        for view in page.items {
            let order = view.order;
            let side = Side {
                status: Status::of(&order),
                currency: Some(order.currency),
                captured_minor: Some(order.money.captured_minor),
                refunded_minor: Some(order.money.refunded_minor),
            };
            buckets.put(order.order.as_str(), &Told::Here(side)).map_err(Error::sorting)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn compare(order: &OrderId, told: Vec<Told>, options: &Options) -> Vec<Difference> {
    let (mut here, mut there) = (None, Vec::new());
    for told in told {
        match told {
            Told::Here(side) => here = Some(side),
            Told::There(stated) => there.push(stated),
        }
    }
    let difference = |kind, here: Option<&Side>, stated: Option<&Stated>| Difference {
        kind,
        order: order.clone(),
        here: here.cloned(),
        there: stated.map(side_of),
        line: stated.map(|stated| stated.line),
    };
    let mut found: Vec<Difference> = there
        .iter()
        .skip(1)
        .map(|again| difference(DifferenceKind::Twice, here.as_ref(), Some(again)))
        .collect();
    match (&here, there.first()) {
        (Some(here), Some(stated)) => {
            if !stated.status.agrees(here.status) {
                found.push(difference(DifferenceKind::Status, Some(here), Some(stated)));
            }
            if differs_in_money(here, stated) {
                found.push(difference(DifferenceKind::Money, Some(here), Some(stated)));
            }
        }
        (None, Some(stated)) => found.push(difference(DifferenceKind::MissingHere, None, Some(stated))),
        (Some(here), None) if !options.is_partial => {
            found.push(difference(DifferenceKind::MissingThere, Some(here), None));
        }
        _ => {}
    }
    found
}

/// What the shop does not say does not differ.
fn differs_in_money(here: &Side, there: &Stated) -> bool {
    let differs = |here: Option<Minor>, there: Option<Minor>| there.is_some() && here != there;
    differs(here.captured_minor, there.captured_minor)
        || differs(here.refunded_minor, there.refunded_minor)
        || there.currency.is_some() && there.currency != here.currency
}

fn side_of(stated: &Stated) -> Side {
    Side {
        status: stated.status,
        currency: stated.currency,
        captured_minor: stated.captured_minor,
        refunded_minor: stated.refunded_minor,
    }
}
