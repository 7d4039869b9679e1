//! Subjects and header values: what NATS gives a meaning to is percent-encoded.

use std::fmt::Write as _;

use crate::{Message, contract};

/// `<prefix>.<aggregate type>.<event>.<aggregate id>`
pub(super) fn of(prefix: &str, message: &Message) -> String {
    let Message { aggregate_type, type_name, aggregate_id, .. } = message;
    let event = contract::event_of(aggregate_type, type_name);
    format!("{prefix}.{aggregate_type}.{event}.{}", token(aggregate_id))
}

/// An id as one token of a subject.
fn token(id: &str) -> String {
    encoded(id, |byte| matches!(byte, b'.' | b'*' | b'>' | b'%' | 0..=b' ' | 0x7f))
}

/// As the NATS binding of CloudEvents asks: printable ASCII without space, quote and percent sign.
pub(super) fn header_value(value: &str) -> String {
    encoded(value, |byte| matches!(byte, b'"' | b'%') || !byte.is_ascii_graphic())
}

fn encoded(text: &str, is_odd: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).as_bytes();
        if bytes.iter().any(|&byte| is_odd(byte)) {
            for byte in bytes {
                // Writing to memory does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_token_whatever_it_has() {
        for (id, expected) in [
            ("1042", "1042"),
            ("a:b_c-d", "a:b_c-d"),
            ("v1.5", "v1%2E5"),
            ("* > %", "%2A%20%3E%20%25"),
            ("a\tb\u{7f}", "a%09b%7F"),
            ("schön", "schön"),
        ] {
            assert_eq!(token(id), expected);
        }
    }

    #[test]
    fn a_header_value_is_printable_ascii() {
        // The example of the HTTP binding, which the NATS binding takes over.
        assert_eq!(header_value("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(header_value("a\"b%c\r\n"), "a%22b%25c%0D%0A");
        assert_eq!(header_value("2026-11-25T21:35:17.123456Z"), "2026-11-25T21:35:17.123456Z");
    }
}
