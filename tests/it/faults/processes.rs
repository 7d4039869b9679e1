//! What becomes of the service's own processes, and of those who talk to them.

use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join_all};
use test_support::wait_until;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::round::{Field, QUIET, Round, Verdict, lasts, script};
use super::tools::{self, Strace};
use crate::ground::{SHOP, WEBHOOK_ID, client, now};
use crate::moves::Moves;
use crate::program::free_address;
use paypal_simulator::{EventKind, Ids, Story};
use test_support::TestDatabase;

use crate::ground::Ground;

/// Where a process talks to somebody, waits, or writes.
const CALLS: [&str; 8] = ["sendto", "recvfrom", "writev", "epoll_wait", "futex", "write", "read", "accept4"];
/// A process that does not come to its call is killed anyway.
const PATIENCE: Duration = Duration::from_secs(2);

/// F02: dies at its n-th system call of one kind, and is started again.
pub(crate) fn at_system_calls(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        if let Err(why) = tools::need_strace() {
            return Verdict::Skipped(why);
        }
        let mut field = Field::prepare().await;
        let (times, mut there) = (round.times(8, 80), 0);
        for n in 0..times {
            let call = CALLS[n % CALLS.len()];
            let at = 1 + round.below(60);
            let inject = format!("{call}:signal=SIGKILL:when={at}");
            let strace = Strace::attach(&[field.serving[0].pid()], &inject).await;
            let killed = wait_until(PATIENCE, async || !field.serving[0].is_running()).await;
            there += usize::from(killed);
            drop(strace);
            field.replace(0).await;
            field.load.gets_through(1).await;
        }
        assert!(there > 0, "no system call was come to");
        Verdict::Held(field.survived(format!("{there} of {times} kills at their system call")).await)
    })
}

/// F04: dies at any moment, again and again.
pub(crate) fn killed(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let mut field = Field::of(2).await;
        let times = round.times(6, 150);
        for _ in 0..times {
            lasts(round.within(Duration::from_millis(400))).await;
            let at = round.below(2);
            field.replace(at).await;
        }
        Verdict::Held(field.survived(format!("{times} kills of two instances")).await)
    })
}

/// F05: clients that reset their connection, or say goodbye, while they are being answered.
pub(crate) fn clients_go_away(mut round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let field = Field::prepare().await;
        let times = round.times(100, 2_000);
        let mut ids = Ids::seeded(round.seed);
        for n in 0..times {
            let order = format!("gone-{n}");
            let story = Story::new(&mut ids, &order, domain::Money::parse("10.00", "USD").unwrap(), now());
            let body = story.body(EventKind::CaptureCompleted, &ids.event()).to_string().into_bytes();
            let headers = paypal_simulator::sign(&field.ground.authority, WEBHOOK_ID, &body, now());
            let mut request = format!("POST /webhooks/paypal/{SHOP} HTTP/1.1\r\nhost: shop\r\n").into_bytes();
            for (name, value) in &headers {
                request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            request.extend_from_slice(&body);
            let mut stream = TcpStream::connect(field.serving[0].address).await.unwrap();
            stream.write_all(&request).await.unwrap();
            lasts(round.within(Duration::from_millis(8))).await;
            if n % 2 == 0 {
                stream.set_zero_linger().unwrap();
            }
        }
        let taken = "SELECT count(*) FROM counterfoil.events WHERE key LIKE 'order:gone-%' AND kind = 'fact'";
        let superuser = field.ground.test.superuser().await;
        let taken: i64 = superuser.query_one(taken, &[]).await.unwrap().get(0);
        Verdict::Held(
            field.survived(format!("{times} clients went away, {taken} of theirs were taken")).await,
        )
    })
}

/// F06: stops for longer than anybody waits, with whatever it holds, and wakes.
pub(crate) fn stopped(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let field = Field::prepare().await;
        field.load.heeds_sleep();
        for _ in 0..round.times(1, 3) {
            field.serving[0].freeze();
            lasts(round.seconds(5, 60)).await;
            field.serving[0].wake();
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived("the only instance").await)
    })
}

/// F07: a leader stops for longer than its lease, another leads, and it wakes and believes that it still does.
pub(crate) fn zombie(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let moves = Moves::record(&ground.test).await;
        let field = Field::serve(ground, 2).await;
        for _ in 0..round.times(1, 12) {
            let mut led = None;
            let leads = wait_until(Duration::from_secs(30), async || {
                led = moves.led().await;
                led.is_some()
            });
            assert!(leads.await, "nobody leads");
            let led = led.unwrap();
            let since = std::time::Instant::now();
            let leader = usize::from(led.instance == "serve1");
            field.serving[leader].freeze();
            moves.taken_over(led.epoch, since).await;
            lasts(Duration::from_secs(4).saturating_sub(since.elapsed())).await;
            field.serving[leader].wake();
            field.load.gets_through(QUIET).await;
        }
        let (held, _ground) = field.survived_on("never two writers").await;
        moves.assert_one_writer().await;
        Verdict::Held(held)
    })
}

