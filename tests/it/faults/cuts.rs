//! What becomes of the connection between the service and PostgreSQL, at moments that the proxy chooses.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use test_support::{TestDatabase, wait_until};
use tokio_postgres::config::Host;

use super::proxy::{Moment, Proxy, Then};
use super::round::{Field, QUIET, Round, Verdict, lasts};
use super::tools;
use crate::binary;
use crate::ground::Ground;
use crate::program::{Serving, free_address};

/// Every step of an append and of a batch of decisions, in their order.
const STEPS: [Moment; 14] = [
    Moment::Before("BEGIN"),
    Moment::Before("lock_shop"),
    Moment::Before("insert_facts"),
    Moment::Before("COMMIT"),
    Moment::CommitSent("insert_facts"),
    Moment::Committed("insert_facts"),
    Moment::Before("notify_appended"),
    Moment::Before("renew_lease"),
    Moment::Before("read_facts"),
    Moment::Before("move_checkpoint"),
    Moment::Before("upsert_orders"),
    Moment::Before("insert_outcomes"),
    Moment::CommitSent("insert_outcomes"),
    Moment::Committed("insert_outcomes"),
];
/// Behind this nobody can know, unless he asks.
const COMMITS: [Moment; 4] = [
    Moment::Committed("insert_facts"),
    Moment::Committed("insert_outcomes"),
    Moment::CommitSent("insert_facts"),
    Moment::CommitSent("insert_outcomes"),
];
/// A step that does not come in this time is left out.
const PATIENCE: Duration = Duration::from_secs(8);

/// A shop whose service reaches its database through the proxy.
struct Cut {
    proxy: Proxy,
    field: Field,
}

impl Cut {
    async fn prepare() -> Self {
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let owner: tokio_postgres::Config =
            secrecy::ExposeSecret::expose_secret(&ground.test.url_owner()).parse().unwrap();
        let Some(Host::Unix(socket_dir)) = owner.get_hosts().first() else {
            panic!("the tests' own server listens on a socket")
        };
        let proxy = Proxy::start(socket_dir).await;
        let serving = serve(&ground, &proxy).await;
        let field = Field::load(ground, vec![serving]).await;
        Self { proxy, field }
    }

    /// Whether a session came to that moment, and was broken.
    async fn breaks(&self, moment: Moment, then: Then) -> bool {
        let before = self.proxy.broken();
        self.proxy.arm(moment, then);
        wait_until(PATIENCE, async || self.proxy.broken() > before).await
    }
}

async fn serve(ground: &Ground, proxy: &Proxy) -> Serving {
    let url = format!(
        "host={} port={} user=test_service password=test dbname={} options='-c test.instance=serve0'",
        proxy.address.ip(),
        proxy.address.port(),
        ground.test.name()
    );
    ground.serve_told(binary::path(), "serve0", free_address(), &[("DATABASE_URL", url)]).await
}

/// F01, F03: kill -9 at each step of an append and of a batch of decisions.
pub(crate) fn killed_at_each_step(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let mut cut = Cut::prepare().await;
        let mut met = 0;
        let times = round.times(1, 6);
        for moment in (0..times).flat_map(|_| STEPS) {
            if !cut.breaks(moment, Then::Silence).await {
                continue;
            }
            met += 1;
            let gone = cut.field.serving.remove(0);
            gone.kill();
            let next = serve_at(&cut, &cut.field).await;
            cut.field.serving.push(next);
            cut.field.load.gets_through(5).await;
        }
        assert!(met >= times * STEPS.len() * 3 / 4, "only {met} steps were come to");
        Verdict::Held(cut.field.survived(format!("{met} kills, {} steps", STEPS.len())).await)
    })
}

async fn serve_at(cut: &Cut, field: &Field) -> Serving {
    let url = format!(
        "host={} port={} user=test_service password=test dbname={}",
        cut.proxy.address.ip(),
        cut.proxy.address.port(),
        field.ground.test.name()
    );
    let address = field.load.addresses()[0];
    field.ground.serve_told(binary::path(), "serve0", address, &[("DATABASE_URL", url)]).await
}

/// F24: the connection is reset exactly behind COMMIT: before its answer, or without anybody knowing whether it was done.
pub(crate) fn reset_behind_commit(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let cut = Cut::prepare().await;
        let times = round.times(5, 60);
        let mut met = 0;
        for moment in (0..times).flat_map(|_| COMMITS) {
            met += usize::from(cut.breaks(moment, Then::Cut).await);
            cut.field.load.gets_through(10).await;
        }
        assert!(met * 2 > times * COMMITS.len(), "only {met} COMMITs were cut");
        Verdict::Held(cut.field.survived(format!("{met} COMMITs cut")).await)
    })
}

/// F25: what is sent is taken, and nothing comes of it; then it does again. And everything takes a fifth of a second longer.
pub(crate) fn partitioned(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let cut = Cut::prepare().await;
        for _ in 0..round.times(1, 4) {
            lasts(round.within(Duration::from_millis(200))).await;
            cut.proxy.swallow(true);
            lasts(round.seconds(12, 40)).await;
            cut.proxy.swallow(false);
            cut.field.load.gets_through(QUIET).await;
        }
        cut.proxy.delay(Duration::from_millis(200));
        cut.field.load.gets_through(round.times(10, 200)).await;
        cut.proxy.delay(Duration::ZERO);
        Verdict::Held(cut.field.survived("silence, then 200 ms more each way").await)
    })
}

/// F25: packets are dropped between the two, without a word to either.
pub(crate) fn packets_dropped(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need_root().and_then(|()| tools::need("iptables", "iptables")) {
            return Verdict::Skipped(why);
        }
        let cut = Cut::prepare().await;
        for _ in 0..round.times(1, 4) {
            let dropped = Dropped::between(cut.proxy.address.port());
            lasts(round.seconds(12, 40)).await;
            drop(dropped);
            cut.field.load.gets_through(QUIET).await;
        }
        Verdict::Held(cut.field.survived("packets to and from the database dropped").await)
    })
}

/// Nothing comes through to a port of this machine's or back, and nobody is told, for as long as it is there.
struct Dropped(u16);

impl Dropped {
    fn between(port: u16) -> Self {
        let dropped = Self(port);
        dropped.rules("-I");
        dropped
    }

    fn rules(&self, change: &str) {
        for port in ["--dport", "--sport"] {
            let rule = [port, &self.0.to_string(), "-j", "DROP"];
            tools::run("iptables", &[&["-w", change, "INPUT", "-i", "lo", "-p", "tcp"], &rule[..]].concat());
        }
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.rules("-D");
    }
}
