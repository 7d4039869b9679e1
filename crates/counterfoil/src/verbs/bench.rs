//! `bench`: what it costs, measured.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::bench::{self, Broker, Plan};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::{self, note};
use crate::project::Project;

/// Measure throughput and latency against the plain transaction, on a cluster of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Starts a private PostgreSQL with durable commits and measures in turn, round by round: the plain four-UPDATE transaction
with pgbench; callbacks taken (signed HTTP in, verified, sealed, committed); callbacks settled to all read models; and
latencies at half the settled load. Ratios are against the plain transaction of the same round. Everything it made is
removed at the end. Build it with `make bench`, or the figures are those of an unoptimised program.

Examples:
  counterfoil bench --quick
  counterfoil bench -o json > bench.json
  counterfoil bench --rounds 5 --callbacks 100000
  counterfoil bench --profile feed --events 1000000
  counterfoil bench --profile replay --events 1000000
  counterfoil bench --profile tree -o json
  counterfoil bench --profile garbage --quick
  counterfoil bench --profile sinks --nats nats://127.0.0.1:4222")]
pub(crate) struct Bench {
    /// What is measured
    #[arg(long, value_enum, default_value_t = Profile::Callbacks)]
    profile: Profile,
    /// NATS with JetStream, for the profile of sinks: nats://127.0.0.1:4222
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// RabbitMQ, for the profile of sinks: amqp://guest:guest@127.0.0.1/%2f
    #[arg(long, value_name = "URL")]
    rabbitmq: Option<String>,
    /// Apache Kafka, for the profile of sinks: 127.0.0.1:9092
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "BROKERS")]
    kafka: Option<String>,
    /// Events in the log that is read, half of them outcomes [default: 400000, of replay 1000000, with --quick 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
    events: Option<u32>,
    /// A coarse measurement in under two minutes
    #[arg(long)]
    quick: bool,
    /// How often everything is measured in turn [default: 5, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Callbacks of one run, each signed before the clock starts [default: 40000, with --quick 12000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=2_000_000))]
    callbacks: Option<u32>,
    /// Keep-alive connections of the load at full speed
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Folder of PostgreSQL's programs, where they are not found by themselves
    #[arg(long, env = "COUNTERFOIL_PG_BIN", value_name = "DIR")]
    pg_bin: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Callbacks taken, and settled
    Callbacks,
    /// The feed, read by HTTP
    Feed,
    /// A log decided and folded again
    Replay,
    /// Sinks, beside the brokers' own clients; needs brokers that run
    Sinks,
    /// Authentic callbacks at 500/s, quiet and beside 500 connections that send nothing but garbage
    Garbage,
    /// The Merkle tree: grown, verified, proven by, and beside callbacks that are settled
    Tree,
}

impl Bench {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        if cfg!(debug_assertions) {
            note("This program was built without optimisation: `make bench` builds the one that counts.");
        }
        let (rounds, callbacks, seconds) = if self.quick { (3, 12_000, 2) } else { (5, 40_000, 5) };
        let project = Project::make(globals.project.as_deref())?;
        if self.profile == Profile::Feed {
            let events = self.events.unwrap_or(if self.quick { 100_000 } else { 400_000 });
            let rounds = self.rounds.map_or(rounds, usize::from);
            let report = bench::run_feed(events.into(), rounds, self.pg_bin, &project).await?;
            output::one(globals.output, &serde_json::to_value(report)?)?;
            return Ok(Exit::Ok);
        }
        if self.profile == Profile::Replay {
            let events = self.events.unwrap_or(if self.quick { 100_000 } else { 1_000_000 });
            let rounds = self.rounds.map_or(rounds, usize::from);
            let report = bench::run_replay(events.into(), rounds, self.pg_bin, &project).await?;
            output::one(globals.output, &serde_json::to_value(report)?)?;
            return Ok(Exit::Ok);
        }
        let plan = Plan {
            quick: self.quick,
            rounds: self.rounds.map_or(rounds, usize::from),
            callbacks: self.callbacks.map_or(Ok(callbacks), usize::try_from)?,
            connections: self.connections.into(),
            plain: Duration::from_secs(seconds),
            pg_bin: self.pg_bin,
        };
        if self.profile == Profile::Sinks {
            let brokers = self.nats.map(Broker::Nats).into_iter().chain(self.rabbitmq.map(Broker::Rabbitmq));
            #[cfg(feature = "kafka")]
            let brokers = brokers.chain(self.kafka.map(Broker::Kafka));
            let brokers: Vec<Broker> = brokers.collect();
            if brokers.is_empty() {
                return Err(exit::usage("name the brokers that run, as --nats nats://127.0.0.1:4222"));
            }
            let events = self.events.unwrap_or(if plan.quick { 100_000 } else { 400_000 });
            let report = bench::run_sinks(plan, events.into(), brokers, &project).await?;
            output::one(globals.output, &serde_json::to_value(report)?)?;
            return Ok(Exit::Ok);
        }
        if self.profile == Profile::Garbage {
            let report = bench::run_garbage(plan, &project).await?;
            output::one(globals.output, &serde_json::to_value(report)?)?;
            return Ok(Exit::Ok);
        }
        if self.profile == Profile::Tree {
            let events = self.events.unwrap_or(if plan.quick { 100_000 } else { 400_000 });
            let report = bench::run_tree(plan, events.into(), &project).await?;
            output::one(globals.output, &serde_json::to_value(report)?)?;
            return Ok(Exit::Ok);
        }
        let report = bench::run(plan, &project).await?;
        report.show(globals.output)?;
        Ok(Exit::Ok)
    }
}
