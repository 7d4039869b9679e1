//! An authentic callback is kept whatever it says: delivers bodies, and finds what became of each.

use std::collections::{BTreeMap, HashMap};

use domain::{Position, ShopId};
use event_log::{Event, Filter, Kind};
use futures_util::{StreamExt as _, stream};

use super::ground::counters;
use crate::served::{SHOP, Served, body_of};
use crate::soundness::assert_sound;

/// So many are on their way at a time.
const AT_ONCE: usize = 16;

pub(super) const UNREADABLE: &str = "callback.unreadable";
pub(super) const IGNORED: &str = "callback.ignored";
pub(super) const CAPTURED: &str = "payment.captured";
pub(super) const REVISED: &str = "callback.revised";

/// A body with a name. No two have the same bytes.
pub(super) struct Body {
    pub(super) what: String,
    pub(super) bytes: Vec<u8>,
}

impl Body {
    pub(super) fn new(what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { what: what.into(), bytes: bytes.into() }
    }
}

/// Delivers all of them, signed: each is answered 200, is one fact, and stands in its evidence byte for byte; none parks
/// anything. The facts, by the bodies' names.
pub(super) async fn deliver_all(served: &Served, bodies: Vec<Body>) -> BTreeMap<String, Event> {
    let (before, counted) = (served.events().await, counters(served).await);
    let mut names: HashMap<Vec<u8>, String> = HashMap::new();
    for Body { what, bytes } in &bodies {
        let other = names.insert(bytes.clone(), what.clone());
        assert_eq!(other, None, "{what} is another's body");
    }
    let answers = stream::iter(bodies).map(async |Body { what, bytes }| {
        let answer = served.callback(SHOP, &served.sign(&bytes), bytes).await;
        let status = answer.status().as_u16();
        let text = String::from_utf8_lossy(&body_of(answer).await).into_owned();
        assert_eq!((status, text.as_str()), (200, ""), "{what}");
    });
    let count = answers.buffer_unordered(AT_ONCE).count().await;
    served.settled().await;
    let mut facts = BTreeMap::new();
    for fact in facts_behind(served, before).await {
        let kept = served.evidence(fact.position).await;
        let what = names.remove(&kept.body).expect("each body is kept once, byte for byte");
        facts.insert(what, fact);
    }
    assert!(names.is_empty(), "these are not kept: {:?}", names.values());
    assert_eq!(facts.len(), count, "each has a name of its own");
    let now = counters(served).await;
    let taken = ["new", "unreadable", "revised"].iter().map(|result| now[*result] - counted[*result]);
    assert_eq!(taken.sum::<u64>(), count as u64, "{now:?}");
    assert_nothing_parked(served).await;
    facts
}

async fn facts_behind(served: &Served, position: i64) -> Vec<Event> {
    let client = served.database.client().await.unwrap();
    let (shop, filter) =
        (ShopId::parse(SHOP).unwrap(), Filter { kinds: vec![Kind::Fact], ..Filter::default() });
    let (mut facts, mut after) = (Vec::new(), Position(position));
    loop {
        let page = event_log::read(&client, &shop, after, 1_000, &filter).await.unwrap();
        let Some(last) = page.last() else { return facts };
        after = last.position;
        facts.extend(page);
    }
}

async fn assert_nothing_parked(served: &Served) {
    let (status, page) = served.get("/v1/dead-letters", &served.operator_key).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["data"].as_array().map(Vec::len), Some(0), "{page}");
}

/// What must hold at the end, in SQL and by replay.
pub(super) async fn assert_sound_and_stop(served: Served) {
    assert_sound(&served.database, &ShopId::parse(SHOP).unwrap()).await;
    served.stop().await;
}
