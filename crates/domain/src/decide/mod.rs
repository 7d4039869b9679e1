//! The rules: state + fact -> outcomes.
//!
//! One file a subject. Each rule evolves the state by the outcome that it emits, so that what follows within the same
//! fact is decided over the state as it is by then; a decision that fails leaves no trace.

mod confirmation;
mod coupons_points;
mod imports;
mod links;
mod moves;
mod needs;
mod orders;
mod parking;
mod payments;
mod settlement;
mod stock;

use crate::{
    Change, Context, Fact, Key, Missing, Outcome, OutcomeType, PaymentKey, RULES_LATEST, Reason,
    ReceivedFact, State,
};

/// The first rules by which a shop moves in.
const MOVING_IN: u32 = 4;

fn is_import(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::StockImported(_)
            | Fact::CouponImported(_)
            | Fact::CouponBuyerImported(_)
            | Fact::PointsImported(_)
            | Fact::OrderImported(_)
    )
}

/// Why a fact was not decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// A row was not given: load it, and decide again.
    #[error("a row was not loaded: {0:?}")]
    Missing(Missing),
    /// It cannot be decided: an overflow, or something that only a newer version knows.
    #[error("{0}")]
    Undecidable(String),
}

impl From<Missing> for Undecided {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

/// One fact being decided.
pub(crate) struct Decision<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) cx: Context,
    /// The fact's own key: what its outcomes are about when no order is known.
    pub(crate) key: Key,
    /// The capture that this fact confirms.
    pub(crate) confirmed: Option<PaymentKey>,
    pub(crate) outcomes: Vec<Outcome>,
}

impl State {
    /// Decides a fact, and evolves the state by the outcomes that it answers. A fact that cannot be decided is parked,
    /// which is an outcome too; one that names something parked waits behind it.
    ///
    /// # Errors
    /// Only [`Undecided::Missing`]: load the row and call again. The state is as it was.
    pub fn decide(&mut self, fact: &ReceivedFact) -> Result<Vec<Outcome>, Undecided> {
        match self.attempt(fact, |decision| decision.react(fact)) {
            Err(Undecided::Undecidable(error)) => self.park(fact, &error),
            decided => decided,
        }
    }

    /// Parks a fact that was decided but cannot be stored, or whose decision panicked. A redrive or dismissal is never
    /// parked: of its group, the first fact has failed once more.
    ///
    /// # Errors
    /// Only [`Undecided::Missing`].
    pub fn park(&mut self, fact: &ReceivedFact, error: &str) -> Result<Vec<Outcome>, Undecided> {
        self.attempt(fact, |decision| match &fact.fact {
            Ok(Fact::EventRedriven(redrive)) => decision.fail_again(redrive.of, error, "event.redriven"),
            Ok(Fact::EventDismissed(dismissal)) => {
                decision.fail_again(dismissal.of, error, "event.dismissed")
            }
            _ => decision.park(fact, Some(error.to_owned())),
        })
    }

    /// Runs a decision; on an error the state is as it was.
    fn attempt(
        &mut self,
        fact: &ReceivedFact,
        rule: impl FnOnce(&mut Decision<'_>) -> Result<(), Undecided>,
    ) -> Result<Vec<Outcome>, Undecided> {
        let mark = self.mark();
        let cx = Context { position: fact.position, at: fact.at, fact_at: fact.at, answers: None };
        let key = fact.key.clone();
        let mut decision = Decision { state: self, cx, key, confirmed: None, outcomes: Vec::new() };
        match rule(&mut decision) {
            Ok(()) => {
                let outcomes = decision.outcomes;
                self.keep();
                Ok(outcomes)
            }
            Err(error) => {
                self.roll_back(&mark);
                Err(error)
            }
        }
    }
}

impl Decision<'_> {
    fn react(&mut self, received: &ReceivedFact) -> Result<(), Undecided> {
        match &received.fact {
            Ok(Fact::EventRedriven(redrive)) => self.redrive(redrive.of),
            Ok(Fact::EventDismissed(dismissal)) => self.dismiss(dismissal.of),
            _ if self.waits_behind(received)? => self.park(received, None),
            Ok(fact) => self.decide_fact(fact),
            Err(unknown) => Err(Undecided::Undecidable(unknown.0.clone())),
        }
    }

    fn decide_fact(&mut self, fact: &Fact) -> Result<(), Undecided> {
        match self.state.shop.rules {
            ..MOVING_IN if is_import(fact) => Err(Undecided::Undecidable(format!(
                "what a shop brings along is decided by rules {MOVING_IN} and later: activate them"
            ))),
            1..=RULES_LATEST => self.decide_by_rules(fact),
            newer => Err(Undecided::Undecidable(format!(
                "rules {newer} are newer than this version ({RULES_LATEST})"
            ))),
        }
    }

