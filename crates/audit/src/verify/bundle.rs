//! Verifies a bundle: what can be told without a database.

use domain::Position;
use event_log::{Event, Kind, NoteType, leaf_hash};
use tlog::{Growth, Verifier as LogVerifier};

use super::evidence::{Judged, Opener};
use super::handed_over::{ExportedEntries, Kept, compare_exports, compare_report};
use super::rows::Entries;
use super::{Verification, Verifier};
use crate::replay::run;
use crate::{Bundle, Error, Findings, Progress, Source};

const TREE: &str = "tree";
const CHECKPOINT: &str = "checkpoint";
const MANIFEST: &str = "manifest";
const BODIES: &str = "bodies";
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
        let key = signed(&bundle, vkey, &mut findings)?;
        let mut found = Verification { findings, ..Verification::default() };
        let entries = self.walk(&bundle, &key, progress, &mut found)?;
        let source = Source::Bundle(bundle);
        let head = source.head();
        let run = match run(&source, head, progress).await {
            Ok(run) => run,
            Err(Error::Log(event_log::Error::Entry { .. })) => return Ok(found),
            Err(error) => return Err(error),
        };
        let Source::Bundle(bundle) = &source else { return Ok(found) };
        compare_exports(bundle, run.replayed.folded(), entries, &mut found.findings)?;
        (found.facts, found.outcomes, found.digests) =
            (run.replayed.facts, run.replayed.outcomes, run.digests);
        found.mismatches = run.replayed.mismatches;
        found.mismatches.extend(run.mismatches);
        Ok(found)
    }

    /// Gives how many entries must be exported.
    fn walk(
        &self,
        bundle: &Bundle,
        key: &LogVerifier,
        progress: &Progress,
        found: &mut Verification,
    ) -> Result<u64, Error> {
        let (keys, mut bodies, head) = (bundle.keys()?, bundle.bodies()?, bundle.head());
        let report = bundle.report()?;
        compare_report(bundle, &report, &mut found.findings)?;
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
        let mut judged = Judged::of_bundle(&mut found.findings, &report);
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
                    let is_there = bodies.remove(&position);
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
        for position in bodies {
            found.findings.add(position, BODIES, format!("bodies/{position}.sealed is of no event"));
        }
        found.tree.checkpoints = 1 + kept.finish(key, &mut found.findings)?;
        exported.finish(head, &mut found.findings)
    }
}

/// Tiles that are full, and at the end the partial ones, also those that grew last long before.
fn compare_tiles(
    bundle: &Bundle,
    growth: &mut Growth,
    findings: &mut Findings,
    count: &mut u64,
) -> Result<(), Error> {
    let is_last = i64::try_from(growth.size()).is_ok_and(|size| size > bundle.head().0);
    // Between full tiles only partial ones come, which a bundle has of its own size alone.
    if !growth.size().is_multiple_of(u64::from(tlog::TILE_WIDTH)) && !is_last {
        return Ok(());
    }
    let mut tiles = growth.take();
    tiles.retain(|(tile, _)| tile.is_full());
    if is_last {
        tiles.extend(growth.edge());
    }
    for (tile, bytes) in tiles {
        *count += 1;
        let at = Position(i64::try_from(tile.first_leaf()).unwrap_or(i64::MAX));
        match bundle.tile(tile) {
            Ok(there) if there == bytes => {}
            Ok(_) => findings.add(at, TREE, format!("{tile} is not what the entries make it")),
            Err(error) => findings.add(at, TREE, error.to_string()),
        }
    }
    Ok(())
}

/// Gives the key that counts: the one that was given, or the folder's own.
fn signed(
    bundle: &Bundle,
    vkey: Option<&LogVerifier>,
    findings: &mut Findings,
) -> Result<LogVerifier, Error> {
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
    if vkey.is_some()
        && let Err(error) = bundle.note().open(&[&own])
    {
        findings.add(at, KEY, format!("log.vkey: {error}"));
    }
    Ok(key.clone())
}
