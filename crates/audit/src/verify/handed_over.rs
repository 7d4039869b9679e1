//! What a bundle has beside the log: checkpoints that were published before, the entries once more, and what they come to.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::path::Path;

use domain::Position;
use event_log::Event;
use packed_rows::PackedRows;
use tlog::{Checkpoint, Growth, Note, Verifier};

use crate::bundle::BundleReport;
use crate::export::{self, ENTRIES, Written};
use crate::tree::known_keys;
use crate::{Bundle, Error, Findings};

const CHECKPOINT: &str = "checkpoint";
const EXPORT: &str = "export";
const REPORT: &str = "report";

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
    pub(super) fn finish(self, key: &Verifier, findings: &mut Findings) -> Result<u64, Error> {
        let mut keys = known_keys(&self.rotations);
        keys.push(key.clone());
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
    rows: u64,
    /// After the first difference nothing is compared: what follows may only have moved.
    differs: bool,
}

impl ExportedEntries {
    pub(super) fn of(bundle: &Bundle) -> Result<Self, Error> {
        let file = BufReader::new(bundle.exported_entries()?);
        Ok(Self { file, range: bundle.exported()?.range, rows: 0, differs: false })
    }

    pub(super) fn compare(
        &mut self,
        at: Position,
        entry: &str,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        if at < self.range[0] || at > self.range[1] {
            return Ok(());
        }
        self.rows += 1;
        if self.differs {
            return Ok(());
        }
        let line = self.read(entry.len() as u64 + 1)?;
        if line.strip_suffix(b"\n") != Some(entry.as_bytes()) {
            self.differs = true;
            findings.add(at, EXPORT, "export/events.jsonl has another entry than the log");
        }
        Ok(())
    }

    /// How many rows there must be.
    pub(super) fn finish(mut self, head: Position, findings: &mut Findings) -> Result<u64, Error> {
        let goes_on = !self.differs && !self.read(1)?.is_empty();
        if goes_on || self.range[1] != head {
            findings.add(head, EXPORT, "export/events.jsonl does not end where the log does");
        }
        Ok(self.rows)
    }

    /// So many bytes, or what is left.
    fn read(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(count).read_to_end(&mut bytes);
        read.map_err(|error| Error::file(Path::new("export/events.jsonl"), &error))?;
        Ok(bytes)
    }
}

/// Compares the exported read models, and what the export says of itself, with what the log makes them.
pub(super) fn compare_exports(
    bundle: &Bundle,
    all: &PackedRows,
    entries: u64,
    findings: &mut Findings,
) -> Result<(), Error> {
    let (head, said) = (bundle.head(), bundle.exported()?);
    let mut expected = vec![Written {
        file: ENTRIES.to_owned(),
        rows: entries,
        // Each of them was compared with the log's.
        sha256: bundle.exported_digest(ENTRIES)?,
    }];
    for written in export::expected(all)? {
        if bundle.exported_digest(&written.file)? != written.sha256 {
            findings.add(head, EXPORT, format!("export/{} is not what the log makes it", written.file));
        }
        expected.push(written);
    }
    for written in &expected {
        if said.files.iter().filter(|said| said.file == written.file).ne([written]) {
            let what = format!("export/manifest.json says something else of {}", written.file);
            findings.add(head, EXPORT, what);
        }
    }
    let pairs = [
        ("list of files", said.files.len() == expected.len()),
        ("total", said.totals == export::totals(all)),
        ("shop", said.shop == bundle.shop().as_str()),
    ];
    for (other, _) in pairs.iter().filter(|(_, is_same)| !is_same) {
        findings.add(head, EXPORT, format!("export/manifest.json has another {other}"));
    }
    Ok(())
}

/// Compares what a bundle says is in it with what is.
pub(super) fn compare_report(
    bundle: &Bundle,
    report: &BundleReport,
    findings: &mut Findings,
) -> Result<(), Error> {
    let (head, [from, to], export) = (bundle.head(), report.range, bundle.exported()?);
    let there = [
        ("shop", report.shop == bundle.shop().as_str()),
        ("size", i64::try_from(report.size).is_ok_and(|size| size == head.0 + 1)),
        ("root", report.root == hex::encode(bundle.root())),
        ("range", from == export.range[0] && from <= to && to <= head),
        ("count of bodies", report.bodies == bundle.bodies()?.len() as u64),
        ("count of keys", report.keys == bundle.keys()?.len() as u64),
        ("count of checkpoints", report.checkpoints == bundle.checkpoints()?.len() as u64),
        ("export", report.export == export),
    ];
    for (what, _) in there.iter().filter(|(_, is_same)| !is_same) {
        findings.add(head, REPORT, format!("report.json has another {what}"));
    }
    Ok(())
}
