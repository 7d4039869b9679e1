//! How a shop's relay gets on, judged by heart-beat and progress. Lag alone says nothing: a sale of an hour may be far
//! behind and in the best of health, and one fact that nobody decides is an outage.

use serde::Serialize;

use crate::Health;

/// A leader that was not heard of for so long, facts that waited for so long, and a checkpoint that stood for so long: a
/// take-over is done within a third of it, and nobody need be woken before.
const PATIENCE_MS: i64 = 15_000;

/// How a shop's relay gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is led, and everything is decided.
    Idle,
    /// It is led, and facts are being decided, however many there are yet.
    Working,
    /// Nobody leads it, and nothing has waited for long: as between two leaders.
    Vacant,
    /// Its leader is heard of, but decides nothing of what waits.
    Stalled,
    /// Nobody leads it, and facts have waited for long.
    Leaderless,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Idle, Self::Working, Self::Vacant, Self::Stalled, Self::Leaderless];

    /// Whether it goes on by itself, so that nobody need look.
    #[must_use]
    pub fn is_well(self) -> bool {
        match self {
            Self::Idle | Self::Working | Self::Vacant => true,
            Self::Stalled | Self::Leaderless => false,
        }
    }

    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Vacant => "vacant",
            Self::Stalled => "stalled",
            Self::Leaderless => "leaderless",
        }
    }
}

impl Health {
    /// How the shop's relay gets on.
    #[must_use]
    pub fn standing(&self) -> Standing {
        // What never happened is as long ago as can be.
        let is_old = |age: Option<i64>| age.is_none_or(|age| age > PATIENCE_MS);
        let is_led = self.is_led && !is_old(self.heartbeat_age_ms);
        let has_waited = self.undecided_age_ms.is_some_and(|age| age > PATIENCE_MS);
        match (is_led, self.undecided_age_ms) {
            (true, None) => Standing::Idle,
            (true, Some(_)) if has_waited && is_old(self.progress_age_ms) => Standing::Stalled,
            (true, Some(_)) => Standing::Working,
            (false, Some(_)) if has_waited && is_old(self.heartbeat_age_ms) => Standing::Leaderless,
            (false, _) => Standing::Vacant,
        }
    }
}

