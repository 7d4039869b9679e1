//! The log: dense positions, one outbox row an event, once and never changed.

use std::sync::Arc;
use std::time::Duration;

use domain::{Cancellation, Change, Fact, Ignored, Key, OrderId, Outcome, OutcomeType, Position, ShopId};
use event_log::{
    AppendError, Appended, Appender, Certificate, Conflict, Dedupe, Filter, Kind, NewFact, NewOutcome,
    Options, SealedEvidence, Transmission,
};
use test_support::{TestDatabase, wait_until};
use tokio::task::JoinSet;

const DEADLINE: Duration = Duration::from_secs(30);

struct Log {
    appender: Appender,
    shop: ShopId,
    // Dropped last: it takes the sessions of the others with it.
    test: TestDatabase,
}

impl Log {
    async fn create() -> Self {
        let test = TestDatabase::create().await;
        plant_shop(&test, "shop").await;
        let appender = Appender::start(test.database(), Options::default());
        Self { appender, shop: ShopId::parse("shop").unwrap(), test }
    }

    async fn append(&self, fact: NewFact) -> Result<Appended, AppendError> {
        self.appender.append(&self.shop, fact).await
    }

    /// A number that the owner sees.
    async fn count(&self, sql: &str) -> i64 {
        self.test.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Everything that must always be so of a log.
    async fn assert_sound(&self, events: i64) {
        let superuser = self.test.superuser().await;
        let row = superuser
            .query_one(
                "SELECT count(*), coalesce(max(position) + 1, 0), coalesce(min(position), 0),
                     count(*) FILTER (WHERE o.id = e.id AND o.type = e.type),
                     (SELECT count(*) FROM counterfoil.outbox),
                     count(*) FILTER (WHERE e.leaf_hash = sha256('\\x00'::bytea || convert_to(e.entry, 'UTF8'))),
                     count(*) FILTER (WHERE (e.entry::jsonb ->> 'at')::timestamptz = e.at
                         AND e.entry::jsonb ->> 'id' = e.id::text AND e.entry::jsonb ->> 'key' = e.key
                         AND e.entry::jsonb ->> 'type' = e.type
                         AND (e.entry::jsonb ->> 'cause')::bigint IS NOT DISTINCT FROM e.cause
                         AND e.entry::jsonb -> 'data' = o.payload::jsonb)
                 FROM counterfoil.events e LEFT JOIN counterfoil.outbox o USING (shop_id, position)",
                &[],
            )
            .await
            .unwrap();
        let numbers: Vec<i64> = (0..7).map(|column| row.get(column)).collect();
        assert_eq!(numbers, [events, events, 0, events, events, events, events]);
        let back = "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY position) AS back FROM counterfoil.events) t
                    WHERE back";
        assert_eq!(self.count(back).await, 0, "time runs backwards");
    }
}

async fn plant_shop(test: &TestDatabase, shop: &str) {
    let sql = "INSERT INTO counterfoil.shops (shop_id, environment, hash_key_wrapped, kek_id) VALUES ($1, 'dev', '', '')";
    test.superuser().await.execute(sql, &[&shop]).await.unwrap();
}

fn command(id: &str) -> NewFact {
    NewFact {
        fact: Fact::OrderCancelled(Cancellation { order: OrderId::parse("1042").unwrap() }),
        by: "key1".to_owned(),
        dedupe: Dedupe::Command { id: id.to_owned(), content_sha256: [1; 32] },
        evidence: None,
        certificate: None,
    }
}

fn callback(event_key: &str, mac: u8, transmission: Option<&str>) -> NewFact {
    let transmission = transmission.map(|id| Transmission {
        id: id.to_owned(),
        headers: vec![("paypal-transmission-id".to_owned(), id.to_owned())],
    });
    NewFact {
        fact: Fact::CallbackIgnored(Ignored { paypal_type: "X".to_owned() }),
        by: "paypal".to_owned(),
        dedupe: Dedupe::Callback { event_key: event_key.to_owned(), body_mac: [mac; 32], transmission },
        evidence: Some(Arc::new(SealedEvidence {
            bytes: vec![mac; 3],
            wrapped_key: vec![9],
            kek_id: "k".to_owned(),
            sha256: [mac; 32],
            commitment: [mac; 32],
        })),
        certificate: Some(Arc::new(Certificate {
            sha256: [7; 32],
            der: vec![1, 2],
            url: "https://x".to_owned(),
        })),
    }
}

/// Appends all at once, and gives the answers in the order of the facts.
async fn append_at_once(appenders: &[&Appender], shop: &ShopId, facts: Vec<NewFact>) -> Vec<Appended> {
    let mut tasks = JoinSet::new();
    let count = facts.len();
    for (n, fact) in facts.into_iter().enumerate() {
        let (appender, shop) = (appenders[n % appenders.len()].clone(), shop.clone());
        tasks.spawn(async move { (n, appender.append(&shop, fact).await.unwrap()) });
    }
    let mut answers = vec![None; count];
    while let Some(done) = tasks.join_next().await {
        let (n, answer) = done.unwrap();
        answers[n] = Some(answer);
    }
    answers.into_iter().flatten().collect()
}

/// P2, P5: every position once, and one outbox row for each.
#[tokio::test(flavor = "multi_thread")]
async fn p2_two_hundred_appends_at_once_stand_at_dense_positions_with_one_outbox_row_each() {
    let log = Log::create().await;
    let facts = (0..200).map(|n| command(&format!("c{n}"))).collect();
    let answers = append_at_once(&[&log.appender], &log.shop, facts).await;
    let mut positions: Vec<i64> = answers.iter().map(|answer| answer.position().0).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..200).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| matches!(answer, Appended::New { .. })));
    log.assert_sound(200).await;
    assert_eq!(*log.appender.appended(&log.shop).borrow(), 199);
}

