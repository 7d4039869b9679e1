//! Both sides, transaction by transaction.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{Currency, Minor, OrderId, Payment, PaymentKey, PaymentKind, PaymentState, Position, Timestamp};
use serde::Serialize;

use super::books::{Books, Closed, moved_money};
use super::{Report, Section, Transaction};
use crate::Error;

/// A transaction that a report lists has its callback after this, in seconds, or has lost it.
const GRACE_S: i64 = 3_600;
/// PayPal's clock and the database's may differ by as much, in seconds.
const SKEW_S: i64 = 300;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Both sides have it, and agree.
    Matched,
    /// Both sides have it, and do not agree.
    AmountDiffers,
    /// PayPal lists it, and the log does not have it: a lost callback.
    MissingHere,
    /// The log has it, and PayPal does not list it.
    MissingThere,
    /// It may belong to the report before or after this one, or its callback may still come: no finding.
    Timing,
}

impl Class {
    /// Whether something has to be looked into.
    #[must_use]
    pub fn is_finding(self) -> bool {
        !matches!(self, Self::Matched | Self::Timing)
    }
}

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Money came in.
    Capture,
    /// Money went back: a refund, a reversal, a chargeback.
    Refund,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The amount before the fee.
    Gross,
    /// The fee.
    Fee,
    /// The currency.
    Currency,
    /// PayPal lists it more than once.
    Twice,
}

/// How PayPal has a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct There {
    /// The line in the report.
    pub line: u64,
    /// The transaction event code.
    pub code: String,
    /// The currency of the amount.
    pub currency: Currency,
    /// Before the fee, in the currency's smallest unit.
    pub gross_minor: Minor,
    /// The fee, where there is one; below 0 where it was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// The fee's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_currency: Option<Currency>,
    /// When it moved the balance.
    pub completed_at: Timestamp,
}

/// How the log has a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Here {
    /// How far it has come: a pending capture has moved no money. None where its fact was not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PaymentState>,
    /// The currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Before the fee, in the currency's smallest unit.
    pub gross_minor: Minor,
    /// The fee, where the callback had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<Minor>,
    /// The order it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The first fact that says that money moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// When that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Timestamp>,
}

/// A transaction that does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    /// What became of it.
    pub class: Class,
    /// What it is.
    pub kind: Kind,
    /// PayPal's transaction id.
    pub id: String,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Difference>,
    /// How the log has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here: Option<Here>,
    /// How PayPal has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there: Option<There>,
}

/// What the transactions of one class, kind and currency come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// What became of them.
    pub class: Class,
    /// What they are.
    pub kind: Kind,
    /// What their amounts are counted in: PayPal's, where both sides have them.
    pub currency: Currency,
    /// How many.
    pub count: u64,
    /// Their sum by the log, before fees.
    pub here_minor: i64,
    /// Their sum by PayPal, before fees.
    pub there_minor: i64,
}

/// How many there are of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Both sides agree.
    pub matched: u64,
    /// They do not agree.
    pub amount_differs: u64,
    /// The log lacks it.
    pub missing_here: u64,
    /// PayPal lacks it.
    pub missing_there: u64,
    /// At the edges.
    pub timing: u64,
    /// Rows of other codes, which are not compared.
    pub other: u64,
}

/// A report compared with the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// SHA-256 of the report's file, hexadecimal.
    pub sha256: String,
    /// The version of the report's specification.
    pub version: String,
    /// The account that was compared, as PayPal names it; empty where the report does not.
    pub account: String,
    /// The beginning of the period.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// How many transactions of the account the report lists.
    pub rows: u64,
    /// The last fact or outcome of the log that was compared; -1 for none.
    pub as_of: Position,
    /// How many there are of each class.
    pub counts: Counts,
    /// What they come to, by class, kind and currency.
    pub totals: Vec<Total>,
    /// How many rows there are of each other code.
    pub others: BTreeMap<String, u64>,
    /// Every transaction that is not matched: as the report lists them, then those that it does not.
    pub unmatched: Vec<Unmatched>,
}

