//! A log that is not the one that it was takes nothing, whoever remembers it; a healthy one is never refused.

use database::Client;
use domain::Position;
use event_log::{AppendError, Appended, Appender, Guard, Keeping, Options, StateFiles};
use serde_json::json;
use test_support::wait_until;

use crate::binary::TempDir;
use crate::led_shop::{DEADLINE, LedShop, append, applied, new_fact, plant_shop};

/// Appends as a process does that was told what an earlier one remembered.
struct Process {
    appender: Appender,
    keeping: Keeping,
}

impl Process {
    async fn start(log: &LedShop, dir: &TempDir) -> Self {
        let (database, guard) = (log.test.database(), Guard::default());
        let files = StateFiles::open(dir.path()).unwrap();
        let keeping = Keeping::start(guard.clone(), database.clone(), Some(files)).await.unwrap();
        Self { appender: Appender::start_guarded(database, Options::default(), guard), keeping }
    }

    async fn receive(&self, log: &LedShop, n: u64) -> Result<Appended, AppendError> {
        let fact = new_fact(n, "stock.received", &json!({"sku": "tea", "qty": 1}));
        self.appender.append(&log.shop, fact).await
    }

    /// Until it is taken, or refused for a fork.
    async fn receive_or_refuse(&self, log: &LedShop, n: u64) -> Result<Appended, AppendError> {
        let mut last = None;
        let answered = wait_until(DEADLINE, async || {
            let answer = self.receive(log, n).await;
            let is_final = !matches!(answer, Err(AppendError::Unavailable(_)));
            last = Some(answer);
            is_final
        });
        assert!(answered.await, "{last:?}");
        last.unwrap()
    }

    async fn end(self) {
        self.appender.drain().await;
        self.keeping.stop().await;
    }
}

