//! What readers say of where they stand, and of what they want.
#![no_main]

use delivery::{Cursor, Partition};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert!(cursor.epoch >= 0 && cursor.position.0 >= -1, "{text}");
        assert_eq!(cursor.to_string().parse(), Ok(cursor), "{text}");
    }
    let _ = text.parse::<Partition>();
});