impl Comparison {
    /// Whether nothing has to be looked into.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.unmatched.iter().any(|row| row.class.is_finding())
    }
}

/// How to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The account whose sections are compared; else the payee of the shop's settings.
    pub account: Option<String>,
    /// The time now.
    pub now: Timestamp,
    /// How late a callback may have come, in seconds: what was recorded so soon after the period began may belong to the
    /// report before.
    pub late_s: i64,
}

/// The report is not of this shop's account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtherAccount {
    /// It is another's.
    #[error("the report is of the account {found}, and this shop's is {wanted}")]
    Other {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// It is of several, and none was chosen.
    #[error("the report is of several accounts: say which is this shop's, of {0}")]
    Several(String),
}

/// Compares a report with the books of a log.
///
/// The log knows when a callback was recorded, not when the money moved: that was at most `late_s` earlier, and not before
/// the order was placed. Where all of that time lies in the period, PayPal must list it; where only some of it does, it is
/// a matter of timing. The other way round PayPal's own time is known: what it lists must be in the log, but for what is
/// younger than an hour.
///
/// # Errors
/// [`Error::Account`]; [`Error::Unfoldable`], as after a tampering.
pub fn compare(report: &Report, books: Books, options: &Options) -> Result<Comparison, Error> {
    let books = books.close();
    if let Some(mismatch) = books.mismatches.first() {
        return Err(Error::Unfoldable(mismatch.clone()));
    }
    let payee = books.rows.shop().settings.payee.as_ref().map(|payee| payee.as_str());
    let sections = sections_of(report, options.account.as_deref().or(payee))?;
    let from = sections.iter().map(|section| section.from).min();
    let to = sections.iter().map(|section| section.to).max();
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Error::Failed("the report has no section".to_owned()));
    };
    let mut comparing = Comparing { books: &books, options, from, to, tally: Tally::default() };
    let listed = comparing.listed(&sections)?;
    comparing.unlisted(&listed)?;
    let Tally { mut counts, totals, unmatched } = comparing.tally;
    let mut others: BTreeMap<String, u64> = BTreeMap::new();
    for (code, count) in sections.iter().flat_map(|section| &section.others) {
        *others.entry(code.clone()).or_default() += count;
    }
    counts.other = others.values().sum();
    let transactions: usize = sections.iter().map(|section| section.transactions.len()).sum();
    Ok(Comparison {
        sha256: hex::encode(report.sha256),
        version: report.version.clone(),
        account: sections.first().map(|section| section.account.clone()).unwrap_or_default(),
        from,
        to,
        rows: transactions as u64 + counts.other,
        as_of: books.as_of,
        counts,
        totals: totals.into_values().collect(),
        others,
        unmatched,
    })
}

/// The sections of the account; those without a name are of the only one there is.
fn sections_of<'r>(report: &'r Report, account: Option<&str>) -> Result<Vec<&'r Section>, OtherAccount> {
    let named: BTreeSet<&str> = report
        .sections
        .iter()
        .map(|section| section.account.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let list = || named.iter().copied().collect::<Vec<_>>().join(", ");
    match account {
        _ if named.is_empty() => Ok(report.sections.iter().collect()),
        Some(wanted) if named.contains(wanted) => {
            Ok(report.sections.iter().filter(|section| section.account == wanted).collect())
        }
        Some(wanted) => Err(OtherAccount::Other { found: list(), wanted: wanted.to_owned() }),
        None if named.len() > 1 => Err(OtherAccount::Several(list())),
        None => Ok(report.sections.iter().collect()),
    }
}

#[derive(Default)]
struct Tally {
    counts: Counts,
    totals: BTreeMap<(Class, Kind, Currency), Total>,
    unmatched: Vec<Unmatched>,
}

