//! P10: money is integer minor units with its currency; nothing is ever rounded.

use proptest::prelude::*;

use crate::{MINOR_MAX, Money, MoneyError};

#[test]
fn p10_paypal_amounts_are_read_exactly() {
    let minor = |value: &str, currency: &str| Money::parse(value, currency).map(|money| money.minor);
    assert_eq!(minor("30.00", "USD"), Ok(3000));
    assert_eq!(minor("30", "USD"), Ok(3000));
    assert_eq!(minor("30.5", "USD"), Ok(3050));
    assert_eq!(minor(".5", "EUR"), Ok(50));
    assert_eq!(minor("-0.01", "USD"), Ok(-1));
    assert_eq!(minor("1200", "JPY"), Ok(1200));
    assert_eq!(minor("1200", "HUF"), Ok(1200));
    assert_eq!(minor("1200", "TWD"), Ok(1200));
    assert_eq!(minor("1.234", "TND"), Ok(1234));
    assert_eq!(minor("90071992547409.91", "USD"), Ok(MINOR_MAX));
}

#[test]
fn p10_what_cannot_be_read_exactly_is_refused() {
    let error = |value: &str, currency: &str| Money::parse(value, currency).unwrap_err();
    assert_eq!(error("1.001", "USD"), MoneyError::TooManyDecimals(2));
    assert_eq!(error("1.000", "USD"), MoneyError::TooManyDecimals(2));
    assert_eq!(error("1.5", "JPY"), MoneyError::TooManyDecimals(0));
    assert_eq!(error("90071992547409.92", "USD"), MoneyError::TooLarge);
    assert_eq!(error("99999999999999999999999999", "USD"), MoneyError::TooLarge);
    for bad in ["", "-", ".", "1.", "1e3", "+1", " 1", "1 ", "1,0", "١", "0x1", "--1", "1.-1", "NaN"] {
        assert_eq!(error(bad, "USD"), MoneyError::NotANumber, "{bad:?}");
    }
    for bad in ["", "usd", "ZZZ", "US", "USDX", "XAU"] {
        assert_eq!(error("1", bad), MoneyError::UnknownCurrency, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn p10_an_amount_survives_being_shown(minor in -MINOR_MAX..=MINOR_MAX, code in "USD|JPY|TND|HUF|EUR") {
        let shown = Money { minor, currency: crate::Currency::parse(&code).unwrap() }.to_string();
        let (value, currency) = shown.split_once(' ').unwrap();
        prop_assert_eq!(Money::parse(value, currency).unwrap().minor, minor);
    }
}
