//! Witnesses see every checkpoint, refuse another history, and are believed: the log takes nothing then.

use std::sync::Arc;
use std::time::Duration;

use audit::tree::{Directories, Growing, LogKeys, Origin, Trees};
use domain::Position;
use event_log::{AppendError, Appended, Appender, Guard, Memory, Options};
use read_models::ReadModels;
use relay::Relay;
use secrecy::ExposeSecret;
use serde_json::json;
use test_support::{AnyWitness, Omniwitness, TestWitness, wait_until};
use tlog::{Note, Policy, Submission};
use witnesses::{
    Answer, Feeder, FeederOptions, LogTree, PublishedMemory, Tree, WitnessClient, Witnessed, seen,
};

use crate::binary::TempDir;
use crate::led_shop::{DEADLINE, LedShop, new_fact, quick};
use crate::published::{FileTree, ORIGIN, entries, publish, signer};

/// A log that is published, and a witness of it.
struct Ground<W = TestWitness> {
    log: LedShop,
    dir: TempDir,
    witness: W,
    next: std::sync::atomic::AtomicU64,
}

/// What a process has of the log beside its sessions.
struct Process {
    appender: Appender,
    feeder: Feeder,
}

/// Every witness here goes by this name.
const WITNESS: &str = "w.example";

impl Ground {
    async fn prepare() -> Self {
        Self::witnessed_by(TestWitness::start(WITNESS, signer().verifier()).await).await
    }
}

impl<W: AnyWitness> Ground<W> {
    async fn witnessed_by(witness: W) -> Self {
        Self { log: LedShop::create().await, dir: TempDir::new(), witness, next: 100.into() }
    }

    fn tree(&self) -> Arc<dyn Tree> {
        Arc::new(FileTree(self.dir.path().to_owned()))
    }

    fn policy(&self) -> Policy {
        let text = format!("{}\nquorum {}\n", self.witness.policy_line(), self.witness.verifier().name());
        text.parse().unwrap()
    }

    fn witnessed(&self) -> Witnessed {
        Witnessed::new(self.tree(), WitnessClient::new().unwrap(), &self.policy())
    }

    /// A new process, which remembers nothing itself.
    async fn start(&self, memories: Vec<Arc<dyn Memory>>) -> Process {
        let witnessed = self.witnessed();
        let mut memories = memories;
        memories.push(Arc::new(witnessed.clone()));
        let (database, guard) = (self.log.test.database(), Guard::new(memories));
        let appender = Appender::start_guarded(database.clone(), Options::default(), guard.clone());
        let options = FeederOptions { every: Duration::from_millis(20), ..FeederOptions::default() };
        Process { appender, feeder: Feeder::new(database, guard, witnessed, options) }
    }

    /// A new process, which has asked the witness first and submits nothing.
    async fn start_asking(&self) -> Appender {
        let (database, witnessed) = (self.log.test.database(), self.witnessed());
        witnessed.ask_all(&database).await.unwrap();
        Appender::start_guarded(database, Options::default(), Guard::new(vec![Arc::new(witnessed)]))
    }

    async fn receive(&self, process: &Process) -> Result<Appended, AppendError> {
        let n = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let fact = new_fact(n, "stock.received", &json!({"sku": "tea", "qty": 1}));
        let mut last = None;
        let answered = wait_until(DEADLINE, async || {
            let answer = process.appender.append(&self.log.shop, fact.clone()).await;
            let is_final = !matches!(answer, Err(AppendError::Unavailable(_)));
            last = Some(answer);
            is_final
        });
        assert!(answered.await, "{last:?}");
        last.unwrap()
    }

    async fn publish(&self) -> u64 {
        let entries = entries(&self.log.test, &self.log.shop).await;
        publish(&entries, self.dir.path());
        entries.len() as u64
    }

    fn published(&self) -> Note {
        Note::parse(&std::fs::read(self.dir.path().join("checkpoint")).unwrap()).unwrap()
    }

