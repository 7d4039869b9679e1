//! The header, and the text that is kept.

use std::fmt;
use std::str::FromStr;

/// Has the low bit where whoever began the trace records it.
const SAMPLED: u8 = 1;
/// Of version 00; later versions may go on behind a dash.
const LENGTH: usize = 55;

/// Why a text is no `traceparent`: whoever sent it began no trace that anybody can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a traceparent of W3C Trace Context")
    }
}

impl std::error::Error for Invalid {}

/// A trace, and the span in it that something follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace; not all zero.
    pub trace_id: u128,
    /// The span; not all zero.
    pub span_id: u64,
    /// Whether it is recorded.
    pub is_sampled: bool,
}

impl TraceParent {
    /// The trace's id as it is written everywhere: 32 hexadecimal digits.
    #[must_use]
    pub fn trace(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.is_sampled { SAMPLED } else { 0 };
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

impl FromStr for TraceParent {
    type Err = Invalid;

    /// Reads the header; of a later version what version 00 has (section 3.2.4).
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| {
            let digits = bytes.get(range).ok_or(Invalid)?;
            let is_lower_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            if !digits.iter().all(is_lower_hex) {
                return Err(Invalid);
            }
            std::str::from_utf8(digits).map_err(|_| Invalid)
        };
        let version = digits(0..2)?;
        let is_long_enough = match version {
            "00" => bytes.len() == LENGTH,
            "ff" => false,
            _ => bytes.len() == LENGTH || bytes.get(LENGTH) == Some(&b'-'),
        };
        let has_dashes = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        if !is_long_enough || !has_dashes {
            return Err(Invalid);
        }
        let trace_id = u128::from_str_radix(digits(3..35)?, 16).map_err(|_| Invalid)?;
        let span_id = u64::from_str_radix(digits(36..52)?, 16).map_err(|_| Invalid)?;
        let flags = u8::from_str_radix(digits(53..55)?, 16).map_err(|_| Invalid)?;
        if trace_id == 0 || span_id == 0 {
            return Err(Invalid);
        }
        Ok(Self { trace_id, span_id, is_sampled: flags & SAMPLED == SAMPLED })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specifications_example_is_read_and_written_back() {
        let read: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(read.trace(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(read.is_sampled);
        assert_eq!(read.to_string(), EXAMPLE);
    }

    #[test]
    fn given_a_later_version_when_read_then_what_follows_is_passed_over() {
        for text in [EXAMPLE.replacen("00", "cc", 1), EXAMPLE.replacen("00", "cc", 1) + "-what-comes"] {
            assert_eq!(text.parse(), EXAMPLE.parse::<TraceParent>(), "{text}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let zero = "0".repeat(32);
        for text in [
            String::new(),
            "00".to_owned(),
            EXAMPLE.to_uppercase(),
            EXAMPLE.replacen("00", "ff", 1),
            format!("{EXAMPLE}-more"),
            format!("{EXAMPLE} "),
            EXAMPLE.replace('-', "_"),
            EXAMPLE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zero),
            EXAMPLE.replace("00f067aa0ba902b7", &zero[..16]),
            EXAMPLE.replace("4bf9", "+bf9"),
            EXAMPLE.replace("4bf9", "é9"),
            EXAMPLE.replacen("00", "cc", 1) + "x",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(Invalid), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(trace_id in 1_u128.., span_id in 1_u64.., is_sampled: bool) {
            let parent = TraceParent { trace_id, span_id, is_sampled };
            prop_assert_eq!(parent.to_string().parse(), Ok(parent));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in "(?s).{0,70}") {
            let _ = text.parse::<TraceParent>();
        }
    }
}
