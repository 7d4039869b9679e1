//! What an outcome has changed: the rows that it carries, beside what they were; what it moved of what orders share.

use event_log::Event;
use serde_json::{Map, Value};

use crate::i18n::Words;

/// A field that an outcome has changed.
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// A row that an outcome has changed.
pub(crate) struct Changed {
    pub(crate) what: String,
    pub(crate) fields: Vec<Change>,
}

/// The rows that an outcome carries, beside what they were in the last outcome that carried them.
pub(crate) fn changed(w: Words, data: &Value, earlier: &[Event]) -> Vec<Changed> {
    let earlier: Vec<Value> =
        earlier.iter().map(|event| serde_json::from_str(event.data()).unwrap_or_default()).collect();
    let mut all = Vec::new();
    if let Some(order) = data.get("order") {
        let was = earlier.iter().find_map(|data| data.get("order"));
        let id = order.get("order").and_then(Value::as_str).unwrap_or_default();
        all.push(Changed { what: format!("{} {id}", w.order()), fields: differences(was, order) });
    }
    for payment in data.get("payments").and_then(Value::as_array).into_iter().flatten() {
        let id = payment.get("id");
        let was = earlier
            .iter()
            .filter_map(|data| data.get("payments").and_then(Value::as_array))
            .find_map(|payments| payments.iter().find(|payment| payment.get("id") == id));
        let name = id.and_then(Value::as_object).and_then(|id| id.values().next()).and_then(Value::as_str);
        let what = format!("{} {}", w.payment(), name.unwrap_or_default());
        all.push(Changed { what, fields: differences(was, payment) });
    }
    all.retain(|changed| !changed.fields.is_empty());
    all
}

/// The fields that differ, in the order of their names. What an outcome leaves out where it stays (an order's terms) is no
/// difference.
fn differences(was: Option<&Value>, is: &Value) -> Vec<Change> {
    let fields = |value: Option<&Value>| {
        let mut flat = Map::new();
        if let Some(value) = value {
            flatten("", value, &mut flat);
        }
        flat
    };
    let (before, after) = (fields(was), fields(Some(is)));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let shown = |value: Option<&Value>| match value {
        None => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .filter(|name| !(name.starts_with("terms.") && is.get("terms").is_none()))
        .map(|name| Change {
            name: name.clone(),
            before: shown(before.get(name)),
            after: shown(after.get(name)),
        })
        .collect()
}

/// `money.captured_minor` and the like; lists stay whole.
fn flatten(prefix: &str, value: &Value, into: &mut Map<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, into);
            }
        }
        value => _ = into.insert(prefix.to_owned(), value.clone()),
    }
}

/// What was moved of what orders share: `tea`, `held -2, settled +2`.
pub(crate) fn moves(data: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let lists =
        ["stock", "coupons"].iter().filter_map(|name| data.get(*name).and_then(Value::as_array)).flatten();
    for moved in lists.chain(data.get("points")) {
        let Some(fields) = moved.as_object() else { continue };
        let name = ["sku", "code", "buyer"].iter().find_map(|name| fields.get(*name)).and_then(Value::as_str);
        let deltas: Vec<String> = fields
            .iter()
            .filter_map(|(name, value)| value.as_i64().map(|delta| format!("{name} {delta:+}")))
            .collect();
        all.push((name.unwrap_or_default().to_owned(), deltas.join(", ")));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_shown_with_what_it_was() {
        let was = json!({"state": "open", "money": {"captured_minor": 0}, "terms": {"revision": 1}});
        let is = json!({"state": "paid", "money": {"captured_minor": 1000}, "paid_at": "2026"});
        let fields = differences(Some(&was), &is);
        let shown: Vec<_> =
            fields.iter().map(|f| (f.name.as_str(), f.before.as_str(), f.after.as_str())).collect();
        let expected =
            [("money.captured_minor", "0", "1000"), ("paid_at", "–", "2026"), ("state", "open", "paid")];
        assert_eq!(shown, expected);
        assert_eq!(differences(None, &is).len(), 3);
    }

    #[test]
    fn moves_of_stock_coupons_and_points_stand_in_a_line_each() {
        let data = json!({
            "stock": [{"sku": "tea", "held": -2, "settled": 2}], "coupons": [{"code": "X", "used": 1}],
            "points": {"buyer": "b", "earned": 5},
        });
        let moves = moves(&data);
        assert_eq!(moves[0], ("tea".into(), "held -2, settled +2".into()));
        assert_eq!((moves[1].1.as_str(), moves[2].1.as_str()), ("used +1", "earned +5"));
    }
}
