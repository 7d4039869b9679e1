//! The first reading of a file: what it comes to, and all that is wrong with it. Writes nothing.

use std::collections::HashMap;
use std::path::Path;

use audit::Progress;
use database::{Client, Database};
use domain::{CouponCode, Fact, OpeningStatus, OrderOpening, Shop, ShopId};
use event_log::KnownCommand;
use intake::command::import::{ImportLine, read_line};
use read_models::ReadModels;
use relay::Projection as _;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::buckets::Buckets;
use crate::lines::{LINE_MAX, Lines};
use crate::problems::Problems;
use crate::totals::{Orders, Totals};

/// So many lines are looked up together.
const CHUNK: usize = 500;

/// A file that was read to its end.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it comes to.
    pub totals: Totals,
    /// What is wrong with it; nothing may be appended while there is anything.
    pub problems: Problems,
    /// The rules that the shop decides by.
    pub rules: u32,
}

/// What a line says of something that others may name too.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    /// It stands here, a coupon with its uses.
    Is(u64, i64),
    /// It must stand somewhere; so many uses of it are told.
    Needs(u64, i64),
}

/// Reads a file and says what it comes to and what is wrong with it: each line by itself, lines that name the same thing,
/// coupons that are nowhere, and lines that contradict what was imported before.
///
/// # Errors
/// The file, the space for sorting, or the database cannot be read.
pub async fn check(
    database: &Database,
    shop: &ShopId,
    path: &Path,
    progress: &Progress,
) -> Result<Checked, Error> {
    let client = database.client().await?;
    let row = ReadModels::default().open(&client, shop).await?.shop;
    let mut checking = Checking {
        client: &client,
        shop,
        row: &row,
        totals: Totals::default(),
        orders: Orders::new(),
        problems: Problems::default(),
        buckets: Buckets::new().map_err(Error::sorting)?,
    };
    checking.read(path, progress).await?;
    checking.compare().await?;
    let Checking { mut totals, orders, problems, .. } = checking;
    totals.orders = orders.into_values().collect();
    Ok(Checked { totals, problems: problems.in_order(), rules: row.rules })
}

struct Checking<'a> {
    client: &'a Client,
    shop: &'a ShopId,
    row: &'a Shop,
    totals: Totals,
    orders: Orders,
    problems: Problems,
    buckets: Buckets,
}