/// F08: more connections than it may have files. It does not spin, and goes on when they are gone.
pub(crate) fn no_more_files(round: Round) -> LocalBoxFuture<'static, Verdict> {
    const FILES: usize = 80;
    Box::pin(async move {
        if let Err(why) = tools::need("prlimit", "util-linux") {
            return Verdict::Skipped(why);
        }
        let ground = Ground::prepare(TestDatabase::create().await).await;
        let line =
            format!("exec prlimit --nofile={FILES}:{FILES} {} \"$@\"", crate::binary::path().display());
        let program = script(ground.folder(), "few-files", &line);
        let path = ("PATH", std::env::var_os("PATH").unwrap().into_string().unwrap());
        let serving = ground.serve_told(&program, "serve0", free_address(), &[path]).await;
        let field = Field::load(ground, vec![serving]).await;
        let mut most = 0;
        for _ in 0..round.times(1, 5) {
            let connect = || TcpStream::connect(field.serving[0].address);
            let held: Vec<_> = join_all((0..3 * FILES).map(|_| connect())).await;
            most = most.max(files(field.serving[0].pid()));
            let before = ticks(field.serving[0].pid());
            lasts(Duration::from_secs(2)).await;
            let used = ticks(field.serving[0].pid()) - before;
            // Of 200 a processor has in that time.
            assert!(used < 100, "it spins: {used} ticks in 2 s");
            drop(held);
            field.load.gets_through(QUIET).await;
        }
        Verdict::Held(field.survived(format!("{most} of {FILES} files in use")).await)
    })
}

fn files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Processor time so far of the thread that lets connections in, in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let stats = threads.map(|thread| std::fs::read_to_string(thread.path().join("stat")).unwrap());
    let stat = stats.into_iter().find(|stat| stat.contains("(actix-server ac")).expect("the acceptor");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// F09: asked to end under load, one after the other; another takes its place.
pub(crate) fn asked_to_end(round: Round) -> LocalBoxFuture<'static, Verdict> {
    Box::pin(async move {
        let mut field = Field::of(2).await;
        let times = round.times(4, 60);
        for n in 0..times {
            let asked = field.serving.remove(0);
            let address = asked.address;
            assert_eq!(asked.terminate().await, Some(0), "it ends in order when it is asked to");
            let next = field.ground.serve_with(crate::binary::path(), &format!("next{n}"), address).await;
            field.serving.push(next);
            field.load.gets_through(QUIET / 2).await;
        }
        Verdict::Held(field.survived(format!("{times} ends in order, each within 10 s")).await)
    })
}

/// F28: one callback fifty times at the same moment, and twenty-five times more, one after the other.
pub(crate) fn the_same_again(round: Round) -> LocalBoxFuture<'static, Verdict> {
    const AT_ONCE: usize = 50;
    const LATER: usize = 25;
    Box::pin(async move {
        let field = Field::prepare().await;
        let times = round.times(4, 40);
        let mut ids = Ids::seeded(round.seed);
        let sender = client(Duration::from_secs(30));
        let url = format!("http://{}/webhooks/paypal/{SHOP}", field.serving[0].address);
        for n in 0..times {
            let money = domain::Money::parse("10.00", "USD").unwrap();
            let story = Story::new(&mut ids, &format!("same-{n}"), money, now());
            let body = story.body(EventKind::CaptureCompleted, &ids.event()).to_string().into_bytes();
            let headers = paypal_simulator::sign(&field.ground.authority, WEBHOOK_ID, &body, now());
            let send = async || {
                let request = sender.post(&url).body(body.clone());
                let request =
                    headers.iter().fold(request, |request, (name, value)| request.header(name, value));
                request.send().await.unwrap().status().as_u16()
            };
            let answers = join_all((0..AT_ONCE).map(|_| send())).await;
            assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
            for _ in 0..LATER {
                assert_eq!(send().await, 200);
            }
        }
        let superuser = field.ground.test.superuser().await;
        let facts = "SELECT count(*) FROM counterfoil.events WHERE key LIKE 'order:same-%' AND kind = 'fact'";
        let facts: i64 = superuser.query_one(facts, &[]).await.unwrap().get(0);
        assert_eq!(usize::try_from(facts).unwrap(), times, "one fact of each");
        Verdict::Held(field.survived(format!("{times} callbacks, {} times each", AT_ONCE + LATER)).await)
    })
}
