//! One history: who is at work, whose turn it is, and who dies.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use event_log::NewFact;
use relay::{Leader, Options};

use crate::chance::Chance;
use crate::ground::{Led, REDRIVES};
use crate::world::{Consumer, Delivery, World};
use crate::{checks, door, history, lease, sink};

/// Nothing goes wrong any more after this.
const HOSTILE_FOR: Duration = Duration::from_secs(10);
/// All is decided long before so many steps without trouble.
const STEPS_MAX: u32 = 100_000;

/// What a seed makes of a shop. The same is the same again, wherever it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Decides everything.
    pub seed: u64,
    /// How many facts befall the shop.
    pub facts: usize,
    /// Whether anything goes wrong.
    pub is_hostile: bool,
}

/// What has come about, to see that what was meant to happen does happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Events of the log.
    pub events: u64,
    /// Deliveries that were answered.
    pub acknowledged: u64,
    /// Leases that were taken.
    pub epochs: u64,
    /// Processes that were killed.
    pub crashes: u64,
    /// Transactions of which nobody knew whether they were committed.
    pub unknown_commits: u64,
    /// Facts that were parked, and those that were not any more.
    pub parked: [u64; 2],
    /// Messages that the sink got, and those that it got again.
    pub delivered: [u64; 2],
    /// Orders that were paid.
    pub paid: u64,
    /// The leaf hash of the last event: two logs with the same are the same.
    pub last: [u8; 32],
}

impl Told {
    /// Both together.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            events: self.events + other.events,
            acknowledged: self.acknowledged + other.acknowledged,
            epochs: self.epochs + other.epochs,
            crashes: self.crashes + other.crashes,
            unknown_commits: self.unknown_commits + other.unknown_commits,
            parked: [self.parked[0] + other.parked[0], self.parked[1] + other.parked[1]],
            delivered: [self.delivered[0] + other.delivered[0], self.delivered[1] + other.delivered[1]],
            paid: self.paid + other.paid,
            last: other.last,
        }
    }
}

type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A process, which begins anew when it is killed.
struct Process {
    begin: Box<dyn Fn() -> Life>,
    life: Life,
    wake: Duration,
}

impl History {
    /// What this seed is run with, where nothing else is said.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let facts = 6 + usize::try_from(Chance::new(seed ^ 0xfac7).below(24)).unwrap_or(0);
        Self { seed, facts, is_hostile: true }
    }

    /// Lives through it, and checks everything that must hold.
    ///
    /// # Errors
    /// What does not hold.
    pub fn run(self) -> Result<Told, String> {
        let world = World::new(self.seed, self.is_hostile);
        let crashes = self.live(&world)?;
        checks::check(&world, Told { crashes, ..Told::default() })
    }

    /// Until all is done; how many processes were killed.
    fn live(self, world: &World) -> Result<u64, String> {
        let mut chance = Chance::new(self.seed.rotate_left(32) ^ 0x5eed);
        world.state().deliveries = history::deliveries(&mut chance, self.facts);
        let mut processes = processes(world, &mut chance);
        let (mut crashes, mut quiet_steps) = (0, 0);
        while quiet_steps < STEPS_MAX {
            let next = processes.iter_mut().enumerate().min_by_key(|(_, process)| process.wake);
            let Some((number, process)) = next else { break };
            let wake = process.wake;
            let life = &mut process.life;
            process.wake = world.poll(number, wake, || {
                // Nobody ends before the world does.
                let _ = life.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            });
            let mut state = world.state();
            if state.is_hostile {
                state.is_hostile = state.now < HOSTILE_FOR;
                if state.chance.in_thousand(3) {
                    crashes += 1;
                    process.wake = state.now + state.chance.millis(3_000);
                    drop(state);
                    process.life = (process.begin)();
                    world.forget(number);
                }
            } else {
                quiet_steps += 1;
                drop(state);
                if quiet_steps % 8 == 0 && is_done(world) {
                    return Ok(crashes);
                }
            }
        }
        Err("it does not come to an end".to_owned())
    }

    /// The log of it, an entry a line, to see what came.
    #[must_use]
    pub fn log(self) -> Vec<String> {
        let world = World::new(self.seed, self.is_hostile);
        let _ = self.live(&world);
        let state = world.state();
        state.log.events().iter().map(|event| format!("{} {}", event.position, event.entry)).collect()
    }

    /// A history as short as can be found by simple means that fails too, and how it does.
    #[must_use]
    pub fn shortened(self) -> (Self, String) {
        let calm = Self { is_hostile: false, ..self };
        let whole = if calm.run().is_err() { calm } else { self };
        let shorter = (1..=whole.facts).map(|facts| Self { facts, ..whole });
        let found = shorter.filter_map(|history| Some((history, history.run().err()?))).next();
        found.unwrap_or((self, "it fails now and then: it is no history".to_owned()))
    }
}

