//! An order's money, and what follows from it: a function of the sets of its payments, never of their arrival.

use std::collections::{BTreeMap, BTreeSet};

use super::moves::{Moves, Parts};
use super::{Decision, Undecided};
use crate::{
    Change, GivenBack, Key, Missing, Order, OrderId, OrderMoney, OrderState, OutcomeType, Payment,
    PaymentKey, PaymentKind, PaymentState, Standing, Terms, Verdict,
};

/// Payment rows that a fact changed and no outcome carries yet.
pub(crate) type Drafts = BTreeMap<PaymentKey, Payment>;

/// What the payments of one order come to.
#[derive(Debug, Default)]
struct Sets {
    captured: i64,
    refunded: i64,
    reversed: i64,
    /// A pending or captured capture, or an authorisation that is not voided and whose PayPal order is not.
    live: bool,
    /// Something was denied or voided.
    ended: bool,
    pending: bool,
    disputed: bool,
    mismatched: bool,
    awaiting: bool,
    is_final: bool,
}

/// An order on its way to its next row.
pub(crate) struct Step {
    pub(crate) order: Order,
    pub(crate) moves: Moves,
    /// What the step is called when the fact itself names it.
    pub(crate) kind: Option<OutcomeType>,
    /// Try to take the goods again although they were not to be had before.
    pub(crate) retry: bool,
}

impl Step {
    pub(crate) fn of(order: Order) -> Self {
        Self { order, moves: Moves::default(), kind: None, retry: false }
    }
}

fn sum(total: i64, amount: i64) -> Result<i64, Undecided> {
    total
        .checked_add(amount)
        .filter(|sum| *sum <= crate::MINOR_MAX)
        .ok_or_else(|| Undecided::Undecidable("overflow: an order's money".into()))
}