/// Whether relays get on nowhere: something is stuck, and no shop gives hope for what is to come. A shop that nobody leads
/// and that has nothing to decide says nothing. One that is stuck among others is no reason to turn those away.
#[must_use]
pub fn all_are_stuck(shops: &[Health]) -> bool {
    let says_nothing = |shop: &Health| shop.standing() == Standing::Vacant && shop.undecided_age_ms.is_none();
    let is_stuck = |shop: &Health| !shop.standing().is_well();
    shops.iter().any(is_stuck) && shops.iter().all(|shop| is_stuck(shop) || says_nothing(shop))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATELY: i64 = 300;
    const LONG_AGO: i64 = 60_000;

    /// Led, heard of just now, and with nothing to do since long ago.
    fn idle() -> Health {
        Health {
            shop: "shop".into(),
            position: 10,
            head: 10,
            is_led: true,
            holder: Some("host:1".into()),
            epoch: 3,
            heartbeat_age_ms: Some(LATELY),
            progress_age_ms: Some(LONG_AGO),
            undecided_age_ms: None,
        }
    }

    #[test]
    fn given_a_leader_and_nothing_undecided_when_judged_then_it_is_idle() {
        assert_eq!(idle().standing(), Standing::Idle);
        let never_moved = Health { progress_age_ms: None, position: -1, head: -1, ..idle() };
        assert_eq!(never_moved.standing(), Standing::Idle);
    }

    #[test]
    fn given_a_large_lag_and_progress_lately_when_judged_then_it_is_working() {
        let far_behind = Health {
            head: 10_000_000,
            progress_age_ms: Some(LATELY),
            undecided_age_ms: Some(3_600_000),
            ..idle()
        };
        assert_eq!(far_behind.standing(), Standing::Working);
    }

    #[test]
    fn given_a_fact_after_a_quiet_night_when_judged_then_it_is_working() {
        let woken = Health { head: 11, undecided_age_ms: Some(LATELY), ..idle() };
        assert_eq!(woken.standing(), Standing::Working);
    }

    #[test]
    fn given_one_old_fact_and_no_progress_when_judged_then_it_is_stalled() {
        let stalled = Health { head: 11, undecided_age_ms: Some(LONG_AGO), ..idle() };
        assert_eq!(stalled.standing(), Standing::Stalled);
        let from_the_start = Health { progress_age_ms: None, ..stalled };
        assert_eq!(from_the_start.standing(), Standing::Stalled);
    }

    #[test]
    fn given_a_leader_that_has_just_gone_when_judged_then_it_is_vacant_however_old_the_facts() {
        let gone = Health { is_led: false, undecided_age_ms: Some(LONG_AGO), ..idle() };
        assert_eq!(gone.standing(), Standing::Vacant);
        let nothing_to_do = Health { heartbeat_age_ms: None, undecided_age_ms: None, ..gone };
        assert_eq!(nothing_to_do.standing(), Standing::Vacant);
    }

    #[test]
    fn given_no_leader_for_long_when_judged_then_it_is_leaderless_once_facts_have_waited_for_long() {
        let nobody = Health { is_led: false, heartbeat_age_ms: Some(LONG_AGO), ..idle() };
        assert_eq!(Health { undecided_age_ms: Some(LATELY), ..nobody.clone() }.standing(), Standing::Vacant);
        let waited = Health { undecided_age_ms: Some(LONG_AGO), ..nobody };
        assert_eq!(waited.standing(), Standing::Leaderless);
        let never_led = Health { heartbeat_age_ms: None, holder: None, ..waited };
        assert_eq!(never_led.standing(), Standing::Leaderless);
    }

    #[test]
    fn given_a_lease_that_outlives_its_heartbeat_when_judged_then_nobody_leads() {
        let silent = Health { heartbeat_age_ms: Some(LONG_AGO), undecided_age_ms: Some(LONG_AGO), ..idle() };
        assert_eq!(silent.standing(), Standing::Leaderless);
    }

    #[test]
    fn all_are_stuck_only_where_no_shop_gets_on() {
        let stalled = Health { undecided_age_ms: Some(LONG_AGO), ..idle() };
        let nobody = Health { is_led: false, heartbeat_age_ms: None, ..idle() };
        let leaderless = Health { undecided_age_ms: Some(LONG_AGO), ..nobody.clone() };
        let changing = Health { undecided_age_ms: Some(LATELY), ..nobody.clone() };
        let working = Health { undecided_age_ms: Some(LATELY), ..idle() };
        let all = |others: &[&Health]| {
            let shops: Vec<Health> = others.iter().map(|&shop| shop.clone()).collect();
            all_are_stuck(&shops)
        };
        assert!(all(&[&stalled]) && all(&[&leaderless]) && all(&[&stalled, &leaderless]));
        assert!(all(&[&stalled, &nobody]), "a shop without a leader and without facts says nothing");
        assert!(!all(&[]) && !all(&[&nobody]) && !all(&[&idle()]));
        for well in [&idle(), &working, &changing] {
            assert!(!all(&[&stalled, well]) && !all(&[well, &leaderless]), "{well:?}");
        }
    }

    #[test]
    fn given_any_standing_when_named_then_it_is_as_in_json() {
        use Standing::{Idle, Leaderless, Stalled, Vacant, Working};
        for standing in [Idle, Working, Vacant, Stalled, Leaderless] {
            assert_eq!(serde_json::to_value(standing).unwrap(), standing.name());
            assert_eq!(standing.is_well(), !matches!(standing, Stalled | Leaderless));
        }
    }
}