fn assert_forked(answer: &Result<Appended, AppendError>, by: &str, position: i64) {
    let Err(AppendError::Forked(fork)) = answer else { panic!("{answer:?}") };
    assert_eq!((fork.by.as_str(), fork.position), (by, Position(position)), "{fork}");
    assert!(fork.to_string().contains("run `counterfoil shops recover shop`"), "{fork}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_sessions_were_cut_refuses_to_append_to_an_earlier_state_of_its_log() {
    let (log, dir) = (LedShop::create().await, TempDir::new());
    let process = Process::start(&log, &dir).await;
    process.receive(&log, 0).await.unwrap();
    let backup = log.test.back_up().await;
    process.receive_or_refuse(&log, 1).await.unwrap();
    log.test.restore(&backup).await;
    assert_forked(&process.receive_or_refuse(&log, 2).await, "this process", 1);
    let forks = process.appender.guard().forks();
    assert_eq!(forks.len(), 1);
    assert!(process.appender.guard().all_have_forked());
    assert_eq!(log.number("SELECT count(*) FROM counterfoil.events").await, 1, "nothing was appended");

    // A new epoch ends what was remembered of the old one behind the fork.
    event_log::fork(&log.test.database_owner(), &log.shop, "a test").await.unwrap();
    let mended = wait_until(DEADLINE, async || process.appender.guard().forks().is_empty());
    assert!(mended.await, "it is not seen that the log is mended");
    assert_eq!(process.receive_or_refuse(&log, 2).await.unwrap().position(), Position(2));
    process.end().await;

    // And the state file is of the new epoch now.
    let process = Process::start(&log, &dir).await;
    process.receive(&log, 3).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_alone_refuses_an_earlier_state_and_another_history() {
    let (log, dir) = (LedShop::create().await, TempDir::new());
    let process = Process::start(&log, &dir).await;
    process.receive(&log, 0).await.unwrap();
    let backup = log.test.back_up().await;
    process.receive_or_refuse(&log, 1).await.unwrap();
    process.end().await;

    log.test.restore(&backup).await;
    let process = Process::start(&log, &dir).await;
    assert_forked(&process.receive(&log, 2).await, "the state file", 1);
    // Another process, which knows nothing, goes on: the position is given again, to something else.
    append(&log.appender, &log.shop, new_fact(60, "stock.received", &json!({"sku": "tea", "qty": 7}))).await;
    let answer = process.receive(&log, 2).await;
    assert_forked(&answer, "the state file", 1);
    assert!(answer.unwrap_err().to_string().contains("another event"));
    process.end().await;

    std::fs::write(dir.path().join("shop.json"), "{").unwrap();
    let files = StateFiles::open(dir.path()).unwrap();
    let error = Keeping::start(Guard::default(), log.test.database(), Some(files)).await.unwrap_err();
    assert!(error.to_string().contains("remove it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_restarts_cuts_and_other_processes_are_never_refused() {
    let (log, dir) = (LedShop::create().await, TempDir::new());
    let process = Process::start(&log, &dir).await;
    for n in 0..5 {
        process.receive_or_refuse(&log, n).await.unwrap();
        // A failover that has lost nothing: every session is cut.
        log.test.allow_connections(false).await;
        log.test.allow_connections(true).await;
    }
    // Another process appends in between.
    append(&log.appender, &log.shop, new_fact(60, "stock.received", &json!({"sku": "tea", "qty": 7}))).await;
    process.receive_or_refuse(&log, 10).await.unwrap();
    // kill -9 before the state file is written: an older one, or none, forbids nothing.
    drop(process);
    let process = Process::start(&log, &dir).await;
    process.receive(&log, 11).await.unwrap();
    process.end().await;
    let process = Process::start(&log, &dir).await;
    process.receive(&log, 12).await.unwrap();
    assert!(process.appender.guard().forks().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_timers_and_notes_are_held_up_too() {
    let log = LedShop::create().await;
    let relay = log.lead();
    log.settle(&relay, "stock.received", json!({"sku": "tea", "qty": 5})).await;
    let backup = log.test.back_up().await;
    let last = log.append("stock.received", json!({"sku": "tea", "qty": 6})).await;
    applied(&relay, &log.shop, last).await;
    log.test.restore(&backup).await;
    // A fact that somebody else appends is decided by nobody here.
    let other = Appender::start(log.test.database(), Options::default());
    let fact = new_fact(90, "stock.received", &json!({"sku": "tea", "qty": 7}));
    append(&other, &log.shop, fact).await;
    let told = wait_until(DEADLINE, async || !log.appender.guard().forks().is_empty());
    assert!(told.await, "the relay does not look");
    assert_eq!(log.number("SELECT count(*) FROM counterfoil.events WHERE kind = 'outcome'").await, 1);
    let (guard, shop) = (log.appender.guard().clone(), log.shop.clone());
    let noted = log.database.run_tx("note", move |client: &Client| {
        let (guard, shop) = (guard.clone(), shop.clone());
        Box::pin(async move {
            let note = event_log::NewNote {
                kind: event_log::NoteType::HoldLifted,
                key: domain::Key::Shop(shop.clone()),
                by: "a test".to_owned(),
                id: "1".to_owned(),
                data: json!({}),
                evidence: None,
            };
            let noted = event_log::append_note(&guard, client, &shop, &note).await;
            noted.map_err(event_log::Error::abort)
        })
    });
    let error = event_log::Error::from(noted.await.unwrap_err());
    assert!(matches!(error, event_log::Error::Forked(_)), "{error}");

    event_log::fork(&log.test.database_owner(), &log.shop, "a test").await.unwrap();
    let decided = wait_until(DEADLINE, async || {
        log.number("SELECT count(*) FROM counterfoil.events WHERE kind = 'outcome'").await == 2
    });
    assert!(decided.await, "the relay does not go on");
    relay.stop().await;
    log.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_log_has_forked_holds_up_no_other() {
    let log = LedShop::create().await;
    plant_shop(&log.test, "other").await;
    let other = domain::ShopId::parse("other").unwrap();
    let receive = |n| new_fact(n, "stock.received", &json!({"sku": "tea", "qty": 1}));
    log.append("stock.received", json!({"sku": "tea", "qty": 1})).await;
    append(&log.appender, &other, receive(1)).await;
    log.run(
        "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;
         DELETE FROM counterfoil.events WHERE shop_id = 'shop'",
    )
    .await;
    let answer = log.appender.append(&log.shop, receive(50)).await;
    assert_forked(&answer, "this process", 0);
    log.appender.append(&other, receive(2)).await.unwrap();
    let guard = log.appender.guard();
    assert!(!guard.all_have_forked(), "the other goes on");
    assert_eq!(guard.forks().len(), 1);
}
