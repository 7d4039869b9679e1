//! What becomes of the disks under PostgreSQL: the power fails, or they are full.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use private_postgres::{Binaries, Cluster, Options};
use test_support::{Server, TestDatabase, wait_until};

use super::database::blocking;
use super::round::{Field, Held, QUIET, Round, Verdict, lasts, script};
use super::tools::{self, Volume};
use crate::binary::TempDir;
use crate::ground::Ground;

/// A shop over a server with disks of its own.
struct Disks {
    field: Field,
    server: Arc<Server>,
    volume: Volume,
    _folder: TempDir,
}

fn cluster(binaries: &Binaries, data: PathBuf, settings: &[(&str, &str)]) -> Cluster {
    let mut options = Options::new(data).with_setting("shared_buffers", "64MB");
    for (name, value) in settings {
        options = options.with_setting(name, value);
    }
    let cluster = Cluster::start(binaries, &options).unwrap_or_else(|error| panic!("{error}"));
    assert!(!cluster.was_running());
    cluster
}

async fn serve(server: &Arc<Server>) -> Field {
    Field::serve(Ground::prepare(TestDatabase::create_on(Arc::clone(server)).await).await, 1).await
}

impl Disks {
    /// All of the server's files on one ext4.
    async fn ext4(control: Option<Control>) -> Self {
        let folder = TempDir::new();
        let (volume, server) = tokio::task::spawn_blocking({
            let dir = folder.path().join("disk");
            let programs = folder.path().join("bin");
            move || {
                let volume = Volume::on_disk(dir, 600);
                let settings: &[(&str, &str)] = if control.is_some() {
                    // So that the background writers do not save by chance what nobody waited for.
                    &[("wal_writer_delay", "10s"), ("wal_writer_flush_after", "1GB")]
                } else {
                    &[]
                };
                let binaries = if control.is_some() { lenient(&programs) } else { usual() };
                let server = Server::on(cluster(&binaries, volume.dir.join("data"), settings));
                (volume, server)
            }
        })
        .await
        .unwrap();
        let field = serve(&server).await;
        Self { field, server, volume, _folder: folder }
    }

    /// The power fails and comes back; whether the server does.
    async fn lose_power(&self) -> bool {
        self.volume.cut_power();
        blocking(&self.server, Server::stop).await;
        self.volume.restore_power();
        let server = Arc::clone(&self.server);
        tokio::task::spawn_blocking(move || server.start_again()).await.is_ok()
    }
}

fn usual() -> Binaries {
    test_support::binaries()
}

/// Programs of a server whose `fsync` can be switched off once it runs: the command line has the last word else.
fn lenient(folder: &std::path::Path) -> Binaries {
    let usual = usual();
    std::fs::create_dir_all(folder).unwrap();
    for program in ["initdb", "pg_ctl"] {
        std::os::unix::fs::symlink(usual.bin_dir().join(program), folder.join(program)).unwrap();
    }
    let line = format!(
        "for a do shift; [ \"$a\" = fsync=on ] && a=geqo=on; set -- \"$@\" \"$a\"; done\nexec {} \"$@\"",
        usual.bin_dir().join("postgres").display()
    );
    script(folder, "postgres", &line);
    Binaries::find(Some(folder), None).unwrap_or_else(|error| panic!("{error}"))
}

/// F11: the power of the database's disk fails under load.
pub(crate) fn power_fails(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = need_disks() {
            return Verdict::Skipped(why);
        }
        let disks = Disks::ext4(None).await;
        let times = round.times(2, 20);
        for _ in 0..times {
            lasts(round.within(Duration::from_millis(1_500))).await;
            assert!(disks.lose_power().await, "the server does not start again");
            let lost = disks.lost().await;
            assert_eq!(lost, 0, "of what was answered before the power failed");
            disks.field.load.gets_through(QUIET).await;
        }
        let mut lost = Vec::new();
        let held = disks.field.survived(String::new()).await;
        for control in [Control::SynchronousCommit, Control::Fsync] {
            lost.push(format!("{} lost {}", control.name(), control.loses().await));
        }
        let note = format!("{times} power failures, 0 lost; controls: {}", lost.join(", "));
        Verdict::Held(Held { note, ..held })
    })
}

impl Disks {
    /// How many of those that were answered are not there.
    async fn lost(&self) -> usize {
        let ledger = self.field.load.ledger();
        ledger.lost(&self.field.ground.test.superuser().await).await
    }
}

/// What must lose something, or the test would not see it.
#[derive(Clone, Copy)]
enum Control {
    SynchronousCommit,
    Fsync,
}

