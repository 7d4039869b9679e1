//! Parking: a fact that cannot be decided holds back its own key, never the others, and never for ever.

use std::collections::BTreeSet;

use super::{Decision, Undecided};
use crate::{
    Change, Context, Fact, Key, Missing, Outcome, OutcomeType, Parked, PaymentKey, Position, Reason,
    ReceivedFact, Unparked,
};

/// A redrive decides so many facts of its group at most, for the door waits while their outcomes are appended. The rest is
/// due again at once.
pub(super) const REDRIVEN_MAX: usize = 200;
/// The keys of a parked fact must fit into an entry.
const KEYS_MAX_BYTES: usize = 40_000;

impl Decision<'_> {
    /// Whether the fact names, or resolves to, something that is parked.
    pub(crate) fn waits_behind(&self, received: &ReceivedFact) -> Result<bool, Undecided> {
        // Nearly always nothing is parked: then nothing needs to be resolved either.
        if self.state.parked_keys.is_empty() {
            return Ok(false);
        }
        let keys = self.parked_by(received)?;
        Ok(keys.iter().any(|key| self.state.parked_keys.get(key).is_some()))
    }

    /// Parks the fact with every group that one of its keys leads into.
    pub(crate) fn park(&mut self, received: &ReceivedFact, error: Option<String>) -> Result<(), Undecided> {
        let keys = self.parked_by(received)?;
        let groups: BTreeSet<Position> =
            keys.iter().filter_map(|key| self.state.parked_keys.get(key).copied()).collect();
        let group = groups.first().copied().unwrap_or(received.position);
        let absorbs = groups.into_iter().filter(|other| *other != group).collect();
        let parked = Parked { fact: received.position, group, absorbs, keys: keys.clone(), error };
        // The group's row must be there before it is changed; a new one is known to be absent.
        self.state.groups.give_if_new(group, received.position);
        self.state.parked.give_if_new(received.position, received.position);
        let key = keys.first().cloned().unwrap_or_else(|| received.key.clone());
        self.emit(OutcomeType::EventParked, key, Change { parked: Some(parked), ..Change::default() })?;
        self.state.attach(&std::sync::Arc::new(received.clone()));
        Ok(())
    }

    /// The resolved aggregate first, then every id that the fact names.
    fn parked_by(&self, received: &ReceivedFact) -> Result<Vec<Key>, Undecided> {
        let mut keys = Vec::new();
        if let Ok(fact) = &received.fact {
            let fact = match fact {
                Fact::CallbackRetranslated(inner) => inner.fact().ok(),
                _ => Some(fact.clone()),
            };
            let (named, payments) = fact.as_ref().map(Fact::names).unwrap_or_default();
            for payment in payments {
                let row = self.state.payments.read(&payment, || Missing::Payment(payment.clone()))?;
                let through = [
                    row.and_then(|row| row.paypal_order.clone()).map(PaymentKey::PaypalOrder),
                    row.and_then(|row| row.authorization.clone()).map(PaymentKey::Authorization),
                ];
                keys.extend(row.and_then(|row| row.order.clone()).map(Key::Order));
                for parent in through.into_iter().flatten() {
                    let row = self.state.payments.read(&parent, || Missing::Payment(parent.clone()))?;
                    keys.extend(row.and_then(|row| row.order.clone()).map(Key::Order));
                }
            }
            keys.extend(named);
        }
        keys.push(received.key.clone());
        let mut seen = BTreeSet::new();
        let mut room = KEYS_MAX_BYTES;
        keys.retain(|key| {
            let fits = room.checked_sub(key.to_string().len() + 3);
            room = fits.unwrap_or(room);
            fits.is_some() && seen.insert(key.clone())
        });
        Ok(keys)
    }

    pub(crate) fn redrive(&mut self, of: Position) -> Result<(), Undecided> {
        let Some(group) = self.parked_group(of)? else { return self.not_parked(of, "event.redriven") };
        self.redrive_group(group)
    }

    /// Leaves a parked fact out for good, and tries the rest of its group.
    pub(crate) fn dismiss(&mut self, of: Position) -> Result<(), Undecided> {
        let Some(group) = self.parked_group(of)? else { return self.not_parked(of, "event.dismissed") };
        self.cx.answers = Some(of);
        self.say_unparked(of, group, true);
        self.state.unpark_facts(group, &[of])?;
        self.redrive_group(group)
    }

    fn parked_group(&self, of: Position) -> Result<Option<Position>, Undecided> {
        Ok(self.state.parked.read(&of, || Missing::Parked(of))?.copied())
    }

    fn not_parked(&mut self, of: Position, command: &str) -> Result<(), Undecided> {
        let reasons = vec![Reason::new("not_parked", format!("nothing is parked at {of}"))];
        self.reject(OutcomeType::EventRejected, Key::Event(of.0), command, reasons)
    }

    /// Only says so: the caller takes it out of its group, several at once where there are several.
    fn say_unparked(&mut self, fact: Position, group: Position, dismissed: bool) {
        let unparked = Some(Unparked { fact, group, dismissed });
        let change = Change { unparked, shadow: self.state.shop.settings.shadow, ..Change::default() };
        let (kind, key) = (OutcomeType::EventUnparked, Key::Event(fact.0));
        self.outcomes.push(Outcome { kind, key, answers: self.cx.answers, change });
    }

    /// A redrive that cannot be carried out at all: it counts as an attempt of the group's first fact.
    pub(crate) fn fail_again(&mut self, of: Position, error: &str, command: &str) -> Result<(), Undecided> {
        let Some(id) = self.parked_group(of)? else { return self.not_parked(of, command) };
        let first = self.state.group(id)?.and_then(|group| group.members.into_iter().next());
        let Some((position, member)) = first else { return self.not_parked(of, command) };
        let fact = member.fact.ok_or(Missing::Group(id))?;
        self.cx.answers = Some(position);
        self.park_again(position, id, member.keys, fact.key.clone(), error.to_owned())
    }

    fn park_again(
        &mut self,
        fact: Position,
        group: Position,
        keys: Vec<Key>,
        key: Key,
        error: String,
    ) -> Result<(), Undecided> {
        let parked = Some(Parked { fact, group, absorbs: Vec::new(), keys, error: Some(error) });
        self.emit(OutcomeType::EventParked, key, Change { parked, ..Change::default() })
    }

    /// Decides the group in position order over the state as it is now, until one fails again; the rest stay parked.
    fn redrive_group(&mut self, id: Position) -> Result<(), Undecided> {
        let Some(group) = self.state.group(id)? else { return Ok(()) };
        let (cause, mut unparked, mut failed) = (self.cx, Vec::new(), None);
        for (position, member) in group.members.into_iter().take(REDRIVEN_MAX) {
            let fact = member.fact.ok_or(Missing::Group(id))?;
            self.cx = Context { fact_at: fact.at, answers: Some(position), ..cause };
            self.key = fact.key.clone();
            let (mark, made) = (self.state.mark(), self.outcomes.len());
            let decided = match &fact.fact {
                Ok(fact) => self.decide_fact(fact),
                Err(unknown) => Err(Undecided::Undecidable(unknown.0.clone())),
            };
            match decided {
                Ok(()) => {
                    self.state.keep();
                    self.say_unparked(position, id, false);
                    unparked.push(position);
                }
                Err(Undecided::Undecidable(error)) => {
                    self.state.roll_back(&mark);
                    self.outcomes.truncate(made);
                    failed = Some((position, member.keys, fact.key.clone(), error));
                    break;
                }
                Err(missing) => {
                    self.state.roll_back(&mark);
                    return Err(missing);
                }
            }
        }
        if !unparked.is_empty() {
            self.state.unpark_facts(id, &unparked)?;
        }
        if let Some((position, keys, key, error)) = failed {
            self.park_again(position, id, keys, key, error)?;
        }
        self.cx = cause;
        Ok(())
    }
}