impl Checking<'_> {
    async fn read(&mut self, path: &Path, progress: &Progress) -> Result<(), Error> {
        let size = std::fs::metadata(path).map_err(Error::file(path))?.len();
        progress.begin("bytes checked", size);
        let mut lines = Lines::open(path).map_err(Error::file(path))?;
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Some(line) = lines.next().map_err(Error::file(path))? {
            progress.add(line.bytes);
            let Some(text) = line.text else {
                self.problems.add(line.number, "", format!("has more than {LINE_MAX} bytes"));
                continue;
            };
            match read_line(text) {
                Ok(read) => {
                    self.note(line.number, &read).map_err(Error::sorting)?;
                    chunk.push((line.number, read));
                }
                Err(invalid) => self.problems.add_invalid(line.number, invalid),
            }
            if chunk.len() == CHUNK {
                self.look_up(&mut chunk).await?;
            }
        }
        self.look_up(&mut chunk).await
    }

    /// Adds it up, and keeps what must be compared with other lines.
    fn note(&mut self, line: u64, read: &ImportLine) -> std::io::Result<()> {
        self.totals.add(&read.fact, &mut self.orders);
        let used = match &read.fact {
            Fact::CouponImported(opening) => opening.used,
            _ => 0,
        };
        self.buckets.put(&format!("{} {}", read.kind.name(), read.id), &Said::Is(line, used))?;
        match &read.fact {
            Fact::CouponBuyerImported(opening) => {
                self.buckets.put(&format!("coupon {}", opening.code), &Said::Needs(line, 0))
            }
            Fact::OrderImported(opening) => self.note_order(line, opening),
            _ => Ok(()),
        }
    }

    fn note_order(&mut self, line: u64, opening: &OrderOpening) -> std::io::Result<()> {
        let tenders = opening.tenders.iter().filter_map(|tender| tender.capture().ok());
        for capture in opening.captures.iter().map(|capture| capture.capture.clone()).chain(tenders) {
            self.buckets.put(&format!("payment {capture}"), &Said::Is(line, 0))?;
        }
        for refund in &opening.refunds {
            self.buckets.put(&format!("refund {}", refund.refund), &Said::Is(line, 0))?;
        }
        let refunded: i128 = opening.refunds.iter().map(|refund| i128::from(refund.amount_minor)).sum();
        let keeps = opening.status == OpeningStatus::Paid
            && (opening.placement.total_minor == 0 || opening.captured_minor() > refunded);
        for coupon in opening.placement.coupons.iter().filter(|_| self.row.settings.tracks.coupons) {
            let needs = Said::Needs(line, i64::from(keeps));
            self.buckets.put(&format!("coupon {}", coupon.code), &needs)?;
        }
        Ok(())
    }

    /// What is in the log already must say the same.
    async fn look_up(&mut self, chunk: &mut Vec<(u64, ImportLine)>) -> Result<(), Error> {
        let types: Vec<&str> = chunk.iter().map(|(_, read)| read.fact.type_name()).collect();
        let ids: Vec<&str> = chunk.iter().map(|(_, read)| read.id.as_str()).collect();
        let known = event_log::find_commands(self.client, self.shop, &types, &ids).await?;
        let known: HashMap<(&str, &str), &KnownCommand> = known
            .iter()
            .map(|command| ((command.type_name.as_str(), command.id.as_str()), command))
            .collect();
        for (line, read) in chunk.drain(..) {
            match known.get(&(read.fact.type_name(), read.id.as_str())) {
                Some(command) if command.content_sha256 == read.content_sha256 => self.totals.known += 1,
                Some(command) => self.problems.add(
                    line,
                    "",
                    format!("says something else than what was imported at position {}", command.position),
                ),
                None => {}
            }
        }
        Ok(())
    }

    /// What lines say of the same thing.
    async fn compare(&mut self) -> Result<(), Error> {
        let buckets = std::mem::replace(&mut self.buckets, Buckets::new().map_err(Error::sorting)?);
        for groups in buckets.groups::<Said>() {
            for (name, said) in groups.map_err(Error::sorting)? {
                let (what, id) = name.split_once(' ').unwrap_or((&name, ""));
                self.compare_one(what, id, &said).await?;
            }
        }
        Ok(())
    }

    async fn compare_one(&mut self, what: &str, id: &str, said: &[Said]) -> Result<(), Error> {
        let standing: Vec<(u64, i64)> = said
            .iter()
            .filter_map(|said| match said {
                Said::Is(line, used) => Some((*line, *used)),
                Said::Needs(..) => None,
            })
            .collect();
        if let Some(((first, _), again)) = standing.split_first() {
            for (line, _) in again {
                self.problems.add(
                    *line,
                    "",
                    format!("names a {what} that line {first} names: leave one out"),
                );
            }
        }
        let needing = said.iter().filter_map(|said| match said {
            Said::Needs(line, uses) => Some((*line, *uses)),
            Said::Is(..) => None,
        });
        let (mut told, mut first) = (0, None);
        for (line, uses) in needing {
            told += uses;
            first = first.or(Some(line));
        }
        match (standing.first(), first) {
            (Some((line, used)), _) if told > *used => {
                let detail = format!("is {used}, and {told} paid orders of this file use it");
                self.problems.add(*line, "/used", detail);
            }
            (None, Some(line)) if !self.is_coupon_known(id).await? => {
                self.problems.add(line, "", "names a coupon that is neither in this file nor known");
            }
            _ => {}
        }
        Ok(())
    }

    async fn is_coupon_known(&self, code: &str) -> Result<bool, Error> {
        let Ok(code) = CouponCode::parse(code) else { return Ok(false) };
        Ok(read_models::query::coupons::get(self.client, self.shop, &code).await?.is_some())
    }
}
