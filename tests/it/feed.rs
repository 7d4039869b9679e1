//! The feed over HTTP: pages, long polls, streams, consumers, retention.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery::{Bounds, CursorError, Error, RetentionOptions, Selection, prune};
use domain::{Position, ShopId};
use event_log::{Filter, Kind};
use futures_util::future::join_all;
use http_api::Limits;
use serde_json::{Value, json};
use test_support::wait_until;

use crate::served::{SHOP, Served};
use crate::soundness;

const DEADLINE: Duration = Duration::from_secs(60);

fn shop() -> ShopId {
    ShopId::parse(SHOP).unwrap()
}

/// What a reader has got: each event once, with its bytes, in the order of arrival.
#[derive(Default)]
struct Got {
    order: Vec<(i64, String)>,
    bytes: BTreeMap<String, String>,
    repeated: usize,
}

impl Got {
    fn take(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        let (id, key) = (text("id"), text("subject"));
        let position: i64 = text("sequence").parse().unwrap();
        match self.bytes.get(&id) {
            Some(known) => {
                assert_eq!(*known, event.to_string(), "a duplicate has the same bytes");
                self.repeated += 1;
            }
            None => {
                self.bytes.insert(id, event.to_string());
                self.order.push((position, key));
            }
        }
    }

    fn positions(&self) -> BTreeSet<i64> {
        self.order.iter().map(|(position, _)| *position).collect()
    }

    /// Exactly the outcomes of the log, each key in order.
    async fn assert_complete(&self, served: &Served) {
        let client = served.database.client().await.unwrap();
        let filter = Filter { kinds: vec![Kind::Outcome], ..Filter::default() };
        let log = event_log::read(&client, &shop(), Position(-1), 100_000, &filter).await.unwrap();
        let expected: BTreeSet<i64> = log.iter().map(|event| event.position.0).collect();
        assert_eq!(self.positions(), expected);
        self.assert_ordered();
    }

    fn assert_ordered(&self) {
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for (position, key) in &self.order {
            let before = last.insert(key, *position);
            assert!(before.is_none_or(|before| before < *position), "{key}: {before:?}, then {position}");
        }
    }
}

/// So many outcomes, about a few keys, many at a time.
async fn receive(served: &Served, first: usize, count: usize) {
    for chunk in (first..first + count).collect::<Vec<_>>().chunks(40) {
        let commands = chunk.iter().map(|n| async move {
            let body = json!({ "id": format!("r-{n}"), "qty": 1 });
            let (status, answer) =
                served.post(&format!("/v1/stock/sku-{}/receive", n % 7), &served.shop_key, &body).await;
            assert!((200..300).contains(&status), "{answer}");
        });
        join_all(commands).await;
    }
}

async fn page(served: &Served, query: &str) -> (u16, Vec<Value>, String) {
    let url = served.url(&format!("/v1/feed?{query}"));
    let answer = served.client.get(url).bearer_auth(&served.feed_key).send().await.unwrap();
    let cursor = answer.headers().get("counterfoil-cursor").map(|value| value.to_str().unwrap().to_owned());
    let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
    let body: Value = serde_json::from_slice(&body).unwrap();
    (status, body.as_array().cloned().unwrap_or_else(|| vec![body]), cursor.unwrap_or_default())
}

/// Reads by pages, and forgets now and then what it did since it last wrote its cursor down, as one does that is killed.
async fn poll(served: &Served, until: i64) -> Got {
    let (mut got, mut written, mut since, mut n) =
        (Got::default(), "after=0-start".to_owned(), String::new(), 0_u32);
    since.clone_from(&written);
    loop {
        n += 1;
        let (status, events, cursor) = page(served, &format!("{since}&limit=7&timeout=200")).await;
        assert_eq!(status, 200, "{events:?}");
        events.iter().for_each(|event| got.take(event));
        if got.positions().last().is_some_and(|last| *last >= until) {
            return got;
        }
        // As the specification has it, by the id of the last event; or by the cursor.
        since = match events.last() {
            Some(last) if n % 3 == 0 => format!("lastEventId={}", last["id"].as_str().unwrap()),
            _ => format!("after={cursor}"),
        };
        match n % 5 {
            0 => since.clone_from(&written),
            2 => written.clone_from(&since),
            _ => {}
        }
    }
}

