//! One line of what a shop brings along: read as strictly as a command, for it becomes one.

use domain::{CouponOpening, Fact};
use serde_json::{Map, Value};

use super::shape::{self, Field};
use super::{InvalidCommand, add, content_sha256};
use crate::json::{self, Problems};

/// The most bytes of a line's canonical data. What an order becomes says its articles and payments once more, and must fit
/// into an entry.
pub const DATA_MAX_BYTES: usize = 16_000;

/// What a line is about. Later ones rest on earlier ones, so they are appended in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportKind {
    /// Pieces of an article.
    Stock,
    /// A coupon and its uses.
    Coupon,
    /// A buyer's points.
    Points,
    /// A buyer's uses of a coupon.
    CouponBuyer,
    /// An order with its payments.
    Order,
}

impl ImportKind {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Stock, Self::Coupon, Self::Points, Self::CouponBuyer, Self::Order];

    /// As a line's `kind` says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Coupon => "coupon",
            Self::Points => "points",
            Self::CouponBuyer => "coupon_buyer",
            Self::Order => "order",
        }
    }

    /// When it is appended: a step needs what the steps before it have brought.
    #[must_use]
    pub fn step(self) -> usize {
        match self {
            Self::Stock | Self::Coupon | Self::Points => 0,
            Self::CouponBuyer => 1,
            Self::Order => 2,
        }
    }

    fn parse(value: Option<&Value>) -> Option<Self> {
        let name = value?.as_str()?;
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn type_name(self) -> &'static str {
        match self {
            Self::Stock => "stock.imported",
            Self::Coupon => "coupon.imported",
            Self::Points => "points.imported",
            Self::CouponBuyer => "coupon.buyer_imported",
            Self::Order => "order.imported",
        }
    }

    fn fields(self) -> &'static [Field] {
        match self {
            Self::Stock => shape::STOCK_OPENING,
            Self::Coupon => shape::COUPON_OPENING,
            Self::Points => shape::POINTS_OPENING,
            Self::CouponBuyer => shape::COUPON_BUYER_OPENING,
            Self::Order => shape::ORDER_OPENING,
        }
    }
}

/// A line that may enter the log.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// What it is about.
    pub kind: ImportKind,
    /// What it says.
    pub fact: Fact,
    /// What names it for good: the article, the code, the buyer, the order.
    pub id: String,
    /// What makes two lines of one id the same.
    pub content_sha256: [u8; 32],
}

/// Reads one line.
///
/// # Errors
/// [`InvalidCommand`] with everything that is wrong.
pub fn read_line(line: &[u8]) -> Result<ImportLine, InvalidCommand> {
    let mut problems = Problems::default();
    let mut value = json::parse(line, &mut problems).map_err(|e| InvalidCommand::NotJson(e.to_string()))?;
    let Some(kind) = ImportKind::parse(value.as_object_mut().and_then(|o| o.remove("kind")).as_ref()) else {
        let names = ImportKind::ALL.map(ImportKind::name).join(", ");
        problems.add("/kind", format!("must be one of: {names}"));
        return Err(InvalidCommand::Fields(problems.into_vec()));
    };
    shape::check_fields(kind.fields(), &mut value, &mut String::new(), &mut problems);
    let read = if problems.none() { build(kind, &value, &mut problems) } else { None };
    match read {
        Some(line) if problems.none() => Ok(line),
        _ => Err(InvalidCommand::Fields(problems.into_vec())),
    }
}

