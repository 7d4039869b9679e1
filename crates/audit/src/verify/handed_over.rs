//! What a bundle has beside the log: checkpoints that were published before, and the entries once more.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::path::Path;

use domain::Position;
use event_log::Event;
use tlog::{Checkpoint, Growth, Note, Verifier};

use crate::tree::known_keys;
use crate::{Bundle, Error, Findings};

const CHECKPOINT: &str = "checkpoint";
const EXPORT: &str = "export";

/// The checkpoints in `checkpoints/`, each of which must be of the tree at its size, and signed by a key of the log's.
pub(super) struct Kept {
    ahead: VecDeque<(String, Note, Checkpoint)>,
    /// Whose signatures are judged when all keys are known: a key may be named behind the first that it signs.
    unjudged: Vec<(Position, String, Note, Checkpoint)>,
    rotations: Vec<Event>,
}

impl Kept {
    pub(super) fn of(bundle: &Bundle) -> Result<Self, Error> {
        Ok(Self { ahead: bundle.checkpoints()?.into(), unjudged: Vec::new(), rotations: Vec::new() })
    }

    /// An event by which the log names a key.
    pub(super) fn names_a_key(&mut self, event: Event) {
        self.rotations.push(event);
    }

    /// Compares those of the size that the tree has now.
    pub(super) fn compare(&mut self, at: Position, growth: &Growth, findings: &mut Findings) {
        while let Some((name, note, checkpoint)) =
            self.ahead.pop_front_if(|(_, _, checkpoint)| checkpoint.size() <= growth.size())
        {
            if checkpoint.size() == growth.size() && *checkpoint.root() != growth.root() {
                findings.add(at, CHECKPOINT, format!("{name} has another root than the entries make"));
            }
            self.unjudged.push((at, name, note, checkpoint));
        }
    }

    /// Those of the sizes beyond the log's end cannot be compared. How many could.
    pub(super) fn finish(self, own: &Verifier, findings: &mut Findings) -> Result<u64, Error> {
        let mut keys = known_keys(&self.rotations);
        keys.push(own.clone());
        for (at, name, note, checkpoint) in &self.unjudged {
            // The name of a key is the origin, which an epoch changes.
            let named = |key: &Verifier| Verifier::of_log(checkpoint.origin(), *key.public_key());
            let keys: Vec<Verifier> = keys.iter().map(named).collect::<Result<_, _>>()?;
            if let Err(error) = note.open(&keys.iter().collect::<Vec<_>>()) {
                findings.add(*at, CHECKPOINT, format!("{name}: {error}"));
            }
        }
        Ok(self.unjudged.len() as u64)
    }
}

/// `export/events.jsonl`, compared with the entries that come by.
pub(super) struct ExportedEntries {
    file: BufReader<Take<File>>,
    range: [Position; 2],
    /// After the first difference nothing is compared: what follows may only have moved.
    differs: bool,
}

impl ExportedEntries {
    pub(super) fn of(bundle: &Bundle) -> Result<Self, Error> {
        let file = BufReader::new(bundle.exported_entries()?);
        Ok(Self { file, range: bundle.exported_range()?, differs: false })
    }

    pub(super) fn compare(
        &mut self,
        at: Position,
        entry: &str,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        if self.differs || at < self.range[0] || at > self.range[1] {
            return Ok(());
        }
        let line = self.read(entry.len() as u64 + 1)?;
        if line.strip_suffix(b"\n") != Some(entry.as_bytes()) {
            self.differs = true;
            findings.add(at, EXPORT, "export/events.jsonl has another entry than the log");
        }
        Ok(())
    }

    pub(super) fn finish(mut self, head: Position, findings: &mut Findings) -> Result<(), Error> {
        let goes_on = !self.differs && !self.read(1)?.is_empty();
        if goes_on || self.range[1] != head {
            findings.add(head, EXPORT, "export/events.jsonl does not end where the log does");
        }
        Ok(())
    }

    /// So many bytes, or what is left.
    fn read(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(count).read_to_end(&mut bytes);
        read.map_err(|error| Error::file(Path::new("export/events.jsonl"), &error))?;
        Ok(bytes)
    }
}
