//! Facts about stock alone.

use std::collections::BTreeSet;

use super::{Decision, Undecided};
use crate::{Adjustment, Change, Key, Missing, OrderId, OutcomeType, Quantity, Short, Sku, Stock, StockMove};

impl Decision<'_> {
    fn stock_row(&self, sku: &Sku) -> Result<Stock, Undecided> {
        Ok(self.state.stock.read(sku, || Missing::Stock(sku.clone()))?.copied().unwrap_or_default())
    }

    pub(crate) fn receive_stock(&mut self, fact: &Quantity) -> Result<(), Undecided> {
        let step = StockMove { received: fact.qty, ..StockMove::of(fact.sku.clone()) };
        self.emit(
            OutcomeType::StockReceived,
            Key::Sku(fact.sku.clone()),
            Change { stock: vec![step], ..Change::default() },
        )
    }

    pub(crate) fn return_stock(&mut self, fact: &Quantity) -> Result<(), Undecided> {
        let step = StockMove { returned: fact.qty, ..StockMove::of(fact.sku.clone()) };
        self.emit(
            OutcomeType::StockReturned,
            Key::Sku(fact.sku.clone()),
            Change { stock: vec![step], ..Change::default() },
        )
    }

    /// A count is a fact: it is always applied, but never below 0 on hand.
    pub(crate) fn adjust_stock(&mut self, fact: &Adjustment) -> Result<(), Undecided> {
        let on_hand = self.stock_row(&fact.sku)?.on_hand();
        let delta = match (fact.on_hand, fact.delta) {
            (Some(counted), _) => counted.max(0) - on_hand,
            (None, delta) => delta.unwrap_or(0).max(-on_hand),
        };
        let row = self.stock_row(&fact.sku)?;
        let is_short = delta < 0 && row.on_hand() + delta < row.held;
        let holders = if is_short { self.holders(&fact.sku)? } else { BTreeSet::new() };
        let key = Key::Sku(fact.sku.clone());
        let step = StockMove { adjusted: delta, ..StockMove::of(fact.sku.clone()) };
        self.emit(
            OutcomeType::StockAdjusted,
            key.clone(),
            Change { stock: vec![step], ..Change::default() },
        )?;
        let row = self.stock_row(&fact.sku)?;
        for order in holders {
            let short = Short { sku: fact.sku.clone(), order, on_hand: row.on_hand(), held: row.held };
            self.emit(
                OutcomeType::StockShort,
                key.clone(),
                Change { short: Some(short), ..Change::default() },
            )?;
        }
        Ok(())
    }

    /// The orders that hold pieces of the article: not those whose stock the shop keeps itself. Orders of the same batch
    /// are not in the stored set yet; where all orders are known, no set is kept, for each would grow with the shop.
    fn holders(&self, sku: &Sku) -> Result<BTreeSet<OrderId>, Undecided> {
        let mut holders =
            self.state.holders.read(sku, || Missing::Holders(sku.clone()))?.cloned().unwrap_or_default();
        let holds = |order: &crate::Order| {
            let names = |terms: &std::sync::Arc<crate::Terms>| {
                terms.tracks.stock && terms.lines.iter().any(|line| line.sku == *sku)
            };
            order.held_until.is_some() && order.terms.as_ref().is_some_and(names)
        };
        for (id, order) in self.state.orders.iter() {
            if holds(order) {
                holders.insert(id.clone());
            } else {
                holders.remove(id);
            }
        }
        Ok(holders)
    }
}
