//! Money: integer minor units with their currency, the only way in. Nothing is ever rounded.

use std::borrow::Cow;
use std::fmt;

use iso_currency::Currency as Iso;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest integer that an entry may hold (RFC 8785: what every JSON reader takes exactly).
pub const MINOR_MAX: i64 = (1 << 53) - 1;

/// An amount in a currency's smallest unit. Within +-[`MINOR_MAX`] wherever it comes from this crate.
pub type Minor = i64;

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code of a currency with minor units.
    #[error("unknown currency")]
    UnknownCurrency,
    /// Not a decimal number.
    #[error("not a decimal number")]
    NotANumber,
    /// More digits after the point than the currency has.
    #[error("more decimals than the currency has ({0})")]
    TooManyDecimals(u8),
    /// Beyond what an entry can hold.
    #[error("the amount is too large")]
    TooLarge,
}

/// A currency of ISO 4217 with the number of decimals that PayPal uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Takes an upper-case ISO 4217 code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] for any other text.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let iso = Iso::from_code(code).ok_or(MoneyError::UnknownCurrency)?;
        iso.exponent().ok_or(MoneyError::UnknownCurrency)?;
        <[u8; 3]>::try_from(code.as_bytes()).map(Self).map_err(|_| MoneyError::UnknownCurrency)
    }

    /// The code, three upper-case letters.
    #[must_use]
    pub fn code(&self) -> &str {
        // Only ASCII letters pass `parse`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the point. PayPal sends HUF and TWD, like JPY, without decimals
    /// (<https://developer.paypal.com/reference/currency-codes/>).
    #[must_use]
    pub fn decimals(&self) -> u8 {
        match &self.0 {
            b"HUF" | b"TWD" | b"JPY" => 0,
            _ => Iso::from_code(self.code()).and_then(|iso| iso.exponent()).map_or(2, |e| e as u8),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[A-Z]{3}$",
            "description": "A currency of ISO 4217; amounts are in its smallest unit that PayPal uses."
        })
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// An amount with its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// In the currency's smallest unit.
    pub minor: Minor,
    /// What it is counted in.
    pub currency: Currency,
}

impl Money {
    /// Reads PayPal's decimal text: `-?digits`, or with a point (`.5` is legal). Zeros beyond the currency's decimals
    /// are refused like any other digit, so that `1.000` USD is not silently taken for one dollar.
    ///
    /// # Errors
    /// [`MoneyError`] says what is wrong with it.
    pub fn parse(value: &str, currency: &str) -> Result<Self, MoneyError> {
        let currency = Currency::parse(currency)?;
        let (negative, digits) = value.strip_prefix('-').map_or((false, value), |rest| (true, rest));
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::NotANumber),
            None if digits.is_empty() => return Err(MoneyError::NotANumber),
            None => (digits, ""),
        };
        if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(MoneyError::NotANumber);
        }
        let decimals = currency.decimals();
        let missing =
            usize::from(decimals).checked_sub(fraction.len()).ok_or(MoneyError::TooManyDecimals(decimals))?;
        let mut minor: Minor = 0;
        for digit in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
            minor = minor
                .checked_mul(10)
                .and_then(|m| m.checked_add(Minor::from(digit - b'0')))
                .filter(|m| *m <= MINOR_MAX)
                .ok_or(MoneyError::TooLarge)?;
        }
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }
}

/// Shows the amount as a person writes it: `10.00 USD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = u32::from(self.currency.decimals());
        let unit = 10_u64.pow(decimals);
        let (sign, amount) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        if decimals == 0 {
            write!(f, "{sign}{amount} {}", self.currency)
        } else {
            let width = decimals as usize;
            write!(f, "{sign}{}.{:0width$} {}", amount / unit, amount % unit, self.currency)
        }
    }
}
