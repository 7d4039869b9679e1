//! Verifies a bundle: what can be told without a database.

use domain::Position;
use event_log::{Event, Kind, NoteType, leaf_hash};
use tlog::{Growth, Verifier as LogVerifier};

use super::evidence::{Judged, Opener};
use super::handed_over::{ExportedEntries, Kept};
use super::rows::Entries;
use super::{Verification, Verifier};
use crate::replay::run;
use crate::{Bundle, DIGESTED, Digests, Error, Findings, Progress, Source};

const TREE: &str = "tree";
const CHECKPOINT: &str = "checkpoint";
const MANIFEST: &str = "manifest";
const EXPORT: &str = "export";
const KEY: &str = "key";

impl Verifier<'_> {
    /// Compares the files of a bundle with its manifest, its tree and checkpoint with its entries, its evidence with them,
    /// decides and folds the log anew, and compares that with what was exported.
    ///
    /// # Errors
    /// A file that is missing or none of a bundle.
    pub async fn verify_bundle(
        &self,
        bundle: Bundle,
        vkey: Option<&LogVerifier>,
        progress: &Progress,
    ) -> Result<Verification, Error> {
        let mut findings = Findings::default();
        for what in bundle.folder().differences()? {
            findings.add(Position(-1), MANIFEST, what);
        }
        signed(&bundle, vkey, &mut findings)?;
        let mut found = Verification { findings, ..Verification::default() };
        self.walk(&bundle, progress, &mut found)?;
        let source = Source::Bundle(bundle);
        let head = source.head();
        let run = match run(&source, head, progress).await {
            Ok(run) => run,
            Err(Error::Log(event_log::Error::Entry { .. })) => return Ok(found),
            Err(error) => return Err(error),
        };
        let Source::Bundle(bundle) = &source else { return Ok(found) };
        compare_exports(bundle, &Digests::of(run.replayed.folded(), head)?, &mut found.findings)?;
        (found.facts, found.outcomes, found.digests) =
            (run.replayed.facts, run.replayed.outcomes, run.digests);
        found.mismatches = run.replayed.mismatches;
        found.mismatches.extend(run.mismatches);
        Ok(found)
    }

    fn walk(&self, bundle: &Bundle, progress: &Progress, found: &mut Verification) -> Result<(), Error> {
        let (keys, bodies, head) = (bundle.keys()?, bundle.bodies()?, bundle.head());
        let opener = Opener {
            vault: None,
            anchors: self.anchors,
            shop: bundle.shop().to_string(),
            environment: bundle.environment().parse().ok(),
            hash_key: None,
            certificates: bundle.certificates()?,
        };
        progress.begin("entries and evidence", u64::try_from(head.0 + 1).unwrap_or(0));
        let mut growth = Growth::new();
        let mut entries = Entries::default();
        let mut judged = Judged::of_bundle(&mut found.findings);
        let (mut kept, mut exported) = (Kept::of(bundle)?, ExportedEntries::of(bundle)?);
        let mut after = Position(-1);
        while after < head {
            let page = bundle.entries(after, i64::MAX)?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let count = page.len() as u64;
            for (position, entry) in page {
                growth.push(leaf_hash(&entry));
                kept.compare(position, &growth, judged.findings);
                exported.compare(position, &entry, judged.findings)?;
                let event: Option<Event> = entries.step(position, &entry, judged.findings);
                if let Some(event) = event {
                    let is_there = bodies.contains(&position);
                    let piece = is_there.then(|| bundle.evidence(position, &keys)).transpose()?;
                    judged.event(&event, piece.as_ref(), Some(&opener));
                    if event.kind == Kind::Note && event.type_name == NoteType::KeyRotated.name() {
                        kept.names_a_key(event);
                    }
                }
            }
            compare_tiles(bundle, &mut growth, judged.findings, &mut found.tree.tiles)?;
            progress.add(count);
        }
        found.evidence = judged.finish();
        found.events = growth.size();
        if growth.root() != *bundle.root() {
            let what = "its entries make another root than the one that was signed: one of them was changed";
            found.findings.add(head, TREE, what);
        }
        (found.tree.size, found.tree.root) = (growth.size(), Some(hex::encode(growth.root())));
        exported.finish(head, &mut found.findings)?;
        found.tree.checkpoints = 1 + kept.finish(&bundle.vkey()?, &mut found.findings)?;
        Ok(())
    }
}

/// Tiles that are full, and at the end the partial ones.
fn compare_tiles(
    bundle: &Bundle,
    growth: &mut Growth,
    findings: &mut Findings,
    count: &mut u64,
) -> Result<(), Error> {
    let is_last = i64::try_from(growth.size()).is_ok_and(|size| size > bundle.head().0);
    // Between full tiles only partial ones would come, which a bundle has of its own size alone.
    if !growth.size().is_multiple_of(u64::from(tlog::TILE_WIDTH)) && !is_last {
        return Ok(());
    }
    for (tile, bytes) in growth.take() {
        if !tile.is_full() && !is_last {
            continue;
        }
        *count += 1;
        let first = tile.index.saturating_mul(256_u64.saturating_pow(u32::from(tile.level) + 1));
        let at = Position(i64::try_from(first).unwrap_or(i64::MAX));
        match bundle.tile(tile) {
            Ok(there) if there == bytes => {}
            Ok(_) => findings.add(at, TREE, format!("{tile} is not what the entries make it")),
            Err(error) => findings.add(at, TREE, error.to_string()),
        }
    }
    Ok(())
}

fn signed(bundle: &Bundle, vkey: Option<&LogVerifier>, findings: &mut Findings) -> Result<(), Error> {
    let own = bundle.vkey()?;
    let key = vkey.unwrap_or(&own);
    let at = bundle.head();
    if key.name() != bundle.origin() {
        findings.add(
            at,
            CHECKPOINT,
            format!("it is of {}, and the key is {}'s", bundle.origin(), key.name()),
        );
    }
    for name in bundle.other_keys(&own)? {
        findings.add(at, KEY, format!("{name} has another key than log.vkey"));
    }
    if let Err(error) = bundle.note().open(&[key]) {
        findings.add(at, CHECKPOINT, error.to_string());
    }
    Ok(())
}

fn compare_exports(bundle: &Bundle, digests: &Digests, findings: &mut Findings) -> Result<(), Error> {
    for table in DIGESTED {
        let of_fold = digests.models.iter().find(|model| model.model == table.name());
        let exported = bundle.exported(table.name())?;
        if of_fold.is_some_and(|model| model.sha256 != exported) {
            let what = format!("export/{}.jsonl is not what the log makes it", table.name());
            findings.add(digests.as_of, EXPORT, what);
        }
    }
    Ok(())
}
