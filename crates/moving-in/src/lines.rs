//! A file's lines, one at a time, whatever their length.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest line: far more than an entry can hold.
pub(crate) const LINE_MAX: usize = 256 << 10;

pub(crate) struct Lines {
    reader: BufReader<File>,
    buffer: Vec<u8>,
    number: u64,
}

/// A line with its number, from 1; `None` for one that is too long.
pub(crate) struct Line<'a> {
    pub(crate) number: u64,
    pub(crate) text: Option<&'a [u8]>,
    /// How much of the file it took.
    pub(crate) bytes: u64,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        // What some editors put in front says nothing.
        if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        Ok(Self { reader, buffer: Vec::new(), number: 0 })
    }

    /// The next line that is not blank.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut bytes = 0;
        loop {
            self.buffer.clear();
            let limit = LINE_MAX as u64 + 1;
            let mut read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_long = read > LINE_MAX && self.buffer.last() != Some(&b'\n');
            if is_long {
                read += self.reader.skip_until(b'\n')?;
            }
            bytes += read as u64;
            if is_long || !self.buffer.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let text = Some(self.buffer.as_slice()).filter(|text| text.len() <= LINE_MAX);
        Ok(Some(Line { number: self.number, text, bytes }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(text: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let (mut lines, mut found) = (Lines::open(file.path()).unwrap(), Vec::new());
        while let Some(line) = lines.next().unwrap() {
            found.push((line.number, line.text.map(|text| text.trim_ascii().to_vec())));
        }
        found
    }

    #[test]
    fn lines_are_numbered_from_1_and_blank_ones_are_counted_and_left_out() {
        let of = |n, text: &str| (n, Some(text.as_bytes().to_vec()));
        assert_eq!(lines(b"\xef\xbb\xbf{}\r\n\n  \n[]\n1"), [of(1, "{}"), of(4, "[]"), of(5, "1")]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let long = [vec![b'x'; LINE_MAX * 2], b"\n{}\n".to_vec()].concat();
        assert_eq!(lines(&long), [(1, None), (2, Some(b"{}".to_vec()))]);
        let exact = [vec![b'x'; LINE_MAX - 1], b"\n{}".to_vec()].concat();
        assert_eq!(lines(&exact)[0].1.as_ref().map(Vec::len), Some(LINE_MAX - 1));
    }
}