/// P3: a callback takes effect once, however often it comes.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_callbacks_at_once_are_one_event_and_fifty_answers_with_its_position() {
    let log = Log::create().await;
    log.append(command("before")).await.unwrap();
    let facts = vec![callback("WH-1", 1, Some("t1")); 50];
    let answers = append_at_once(&[&log.appender], &log.shop, facts).await;
    assert!(answers.iter().all(|answer| answer.position() == Position(1)), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Appended::New { .. })).count(), 1);
    log.assert_sound(2).await;
    for table in ["callbacks", "transmissions", "evidence", "evidence_keys", "certificates"] {
        assert_eq!(log.count(&format!("SELECT count(*) FROM counterfoil.{table}")).await, 1, "{table}");
    }
}

/// P1, P3: other bytes are never taken for the same, and never lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_with_other_bytes_is_revised_or_refused() {
    // A process that has seen nothing known yet expects nothing to be; one that has looks it up.
    for expects_new in [true, false] {
        other_bytes(&Log::create().await, expects_new).await;
    }
}

async fn other_bytes(log: &Log, expects_new: bool) {
    let append = async |fact| {
        if expects_new {
            return Appender::start(log.test.database(), Options::default()).append(&log.shop, fact).await;
        }
        log.append(fact).await
    };
    let known = |position| Appended::Known { position: Position(position) };
    let revised = |position, of| Appended::Revised { position: Position(position), of: Position(of) };
    append(callback("WH-1", 1, Some("t1"))).await.unwrap();
    assert_eq!(append(callback("WH-1", 1, Some("t1"))).await.unwrap(), known(0));
    assert_eq!(append(callback("WH-1", 1, Some("t2"))).await.unwrap(), known(0));
    assert_eq!(append(callback("WH-1", 2, Some("t3"))).await.unwrap(), revised(1, 0));
    assert_eq!(append(callback("WH-1", 2, Some("t4"))).await.unwrap(), known(1));
    let conflict = Appended::Conflict { position: Position(0), what: Conflict::Transmission };
    assert_eq!(append(callback("WH-1", 3, Some("t1"))).await.unwrap(), conflict);
    assert_eq!(append(callback("WH-1", 3, Some("t1"))).await.unwrap(), conflict);
    assert_eq!(append(callback("WH-1", 9, None)).await.unwrap(), known(0));
    // A copy from the API, and the delivery that comes after all.
    append(callback("WH-2", 1, None)).await.unwrap();
    assert_eq!(append(callback("WH-2", 2, Some("t5"))).await.unwrap(), revised(3, 2));
    assert_eq!(append(callback("WH-2", 2, Some("t6"))).await.unwrap(), known(3));
    log.assert_sound(4).await;
    assert_eq!(log.count("SELECT count(*) FROM counterfoil.transmissions").await, 6);
    assert_eq!(log.count("SELECT count(*) FROM counterfoil.conflicting_transmissions").await, 1);
    assert_eq!(log.count("SELECT count(*) FROM counterfoil.evidence").await, 4);
    // Headers stand once: with what a delivery brought, else with the delivery.
    let headers =
        "SELECT string_agg(transmission_id, ' ' ORDER BY transmission_id) FROM counterfoil.transmissions
                   WHERE headers = ''";
    let superuser = log.test.superuser().await;
    let row = superuser.query_one(headers, &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<String>>(0).as_deref(), Some("t1 t3 t5"));
    let headers = "SELECT headers::jsonb ->> 'paypal-transmission-id' FROM counterfoil.transmissions WHERE transmission_id = 't2'";
    assert_eq!(superuser.query_one(headers, &[]).await.unwrap().get::<_, String>(0), "t2");
}

