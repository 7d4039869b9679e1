//! `bench`: what it costs, measured.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::bench::{self, Broker, Plan, Profile};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output::note;
use crate::project::Project;

/// Measure throughput, latency and cost, on a cluster of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Starts a private PostgreSQL with durable commits and measures in turn, round by round: the plain four-UPDATE transaction
with pgbench; callbacks taken (signed HTTP in, verified, sealed, committed); callbacks settled to all read models; and
latencies at half the settled load. Ratios are against the plain transaction of the same round. Other profiles measure other
parts. Everything it made is removed at the end. Build it with `make bench`, or the figures are those of an unoptimised
program. docs/BENCHMARKS.md says what each figure is.

Examples:
  counterfoil bench --quick
  counterfoil bench -o json > bench.json
  counterfoil bench --rounds 5 --callbacks 100000
  counterfoil bench --profile settle --peers --plot ratios.svg
  counterfoil bench --profile growth --sizes 100000,1000000 --plot growth.svg
  counterfoil bench --profile burst --quick
  counterfoil bench --profile feed --events 1000000
  counterfoil bench --profile replay --events 1000000
  counterfoil bench --profile tree -o json
  counterfoil bench --profile garbage --quick
  counterfoil bench --profile sinks --nats nats://127.0.0.1:4222")]
pub(crate) struct Bench {
    /// What is measured
    #[arg(long, value_enum, default_value_t = Profile::Callbacks)]
    profile: Profile,
    /// Measure in the same rounds what other queues in PostgreSQL do: PgQ, where it is installed
    #[arg(long)]
    peers: bool,
    /// Draw the ratios of each round, a burst's seconds, or how cost grows, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Events of the logs whose growth is measured, from few to many; an event takes 1.6 kB of disk
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [100_000, 1_000_000, 10_000_000],
        value_parser = clap::value_parser!(i64).range(1_000..=100_000_000))]
    sizes: Vec<i64>,
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(10_000..=100_000_000))]
    events: Option<i64>,
    /// A coarse measurement in a few minutes
    #[arg(long)]
    quick: bool,
    /// How often everything is measured in turn [default: 5, with --quick 3, of burst 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Callbacks of one run, each signed before the clock starts [default: 40000, of growth 25000, of burst 150000; fewer
    /// with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=i64::from(bench::CALLBACKS_MAX)))]
    callbacks: Option<u32>,
    /// Keep-alive connections of the load at full speed
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Folder of PostgreSQL's programs, where they are not found by themselves
    #[arg(long, env = "COUNTERFOIL_PG_BIN", value_name = "DIR")]
    pg_bin: Option<PathBuf>,
}

impl Bench {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        if cfg!(debug_assertions) {
            note("This program was built without optimisation: `make bench` builds the one that counts.");
        }
        let (profile, plot) = (self.profile, self.plot.clone());
        let plan = self.plan()?;
        let project = Project::make(globals.project.as_deref())?;
        let report = bench::run(profile, &plan, &project).await?;
        if let (Some(file), Some(plot)) = (plot, report.plot()) {
            plot.write(&file)?;
        }
        report.show(globals.output)?;
        Ok(Exit::Ok)
    }

    fn plan(self) -> anyhow::Result<Plan> {
        let (profile, quick) = (self.profile, self.quick);
        if self.plot.is_some() && !profile.has_plot() {
            return Err(exit::usage("this profile has no plot: callbacks, settle, burst and growth have"));
        }
        if self.sizes.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(exit::usage("name the sizes from few to many, as --sizes 100000,1000000"));
        }
        let brokers = self.nats.map(Broker::Nats).into_iter().chain(self.rabbitmq.map(Broker::Rabbitmq));
        #[cfg(feature = "kafka")]
        let brokers = brokers.chain(self.kafka.map(Broker::Kafka));
        let brokers: Vec<Broker> = brokers.collect();
        if profile == Profile::Sinks && brokers.is_empty() {
            return Err(exit::usage("name the brokers that run, as --nats nats://127.0.0.1:4222"));
        }
        Ok(Plan {
            quick,
            rounds: self.rounds.map_or(profile.rounds(quick), usize::from),
            callbacks: self.callbacks.map_or(Ok(profile.callbacks(quick)), usize::try_from)?,
            events: self.events.unwrap_or(profile.events(quick)),
            sizes: self.sizes,
            connections: self.connections.into(),
            plain: Duration::from_secs(if quick { 2 } else { 5 }),
            peers: self.peers,
            brokers,
            pg_bin: self.pg_bin,
        })
    }
}