impl Decision<'_> {
    /// All payments that concern the order: its own, and what refunds or disputes its captures. Drafts stand for their rows.
    fn payments_of(&self, order: &OrderId, drafts: &Drafts) -> Result<Drafts, Undecided> {
        let own = self.state.by_order.read(order, || Missing::PaymentsOfOrder(order.clone()))?;
        let mut keys: BTreeSet<PaymentKey> = own.into_iter().flatten().cloned().collect();
        keys.extend(
            drafts.values().filter(|row| row.order.as_ref() == Some(order)).map(|row| row.id.clone()),
        );
        let captures: Vec<_> = keys
            .iter()
            .filter_map(|key| match key {
                PaymentKey::Capture(id) => Some(id.clone()),
                _ => None,
            })
            .collect();
        for capture in captures {
            let about =
                self.state.by_capture.read(&capture, || Missing::PaymentsOfCapture(capture.clone()))?;
            keys.extend(about.into_iter().flatten().cloned());
            keys.extend(
                drafts.values().filter(|row| row.captures.contains(&capture)).map(|row| row.id.clone()),
            );
        }
        let mut rows = Drafts::new();
        for key in keys {
            let row = match drafts.get(&key) {
                Some(row) => Some(row),
                None => self.state.payments.read(&key, || Missing::Payment(key.clone()))?,
            };
            if let Some(row) = row {
                let is_disputed = row.kind == PaymentKind::Dispute;
                if is_disputed || row.order.as_ref() == Some(order) {
                    rows.insert(key, row.clone());
                }
            }
        }
        Ok(rows)
    }

    /// Whether a capture counts for a known order.
    fn standing(&self, row: &Payment, order: &Order) -> Standing {
        if matches!(row.standing, Standing::Dismissed | Standing::Refuted)
            || !matches!(row.kind, PaymentKind::Capture | PaymentKind::Tender)
        {
            return row.standing;
        }
        let two_orders = row.other_order.is_some() && !row.assigned;
        let other_currency = row.currency.is_some_and(|currency| currency != order.currency);
        let other_payee = match (&row.payee, &self.state.shop.settings.payee) {
            // Judged by the payee in force when it was first counted: a new setting un-counts nothing.
            (Some(got), Some(right)) => got != right && !row.assigned && !self.counts_already(row),
            _ => false,
        };
        if two_orders || other_currency || other_payee {
            Standing::Mismatched
        } else if self.is_to_be_confirmed(row) {
            Standing::Awaiting
        } else {
            Standing::Matched
        }
    }

    /// A capture above the confirmation amount, which nobody has vouched for: neither PayPal, asked, nor an operator, who
    /// assigned it. What counts already is not put in doubt by another setting.
    fn is_to_be_confirmed(&self, row: &Payment) -> bool {
        row.kind == PaymentKind::Capture
            && row.state == PaymentState::Captured
            && !row.assigned
            && !self.counts_already(row)
            && self.confirmed.as_ref() != Some(&row.id)
            && row
                .currency
                .is_some_and(|currency| self.state.shop.settings.confirms(row.amount_minor, currency))
    }

    fn counts_already(&self, row: &Payment) -> bool {
        self.state.payments.get(&row.id).is_some_and(|was| {
            was.state == PaymentState::Captured && was.standing == Standing::Matched && was.order == row.order
        })
    }

    fn sets(order: &Order, rows: &Drafts) -> Result<Sets, Undecided> {
        let mut sets = Sets::default();
        let voided = |id: &crate::PaypalOrderId| {
            rows.get(&PaymentKey::PaypalOrder(id.clone()))
                .is_some_and(|row| row.state == PaymentState::Voided)
        };
        for row in rows.values() {
            let money = row.standing == Standing::Matched && row.state == PaymentState::Captured;
            match (row.kind, row.state) {
                (PaymentKind::Capture | PaymentKind::Tender, state)
                    if row.standing != Standing::Dismissed =>
                {
                    if money {
                        sets.captured = sum(sets.captured, row.amount_minor)?;
                    }
                    sets.is_final |= money && row.is_final;
                    sets.live |= matches!(state, PaymentState::Pending | PaymentState::Captured);
                    sets.pending |= state == PaymentState::Pending;
                    sets.ended |= state == PaymentState::Denied;
                    let is_in = state == PaymentState::Captured;
                    sets.mismatched |=
                        is_in && matches!(row.standing, Standing::Mismatched | Standing::Refuted);
                    sets.awaiting |= is_in && row.standing == Standing::Awaiting;
                }
                (PaymentKind::Authorization, PaymentState::Authorized) => {
                    sets.live |= !row.paypal_order.as_ref().is_some_and(voided);
                }
                (PaymentKind::Authorization | PaymentKind::PaypalOrder, PaymentState::Voided) => {
                    sets.ended = true
                }
                (PaymentKind::Refund | PaymentKind::Reversal, _) if row.currency == Some(order.currency) => {
                    let counted = row.captures.iter().any(|capture| {
                        rows.get(&PaymentKey::Capture(capture.clone())).is_some_and(|row| {
                            row.standing == Standing::Matched && row.state == PaymentState::Captured
                        })
                    });
                    if counted {
                        sets.refunded = sum(sets.refunded, row.amount_minor)?;
                        if row.kind == PaymentKind::Reversal {
                            sets.reversed = sum(sets.reversed, row.amount_minor)?;
                        }
                    }
                }
                (PaymentKind::Dispute, state) => sets.disputed |= state == PaymentState::Open,
                _ => {}
            }
        }
        Ok(sets)
    }

    /// Takes a known order to where its payments and flags put it, in at most one outcome. `drafts` are the payment rows
    /// that go with it.
    pub(crate) fn advance(&mut self, step: Step, drafts: &mut Drafts) -> Result<(), Undecided> {
        let Step { mut order, mut moves, kind, retry } = step;
        let id = order.order.clone();
        let before = self.state.orders.read(&id, || Missing::Order(id.clone()))?.cloned();
        let mut rows = self.payments_of(&id, drafts)?;
        for row in rows.values_mut() {
            let standing = self.standing(row, &order);
            if standing != row.standing {
                row.standing = standing;
                drafts.insert(row.id.clone(), row.clone());
            }
        }
        let sets = Self::sets(&order, &rows)?;
        order.money.captured_minor = sets.captured;
        order.money.refunded_minor = sets.refunded;
        order.money.reversed_minor = sets.reversed;
        order.flags.live = sets.live;
        order.flags.pending = sets.pending;
        order.flags.disputed = sets.disputed;
        order.flags.mismatched = sets.mismatched;
        order.flags.awaiting = sets.awaiting;
        order.flags.overpaid = sets.captured > order.total_minor;
        let terms =
            order.terms.clone().ok_or_else(|| Undecided::Undecidable(format!("order {id} has no terms")))?;
        if order.paid_at.is_none() {
            self.settle_or_hold(&mut order, &terms, &sets, &mut moves, retry)?;
        }
        if order.paid_at.is_some() {
            self.balance(&mut order, &terms, &mut moves)?;
            // What is live keeps a hold, and a settled order has none.
            order.flags.live = false;
        }
        order.flags.review = order.paid_at.is_none() && sets.is_final && sets.captured < order.total_minor;
        finish(&mut order);
        self.emit_step(before.as_ref(), order, moves, kind, drafts)
    }

    /// An order that is not settled: settle it once its money reaches the total, else keep or end its hold.
    fn settle_or_hold(
        &mut self,
        order: &mut Order,
        terms: &Terms,
        sets: &Sets,
        moves: &mut Moves,
        retry: bool,
    ) -> Result<(), Undecided> {
        let money_in = sets.captured > 0 && (sets.captured >= order.total_minor || order.flags.accepted);
        let free = order.total_minor == 0 && order.held_until.is_some();
        if (money_in || free) && !order.flags.closed {
            if order.flags.cancelled {
                order.flags.unfulfillable = true;
            } else if !order.flags.unfulfillable || retry {
                let reasons = if order.held_until.is_some() {
                    self.held_shortfalls(terms)?
                } else {
                    self.shortfalls(terms, Parts::ALL, |_| 0)?
                };
                if order.held_until.take().is_some() {
                    moves.release(terms);
                }
                order.flags.unfulfillable = !reasons.is_empty();
                if reasons.is_empty() {
                    moves.settle(terms);
                    order.paid_at = Some(self.cx.at);
                    order.flags.refused = false;
                    order.flags.expired = false;
                }
                order.refusals = reasons;
            }
            return Ok(());
        }
        let flags = &mut order.flags;
        let may_hold = !(flags.cancelled || flags.closed || flags.unfulfillable);
        if order.held_until.is_some() && !sets.live && sets.ended {
            order.held_until = None;
            moves.release(terms);
        } else if order.held_until.is_none()
            && sets.live
            && may_hold
            && self.shortfalls(terms, Parts::ALL, |_| 0)?.is_empty()
        {
            moves.hold(terms);
            order.held_until = Some(self.deadline(terms)?);
            flags.refused = false;
            flags.expired = false;
            order.refusals.clear();
        }
        Ok(())
    }

    /// Until when a hold that is taken now lasts.
    pub(crate) fn deadline(&self, terms: &Terms) -> Result<crate::Timestamp, Undecided> {
        let deadline = self.cx.at.plus_seconds(terms.hold_s);
        deadline.ok_or_else(|| Undecided::Undecidable("overflow: a hold's deadline".into()))
    }

    /// The money of an order that was paid before it was imported, and what had come back of it, by the payments that are
    /// imported with it.
    pub(crate) fn balance_import(
        &self,
        step: &mut Step,
        terms: &Terms,
        payments: &Drafts,
    ) -> Result<(), Undecided> {
        let order = &mut step.order;
        let sets = Self::sets(order, payments)?;
        order.money.captured_minor = sets.captured;
        order.money.refunded_minor = sets.refunded;
        order.money.reversed_minor = sets.reversed;
        // The shop says that it is paid: it has settled with what was paid.
        order.flags.accepted = sets.captured < order.total_minor;
        step.moves.settle(terms);
        self.balance(order, terms, &mut step.moves)?;
        step.moves.stand_before_the_balances();
        Ok(())
    }

    /// A settled order: what is to have come back is a function of its money; move the difference.
    fn balance(&self, order: &mut Order, terms: &Terms, moves: &mut Moves) -> Result<(), Undecided> {
        let (captured, refunded) = (order.money.captured_minor, order.money.refunded_minor);
        if captured == 0 || order.total_minor == 0 {
            return Ok(());
        }
        let kept = (captured - refunded).clamp(0, order.total_minor);
        let returns = self.state.shop.settings.returns;
        let tracks_points = terms.tracks.points && terms.buyer.is_some();
        let earned = terms.points.filter(|_| tracks_points).map_or(0, |points| points.earn);
        // In 128 bits, for the product of two amounts does not fit in 64; the quotient is at most `earned`.
        let earned_still = i128::from(earned) * i128::from(kept) / i128::from(order.total_minor);
        let have = order.given_back;
        let mut want = GivenBack {
            points_revoked: i64::try_from(i128::from(earned) - earned_still)
                .map_err(|_| Undecided::Undecidable("overflow: revoked points".into()))?,
            points: kept == 0 && (returns.points || have.points),
            coupons: kept == 0 && (returns.coupons || have.coupons),
            stock: refunded - order.money.reversed_minor >= captured && (returns.stock || have.stock),
        };
        let again = Parts {
            stock: have.stock && !want.stock,
            coupons: have.coupons && !want.coupons,
            points: have.points && !want.points,
        };
        if again.stock || again.coupons || again.points {
            let shortfalls = self.shortfalls(terms, again, |sku| order.shipped_of(sku))?;
            order.flags.unfulfillable = !shortfalls.is_empty();
            if !shortfalls.is_empty() {
                want = GivenBack { points_revoked: want.points_revoked, ..have };
            }
            order.refusals = shortfalls;
        } else if kept == 0 && order.flags.unfulfillable {
            // Nothing is to be fulfilled any more.
            order.flags.unfulfillable = false;
            order.refusals.clear();
        }
        moves.give_back(terms, have, want, |sku| order.shipped_of(sku));
        order.given_back = want;
        Ok(())
    }

    fn emit_step(
        &mut self,
        before: Option<&Order>,
        order: Order,
        moves: Moves,
        kind: Option<OutcomeType>,
        drafts: &mut Drafts,
    ) -> Result<(), Undecided> {
        let id = order.order.clone();
        let changed: Vec<Payment> = drafts
            .values()
            .filter(|row| row.order.as_ref() == Some(&id) || row.kind == PaymentKind::Dispute)
            .filter(|row| self.state.payments.get(&row.id) != Some(*row))
            .cloned()
            .collect();
        drafts.retain(|_, row| row.order.as_ref() != Some(&id) && row.kind != PaymentKind::Dispute);
        if changed.is_empty() && kind.is_none() && before == Some(&order) {
            return Ok(());
        }
        let kind = kind.unwrap_or_else(|| step_name(before, &order));
        let tells_all = matches!(
            kind,
            OutcomeType::OrderPlaced
                | OutcomeType::OrderRefused
                | OutcomeType::OrderRevised
                | OutcomeType::OrderPaid
                | OutcomeType::OrderUnfulfillable
        );
        let terms = order.terms.clone().filter(|_| tells_all || before.is_none());
        let mut change =
            Change { order: Some(Order { terms, ..order }), payments: changed, ..Change::default() };
        moves.into_change(self.state, &mut change)?;
        self.emit(kind, Key::Order(id), change)
    }
}

