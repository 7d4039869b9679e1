//! Every field of every kind of body, wrong in every way (F33, F39): made one by one from bodies of PayPal's shapes.

use std::collections::BTreeMap;

use domain::{Currency, Fact, Money, Source, Timestamp};
use event_log::Event;
use http_api::Limits;
use paypal_simulator::{EventKind, Ids, Story};
use serde_json::{Value, json};

use super::kept::{Body, IGNORED, UNREADABLE, assert_sound_and_stop, deliver_all};
use crate::served::Served;

/// What stands in the place of a value. `None` takes it away.
fn changes() -> Vec<(&'static str, Option<Value>)> {
    vec![
        ("absent", None),
        ("null", Some(Value::Null)),
        ("an empty text", Some(json!(""))),
        ("a text", Some(json!("Jane Doe, 7 Lantern Row"))),
        ("a NUL", Some(json!("a\u{0}b"))),
        ("a long text", Some(json!("x".repeat(70_000)))),
        ("a number", Some(json!(-1))),
        ("a fraction", Some(json!(0.5))),
        ("a flag", Some(json!(true))),
        ("an empty list", Some(json!([]))),
        ("a list of lists", Some(json!([[[]], null]))),
        ("an empty object", Some(json!({}))),
        ("an object", Some(json!({"id": {"id": []}, "value": -1}))),
    ]
}

/// The pointers of all values, and of all objects, in a body.
fn pointers(value: &Value, at: &str, values: &mut Vec<String>, objects: &mut Vec<String>) {
    let mut go = |name: &str, inner: &Value| {
        let at = format!("{at}/{name}");
        values.push(at.clone());
        pointers(inner, &at, values, objects);
    };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| go(name, inner));
            objects.push(at.to_owned());
        }
        // The others are like the first.
        Value::Array(items) => items.iter().take(1).for_each(|inner| go("0", inner)),
        _ => {}
    }
}

fn apply(body: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (body.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Some(value)) => {
            fields.insert(name.to_owned(), value);
        }
        (Value::Object(fields), None) => {
            fields.remove(name);
        }
        (Value::Array(items), Some(value)) => items[0] = value,
        (Value::Array(items), None) => {
            items.remove(0);
        }
        _ => unreachable!("only objects and lists have values"),
    }
}

/// A story of its own for each body, so that no case knows of another.
struct Stories(Ids, u64);

impl Stories {
    fn body(&mut self, kind: EventKind) -> Value {
        self.1 += 1;
        let at: Timestamp = serde_json::from_str("\"2026-11-22T10:00:00.000000Z\"").unwrap();
        let amount = Money { minor: 1_000, currency: Currency::parse("USD").unwrap() };
        let mut story = Story::new(&mut self.0, &format!("made-{}", self.1), amount, at);
        story.invoice = Some(format!("invoice-{}", self.1));
        let id = self.0.event();
        story.body(kind, &id)
    }
}

fn values_of(body: &Value) -> (Vec<String>, Vec<String>) {
    let (mut values, mut objects) = (Vec::new(), Vec::new());
    pointers(body, "", &mut values, &mut objects);
    (values, objects)
}

/// What a fact of a callback may be.
fn is_of_a_callback(fact: &Event) -> bool {
    Fact::TYPES.iter().any(|(name, source)| *name == fact.type_name && *source == Source::Callback)
}

async fn untouched(served: &Served, stories: &mut Stories) -> BTreeMap<String, Event> {
    let body = |kind: &EventKind| Body::new(kind.name(), stories.body(*kind).to_string());
    let bodies = EventKind::ALL.iter().map(body).collect();
    let facts = deliver_all(served, bodies).await;
    assert!(
        facts.values().all(|fact| ![UNREADABLE, IGNORED].contains(&fact.type_name.as_str())),
        "{facts:#?}"
    );
    facts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_field_is_wrong_or_missing_the_callback_is_kept_and_parks_nothing() {
    let served = Served::start(Limits::default()).await;
    let mut stories = Stories(Ids::seeded(7), 0);
    let untouched = untouched(&served, &mut stories).await;
    let mut count = 0;
    for kind in EventKind::ALL {
        let (values, _) = values_of(&stories.body(*kind));
        let mut bodies = Vec::new();
        for pointer in &values {
            for (change, value) in changes() {
                // Long ones are the same to every reader: only where one is read.
                if change == "a long text"
                    && !matches!(
                        pointer.rsplit('/').next(),
                        Some("id" | "custom_id" | "custom" | "value" | "status" | "event_type" | "href")
                    )
                {
                    continue;
                }
                let mut body = stories.body(*kind);
                apply(&mut body, pointer, value);
                // Some have no other name left.
                body["case"] = json!(stories.1);
                bodies.push(Body::new(format!("{} {pointer} {change}", kind.name()), body.to_string()));
            }
        }
        count += bodies.len();
        let facts = deliver_all(&served, bodies).await;
        let of =
            |pointer: &str, change: &str| &facts[&format!("{} {pointer} {change}", kind.name())].type_name;
        for pointer in &values {
            assert_eq!(of(pointer, "absent"), of(pointer, "null"), "{} {pointer}", kind.name());
        }
        for (what, fact) in &facts {
            assert!(is_of_a_callback(fact), "{what}: {}", fact.type_name);
            assert!(fact.entry.len() < 4_000, "{what}: a value of the body came into the log");
        }
        let unread = [
            "/summary",
            "/create_time",
            "/event_version",
            "/resource_type",
            "/links",
            "/resource/create_time",
            "/resource/update_time",
        ];
        for (what, fact) in
            facts.iter().filter(|(what, _)| unread.iter().any(|name| what.contains(&format!(" {name} "))))
        {
            assert_eq!(fact.type_name, untouched[kind.name()].type_name, "{what}");
        }
    }
    assert!(count >= 3_000, "{count}");
    assert_sound_and_stop(served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_that_nobody_knows_change_nothing() {
    let served = Served::start(Limits::default()).await;
    let mut stories = Stories(Ids::seeded(8), 0);
    let untouched = untouched(&served, &mut stories).await;
    let mut bodies = Vec::new();
    for kind in EventKind::ALL {
        let (_, objects) = values_of(&stories.body(*kind));
        for object in objects {
            let mut body = stories.body(*kind);
            let odd = json!({"unknown": [null, 1e300, {"\u{0}": "\u{0}"}], "Value": "1", "": ""});
            apply(&mut body, &format!("{object}/Unknown_Field"), Some(odd));
            bodies.push(Body::new(format!("{} {object} more", kind.name()), body.to_string()));
        }
    }
    assert!(bodies.len() >= 100, "{}", bodies.len());
    for (what, fact) in deliver_all(&served, bodies).await {
        let kind = what.split(' ').next().unwrap();
        assert_eq!(fact.type_name, untouched[kind].type_name, "{what}");
    }
    assert_sound_and_stop(served).await;
}