impl Control {
    fn name(self) -> &'static str {
        match self {
            Self::SynchronousCommit => "synchronous_commit=off",
            Self::Fsync => "fsync=off",
        }
    }

    /// The service refuses to start so: it is switched off behind its back.
    fn switch(self) -> &'static str {
        match self {
            Self::SynchronousCommit => {
                "CREATE FUNCTION public.off() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                 BEGIN PERFORM set_config('synchronous_commit', 'off', true); RETURN NULL; END $$;
                 CREATE TRIGGER off AFTER INSERT ON counterfoil.events FOR EACH STATEMENT EXECUTE FUNCTION public.off()"
            }
            Self::Fsync => "ALTER SYSTEM SET fsync = off",
        }
    }

    /// How many of those that were answered are gone, of how many.
    async fn loses(self) -> String {
        let disks = Disks::ext4(Some(self)).await;
        let superuser = disks.field.ground.test.superuser().await;
        superuser.batch_execute(self.switch()).await.unwrap();
        superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        drop(superuser);
        disks.field.load.gets_through(300).await;
        let starts = disks.lose_power().await;
        // What was answered until now: nothing is any more while the log is not what it was.
        let answered = disks.field.load.ledger().len();
        let lost = if starts { disks.lost().await } else { answered };
        assert!(
            lost > 0,
            "{}: nothing was lost of {answered}, so that a loss would not be seen",
            self.name()
        );
        drop(disks.field.load.end().await);
        format!("{lost} of {answered}{}", if starts { "" } else { " (the server does not start)" })
    }
}

impl Disks {
    /// The volume is filled, and has room again, a number of times; a server that ends by it is started when it has.
    async fn filled(self, round: &Round, ends: bool) -> Verdict {
        let mut refused = 0;
        for _ in 0..round.times(1, 5) {
            self.volume.fill();
            refused = full(&self, round.seconds(4, 20)).await;
            self.volume.make_room();
            if ends {
                blocking(&self.server, |server| (server.stop(), server.start_again()).1).await;
            }
            self.field.load.gets_through(QUIET).await;
        }
        Verdict::Held(self.field.survived(format!("{refused} told to come again while it was full")).await)
    }
}

fn need_disks() -> Result<(), String> {
    tools::need_root()?;
    tools::need("mkfs.ext4", "e2fsprogs")?;
    tools::need("python3", "python3")
}

/// F14: no room for tables: statements fail, the server stays.
pub(crate) fn data_volume_full(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need_root() {
            return Verdict::Skipped(why);
        }
        let folder = TempDir::new();
        let log = folder.path().join("wal");
        let disks = small(folder, "data", move |data| {
            // The log goes elsewhere, with its room.
            std::fs::rename(data.join("pg_wal"), &log).or_else(|_| copy(&data.join("pg_wal"), &log)).unwrap();
            std::os::unix::fs::symlink(&log, data.join("pg_wal")).unwrap();
        })
        .await;
        disks.filled(&round, false).await
    })
}

/// F15: no room for the write-ahead log: the server ends, and is started when there is room.
pub(crate) fn log_volume_full(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need_root() {
            return Verdict::Skipped(why);
        }
        let folder = TempDir::new();
        let log = folder.path().join("disk/wal");
        let disks = small(folder, "elsewhere", move |data| {
            copy(&data.join("pg_wal"), &log).unwrap();
            std::os::unix::fs::symlink(&log, data.join("pg_wal")).unwrap();
        })
        .await;
        disks.filled(&round, true).await
    })
}

/// A server with a small volume, at whose files the caller has a hand first.
async fn small(
    folder: TempDir,
    data: &str,
    arrange: impl FnOnce(&std::path::Path) + Send + 'static,
) -> Disks {
    let dir = folder.path().join("disk");
    let data = if data == "data" { dir.join(data) } else { folder.path().join(data) };
    let (volume, server) = tokio::task::spawn_blocking(move || {
        let volume = Volume::in_memory(dir, 300);
        // Made and ended in order first: its files can be moved then.
        let settings = [("max_wal_size", "64MB"), ("min_wal_size", "32MB")];
        let made = cluster(&usual(), data.clone(), &settings);
        let data = made.data_dir().to_owned();
        made.stop();
        arrange(&data);
        (volume, Server::on(cluster(&usual(), data, &settings)))
    })
    .await
    .unwrap();
    let field = serve(&server).await;
    Disks { field, server, volume, _folder: folder }
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    tools::run("cp", &["-a", from.to_str().unwrap(), to.to_str().unwrap()]);
    std::fs::remove_dir_all(from)
}

/// Until clients are told to come again, and for so long; how many were. Files that are there already are filled first.
async fn full(disks: &Disks, lasting: Duration) -> usize {
    let before = disks.field.load.told().refused;
    let refuses =
        wait_until(Duration::from_secs(240), async || disks.field.load.told().refused > before).await;
    assert!(refuses, "it is full, and nobody is told");
    lasts(lasting).await;
    disks.field.load.told().refused - before
}