/// P3: a command takes effect once; its id never stands for two things.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_known_is_answered_as_the_first_time_and_other_content_conflicts() {
    let log = Log::create().await;
    let first = log.append(command("c1")).await.unwrap();
    assert_eq!(log.append(command("c1")).await.unwrap(), Appended::Known { position: first.position() });
    let mut other = command("c1");
    other.dedupe = Dedupe::Command { id: "c1".to_owned(), content_sha256: [2; 32] };
    let conflict = Appended::Conflict { position: first.position(), what: Conflict::Command };
    assert_eq!(log.append(other).await.unwrap(), conflict);
    log.assert_sound(1).await;
}

/// P3, P5: the shop's row is the lock of all processes.
#[tokio::test(flavor = "multi_thread")]
async fn p5_two_processes_on_one_shop_stay_dense_and_deduplicate_each_other() {
    let log = Log::create().await;
    let other = Appender::start(log.test.database(), Options::default());
    // Each fact twice in a row, so that both processes get it.
    let facts = (0..200).flat_map(|n| [command(&format!("c{n}")), command(&format!("c{n}"))]).collect();
    let answers = append_at_once(&[&log.appender, &other], &log.shop, facts).await;
    for pair in answers.chunks(2) {
        assert_eq!(pair[0].position(), pair[1].position());
    }
    log.assert_sound(200).await;
}

/// P5: shops have logs of their own.
#[tokio::test(flavor = "multi_thread")]
async fn each_shop_counts_for_itself_and_an_unknown_one_is_refused() {
    let log = Log::create().await;
    plant_shop(&log.test, "shop2").await;
    let shop2 = ShopId::parse("shop2").unwrap();
    assert_eq!(log.append(command("c1")).await.unwrap().position(), Position(0));
    assert_eq!(log.appender.append(&shop2, command("c1")).await.unwrap().position(), Position(0));
    let nobody = ShopId::parse("nobody").unwrap();
    assert_eq!(log.appender.append(&nobody, command("c1")).await, Err(AppendError::UnknownShop));
}