/// Reads a stream, and breaks it off now and then in the middle of an event.
async fn listen(served: &Served, until: i64) -> Got {
    let (mut got, mut last, mut pieces) = (Got::default(), "0-start".to_owned(), 3);
    loop {
        pieces = pieces * 5 % 13 + 1;
        let mut answer = served
            .client
            .get(served.url("/v1/feed"))
            .bearer_auth(&served.feed_key)
            .header("accept", "text/event-stream")
            .header("last-event-id", &last)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let mut text = Vec::new();
        for _ in 0..pieces {
            let Ok(Ok(Some(piece))) = tokio::time::timeout(Duration::from_secs(2), answer.chunk()).await
            else {
                break;
            };
            text.extend_from_slice(&piece);
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let block = String::from_utf8(text.drain(..end + 2).collect()).unwrap();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                        .map(str::to_owned)
                };
                if let (Some(id), Some(data)) = (field("id"), field("data")) {
                    let event: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!(field("event").as_deref(), event["type"].as_str());
                    got.take(&event);
                    last = id;
                }
            }
        }
        if got.positions().last().is_some_and(|last| *last >= until) {
            return got;
        }
    }
}

#[tokio::test]
async fn p8_readers_that_poll_or_listen_and_are_killed_get_every_outcome_each_key_in_order() {
    let served = Served::start(Limits::default()).await;
    let writing = async {
        receive(&served, 0, 400).await;
        served.events().await
    };
    let early = async { tokio::join!(poll(&served, 799), listen(&served, 799)) };
    let (end, (polled, heard)) =
        tokio::time::timeout(DEADLINE, async { tokio::join!(writing, early) }).await.unwrap();
    assert_eq!(end, 799, "a fact and an outcome each");
    for got in [&polled, &heard] {
        got.assert_complete(&served).await;
    }
    assert!(polled.repeated > 0, "it went back now and then");
    // One that comes late gets the same.
    let late = poll(&served, end).await;
    assert_eq!(late.bytes, polled.bytes);
    served.stop().await;
}

#[tokio::test]
async fn a_full_page_is_the_same_for_ever_and_an_empty_one_is_held_back() {
    let served = Served::start(Limits::default()).await;
    receive(&served, 0, 12).await;
    let get = async |query: &str, etag: Option<&str>| {
        let mut request =
            served.client.get(served.url(&format!("/v1/feed?{query}"))).bearer_auth(&served.feed_key);
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        (answer.status().as_u16(), header("etag"), header("cache-control"), answer.text().await.unwrap())
    };
    let (status, etag, cache, body) = get("after=0-start&limit=5", None).await;
    assert_eq!((status, cache.contains("immutable")), (200, true));
    receive(&served, 12, 5).await;
    let again = get("after=0-start&limit=5", None).await;
    assert_eq!((&again.1, &again.3), (&etag, &body), "what comes later stands behind it");
    let (status, _, _, body) = get("after=0-start&limit=5", Some(&etag)).await;
    assert_eq!((status, body.as_str()), (304, ""));
    let (_, _, cache, _) = get("after=0-start&limit=1000", None).await;
    assert!(!cache.contains("immutable"), "{cache}");

    // Nothing is there, then something comes while it waits.
    let end = served.events().await;
    let (status, events, cursor) = page(&served, &format!("after=0-{end}&timeout=50")).await;
    assert_eq!((status, events.len(), cursor), (200, 0, format!("0-{end}")));
    let query = format!("after=0-{end}&timeout=20000");
    let waiting = page(&served, &query);
    let coming = async {
        tokio::task::yield_now().await;
        receive(&served, 17, 1).await;
    };
    let ((_, events, _), ()) =
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(waiting, coming) })
            .await
            .expect("it is woken, long before its time is over");
    assert_eq!(events.len(), 1);
    served.stop().await;
}

