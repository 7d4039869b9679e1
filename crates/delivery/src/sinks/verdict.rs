//! Whose fault it is that something was not delivered, and what becomes of it. Pure.
//!
//! What a sink that is down refuses must not fill the table of what is set aside, and one message that brings trouble by
//! itself must not stop the others. What tells them apart is whether others get through in the same round.

use std::time::Duration;

use super::publisher::Delivery;

/// So many refusals in a row, with nothing confirmed between, are no fault of the messages.
const REFUSED_IN_A_ROW: usize = 10;
/// In so many rounds a message may be lost while others get through.
const STRIKES: u32 = 3;

/// What is to be said of a round.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is nobody's fault, or single messages'.
    Well {
        /// Something was confirmed.
        any: bool,
    },
    /// Some got through, and some were lost.
    Partly {
        /// Why.
        why: String,
        /// How long the sink asks to be left alone; zero: it does not.
        wait: Duration,
    },
    /// It is the sink's.
    Unavailable {
        /// Why.
        why: String,
        /// As above.
        wait: Duration,
    },
    /// The sink is to be left alone.
    Gone(String),
}

/// What becomes of a message that was tried for the first time, or again from the window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done with.
    Delivered,
    /// It is a dead letter.
    Dead(String),
    /// It is set aside, with its key.
    Aside { why: String, retry_after: Option<Duration> },
    /// It is tried again.
    Open,
    /// It is tried again, behind the others: it may be what is in their way.
    Suspect {
        /// Others got through beside it.
        is_strike: bool,
    },
}

/// Judges a round, given how many were refused in a row before it; and how many were after it.
pub(crate) fn judge(deliveries: &[Delivery], refused_before: usize) -> (Verdict, usize) {
    let is_refused = |delivery: &&Delivery| matches!(delivery, Delivery::Refused { .. });
    let confirmed = deliveries.iter().filter(|delivery| **delivery == Delivery::Confirmed).count();
    let refused =
        if confirmed > 0 { 0 } else { refused_before + deliveries.iter().filter(is_refused).count() };
    let (mut lost, mut said, mut wait) = (None, None, Duration::ZERO);
    for delivery in deliveries {
        match delivery {
            Delivery::Gone(why) => return (Verdict::Gone(why.clone()), refused),
            Delivery::Unavailable(why) => lost = lost.or(Some(why)),
            Delivery::Busy { why, wait: asked } => {
                lost = lost.or(Some(why));
                wait = wait.max(*asked);
            }
            Delivery::Refused { why, .. } => said = said.or(Some(why)),
            Delivery::Confirmed | Delivery::Held | Delivery::Undeliverable(_) => {}
        }
    }
    let verdict = match (lost, said) {
        (Some(why), _) if confirmed == 0 => Verdict::Unavailable { why: why.clone(), wait },
        (None, Some(why)) if refused >= REFUSED_IN_A_ROW => {
            Verdict::Unavailable { why: format!("nothing is taken: {why}"), wait }
        }
        (Some(why), _) => Verdict::Partly { why: why.clone(), wait },
        (None, _) => Verdict::Well { any: confirmed > 0 },
    };
    (verdict, refused)
}

