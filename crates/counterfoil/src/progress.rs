//! How far long work has come, on standard error: a bar with an estimate where a person watches, else a line now and then.

use std::fmt;
use std::future::Future;
use std::io::IsTerminal;
use std::pin::pin;
use std::time::Duration;

use audit::Progress;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use tokio::time::{Instant, Interval, interval};

use crate::output::note;

const BAR: &str = "{msg} [{bar:24}] {percent} % ({human_pos} of {human_len}), {per_sec}, {eta} left";
const SPINNER: &str = "{spinner} {msg}, {elapsed}";

/// A bar is drawn anew so often.
const DRAWN_EVERY: Duration = Duration::from_millis(200);
/// Where nobody watches, what is over sooner says nothing, and what takes longer says a line so often.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Shows how far the work is until it is done.
pub(crate) async fn shown<T>(progress: &Progress, work: impl Future<Output = T>) -> T {
    if std::io::stderr().is_terminal() { drawn(progress, work).await } else { told(progress, work).await }
}

async fn drawn<T>(progress: &Progress, work: impl Future<Output = T>) -> T {
    let bar = bar(ProgressBar::no_length(), BAR);
    let done = until(work, interval(DRAWN_EVERY), || {
        let (what, done, whole) = progress.read();
        // Before that nobody knows how much there is.
        if whole > 0 {
            bar.set_message(what);
            bar.set_length(whole);
            bar.set_position(done);
        }
    });
    let done = done.await;
    bar.finish_and_clear();
    done
}

async fn told<T>(progress: &Progress, work: impl Future<Output = T>) -> T {
    let mut pace = Pace::default();
    let mut every = interval(TOLD_EVERY);
    every.reset();
    until(work, every, || {
        let (what, done, whole) = progress.read();
        note(&line((what, done, whole), pace.left((what, done, whole))));
    })
    .await
}

/// Shows that something goes on of which nobody can say how far it is.
pub(crate) async fn waited_for<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        let mut every = interval(TOLD_EVERY);
        every.reset();
        return until(work, every, || note(&line((what, 0, 0), None))).await;
    }
    let spinner = bar(ProgressBar::new_spinner(), SPINNER);
    spinner.set_message(what);
    let done = until(work, interval(DRAWN_EVERY), || spinner.tick()).await;
    spinner.finish_and_clear();
    done
}

async fn until<T>(work: impl Future<Output = T>, mut every: Interval, mut look: impl FnMut()) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = every.tick() => look(),
        }
    }
}

/// Indicatif draws on standard error, and nothing where that is no terminal.
fn bar(bar: ProgressBar, style: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// How fast one part of the work goes.
#[derive(Default)]
struct Pace(Option<(&'static str, u64, Instant)>);

impl Pace {
    /// How long the rest of this part takes at the pace since it was looked at first.
    fn left(&mut self, (what, done, whole): (&'static str, u64, u64)) -> Option<Duration> {
        let (first, at) = match self.0 {
            Some((part, first, at)) if part == what && first <= done => (first, at),
            _ => {
                self.0 = Some((what, done, Instant::now()));
                return None;
            }
        };
        left(at.elapsed(), done - first, whole.saturating_sub(done))
    }
}

/// What so much more takes, where so much took so long.
fn left(took: Duration, done: u64, more: u64) -> Option<Duration> {
    let millis = u128::from(more) * took.as_millis() / u128::from(done).max(1);
    (done > 0).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

fn line((what, done, whole): (&str, u64, u64), left: Option<Duration>) -> String {
    if whole == 0 {
        return format!("{what} ..");
    }
    let percent = u128::from(done) * 100 / u128::from(whole);
    let left = left.map_or(String::new(), |left| format!(", {} left", HumanDuration(left)));
    format!("{what}: {percent} % ({} of {}){left}", HumanCount(done), HumanCount(whole))
}

/// Rounds of a measurement, of which each is told with how long the others will take.
pub(crate) struct Rounds {
    whole: usize,
    done: usize,
    began: Instant,
}

impl Rounds {
    /// So many are to come.
    pub(crate) fn begin(whole: usize) -> Self {
        Self { whole, done: 0, began: Instant::now() }
    }

    /// One is over: what it found.
    pub(crate) fn told(&mut self, found: &dyn fmt::Display) {
        self.done += 1;
        let more = self.whole.saturating_sub(self.done);
        let left = left(self.began.elapsed(), self.done as u64, more as u64);
        let left =
            left.filter(|_| more > 0).map_or(String::new(), |left| format!("; {} left", HumanDuration(left)));
        note(&format!("Round {} of {}: {found}{left}", self.done, self.whole));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_done_and_how_long_the_rest_takes() {
        let left = left(Duration::from_secs(30), 300, 700);
        assert_eq!(left, Some(Duration::from_secs(70)));
        assert_eq!(line(("deciding", 1300, 2000), left), "deciding: 65 % (1,300 of 2,000), 70 seconds left");
        assert_eq!(line(("deciding", 0, 2000), None), "deciding: 0 % (0 of 2,000)");
        assert_eq!(line(("opening", 0, 0), None), "opening ..");
    }

    #[tokio::test]
    async fn each_part_has_a_pace_of_its_own() {
        let mut pace = Pace::default();
        assert_eq!(pace.left(("reading", 10, 100)), None, "it was just begun");
        assert!(pace.left(("reading", 20, 100)).is_some());
        assert_eq!(pace.left(("comparing", 50, 100)), None);
        assert_eq!(pace.left(("comparing", 50, 100)), None, "nothing was done, so nobody knows");
    }
}