#[tokio::test]
async fn four_readers_of_a_group_get_everything_once_and_filters_give_what_they_say() {
    let served = Served::start(Limits::default()).await;
    receive(&served, 0, 60).await;
    let (_, all, _) = page(&served, "limit=1000").await;
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].to_string()).collect::<Vec<_>>();
    let mut shares = Vec::new();
    for k in 0..4 {
        let (_, share, _) = page(&served, &format!("limit=1000&partition={k}/4")).await;
        let keys: BTreeSet<String> = share.iter().map(|event| event["subject"].to_string()).collect();
        shares.push((ids(&share), keys));
    }
    let mut together: Vec<String> = shares.iter().flat_map(|(ids, _)| ids.clone()).collect();
    let mut expected = ids(&all);
    together.sort();
    expected.sort();
    assert_eq!(together, expected, "everything, once");
    let keys: usize = shares.iter().map(|(_, keys)| keys.len()).sum();
    assert_eq!(keys, 7, "a key is of one share");

    let (_, of_key, _) = page(&served, "key=sku:sku-3&limit=1000").await;
    assert!(!of_key.is_empty() && of_key.iter().all(|event| event["subject"] == "sku:sku-3"));
    let (_, none, cursor) = page(&served, "types=order.*").await;
    assert_eq!((none.len(), cursor), (0, format!("0-{}", served.events().await)), "and where to go on");
    let (_, some, _) = page(&served, "types=stock.*&limit=3").await;
    assert_eq!(some.len(), 3);
    let (_, facts, _) = page(&served, "kind=all&limit=1000").await;
    assert_eq!(facts.len(), 2 * all.len(), "facts only for those who ask for them");
    served.stop().await;
}

