//! The key of an event: what it is about, with its kind, from the body alone.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{BuyerId, CaptureId, CouponCode, OrderId, PaypalOrderId, ShopId, Sku};

/// What an event is about. Its text carries the kind: `order:1042`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An order of the shop.
    Order(OrderId),
    /// An order at PayPal whose order at the shop is not named.
    PaypalOrder(PaypalOrderId),
    /// A capture, or what else is known by one payment id alone.
    Capture(CaptureId),
    /// An article.
    Sku(Sku),
    /// A coupon.
    Code(CouponCode),
    /// A buyer.
    Buyer(BuyerId),
    /// The shop itself: its settings and rules.
    Shop(ShopId),
    /// A callback about nothing we know.
    Callback(String),
    /// An event of the log: a parked one that is redriven or dismissed.
    Event(i64),
}

impl Key {
    /// The kind before the colon.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::PaypalOrder(_) => "paypal-order",
            Self::Capture(_) => "capture",
            Self::Sku(_) => "sku",
            Self::Code(_) => "code",
            Self::Buyer(_) => "buyer",
            Self::Shop(_) => "shop",
            Self::Callback(_) => "callback",
            Self::Event(_) => "event",
        }
    }

    /// The name behind the colon: the outbox's `aggregateid`.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Order(id) => id.as_str(),
            Self::PaypalOrder(id) => id.as_str(),
            Self::Capture(id) => id.as_str(),
            Self::Sku(id) => id.as_str(),
            Self::Code(id) => id.as_str(),
            Self::Buyer(id) => id.as_str(),
            Self::Shop(id) => id.as_str(),
            Self::Callback(key) => key.as_str(),
            Self::Event(position) => return Cow::Owned(position.to_string()),
        })
    }

    /// Reads `kind:name` back; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        Some(match kind {
            "order" => Self::Order(name.parse().ok()?),
            "paypal-order" => Self::PaypalOrder(name.parse().ok()?),
            "capture" => Self::Capture(name.parse().ok()?),
            "sku" => Self::Sku(name.parse().ok()?),
            "code" => Self::Code(name.parse().ok()?),
            "buyer" => Self::Buyer(name.parse().ok()?),
            "shop" => Self::Shop(name.parse().ok()?),
            "callback" => Self::Callback(name.to_owned()),
            "event" => Self::Event(name.parse().ok()?),
            _ => return None,
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        f.write_str(":")?;
        f.write_str(&self.name())
    }
}

impl JsonSchema for Key {
    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[a-z-]+:.+$",
            "description": "What an event is about, with its kind: order:1042."
        })
    }
}

impl serde::Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it stands in the input: what is kept of it is copied once.
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key: kind:name")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
                Key::parse(text).ok_or_else(|| E::custom("not a key: kind:name"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