fn build(kind: ImportKind, value: &Value, problems: &mut Problems) -> Option<ImportLine> {
    let fact = Fact::from_data(kind.type_name(), &value.to_string());
    let fact = fact.map_err(|error| problems.add("", error.to_string())).ok()?;
    match &fact {
        Fact::OrderImported(opening) => add(opening.problems(), problems),
        Fact::CouponImported(opening) => judge_coupon(opening, problems),
        _ => {}
    }
    let data = serde_json_canonicalizer::to_vec(&fact.to_data().unwrap_or(Value::Object(Map::new())));
    if data.is_ok_and(|data| data.len() > DATA_MAX_BYTES) {
        problems.add("", format!("has more than {DATA_MAX_BYTES} bytes of canonical JSON"));
    }
    let content_sha256 = content_sha256(&fact).map_err(|error| problems.add("", error.to_string())).ok()?;
    let id = match &fact {
        Fact::CouponBuyerImported(opening) => format!("{}/{}", opening.code, opening.buyer),
        fact => fact.key("").name().into_owned(),
    };
    Some(ImportLine { kind, fact, id, content_sha256 })
}

fn judge_coupon(opening: &CouponOpening, problems: &mut Problems) {
    if opening.used > opening.max_uses {
        problems.add("/used", "must not be more than max_uses");
    }
    if opening.max_per_buyer.is_some_and(|most| most > opening.max_uses) {
        problems.add("/max_per_buyer", "must not be more than max_uses");
    }
    if let (Some(from), Some(until)) = (opening.valid_from, opening.valid_until)
        && from >= until
    {
        problems.add("/valid_until", "must be later than valid_from");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> Vec<String> {
        match read_line(line.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(InvalidCommand::NotJson(why)) => vec![why],
            Err(InvalidCommand::Fields(fields)) => fields.into_iter().map(|field| field.pointer).collect(),
        }
    }

    #[test]
    fn a_line_is_named_by_what_it_is_about() {
        for (line, kind, id) in [
            (r#"{"kind":"stock","sku":"A","on_hand":4}"#, ImportKind::Stock, "A"),
            (r#"{"kind":"coupon","code":"TEN","max_uses":5,"used":5}"#, ImportKind::Coupon, "TEN"),
            (
                r#"{"kind":"coupon_buyer","code":"TEN","buyer":"bea","used":2}"#,
                ImportKind::CouponBuyer,
                "TEN/bea",
            ),
            (r#"{"kind":"points","buyer":"bea","balance":-3}"#, ImportKind::Points, "bea"),
            (
                r#"{"kind":"order","status":"paid","placement":{"order":"7","currency":"EUR","total_minor":0,"lines":[]}}"#,
                ImportKind::Order,
                "7",
            ),
        ] {
            let read = read_line(line.as_bytes()).unwrap();
            assert_eq!((read.kind, read.id.as_str()), (kind, id), "{line}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_line_is_named_with_its_place() {
        assert_eq!(wrong(r#"{"kind":"gift"}"#), ["/kind"]);
        assert_eq!(wrong(r#"{"kind":"stock","sku":"a b","on_hand":-1}"#), ["/sku", "/on_hand"]);
        assert_eq!(wrong(r#"{"kind":"coupon","code":"TEN","max_uses":2,"used":3}"#), ["/used"]);
        let order = |rest: &str| {
            format!(
                r#"{{"kind":"order","placement":{{"order":"7","currency":"EUR","total_minor":900,
                "lines":[{{"sku":"A","qty":1,"unit_minor":900}}]}},{rest}}}"#
            )
        };
        assert_eq!(wrong(&order(r#""status":"paid""#)), ["/captures"]);
        assert_eq!(wrong(&order(r#""status":"open","shipment":{}"#)), ["/shipment"]);
        let paid = r#""status":"paid","captures":[{"capture":"C1","amount_minor":900}]"#;
        assert_eq!(wrong(&order(paid)), Vec::<String>::new());
        assert_eq!(
            wrong(&order(&format!(
                r#"{paid},"refunds":[{{"refund":"R1","capture":"C2","amount_minor":1}}]"#
            ))),
            ["/refunds/0/capture"]
        );
        assert_eq!(
            wrong(&order(&format!(r#"{paid},"shipment":{{"lines":[{{"sku":"A","qty":2}}]}}"#))),
            ["/shipment/lines/0"]
        );
        assert_eq!(
            wrong(&order(paid).replace("\"total_minor\":900", "\"total_minor\":800")),
            ["/placement/total_minor"]
        );
    }
}