/// P9: a row that the database does not take fails alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_fact_in_a_batch_fails_alone() {
    let log = Log::create().await;
    // While the shop is locked everything waits, and then goes as one batch.
    let blocker = log.test.superuser().await;
    blocker.batch_execute("BEGIN; SELECT FROM counterfoil.shops FOR UPDATE").await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let id = if n == 13 { "c\0".to_owned() } else { format!("c{n}") };
        let (appender, shop) = (log.appender.clone(), log.shop.clone());
        tasks.spawn(async move { (n, appender.append(&shop, command(&id)).await) });
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    assert!(wait_until(DEADLINE, async || log.count(waiting).await > 0).await);
    blocker.batch_execute("COMMIT").await.unwrap();
    while let Some(done) = tasks.join_next().await {
        let (n, answer) = done.unwrap();
        if n == 13 {
            assert!(matches!(answer, Err(AppendError::Invalid(_))), "{answer:?}");
        } else {
            assert!(matches!(answer, Ok(Appended::New { .. })), "{answer:?}");
        }
    }
    log.assert_sound(19).await;
}

/// P7: neither the service nor the owner changes an event.
#[tokio::test(flavor = "multi_thread")]
async fn no_role_updates_deletes_or_truncates_events() {
    let log = Log::create().await;
    log.append(command("c1")).await.unwrap();
    let changes = [
        "UPDATE counterfoil.events SET key = 'order:1'",
        "DELETE FROM counterfoil.events",
        "TRUNCATE counterfoil.events",
    ];
    for database in [log.test.database(), log.test.database_owner()] {
        let client = database.client().await.unwrap();
        for change in changes {
            let error = client.batch_execute(change).await.unwrap_err();
            assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{change}: {error:?}");
        }
    }
    let service = log.test.database().client().await.unwrap();
    for change in [
        "UPDATE counterfoil.shops SET feed_epoch = 1",
        "DELETE FROM counterfoil.evidence_keys",
        // It prunes the outbox, and changes nothing in it.
        "UPDATE counterfoil.outbox SET payload = ''",
        "ALTER TABLE counterfoil.events DISABLE TRIGGER ALL",
    ] {
        let error = service.batch_execute(change).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{change}: {error:?}");
    }
    log.assert_sound(1).await;
}

/// P1: what cannot be kept is refused, not accepted and dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_busy_and_what_was_taken_is_committed() {
    let mut log = Log::create().await;
    log.appender = Appender::start(log.test.database(), Options { queue: 1, batch: 1, ..Options::default() });
    let blocker = log.test.superuser().await;
    blocker.batch_execute("BEGIN; SELECT FROM counterfoil.shops FOR UPDATE").await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..10 {
        let (appender, shop) = (log.appender.clone(), log.shop.clone());
        tasks.spawn(async move { appender.append(&shop, command(&format!("c{n}"))).await });
    }
    let mut answers = vec![tasks.join_next().await.unwrap().unwrap()];
    assert!(matches!(answers[0], Err(AppendError::Busy { .. })), "{:?}", answers[0]);
    assert!(log.appender.busy(&log.shop).is_some(), "who asks before is told");
    blocker.batch_execute("COMMIT").await.unwrap();
    while let Some(done) = tasks.join_next().await {
        answers.push(done.unwrap());
    }
    assert_eq!(log.appender.busy(&log.shop), None);
    let appended = answers.iter().filter(|answer| matches!(answer, Ok(Appended::New { .. }))).count();
    assert!(
        appended > 0 && answers.iter().all(|answer| matches!(answer, Ok(_) | Err(AppendError::Busy { .. })))
    );
    log.assert_sound(i64::try_from(appended).unwrap()).await;
}

/// P5: time never runs backwards in a log, whatever the database's clock does.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_an_event_is_never_before_the_one_before_it() {
    let log = Log::create().await;
    // As if the clock had been set back since.
    log.test
        .superuser()
        .await
        .batch_execute(
            "INSERT INTO counterfoil.events VALUES
                 ('shop', 0, gen_random_uuid(), 'note', 'log.noted', 'shop:shop', '2100-01-01', NULL, '{}', '')",
        )
        .await
        .unwrap();
    log.append(command("c1")).await.unwrap();
    let client = log.test.database().client().await.unwrap();
    let (position, at) = event_log::head(&client, &log.shop).await.unwrap().unwrap();
    assert_eq!((position, at.to_string().as_str()), (Position(1), "2100-01-01T00:00:00.000000Z"));
}

