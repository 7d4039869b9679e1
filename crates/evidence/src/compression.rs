//! How evidence is compressed.
//!
//! Callbacks are short, and most of each is text that all of them have in common. With a dictionary of that text they take
//! about two thirds of what they take without one, and of the time.

use std::cell::RefCell;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::Error;

/// Names and values that stand in many callbacks, the commonest last. What version 2 was compressed with: another
/// dictionary is another version.
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");
/// With the dictionary the fast levels, which write what they find no match for as it is, take a seventh more room than
/// level 1, and three fifths of its time.
const LEVEL: i32 = -2;
/// Opening stops here, so that a few sealed bytes cannot fill the memory.
const PLAIN_MAX: usize = 16 << 20;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    /// A compressor costs far more to make than to use on one callback.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses behind what is in the buffer already. Answers the version of what it wrote.
pub(crate) fn compress(plain: &[u8], into: &mut Vec<u8>) -> Result<u8, Error> {
    let compressed = COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Compressor::with_prepared_dictionary(&ENCODER).ok();
        }
        slot.as_mut().and_then(|compressor| compressor.compress(plain).ok()).ok_or(Error::Sealing("zstd"))
    })?;
    into.extend_from_slice(&compressed);
    Ok(2)
}

/// What was compressed as this version.
pub(crate) fn decompress(version: u8, compressed: &[u8]) -> Result<Vec<u8>, Error> {
    let plain = match version {
        1 => zstd::bulk::decompress(compressed, PLAIN_MAX),
        2 => Decompressor::with_prepared_dictionary(&DECODER)
            .and_then(|mut decompressor| decompressor.decompress(compressed, PLAIN_MAX)),
        _ => return Err(Error::Form("its version")),
    };
    plain.map_err(|_| Error::Form("its compression"))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn the_dictionary_of_version_2_never_changes() {
        let sha256 = hex::encode(digest(&SHA256, DICTIONARY).as_ref());
        assert_eq!(
            sha256, "11158a9ae07a4f76b39845b14c0e436e3d7c5f96cff7aada4da4ed65275babb6",
            "what was sealed with the other one could not be opened any more"
        );
    }

    #[test]
    fn what_an_earlier_version_compressed_is_still_opened() {
        let plain = b"kept since version 1, kept since version 1".repeat(9);
        assert_eq!(decompress(1, &zstd::bulk::compress(&plain, 1).unwrap()).unwrap(), plain);
        let mut compressed = vec![7];
        assert_eq!(compress(&plain, &mut compressed).unwrap(), 2);
        assert_eq!((compressed[0], decompress(2, &compressed[1..]).unwrap()), (7, plain));
        assert!(decompress(3, &compressed[1..]).is_err());
    }

    #[test]
    fn a_callback_takes_less_with_the_dictionary() {
        let body = br#"{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"amount":{"currency_code":"USD","value":"8.95"}}}"#;
        let mut with = Vec::new();
        compress(body, &mut with).unwrap();
        assert!(with.len() * 3 < zstd::bulk::compress(body, 1).unwrap().len() * 2, "{}", with.len());
    }
}