/// What follows from the rest of the row: its state, its refund due, and whether it may be shipped.
pub(crate) fn finish(order: &mut Order) {
    let flags = &order.flags;
    let owed = if flags.cancelled || flags.unfulfillable || flags.closed { 0 } else { order.total_minor };
    let OrderMoney { captured_minor, refunded_minor, .. } = order.money;
    order.money.refund_due_minor = (captured_minor - refunded_minor - owed).max(0);
    order.state = match order {
        _ if order.paid_at.is_some() => OrderState::Paid,
        _ if flags.closed => OrderState::Closed,
        _ if flags.unfulfillable => OrderState::Unfulfillable,
        _ if flags.cancelled => OrderState::Cancelled,
        _ if captured_minor > 0 => OrderState::PartiallyPaid,
        _ if flags.refused => OrderState::Refused,
        _ if flags.expired => OrderState::Expired,
        _ => OrderState::Open,
    };
    let verdict = Verdict::of(order);
    order.fulfilment = verdict.fulfilment;
    order.reasons = verdict.reasons;
}

/// What a step is called, by what it did: the weightiest first.
fn step_name(before: Option<&Order>, after: &Order) -> OutcomeType {
    let Some(before) = before else { return OutcomeType::OrderPlaced };
    let (was, is) = (&before.flags, &after.flags);
    let rose = |of: fn(&OrderMoney) -> i64| of(&after.money) > of(&before.money);
    if before.paid_at.is_none() && after.paid_at.is_some() {
        OutcomeType::OrderPaid
    } else if !was.unfulfillable && is.unfulfillable {
        OutcomeType::OrderUnfulfillable
    } else if rose(|money| money.reversed_minor) {
        OutcomeType::OrderReversed
    } else if rose(|money| money.refunded_minor) {
        OutcomeType::OrderRefunded
    } else if rose(|money| money.captured_minor) {
        if is.overpaid { OutcomeType::OrderOverpaid } else { OutcomeType::OrderPartiallyPaid }
    } else if !was.disputed && is.disputed {
        OutcomeType::OrderDisputed
    } else if was.disputed && !is.disputed {
        OutcomeType::OrderDisputeResolved
    } else if before.held_until.is_some() && after.held_until.is_none() {
        OutcomeType::OrderReleased
    } else if before.held_until.is_none() && after.held_until.is_some() {
        OutcomeType::OrderHeld
    } else if !was.awaiting && is.awaiting {
        OutcomeType::OrderPaymentAwaitingConfirmation
    } else if !was.mismatched && is.mismatched {
        OutcomeType::OrderPaymentMismatched
    } else if !was.pending && is.pending {
        OutcomeType::OrderPaymentPending
    } else {
        OutcomeType::OrderPaymentNoted
    }
}