/// P1: a commit whose answer is lost is found again by its keys.
#[tokio::test(flavor = "multi_thread")]
async fn broken_sessions_lose_nothing_and_repeat_nothing() {
    let log = Log::create().await;
    let breaker = log.test.superuser().await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = 'test_service' AND datname = current_database()";
    for n in 0..40 {
        let again = wait_until(DEADLINE, async || {
            let append = log.append(command(&format!("c{n}")));
            let (answer, killed) = tokio::join!(append, breaker.execute(kill, &[]));
            killed.unwrap();
            matches!(answer, Ok(Appended::New { .. } | Appended::Known { .. }))
        });
        assert!(again.await, "c{n} was never appended");
    }
    log.assert_sound(40).await;
}

/// P1: what COMMIT refuses was not done, and is never answered as if it were.
#[tokio::test(flavor = "multi_thread")]
async fn p1_an_append_whose_commit_fails_is_refused_and_leaves_nothing() {
    let log = Log::create().await;
    log.append(command("before")).await.unwrap();
    let superuser = log.test.superuser().await;
    let plant = "CREATE FUNCTION counterfoil.planted() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = 'check_violation'; END $$;
                 CREATE CONSTRAINT TRIGGER planted AFTER INSERT ON counterfoil.events
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION counterfoil.planted()";
    superuser.batch_execute(plant).await.unwrap();
    let answer = log.append(command("c1")).await;
    assert!(answer.is_err(), "every statement passed, and COMMIT did not: {answer:?}");
    log.assert_sound(1).await;
    superuser.batch_execute("DROP TRIGGER planted ON counterfoil.events").await.unwrap();
    let answer = log.append(command("c1")).await.unwrap();
    assert!(matches!(answer, Appended::New { position: Position(1), .. }), "{answer:?}");
    log.assert_sound(2).await;
}

/// P1: a client that goes away cancels nothing that was taken, and draining waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_does_not_cancel_its_append() {
    let log = Log::create().await;
    let blocker = log.test.superuser().await;
    blocker.batch_execute("BEGIN; SELECT FROM counterfoil.shops FOR UPDATE").await.unwrap();
    let (appender, shop) = (log.appender.clone(), log.shop.clone());
    let client = tokio::spawn(async move { appender.append(&shop, command("c1")).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    assert!(wait_until(DEADLINE, async || log.count(waiting).await > 0).await);
    client.abort();
    blocker.batch_execute("COMMIT").await.unwrap();
    log.appender.drain().await;
    log.assert_sound(1).await;
    assert!(matches!(log.append(command("c2")).await, Err(AppendError::Unavailable(_))));
}

/// P2, P5: outcomes stand in the same order as everything else.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_appended_within_a_transaction_and_read_back() {
    let log = Log::create().await;
    let Appended::New { position: cause, id: cause_id } = log.append(command("c1")).await.unwrap() else {
        panic!("it is new");
    };
    let order = Key::Order(OrderId::parse("1042").unwrap());
    let outcome = |n| NewOutcome {
        outcome: Outcome {
            kind: OutcomeType::OrderRejected,
            key: order.clone(),
            answers: None,
            change: Change { command: Some("order.cancelled".to_owned()), ..Change::default() },
        },
        cause,
        cause_id,
        n,
        trace: None,
    };
    let (new, shop) = (vec![outcome(0), outcome(1)], log.shop.clone());
    let database = log.test.database();
    let positions = database
        .run_tx("append outcomes", move |client| {
            let (new, shop) = (new.clone(), shop.clone());
            Box::pin(async move {
                let guard = event_log::Guard::default();
                event_log::append_outcomes(&guard, client, &shop, new).await.map_err(database::Error::abort)
            })
        })
        .await
        .unwrap();
    assert_eq!(positions, [Position(1), Position(2)]);
    log.append(command("c2")).await.unwrap();
    log.assert_sound(4).await;

    let client = database.client().await.unwrap();
    let outcomes = event_log::outcomes_of(&client, &log.shop, cause).await.unwrap();
    assert_eq!(outcomes.iter().map(|event| event.n).collect::<Vec<_>>(), [Some(0), Some(1)]);
    assert_eq!(outcomes[1].outcome().unwrap(), outcome(1).outcome);
    assert_eq!(outcomes[1].id, event_log::outcome_id(&cause_id, 1));
    let filters = [
        (Filter::default(), 4),
        (Filter { kinds: vec![Kind::Fact], ..Filter::default() }, 2),
        (Filter { types: vec!["order.*".to_owned()], ..Filter::default() }, 4),
        (Filter { types: vec!["order.rejected".to_owned()], key: Some(order), ..Filter::default() }, 2),
        (Filter { key: Key::parse("order:other"), ..Filter::default() }, 0),
    ];
    for (filter, count) in filters {
        let events = event_log::read(&client, &log.shop, Position(-1), 100, &filter).await.unwrap();
        assert_eq!(events.len(), count, "{filter:?}");
    }
    assert_eq!(
        event_log::read_all(&client, &log.shop, Position(2), 1).await.unwrap()[0].position,
        Position(3)
    );
    let at = event_log::read_at(&client, &log.shop, &[Position(3), Position(0), Position(9)]).await.unwrap();
    assert_eq!(at.iter().map(|event| event.position.0).collect::<Vec<_>>(), [0, 3]);
}

