//! Names of things: opaque, so that no personal data can hide in them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {limit} characters of A-Z a-z 0-9 _ . : -")]
pub struct InvalidId {
    /// The most characters that this kind of id may have.
    pub limit: usize,
}

fn has_shape(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident ($limit:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
        pub struct $name(
            #[schemars(with = "String", regex(pattern = "^[A-Za-z0-9_.:-]+$"), length(min = 1, max = $limit))]
            SmolStr,
        );

        impl $name {
            /// Takes a text that has the shape of an id.
            ///
            /// # Errors
            /// [`InvalidId`] when it has another shape.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if has_shape(text, $limit) { Ok(Self(text.into())) } else { Err(InvalidId { limit: $limit }) }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // As it stands in the input, wherever that is: the text is copied once, into the id.
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a text")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    )*};
}

ids! {
    /// An order of the shop.
    OrderId(64);
    /// A buyer as the shop calls them: opaque, never a name or an address.
    BuyerId(64);
    /// An article that stock is kept of.
    Sku(64);
    /// A coupon's code.
    CouponCode(64);
    /// An order at PayPal (`CHECKOUT.ORDER.*`, or a v1 payment).
    PaypalOrderId(64);
    /// An authorisation at PayPal.
    AuthorizationId(64);
    /// A capture or a v1 sale at PayPal, or `<provider>:<payment>` for another tender.
    CaptureId(129);
    /// A refund or reversal at PayPal.
    RefundId(64);
    /// A dispute at PayPal.
    DisputeId(64);
    /// The provider of another tender: `cash`, `giftcard`, ...
    ProviderId(64);
    /// A PayPal merchant account.
    PayeeId(64);
    /// One PayPal merchant account in one environment, with a log of its own.
    ShopId(32);
}

/// The place of an event in its shop's log, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Position(#[schemars(range(min = 0))] pub i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