fn processes(world: &World, chance: &mut Chance) -> Vec<Process> {
    let options = Options {
        batch_max: chance.of(&[1, 2, 7, 50]),
        facts_kept: chance.of(&[1, 5, 2_000]),
        ..Options::default()
    };
    let mut processes = Vec::new();
    for _ in 0..2 + chance.below(2) {
        let (world, options) = (world.clone(), options.clone());
        let begin = move || -> Life { Box::pin(relay(world.clone(), options.clone())) };
        processes.push((Box::new(begin) as Box<dyn Fn() -> Life>, chance.millis(500)));
    }
    for _ in 0..2 {
        let (world, options) = (world.clone(), options.clone());
        let begin = move || -> Life { Box::pin(sink::deliver(world.clone(), options.clone())) };
        processes.push((Box::new(begin), chance.millis(500)));
    }
    for _ in 0..2 {
        let world = world.clone();
        let begin = move || -> Life { Box::pin(serve(world.clone())) };
        processes.push((Box::new(begin), chance.millis(5)));
    }
    processes.into_iter().map(|(begin, wake)| Process { life: begin(), begin, wake }).collect()
}

/// Leads whenever it can.
async fn relay(world: World, options: Options) {
    loop {
        let acquired = lease::acquire(&world, Consumer::Relay, options.lease).await;
        if let Ok(Some((epoch, checkpoint))) = acquired {
            let led = Led { world: world.clone(), options: options.clone(), epoch };
            Leader::new(led, options.clone(), checkpoint).run().await;
        }
        let pause = world.state().chance.millis(600);
        world.sleep(pause).await;
    }
}

/// Appends what comes, several at a time, and answers.
async fn serve(world: World) {
    loop {
        let (taken, pause) = take(&world);
        if taken.is_empty() {
            world.sleep(pause).await;
            continue;
        }
        let facts: Vec<NewFact> = taken.iter().map(|(_, fact)| fact.clone()).collect();
        if let Ok(answers) = door::append(&world, &facts).await {
            let mut state = world.state();
            for ((index, _), answer) in taken.iter().zip(answers) {
                state.deliveries[*index].acknowledged = Some(answer.position());
            }
        }
    }
}

/// Up to four of what is due. It is sent again when no answer comes.
fn take(world: &World) -> (Vec<(usize, NewFact)>, Duration) {
    let mut state = world.state();
    let (now, most, again) = (state.now, 1 + state.chance.below(4), state.chance.millis(4_000));
    let pause = state.chance.millis(400);
    let is_due = |delivery: &Delivery| delivery.acknowledged.is_none() && delivery.due <= now;
    let due = state.deliveries.iter_mut().enumerate().filter(|(_, delivery)| is_due(delivery));
    let taken = due.take(usize::try_from(most).unwrap_or(1)).map(|(index, delivery)| {
        delivery.due = now + again;
        (index, delivery.fact.clone())
    });
    (taken.collect(), pause)
}

/// Whether everything is answered, decided, and tried as often as it ever will be.
fn is_done(world: &World) -> bool {
    let mut state = world.state();
    let [decided, delivered] = [Consumer::Relay, Consumer::Sink]
        .map(|consumer| usize::try_from(state.checkpoint(consumer).position + 1).unwrap_or(0));
    let is_settled =
        |group: &domain::Group| usize::try_from(group.attempts).is_ok_and(|n| n >= REDRIVES.len());
    state.deliveries.iter().all(|delivery| delivery.acknowledged.is_some())
        && state.is_quiet()
        && state.log.events()[decided..].iter().all(|event| event.kind != event_log::Kind::Fact)
        && state.log.events()[delivered..].iter().all(|event| event.kind != event_log::Kind::Outcome)
        && state.sink.is_settled()
        && state.rows.groups.values().flatten().all(is_settled)
}