impl Tally {
    fn add(
        &mut self,
        (class, kind, currency): (Class, Kind, Currency),
        here: Minor,
        there: Minor,
    ) -> Result<(), Error> {
        let count = match class {
            Class::Matched => &mut self.counts.matched,
            Class::AmountDiffers => &mut self.counts.amount_differs,
            Class::MissingHere => &mut self.counts.missing_here,
            Class::MissingThere => &mut self.counts.missing_there,
            Class::Timing => &mut self.counts.timing,
        };
        *count += 1;
        let new = Total { class, kind, currency, count: 0, here_minor: 0, there_minor: 0 };
        let total = self.totals.entry((class, kind, currency)).or_insert(new);
        total.count += 1;
        let sum = |sum: i64, minor: Minor| {
            sum.checked_add(minor)
                .ok_or_else(|| Error::Failed(format!("the sum of {currency} is too large to be counted")))
        };
        total.here_minor = sum(total.here_minor, here)?;
        total.there_minor = sum(total.there_minor, there)?;
        Ok(())
    }
}

struct Comparing<'a> {
    books: &'a Closed,
    options: &'a Options,
    from: Timestamp,
    to: Timestamp,
    tally: Tally,
}

impl<'a> Comparing<'a> {
    /// What PayPal lists, and the ids of it.
    fn listed(&mut self, sections: &[&'a Section]) -> Result<HashSet<&'a PaymentKey>, Error> {
        let mut listed = HashSet::new();
        for transaction in sections.iter().flat_map(|section| &section.transactions) {
            let is_new = listed.insert(&transaction.key);
            self.one_listed(transaction, is_new)?;
        }
        Ok(listed)
    }

    fn one_listed(&mut self, transaction: &Transaction, is_new: bool) -> Result<(), Error> {
        let (kind, gross) = (kind_of(&transaction.key), transaction.gross);
        let booked = self.books.rows.payment(&transaction.key);
        let moved = booked.as_ref().filter(|payment| moved_money(payment));
        let differs = match moved {
            _ if !is_new => vec![Difference::Twice],
            Some(payment) => differences(payment, transaction),
            None => Vec::new(),
        };
        let class = match moved {
            Some(_) if differs.is_empty() => Class::Matched,
            None if is_new && self.may_still_come(transaction) => Class::Timing,
            None if is_new => Class::MissingHere,
            _ => Class::AmountDiffers,
        };
        let here_minor = if is_new { moved.map_or(0, |payment| payment.amount_minor) } else { 0 };
        self.tally.add((class, kind, gross.currency), here_minor, gross.minor)?;
        if class != Class::Matched {
            let here = self.here(&transaction.key, booked.as_ref());
            let id = name_of(&transaction.key).to_owned();
            self.tally.unmatched.push(Unmatched {
                class,
                kind,
                id,
                differs,
                here,
                there: Some(there(transaction)),
            });
        }
        Ok(())
    }

    fn may_still_come(&self, transaction: &Transaction) -> bool {
        transaction.completed_at.plus_seconds(GRACE_S).is_none_or(|until| until > self.options.now)
    }

    /// What the log has, and PayPal does not list.
    fn unlisted(&mut self, listed: &HashSet<&PaymentKey>) -> Result<(), Error> {
        let mut missing: Vec<(Payment, Class)> = self
            .books
            .payments()
            .filter(|payment| !listed.contains(&payment.id))
            .filter_map(|payment| self.class_of(&payment).map(|class| (payment, class)))
            .collect();
        let first = |key: &PaymentKey| self.books.recorded.get(key).map(|first| first.position);
        missing.sort_by(|(a, _), (b, _)| (first(&a.id), &a.id).cmp(&(first(&b.id), &b.id)));
        for (payment, class) in &missing {
            let (key, class) = (&payment.id, *class);
            let Some(currency) = payment.currency else { continue };
            self.tally.add((class, kind_of(key), currency), payment.amount_minor, 0)?;
            self.tally.unmatched.push(Unmatched {
                class,
                kind: kind_of(key),
                id: name_of(key).to_owned(),
                differs: Vec::new(),
                here: self.here(key, Some(payment)),
                there: None,
            });
        }
        Ok(())
    }

    /// Whether PayPal had to list it in this report; none where it belongs to another.
    fn class_of(&self, payment: &Payment) -> Option<Class> {
        let recorded = self.books.recorded.get(&payment.id);
        let latest = recorded.map(|first| first.at).or(payment.at)?;
        let order = payment.order.as_ref().and_then(|order| self.books.rows.order(order));
        let placed_at = order.as_ref().and_then(|order| order.terms.as_ref()).map(|terms| terms.placed_at);
        // The shop has brought it along: it came at any time since the order was placed, if it has said when that was.
        let is_imported = recorded.is_some_and(|first| first.is_imported);
        let as_late = match is_imported {
            true => Timestamp::new(chrono::DateTime::UNIX_EPOCH),
            false => latest.plus_seconds(-self.options.late_s)?,
        };
        let placed_at = placed_at.filter(|placed| !is_imported || *placed < latest);
        // An order that was revised since may seem to be placed after its money came.
        let earliest =
            placed_at.filter(|placed| *placed <= latest).map_or(as_late, |placed| placed.max(as_late));
        if earliest > self.to || latest < self.from {
            return None;
        }
        let is_certain = earliest >= self.from && latest.plus_seconds(SKEW_S)? <= self.to;
        Some(if is_certain { Class::MissingThere } else { Class::Timing })
    }

    fn here(&self, key: &PaymentKey, payment: Option<&Payment>) -> Option<Here> {
        let recorded = self.books.recorded.get(key);
        if payment.is_none() && recorded.is_none() {
            return None;
        }
        Some(Here {
            state: payment.map(|payment| payment.state),
            currency: payment.and_then(|payment| payment.currency),
            gross_minor: payment.map_or(0, |payment| payment.amount_minor),
            fee_minor: payment.and_then(|payment| payment.fee_minor),
            order: payment.and_then(|payment| payment.order.clone()),
            position: recorded.map(|first| first.position),
            recorded_at: recorded.map(|first| first.at),
        })
    }
}

/// A refund's fee is not compared, for its callback has none; a capture's, where its callback had one.
fn differences(payment: &Payment, transaction: &Transaction) -> Vec<Difference> {
    let gross = transaction.gross;
    let mut differs = Vec::new();
    if payment.currency != Some(gross.currency) {
        differs.push(Difference::Currency);
    }
    if payment.amount_minor != gross.minor {
        differs.push(Difference::Gross);
    }
    let fee = transaction.fee;
    let is_same_fee = |minor: Minor| match fee {
        Some(fee) => fee.minor == minor && payment.currency == Some(fee.currency),
        None => minor == 0,
    };
    if payment.kind == PaymentKind::Capture && !payment.fee_minor.is_none_or(is_same_fee) {
        differs.push(Difference::Fee);
    }
    differs
}

fn there(transaction: &Transaction) -> There {
    There {
        line: transaction.line,
        code: transaction.code.clone(),
        currency: transaction.gross.currency,
        gross_minor: transaction.gross.minor,
        fee_minor: transaction.fee.map(|fee| fee.minor),
        fee_currency: transaction.fee.map(|fee| fee.currency),
        completed_at: transaction.completed_at,
    }
}

fn kind_of(key: &PaymentKey) -> Kind {
    if matches!(key, PaymentKey::Refund(_)) { Kind::Refund } else { Kind::Capture }
}

fn name_of(key: &PaymentKey) -> &str {
    match key {
        PaymentKey::PaypalOrder(id) => id.as_str(),
        PaymentKey::Authorization(id) => id.as_str(),
        PaymentKey::Capture(id) => id.as_str(),
        PaymentKey::Refund(id) => id.as_str(),
        PaymentKey::Dispute(id) => id.as_str(),
    }
}
