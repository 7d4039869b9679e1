//! Records that may be more than fit into memory, by their keys: sorted into files, so that all of one key lie in one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// So many files; at a time one of them is in memory.
const COUNT: u32 = 64;

/// The files, which are gone with the process.
pub(crate) struct Buckets(Vec<BufWriter<File>>);

impl Buckets {
    pub(crate) fn new() -> io::Result<Self> {
        let files = (0..COUNT).map(|_| tempfile::tempfile().map(BufWriter::new));
        files.collect::<io::Result<_>>().map(Self)
    }

    /// Adds a record.
    pub(crate) fn put(&mut self, key: &str, record: &impl Serialize) -> io::Result<()> {
        let record = serde_json::to_vec(record)?;
        let index = (fnv(key) % COUNT) as usize;
        if let Some(file) = self.0.get_mut(index) {
            for part in [key.as_bytes(), &record] {
                let length = u32::try_from(part.len()).map_err(io::Error::other)?;
                file.write_all(&length.to_le_bytes())?;
                file.write_all(part)?;
            }
        }
        Ok(())
    }

    /// Each file's records by their keys, in the order in which they came.
    pub(crate) fn groups<T: DeserializeOwned>(
        self,
    ) -> impl Iterator<Item = io::Result<BTreeMap<String, Vec<T>>>> {
        self.0.into_iter().map(read)
    }
}

fn read<T: DeserializeOwned>(writer: BufWriter<File>) -> io::Result<BTreeMap<String, Vec<T>>> {
    let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let mut groups: BTreeMap<String, Vec<T>> = BTreeMap::new();
    while let Some(key) = part(&mut reader)? {
        let record = part(&mut reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        let key = String::from_utf8(key).map_err(io::Error::other)?;
        groups.entry(key).or_default().push(serde_json::from_slice(&record)?);
    }
    Ok(groups)
}

fn part(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    reader.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// FNV-1a, which spreads ids well enough.
fn fnv(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_records_of_a_key_come_together_in_their_order() {
        let mut buckets = Buckets::new().unwrap();
        for n in 0..3_000_u32 {
            buckets.put(&format!("key-{}", n % 1_000), &n).unwrap();
        }
        let mut keys = 0;
        let (mut largest, mut files) = (0, 0);
        for groups in buckets.groups::<u32>() {
            let groups = groups.unwrap();
            files += usize::from(!groups.is_empty());
            largest = largest.max(groups.len());
            for (key, records) in groups {
                keys += 1;
                let n: u32 = key.trim_start_matches("key-").parse().unwrap();
                assert_eq!(records, [n, n + 1_000, n + 2_000]);
            }
        }
        assert_eq!((keys, files), (1_000, COUNT as usize));
        assert!(largest < 60, "{largest} of 1,000 keys in one of {COUNT} files");
    }
}