#[tokio::test]
async fn two_instances_of_a_consumer_cannot_move_its_cursor_backwards() {
    let served = Served::start(Limits::default()).await;
    receive(&served, 0, 10).await;
    let key = &served.feed_key;
    let put = async |body: Value| {
        let url = served.url("/v1/consumers/shipping");
        let answer = served.client.put(url).bearer_auth(key).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, made) = put(json!({ "cursor": "start" })).await;
    assert_eq!((status, &made["cursor"], &made["lag_events"]), (201, &json!("0-start"), &json!(20)));
    let (status, problem) = put(json!({ "cursor": "start" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("cursor_moved")));
    let (status, moved) = put(json!({ "cursor": "0-9", "was": "0-start" })).await;
    assert_eq!((status, &moved["cursor"], &moved["lag_events"]), (200, &json!("0-9"), &json!(10)));
    // The other instance thinks that it stands where it was.
    let (status, problem) = put(json!({ "cursor": "0-5", "was": "0-start" })).await;
    assert_eq!((status, &problem["code"], &problem["cursor"]), (409, &json!("cursor_moved"), &json!("0-9")));
    let (status, problem) = put(json!({ "cursor": "0-999", "was": "0-9" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("cursor_ahead")));
    for bad in [json!({}), json!({ "cursor": "nine" }), json!({ "cursor": "0-1", "extra": 1 })] {
        assert_eq!(put(bad.clone()).await.0, 422, "{bad}");
    }

    let reset = async |to: &str| served.post("/v1/consumers/shipping/reset", key, &json!({ "to": to })).await;
    let (_, all, _) = page(&served, "kind=all&limit=1000").await;
    let time = all[8]["time"].as_str().unwrap();
    let (status, moved) = reset(time).await;
    let cursor = moved["cursor"].as_str().unwrap().trim_start_matches("0-");
    assert_eq!(status, 200);
    // What was appended together has one time, and that may be all of it.
    let position = if cursor == "start" { -1 } else { cursor.parse::<i64>().unwrap() };
    let before = |position: i64| {
        usize::try_from(position).map_or(true, |position| all[position]["time"].as_str().unwrap() < time)
    };
    assert!(before(position) && !before(position + 1), "before the first of that time: {position}");
    assert_eq!(reset("end").await.1["lag_events"], 0);
    assert_eq!(reset("yesterday").await.0, 422);
    assert_eq!(served.post("/v1/consumers/nobody/reset", key, &json!({ "to": "end" })).await.0, 404);
    // A viewer looks on.
    assert_eq!(served.get("/v1/consumers/shipping", &served.viewer_key).await.0, 200);
    let (status, _) =
        served.post("/v1/consumers/shipping/reset", &served.viewer_key, &json!({ "to": "end" })).await;
    assert_eq!(status, 403);
    served.stop().await;
}

#[tokio::test]
async fn a_cursor_that_leads_nowhere_is_told_where_to_go_on() {
    let served = Served::start(Limits::default()).await;
    receive(&served, 0, 5).await;
    for (query, status, code) in [
        ("after=zz", 400, "invalid_query"),
        ("after=0-99", 409, "cursor_ahead"),
        ("lastEventId=nothing", 400, "invalid_query"),
        ("lastEventId=6ba7b810-9dad-11d1-80b4-00c04fd430c8", 410, "pruned"),
        ("after=0-1&lastEventId=0-1", 400, "invalid_query"),
        ("limit=0", 400, "invalid_query"),
        ("limit=1000000000", 400, "invalid_query"),
        ("timeout=60000", 400, "invalid_query"),
        ("types=Order", 400, "invalid_query"),
        ("partition=4/4", 400, "invalid_query"),
        ("key=nothing", 400, "invalid_query"),
        ("kind=fact", 400, "invalid_query"),
        ("unknown=1", 400, "invalid_query"),
    ] {
        let (answered, problem, _) = page(&served, query).await;
        assert_eq!((answered, problem[0]["code"].as_str().unwrap()), (status, code), "{query}: {problem:?}");
    }

    // The log forks: a reader of the epoch before is told where.
    let end = served.events().await;
    let forked = event_log::fork(&served.owner(), &shop(), "a test").await.unwrap();
    assert_eq!((forked.new_epoch, forked.forked_at.0), (1, end));
    let (status, problem, _) = page(&served, &format!("after=0-{}", end - 3)).await;
    assert_eq!(status, 409);
    let problem = &problem[0];
    assert_eq!(problem["code"], "epoch_changed");
    assert_eq!(
        (&problem["old_epoch"], &problem["new_epoch"], &problem["forked_at"]),
        (&json!(0), &json!(1), &json!(end))
    );
    let resume = problem["resume_after"].as_str().unwrap();
    assert_eq!(resume, format!("1-{}", end - 3));
    // The log's own door says the same, once it has looked at the shop's row again.
    let path = format!("/v1/events?after=0-{}", end - 3);
    let told = wait_until(DEADLINE, async || {
        let (status, of_log) = served.get(&path, &served.viewer_key).await;
        status == 409
            && of_log["code"] == problem["code"]
            && of_log["resume_after"] == problem["resume_after"]
    });
    assert!(told.await);
    receive(&served, 5, 1).await;
    let (_, behind, _) = page(&served, &format!("kind=all&after=1-{end}")).await;
    assert_eq!(behind[0]["type"], "log.forked", "the first event of an epoch");
    assert!(behind.iter().all(|event| event["epoch"] == 1));
    let (_, before, _) = page(&served, &format!("kind=all&after={resume}&limit=3")).await;
    assert!(before.iter().all(|event| event["epoch"] == 0), "an event keeps its epoch");
    served.settled().await;
    soundness::assert_sound(&served.database, &shop()).await;
    served.stop().await;
}

#[tokio::test]
async fn the_outbox_stays_bounded_and_a_lost_consumer_holds_it_up_no_longer() {
    let served = Served::start(Limits::default()).await;
    let key = &served.feed_key;
    let rows = async || {
        let client = served.test_superuser().await;
        client.query_one("SELECT count(*) FROM counterfoil.outbox", &[]).await.unwrap().get::<_, i64>(0)
    };
    let keep =
        |lost_after| RetentionOptions { keep: Duration::ZERO, lost_after, every: Duration::from_secs(60) };
    let patient = keep(Duration::from_secs(3600));
    let prune = async |options| prune(&served.database, &shop(), options).await.unwrap().0;
    receive(&served, 0, 20).await;
    for name in ["quick", "slow"] {
        let url = served.url(&format!("/v1/consumers/{name}"));
        served.client.put(url).bearer_auth(key).json(&json!({ "cursor": "start" })).send().await.unwrap();
    }
    // Time, scaled: each round is a day. The quick one reads along, the slow one does not come any more.
    for day in 1..=5 {
        receive(&served, day * 20, 20).await;
        served.post("/v1/consumers/quick/reset", key, &json!({ "to": "end" })).await;
        assert_eq!(prune(patient).await, -1, "it is kept for the slow one");
    }
    assert_eq!(rows().await, 240);
    let (_, slow) = served.get("/v1/consumers/slow", key).await;
    assert_eq!((&slow["lag_events"], &slow["lost_at"]), (&json!(240), &Value::Null));

    let impatient = keep(Duration::ZERO);
    prune(impatient).await;
    let (_, slow) = served.get("/v1/consumers/slow", key).await;
    assert!(slow["lost_at"].is_string(), "an alarm, and not a full disk: {slow}");
    for day in 6..=8 {
        receive(&served, day * 20, 20).await;
        served.post("/v1/consumers/quick/reset", key, &json!({ "to": "end" })).await;
        assert!(prune(patient).await > 0);
        assert!(rows().await <= 41, "bounded");
    }
    // Whoever comes back late is told where the outbox begins, and the log still has everything.
    let (status, problem, _) = page(&served, "after=0-3").await;
    assert_eq!((status, &problem[0]["code"]), (410, &json!("pruned")));
    let resume = problem[0]["resume_after"].as_str().unwrap().to_owned();
    assert_eq!(page(&served, &format!("after={resume}")).await.0, 200);
    let (status, events) = served.get("/v1/events?after=0-3&limit=5", &served.viewer_key).await;
    assert_eq!((status, events["data"].as_array().unwrap().len()), (200, 5));
    let (status, found) = served.post("/v1/consumers/slow/reset", key, &json!({ "to": "start" })).await;
    assert_eq!((status, &found["cursor"], &found["lost_at"]), (200, &json!(resume), &Value::Null));
    soundness::assert_sound(&served.database, &shop()).await;
    served.stop().await;
}

#[tokio::test]
async fn a_stream_whose_reader_stalls_is_ended_and_holds_up_nobody() {
    let limits = Limits { stream_stall: Duration::from_millis(300), streams: 1, ..Limits::default() };
    let served = Served::start(limits).await;
    // More than all buffers on the way take.
    let client = served.test_superuser().await;
    let many = "WITH n AS (SELECT generate_series(0, 1999) AS position), e AS (
            INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
            SELECT 'demo', position, gen_random_uuid(), 'outcome', 'order.paid', 'order:1', now(), '{}', '' FROM n
        )
        INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
        SELECT 'demo', position, gen_random_uuid(), 'order', '1', 'order.paid', '\"' || repeat('x', 16000) || '\"' FROM n";
    client.batch_execute(many).await.unwrap();
    let open = async || {
        let request = served.client.get(served.url("/v1/feed?kind=all")).bearer_auth(&served.feed_key);
        request.header("accept", "text/event-stream").send().await.unwrap()
    };
    // It takes the head of the answer, and then nothing: buffers fill on both sides.
    let stalled = open().await;
    assert_eq!(stalled.status(), 200);
    let (status, _, _) = page(&served, "limit=1").await;
    assert_eq!(status, 200);
    let freed = wait_until(DEADLINE, async || {
        let answer = open().await;
        answer.status() == 200
    });
    assert!(freed.await, "its place is free again");
    drop(stalled);
    served.stop().await;
}

#[tokio::test]
async fn schemas_and_the_asyncapi_document_are_there_for_everybody() {
    let served = Served::start(Limits::default()).await;
    let (status, list) = served.get("/schemas", "").await;
    assert_eq!(status, 200);
    for contract in list["data"].as_array().unwrap() {
        let (status, schema) = served.get(contract["schema"].as_str().unwrap(), "").await;
        assert_eq!((status, &schema["$id"]), (200, &contract["schema"]));
    }
    let (status, document) = served.get("/asyncapi.json", "").await;
    assert_eq!((status, &document["asyncapi"]), (200, &json!("3.0.0")));
    assert_eq!(served.get("/schemas/no.such.json", "").await.0, 404);
    served.stop().await;
}

/// What was pruned between the look at the bounds and the rows is no gap that nobody sees.
#[tokio::test]
async fn a_page_that_is_pruned_under_its_reader_is_refused_and_not_given_with_a_hole() {
    let served = Served::start(Limits::default()).await;
    receive(&served, 0, 10).await;
    let client = served.database.client().await.unwrap();
    let bounds = Bounds::read(&client, &shop()).await.unwrap();
    let now = RetentionOptions { keep: Duration::ZERO, lost_after: DEADLINE, every: DEADLINE };
    assert!(prune(&served.database, &shop(), now).await.unwrap().0 > 5);
    let read = delivery::read(&client, &shop(), &bounds, Position(3), 5, &Selection::default()).await;
    assert!(matches!(read, Err(Error::Cursor(CursorError::Pruned { .. }))), "{read:?}");
    drop(client);
    served.stop().await;
}

/// P8: whoever has lost a sink's lease moves nothing, sets nothing aside and takes nothing away.
#[tokio::test]
async fn a_leader_of_a_sink_that_was_fenced_off_records_nothing() {
    let served = Served::start(Limits::default()).await;
    let superuser = served.test_superuser().await;
    let there = "INSERT INTO counterfoil.checkpoints (shop_id, consumer, position, epoch) VALUES ('demo', 'sink:s', 5, 2);
        INSERT INTO counterfoil.undelivered VALUES ('demo', 's', 3, 'order:1', 'order.paid', 'waiting', 1, now(), 'no')";
    superuser.batch_execute(there).await.unwrap();
    let client = served.database.client().await.unwrap();
    let records = async |epoch: i64, from: i64| -> i64 {
        let (texts, numbers) = (|text: &str| vec![text.to_owned()], vec![4_i64]);
        let parameters: database::Parameters<'_> = &[
            &SHOP,
            &"s",
            &epoch,
            &from,
            &9_i64,
            &3_000_i64,
            &vec![3_i64],
            &numbers,
            &texts("order:2"),
            &texts("order.paid"),
            &texts("dead"),
            &vec![1_i32],
            &vec![0_i64],
            &texts("no"),
        ];
        let row = client.query_one(&database::sql::delivery::RECORD_PROGRESS, parameters).await.unwrap();
        row.get(0)
    };
    let is = "SELECT (SELECT position FROM counterfoil.checkpoints WHERE consumer = 'sink:s'),
        (SELECT string_agg(position::text, ',') FROM counterfoil.undelivered)";
    let tells = async |epoch: i64| {
        let parameters: database::Parameters<'_> = &[&SHOP, &"s", &epoch, &Some("no")];
        client.execute(&database::sql::delivery::SET_SINK_HEALTH, parameters).await.unwrap()
    };
    let sink = "INSERT INTO counterfoil.sinks (shop_id, name, kind, settings, secrets, kek_id, state)
        VALUES ('demo', 's', 'webhook', '{}', '', 'k', 'running')";
    superuser.batch_execute(sink).await.unwrap();
    assert_eq!((tells(1).await, tells(3).await, tells(2).await), (0, 0, 1));
    for (epoch, from) in [(1, 5), (2, 4), (3, 5)] {
        assert_eq!(records(epoch, from).await, 0, "epoch {epoch}, from {from}");
        let row = superuser.query_one(is, &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (5, "3"));
    }
    assert_eq!(records(2, 5).await, 1);
    let row = superuser.query_one(is, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (9, "4"));
    drop(client);
    served.stop().await;
}

/// For people and connectors that read with SQL.
#[tokio::test]
async fn a_login_that_reads_with_sql_sees_the_outbox_and_nothing_else() {
    let served = Served::start(Limits::default()).await;
    receive(&served, 0, 5).await;
    let client = served.test_superuser().await;
    client.batch_execute("SET ROLE counterfoil_reader").await.unwrap();
    let page = "SELECT position, kind, type, key, aggregatetype, aggregateid, at, payload FROM counterfoil.outbox_feed
        WHERE shop_id = 'demo' AND position > 3 ORDER BY position";
    let rows = client.query(page, &[]).await.unwrap();
    assert_eq!((rows.len(), rows[0].get::<_, i64>(0)), (6, 4));
    client.query("SELECT id FROM counterfoil.outbox", &[]).await.unwrap();
    for table in ["events", "evidence", "orders", "sinks", "api_keys"] {
        let error = client.query(&format!("SELECT FROM counterfoil.{table}"), &[]).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{table}");
    }
    assert!(client.batch_execute("DELETE FROM counterfoil.outbox").await.is_err());
    served.stop().await;
}
