//! What a download under a certificate's URL may hold, as PEM; and the same bytes as one certificate.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;
use paypal::Leaf;

fuzz_target!(|input: &[u8]| {
    read(input);
    // Most changes of base64 are no base64: one that always is reaches further.
    let mut pem = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    for chunk in input.chunks(48) {
        writeln!(pem, "{}", base64(chunk)).expect("into memory");
    }
    pem.extend_from_slice(b"-----END CERTIFICATE-----\n");
    read(&pem);
});

fn read(pem: &[u8]) {
    if let Ok(leaf) = Leaf::from_pem(pem, "https://api.paypal.com/v1/notifications/certs/CERT-1") {
        assert!(!leaf.der().is_empty() && leaf.serial().bytes().all(|b| b.is_ascii_hexdigit()));
        let _ = (leaf.not_before(), leaf.not_after());
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32, at: u32| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        (0..4).for_each(|at| text.push(if at as usize <= chunk.len() { digit(bits, at) } else { '=' }));
    }
    text
}