    /// Whether the checkpoint is published with a cosignature that holds.
    fn is_cosigned(&self) -> bool {
        let policy = self.policy().with_log(signer().verifier().clone()).unwrap();
        policy.open(&self.published()).is_ok_and(|opened| opened.cosignatures.len() == 1)
    }

    /// The size that the witness says of itself, as it is told to go on from nothing.
    async fn size_told(&self) -> Answer {
        let submission = Submission { old_size: 0, proof: Vec::new(), checkpoint: self.published() };
        WitnessClient::new().unwrap().submit(&self.witness.url(), &submission).await.unwrap()
    }

    /// Why the witness did not cosign the last time.
    async fn refused(&self) -> String {
        let known = seen(&self.log.database).await.unwrap();
        assert_eq!(known.len(), 1, "{known:?}");
        known[0].error.clone().unwrap()
    }
}

fn assert_forked(answer: &Result<Appended, AppendError>, by: &str, position: i64) {
    let Err(AppendError::Forked(fork)) = answer else { panic!("{answer:?}") };
    assert_eq!((fork.by.as_str(), fork.position), (by, Position(position)), "{fork}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_checkpoint_is_cosigned_and_published_with_the_cosignatures() {
    let ground = Ground::prepare().await;
    let process = ground.start(Vec::new()).await;
    for _ in 0..3 {
        for _ in 0..100 {
            ground.receive(&process).await.unwrap();
        }
        let size = ground.publish().await;
        process.feeder.round().await;
        assert_eq!(ground.witness.size(ORIGIN), size);
        assert!(ground.is_cosigned());
    }
    assert_eq!(ground.witness.answered(), [200, 200, 200], "nothing is asked twice");
    let known = seen(&ground.log.database).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].size, known[0].error.as_deref()), (300, None));

    // Another process, and a database that has forgotten what the witness has seen: it is told, and goes on from there.
    ground.log.run("DELETE FROM counterfoil.witnesses").await;
    drop(process);
    ground.log.run("UPDATE counterfoil.checkpoints SET lease_expires_at = NULL").await;
    let process = ground.start(Vec::new()).await;
    ground.receive(&process).await.unwrap();
    ground.publish().await;
    process.feeder.round().await;
    assert_eq!(ground.witness.answered()[3..], [409, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_cannot_be_reached_keeps_nothing_from_going_on() {
    let ground = Ground::prepare().await;
    ground.witness.set_down(true);
    let process = ground.start(Vec::new()).await;
    ground.witnessed().ask_all(&ground.log.database).await.unwrap();
    ground.receive(&process).await.unwrap();
    ground.publish().await;
    process.feeder.round().await;
    ground.receive(&process).await.unwrap();
    let known = seen(&ground.log.database).await.unwrap();
    assert!(known[0].error.as_deref().unwrap().contains("503"), "{known:?}");
    assert_eq!(known[0].size, 0);

    ground.witness.set_down(false);
    let feeding = process.feeder.start();
    let cosigned = wait_until(DEADLINE, async || ground.witness.size(ORIGIN) == 1);
    assert!(cosigned.await, "it is not tried again");
    let told = wait_until(DEADLINE, async || {
        let known = seen(&ground.log.database).await.unwrap();
        known[0].size == 1 && known[0].error.is_none()
    });
    assert!(told.await);
    feeding.stop().await;
}

/// P7: whoever has the database and the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_was_rewritten_and_signed_again_is_refused_by_the_witness_and_takes_nothing_more() {
    let ground = Ground::prepare().await;
    assert_refuses_another_history(&ground).await;
    assert_eq!(ground.witness.answered(), [200, 422, 409, 409, 422, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_shows_nothing_is_believed_in_what_it_says() {
    let ground = Ground::prepare().await;
    ground.witness.show_nothing();
    assert_refuses_another_history(&ground).await;
    let ground = Ground::prepare().await;
    ground.witness.show_nothing();
    assert_refuses_a_restore(&ground).await;
}

/// The same by a witness of others.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.27, or PyPI, and Go's module proxy: make test-all"]
async fn omniwitness_cosigns_every_checkpoint_and_refuses_a_history_that_was_rewritten_and_signed_again() {
    let Some(omniwitness) = Omniwitness::start(WITNESS, signer().verifier()).await else { return };
    let ground = Ground::witnessed_by(omniwitness).await;
    assert_refuses_another_history(&ground).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.27, or PyPI, and Go's module proxy: make test-all"]
async fn omniwitness_is_asked_at_the_start_and_a_restore_is_refused() {
    let Some(omniwitness) = Omniwitness::start(WITNESS, signer().verifier()).await else { return };
    let ground = Ground::witnessed_by(omniwitness).await;
    assert_refuses_a_restore(&ground).await;
}

/// By the witness alone, before anything is appended, and until what was lost is there again.
async fn assert_refuses_a_restore<W: AnyWitness>(ground: &Ground<W>) {
    let process = ground.start(Vec::new()).await;
    ground.receive(&process).await.unwrap();
    let backup = ground.log.test.back_up().await;
    for _ in 0..10 {
        ground.receive(&process).await.unwrap();
    }
    ground.publish().await;
    process.feeder.round().await;
    assert!(ground.is_cosigned());
    drop(process);
    let lost = ground.log.test.back_up().await;
    ground.log.test.restore(&backup).await;
    ground.publish().await;
    let appender = ground.start_asking().await;
    let fact = new_fact(900, "stock.received", &json!({"sku": "tea", "qty": 1}));
    assert_forked(&appender.append(&ground.log.shop, fact.clone()).await, "witness w.example", 10);

    ground.log.test.restore(&lost).await;
    let taken =
        wait_until(DEADLINE, async || appender.append(&ground.log.shop, fact.clone()).await.is_ok()).await;
    assert!(taken, "{:?}", appender.guard().forks());
    ground.publish().await;
    ground.log.run("UPDATE counterfoil.checkpoints SET lease_expires_at = NULL").await;
    let process = ground.start(Vec::new()).await;
    process.feeder.round().await;
    assert!(ground.is_cosigned());
}

async fn assert_refuses_another_history<W: AnyWitness>(ground: &Ground<W>) {
    let process = ground.start(Vec::new()).await;
    for _ in 0..300 {
        ground.receive(&process).await.unwrap();
    }
    ground.publish().await;
    process.feeder.round().await;
    assert!(ground.is_cosigned());
    ground
        .log
        .run(
            "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
             UPDATE counterfoil.events SET entry = replace(entry, '\"qty\":1', '\"qty\":9') WHERE position = 100;
             UPDATE counterfoil.events SET leaf_hash = sha256('\\x00'::bytea || convert_to(entry, 'UTF8'))
                 WHERE position = 100",
        )
        .await;
    // This session has been compared, so it goes on; the next checkpoint does not.
    ground.receive(&process).await.unwrap();
    ground.publish().await;
    process.feeder.round().await;
    assert!(!ground.is_cosigned());
    assert_eq!(ground.size_told().await, Answer::Size(300), "it stands by what it has seen");
    assert_forked(&ground.receive(&process).await, "witness w.example", 299);
    let why = ground.refused().await;
    assert!(why.contains("another history") && why.contains("422"), "{why}");
    assert_eq!(process.appender.guard().forks().len(), 1);

    // The same size with another root, by a process that knows nothing.
    ground.log.run("DELETE FROM counterfoil.events WHERE position = 300; DELETE FROM counterfoil.outbox WHERE position = 300").await;
    ground
        .log
        .run("DELETE FROM counterfoil.witnesses; UPDATE counterfoil.checkpoints SET lease_expires_at = NULL")
        .await;
    drop(process);
    let process = ground.start(Vec::new()).await;
    ground.publish().await;
    process.feeder.round().await;
    assert!(!ground.is_cosigned());
    assert_eq!(ground.size_told().await, Answer::Size(300));
    assert_forked(&ground.receive(&process).await, "witness w.example", 299);
    let why = ground.refused().await;
    assert!(why.contains("another history") && why.contains("422"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_refused_by_the_published_checkpoint_alone_and_by_the_witness_alone() {
    let ground = Ground::prepare().await;
    let process = ground.start(Vec::new()).await;
    ground.receive(&process).await.unwrap();
    let backup = ground.log.test.back_up().await;
    for _ in 0..10 {
        ground.receive(&process).await.unwrap();
    }
    let size = i64::try_from(ground.publish().await).unwrap();
    process.feeder.round().await;
    drop(process);
    ground.log.test.restore(&backup).await;

    let published: Arc<dyn Memory> = Arc::new(PublishedMemory::new(ground.tree()));
    let process = ground.start(vec![published]).await;
    assert_forked(&ground.receive(&process).await, "the published checkpoint", size - 1);

    std::fs::remove_file(ground.dir.path().join("checkpoint")).unwrap();
    let appender = ground.start_asking().await;
    let fact = new_fact(900, "stock.received", &json!({"sku": "tea", "qty": 1}));
    assert_forked(&appender.append(&ground.log.shop, fact.clone()).await, "witness w.example", size - 1);

    // A new epoch has an origin of its own, which the witness has not seen.
    event_log::fork(&ground.log.test.database_owner(), &ground.log.shop, "a test").await.unwrap();
    appender.append(&ground.log.shop, fact).await.unwrap();

    // Restored once more, the database knows nothing of the new epoch; what was published says that there is one.
    let entries = entries(&ground.log.test, &ground.log.shop).await;
    let tree = FileTree(ground.dir.path().to_owned());
    let origin = tree.origin(&ground.log.shop, 1);
    let key = tlog::Signer::from_seed(origin.clone(), &[5; 32]).unwrap();
    let mut leaves = tlog::Growth::new();
    entries.iter().for_each(|entry| leaves.push(tlog::leaf_hash(entry.as_bytes())));
    let checkpoint = tlog::Checkpoint::new(origin, leaves.size(), leaves.root()).unwrap();
    std::fs::write(ground.dir.path().join("checkpoint"), checkpoint.sign(&[&key]).unwrap().to_string())
        .unwrap();
    let memory: Arc<dyn Memory> = Arc::new(PublishedMemory::new(ground.tree()));
    let client = ground.log.test.database().client().await.unwrap();
    assert_eq!(memory.compare(&client, &ground.log.shop).await.unwrap(), None);
    drop(client);
    ground.log.test.restore(&backup).await;
    let client = ground.log.test.database().client().await.unwrap();
    assert!(memory.compare(&client, &ground.log.shop).await.unwrap().is_some());
}

/// The whole of it: trees in the database, directories, a witness, a restore, and back.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_restored_comes_back_from_its_directory_and_its_witness_goes_on() {
    let (log, folder) = (LedShop::create().await, TempDir::new());
    let (key_file, logs) = (folder.path().join("log.pem"), folder.path().join("logs"));
    let keys = LogKeys::generate().unwrap();
    std::fs::write(&key_file, keys.to_pem().expose_secret()).unwrap();
    let origin: Origin = "counterfoil.example/log".parse().unwrap();
    let name = origin.of(&log.shop, 0);
    let key = keys.verifiers(&name).unwrap().remove(0);
    let witness = TestWitness::start(WITNESS, &key).await;
    let policy: Policy = format!("{}\nquorum w.example\n", witness.policy_line()).parse().unwrap();
    let tree: Arc<dyn Tree> = Arc::new(LogTree::new(
        Trees::new(log.test.database()),
        origin.clone(),
        Arc::new(keys),
        Some(logs.clone()),
    ));
    let start = async || {
        let database = log.test.database();
        let witnessed = Witnessed::new(Arc::clone(&tree), WitnessClient::new().unwrap(), &policy);
        witnessed.ask_all(&database).await.unwrap();
        let published = PublishedMemory::new(Arc::clone(&tree));
        let guard = Guard::new(vec![Arc::new(published), Arc::new(witnessed.clone())]);
        let appender = Appender::start_guarded(database.clone(), Options::default(), guard.clone());
        let options = audit::tree::Options {
            publish_every: Duration::from_millis(20),
            supervise: Duration::from_millis(20),
            ..audit::tree::Options::new("a test".to_owned(), origin.clone(), key_file.clone())
        };
        let growing = Growing::start(database.clone(), appender.clone(), options);
        let directories = Directories::start(database.clone(), logs.clone(), Duration::from_millis(20));
        let options = FeederOptions { every: Duration::from_millis(20), ..FeederOptions::default() };
        let feeding = Feeder::new(database.clone(), guard, witnessed, options).start();
        let relay = Relay::start(database, appender.clone(), ReadModels::default(), quick());
        (appender, async move || {
            relay.stop().await;
            growing.stop().await;
            feeding.stop().await;
            directories.stop().await;
        })
    };
    let receive = async |appender: &Appender, n| {
        let fact = new_fact(n, "stock.received", &json!({"sku": "tea", "qty": 1}));
        appender.append(&log.shop, fact).await
    };
    let events = async || u64::try_from(log.number("SELECT count(*) FROM counterfoil.events").await).unwrap();
    let checkpoint = logs.join("shop/checkpoint");
    let is_published = async |outcomes: i64| {
        let count = "SELECT count(*) FROM counterfoil.events WHERE kind = 'outcome'";
        let published = wait_until(DEADLINE, async || {
            let Ok(bytes) = std::fs::read(&checkpoint) else { return false };
            let note = Note::parse(&bytes).unwrap();
            let cosigned = policy.clone().with_log(key.clone()).unwrap();
            let opened = cosigned.open(&note);
            log.number(count).await == outcomes
                && opened.is_ok_and(|opened| opened.checkpoint.size() == witness.size(&name))
                && witness.size(&name) == events().await
        });
        let published = published.await;
        let trees = audit::tree::trees(&log.database).await.unwrap();
        let seen = seen(&log.database).await.unwrap();
        assert!(
            published,
            "it is not published with its cosignature: {:?} {trees:?} {seen:?}",
            witness.answered()
        );
    };

    let (appender, stop) = start().await;
    receive(&appender, 0).await.unwrap();
    is_published(1).await;
    stop().await;
    let backup = log.test.back_up().await;
    let (appender, stop) = start().await;
    for n in 1..300 {
        receive(&appender, n).await.unwrap();
    }
    is_published(300).await;
    stop().await;
    log.test.restore(&backup).await;

    let (appender, stop) = start().await;
    let answer = receive(&appender, 900).await;
    assert!(matches!(answer, Err(AppendError::Forked(_))), "{answer:?}");
    let before = std::fs::read(&checkpoint).unwrap();
    let log_key = Policy::of_log(key.clone()).unwrap();
    let published = recovery::Published::open(&logs.join("shop"), &log_key).unwrap();
    recovery::reimport(&log.test.database_owner(), &log.shop, &published).await.unwrap();
    assert_eq!(std::fs::read(&checkpoint).unwrap(), before, "what was published stays");
    let taken = wait_until(DEADLINE, async || receive(&appender, 900).await.is_ok());
    assert!(taken.await, "{:?}", appender.guard().forks());
    assert!(matches!(receive(&appender, 50).await.unwrap(), Appended::Known { .. }));
    is_published(301).await;
    assert!(
        witness.answered().iter().all(|status| *status == 200 || *status == 409),
        "{:?}",
        witness.answered()
    );
    stop().await;
    log.assert_sound().await;
}