    fn decide_by_rules(&mut self, fact: &Fact) -> Result<(), Undecided> {
        match fact {
            Fact::PaymentApproved(f) => self.approved(f),
            Fact::PaymentAuthorized(f) => self.authorized(f),
            Fact::PaymentVoided(f) => self.voided(f),
            Fact::PaymentPending(f) => self.capture(f, crate::PaymentState::Pending),
            Fact::PaymentCaptured(f) => self.capture(f, crate::PaymentState::Captured),
            Fact::PaymentDenied(f) => self.capture(f, crate::PaymentState::Denied),
            Fact::PaymentRefunded(f) => self.refund(f, crate::PaymentKind::Refund),
            Fact::PaymentReversed(f) => self.refund(f, crate::PaymentKind::Reversal),
            Fact::DisputeOpened(f) | Fact::DisputeUpdated(f) => self.dispute(f, crate::PaymentState::Open),
            Fact::DisputeResolved(f) => self.dispute(f, crate::PaymentState::Resolved),
            Fact::CallbackRevised(_) | Fact::CallbackIgnored(_) | Fact::CallbackUnreadable(_) => Ok(()),
            Fact::CallbackRetranslated(f) => {
                let inner = f.fact().map_err(|e| Undecided::Undecidable(e.0))?;
                if matches!(inner, Fact::CallbackRetranslated(_)) {
                    return Err(Undecided::Undecidable("a retranslation within a retranslation".into()));
                }
                self.decide_by_rules(&inner)
            }
            Fact::OrderPlaced(f) => self.place(f),
            Fact::OrderRevised(f) => self.revise(f),
            Fact::OrderCancelled(f) => self.cancel(f),
            Fact::OrderShipped(f) => self.ship(f),
            Fact::OrderResolved(f) => self.resolve_order(f),
            Fact::OrderExpired(f) => self.expire(f),
            Fact::PaymentRecorded(f) => self.tender(f),
            Fact::PaymentResolved(f) => self.resolve_payment(f),
            Fact::CaptureConfirmed(f) => self.confirm_capture(f),
            Fact::CaptureRefuted(f) => self.refute_capture(f),
            Fact::StockReceived(f) => self.receive_stock(f),
            Fact::StockAdjusted(f) => self.adjust_stock(f),
            Fact::StockReturned(f) => self.return_stock(f),
            Fact::CouponIssued(f) => self.issue_coupon(f),
            Fact::CouponVoided(f) => self.void_coupon(f),
            Fact::PointsGranted(f) => self.grant_points(f),
            Fact::PointsExpired(f) => self.expire_points(f),
            Fact::StockImported(f) => self.import_stock(f),
            Fact::CouponImported(f) => self.import_coupon(f),
            Fact::CouponBuyerImported(f) => self.import_coupon_buyer(f),
            Fact::PointsImported(f) => self.import_points(f),
            Fact::OrderImported(f) => self.import_order(f),
            Fact::ShopConfigured(f) if f.settings.shadow && self.state.shop.rules < MOVING_IN => {
                let detail = format!("a shop may be in shadow by rules {MOVING_IN} and later: activate them");
                let reasons = vec![Reason::new("rules_too_old", detail)];
                self.reject(OutcomeType::ShopRejected, self.key.clone(), "shop.configured", reasons)
            }
            Fact::ShopConfigured(f) => {
                let change = Change { settings: Some(f.settings.clone()), ..Change::default() };
                self.emit(OutcomeType::ShopConfigured, self.key.clone(), change)
            }
            Fact::RulesActivated(f) => {
                if f.version > RULES_LATEST || f.version < self.state.shop.rules {
                    return Err(Undecided::Undecidable(format!("rules {} are not known here", f.version)));
                }
                let change = Change { rules: Some(f.version), ..Change::default() };
                self.emit(OutcomeType::RulesActivated, self.key.clone(), change)
            }
            // `react` takes them before anything else: they are never parked.
            Fact::EventRedriven(_) | Fact::EventDismissed(_) => Ok(()),
        }
    }

    /// Adds an outcome and evolves the state by it.
    pub(crate) fn emit(&mut self, kind: OutcomeType, key: Key, mut change: Change) -> Result<(), Undecided> {
        change.shadow = self.state.shop.settings.shadow;
        self.state.apply(&self.cx, kind, &change)?;
        self.outcomes.push(Outcome { kind, key, answers: self.cx.answers, change });
        Ok(())
    }

    /// A refused command: says every reason, changes nothing.
    pub(crate) fn reject(
        &mut self,
        kind: OutcomeType,
        key: Key,
        command: &str,
        reasons: Vec<Reason>,
    ) -> Result<(), Undecided> {
        let change = Change { command: Some(command.to_owned()), reasons, ..Change::default() };
        self.emit(kind, key, change)
    }
}