/// P5: other processes are told; nobody depends on it.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_notifies_other_processes() {
    let log = Log::create().await;
    let database = log.test.database();
    let (client, mut notifications) = database.dedicated().await.unwrap();
    client.batch_execute(&format!("LISTEN {}", event_log::channel(&database))).await.unwrap();
    log.append(command("c1")).await.unwrap();
    let told = tokio::time::timeout(DEADLINE, notifications.recv()).await.unwrap().unwrap();
    assert_eq!(told.payload, "shop");
}

/// P1: what was sealed is there, byte for byte, until its key is destroyed, which the service may not do.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_opens_until_its_key_is_destroyed() {
    let log = Log::create().await;
    let vault = evidence::Vault::new(evidence::KeyEncryptionKey::parse(&[1; 32]).unwrap());
    let sealed = vault.seal("shop", b"a body").unwrap();
    let mut fact = callback("WH-1", 1, Some("t1"));
    fact.evidence = Some(Arc::new(SealedEvidence {
        bytes: sealed.bytes,
        wrapped_key: sealed.wrapped_key,
        kek_id: sealed.kek_id,
        sha256: sealed.sha256,
        commitment: sealed.commitment,
    }));
    log.append(fact).await.unwrap();
    let service = log.test.database().client().await.unwrap();
    let row = evidence::load(&service, "shop", 0).await.unwrap().unwrap();
    let (kek_id, wrapped) = row.key.unwrap();
    assert_eq!(kek_id, vault.kek_id());
    assert_eq!(vault.open("shop", &row.sealed, &wrapped).unwrap(), b"a body");
    let event = &event_log::read_at(&service, &log.shop, &[Position(0)]).await.unwrap()[0];
    assert_eq!(event.evidence().unwrap().sha256, sealed.sha256);

    assert!(evidence::destroy(&service, "shop", &[0]).await.is_err());
    let owner = log.test.database_owner().client().await.unwrap();
    assert_eq!(evidence::list_keys(&owner, "shop", &[0, 1]).await.unwrap(), [0]);
    assert_eq!(evidence::destroy(&owner, "shop", &[0, 1]).await.unwrap(), [0]);
    assert_eq!(evidence::list_keys(&owner, "shop", &[0, 1]).await.unwrap(), [0; 0]);
    let row = evidence::load(&service, "shop", 0).await.unwrap().unwrap();
    assert_eq!(row.key, None);
    assert!(evidence::load(&service, "shop", 1).await.unwrap().is_none());
}
