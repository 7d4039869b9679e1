//! How long whoever has failed waits before another try.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Doubles with each failure, from `least` to `most`, and is of random length, half of it at least, so that those that have
/// failed together do not come back in step.
#[must_use]
pub fn backoff(failures: u32, within: (Duration, Duration)) -> Duration {
    backoff_by(failures, within, RandomState::new().build_hasher().finish())
}

/// The same, with the chance of the caller's.
#[must_use]
pub fn backoff_by(failures: u32, (least, most): (Duration, Duration), chance: u64) -> Duration {
    let whole = least.saturating_mul(1 << failures.min(10)).min(most);
    let percent = 50 + chance % 51;
    whole * u32::try_from(percent).unwrap_or(100) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_most_and_is_never_shorter_than_half_of_it() {
        let ms = Duration::from_millis;
        for (failures, whole) in [(0, 50), (1, 100), (3, 400), (10, 5_000), (u32::MAX, 5_000)] {
            for _ in 0..100 {
                let pause = backoff(failures, (ms(50), ms(5_000)));
                assert!(ms(whole) / 2 <= pause && pause <= ms(whole), "{failures}: {pause:?}");
            }
        }
    }
}