impl Verdict {
    /// What becomes of a message of this round that was lost so often before while others got through.
    pub(crate) fn fate(&self, delivery: Delivery, strikes: u32) -> Fate {
        let is_of_messages = matches!(self, Self::Well { .. } | Self::Partly { .. });
        match delivery {
            Delivery::Confirmed => Fate::Delivered,
            Delivery::Undeliverable(why) => Fate::Dead(why),
            Delivery::Refused { why, retry_after } if is_of_messages => Fate::Aside { why, retry_after },
            Delivery::Unavailable(why) if is_of_messages && strikes + 1 >= STRIKES => {
                Fate::Aside { why, retry_after: None }
            }
            Delivery::Refused { .. } | Delivery::Unavailable(_) => {
                Fate::Suspect { is_strike: is_of_messages }
            }
            // A sink that asks for time speaks of itself.
            Delivery::Busy { .. } | Delivery::Held | Delivery::Gone(_) => Fate::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Delivery {
        Delivery::Refused { why: "500".to_owned(), retry_after: None }
    }

    fn lost() -> Delivery {
        Delivery::Unavailable("no answer".to_owned())
    }

    fn busy(seconds: u64) -> Delivery {
        Delivery::Busy { why: "429".to_owned(), wait: Duration::from_secs(seconds) }
    }

    #[test]
    fn given_others_that_get_through_when_one_is_refused_then_it_is_set_aside() {
        let (verdict, in_a_row) = judge(&[refused(), Delivery::Confirmed, Delivery::Held], 9);
        assert_eq!((&verdict, in_a_row), (&Verdict::Well { any: true }, 0));
        assert_eq!(verdict.fate(refused(), 0), Fate::Aside { why: "500".to_owned(), retry_after: None });
        assert_eq!(verdict.fate(Delivery::Held, 0), Fate::Open);
    }

    #[test]
    fn given_a_sink_that_refuses_everything_when_it_is_judged_then_only_a_handful_is_set_aside() {
        let (mut in_a_row, mut aside) = (0, 0);
        for _ in 0..1000 {
            let (verdict, after) = judge(&[refused()], in_a_row);
            in_a_row = after;
            aside += i32::from(matches!(verdict.fate(refused(), 0), Fate::Aside { .. }));
        }
        assert_eq!(aside, 9);
        let (verdict, _) = judge(&vec![refused(); 1000], 0);
        assert!(matches!(&verdict, Verdict::Unavailable { why, .. } if why.contains("500")), "{verdict:?}");
        assert_eq!(verdict.fate(refused(), 0), Fate::Suspect { is_strike: false });
    }

    #[test]
    fn given_a_sink_that_is_down_when_it_is_judged_then_nothing_is_set_aside_however_long_it_takes() {
        let (verdict, _) = judge(&[lost(), refused(), Delivery::Held], 0);
        assert_eq!(verdict, Verdict::Unavailable { why: "no answer".to_owned(), wait: Duration::ZERO });
        for strikes in 0..10 {
            assert_eq!(verdict.fate(lost(), strikes), Fate::Suspect { is_strike: false });
        }
    }

    #[test]
    fn given_others_that_get_through_when_one_is_lost_again_and_again_then_it_is_set_aside() {
        let (verdict, _) = judge(&[lost(), Delivery::Confirmed], 0);
        assert_eq!(verdict, Verdict::Partly { why: "no answer".to_owned(), wait: Duration::ZERO });
        assert_eq!(verdict.fate(lost(), 0), Fate::Suspect { is_strike: true });
        assert_eq!(verdict.fate(lost(), 1), Fate::Suspect { is_strike: true });
        assert_eq!(verdict.fate(lost(), 2), Fate::Aside { why: "no answer".to_owned(), retry_after: None });
    }

    #[test]
    fn given_a_sink_that_asks_for_time_when_it_is_judged_then_it_gets_it_and_no_message_is_blamed() {
        let (verdict, _) = judge(&[busy(3), busy(7), Delivery::Confirmed], 0);
        assert_eq!(verdict, Verdict::Partly { why: "429".to_owned(), wait: Duration::from_secs(7) });
        assert_eq!(verdict.fate(busy(7), 10), Fate::Open);
        let (verdict, _) = judge(&[busy(3)], 0);
        assert_eq!(verdict, Verdict::Unavailable { why: "429".to_owned(), wait: Duration::from_secs(3) });
    }

    #[test]
    fn given_a_sink_that_is_gone_when_others_were_taken_before_then_they_are_delivered() {
        let gone = || Delivery::Gone("410".to_owned());
        let (verdict, _) = judge(&[Delivery::Confirmed, lost(), gone()], 0);
        assert_eq!(verdict, Verdict::Gone("410".to_owned()));
        assert_eq!(verdict.fate(Delivery::Confirmed, 0), Fate::Delivered);
        assert_eq!(verdict.fate(gone(), 0), Fate::Open);
    }
}
