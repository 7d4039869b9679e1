//! Reads a report's bytes: digests all of them, lets no row grow without end, and makes line feeds of all line ends.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use aws_lc_rs::digest::{Context, SHA256};

/// No row of a report is as long as this, with every field of the specification at its longest. What the parser has read
/// ahead comes on top.
pub(super) const ROW_MAX_BYTES: usize = 64 * 1024;

/// How much may still be read before a row has ended. Clones share it.
#[derive(Clone)]
pub(super) struct Allowance(Rc<Cell<usize>>);

impl Allowance {
    pub(super) fn new() -> Self {
        Self(Rc::new(Cell::new(ROW_MAX_BYTES)))
    }

    /// A row has ended.
    pub(super) fn renew(&self) {
        self.0.set(ROW_MAX_BYTES);
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.0.get() == 0
    }
}

/// A reader that digests what goes through it.
pub(super) struct Meter<R> {
    inner: R,
    digest: Context,
    allowance: Allowance,
}

impl<R: Read> Meter<R> {
    pub(super) fn new(inner: R, allowance: Allowance) -> Self {
        Self { inner, digest: Context::new(&SHA256), allowance }
    }

    /// SHA-256 of everything that was read.
    pub(super) fn finish(self) -> [u8; 32] {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        sha256
    }
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.allowance.0.get();
            if left == 0 {
                return Err(io::Error::other("a row without end"));
            }
            let most = buffer.len().min(left);
            let count = self.inner.read(&mut buffer[..most])?;
            self.digest.update(&buffer[..count]);
            self.allowance.0.set(left - count);
            let kept = drop_carriage_returns(&mut buffer[..count]);
            // Where nothing is left of what was read, that is no end of the file.
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

/// Of two bytes at the end of a line the parser would count the second one to the next line.
fn drop_carriage_returns(bytes: &mut [u8]) -> usize {
    let mut kept = 0;
    for at in 0..bytes.len() {
        if bytes[at] != b'\r' {
            bytes[kept] = bytes[at];
            kept += 1;
        }
    }
    kept
}
