//! Writes a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use database::{Database, sql};
use domain::{Position, ShopId};
use event_log::NoteType;
use evidence::Vault;
use tlog::{Checkpoint, Note, Verifier};

use super::{
    BODIES, BundleReport, CERTIFICATES, CHECKPOINT, CHECKPOINTS, EXPORT, Folder, KEYS, LOG, MANIFEST, README,
    REPORT, SHOP, ShopFile, key_files, readme,
};
use crate::beside::beside;
use crate::export::{self, Format, Request, make_empty, write_whole};
use crate::tree::{LOCK, Trees, known_keys, publish_files};
use crate::verify::evidence::{PieceKey, certificates, load, lost};
use crate::{Error, Point, Progress, Snapshot, Source};

/// Evidence is read so many positions at a time.
const PAGE: i64 = 500;
/// Checkpoints that are written at most.
const CHECKPOINTS_MAX: i64 = 10_000;

/// What is to be in a bundle.
#[derive(Clone, Debug)]
pub struct BundleRequest {
    /// From where on evidence and entries are handed over.
    pub from: Point,
    /// Up to where.
    pub to: Point,
    /// How it was asked for.
    pub arguments: Vec<String>,
    /// The program's version.
    pub version: String,
}

/// Writes a bundle of what was published of a log, into a folder that must be empty or not be there. Without a vault no key
/// is released. What is refused is refused before anything is written. `manifest.sha256` comes last: a folder without one is
/// not whole.
///
/// # Errors
/// [`crate::tree::Error::NotPublished`]; [`Error::OutOfRange`]; the log cannot be read, or the folder cannot be written.
pub async fn write(
    database: &Database,
    shop: &ShopId,
    folder: &Path,
    request: BundleRequest,
    vault: Option<&Vault>,
    progress: &Progress,
) -> Result<BundleReport, Error> {
    let range = range(database, shop, request.from, request.to).await?;
    let trees = Trees::new(database.clone());
    make_empty(folder)?;
    progress.begin("writing the tree", 0);
    if !publish_files(&trees, shop, &folder.join(LOG)).await? {
        return Err(Error::Failed("the folder is in use".to_owned()));
    }
    let lock = folder.join(LOG).join(LOCK);
    fs::remove_file(&lock).map_err(|error| Error::file(&lock, &error))?;
    let note = Note::parse(&Folder::new(folder).read(CHECKPOINT)?)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    let last = Position(i64::try_from(checkpoint.size()).unwrap_or(i64::MAX) - 1);
    let source = Source::Snapshot(Snapshot::take(database, shop).await?);
    write_keys(&source, folder, &checkpoint, &note).await?;
    let request = Request {
        format: Format::Jsonl,
        from: range[0],
        through: last,
        arguments: request.arguments,
        version: request.version,
    };
    let exported = export::export(&source, &folder.join(EXPORT), request, progress).await?;
    let Source::Snapshot(snapshot) = source else {
        return Err(Error::Failed("a bundle is made from a database".to_owned()));
    };
    let (checkpoints, checkpoints_of) = write_checkpoints(&snapshot, folder, range).await?;
    let (bodies, keys) = write_bodies(&snapshot, folder, range, vault, progress).await?;
    write_shop(&snapshot, folder).await?;
    let lost = lost(&snapshot).await?.into_iter().map(Position);
    let lost = lost.filter(|at| (range[0]..=range[1]).contains(at) && !bodies.contains(&at.0)).collect();
    snapshot.close().await;
    let report = BundleReport {
        shop: shop.to_string(),
        size: checkpoint.size(),
        root: hex::encode(checkpoint.root()),
        range,
        bodies: bodies.len() as u64,
        keys,
        lost,
        checkpoints,
        checkpoints_of,
        export: exported,
    };
    write_whole(folder, REPORT, &serde_json::to_vec_pretty(&report)?)?;
    let text = readme::text(shop.as_str(), checkpoint.size(), checkpoint.origin());
    write_whole(folder, README, text.as_bytes())?;
    let all = folder.to_owned();
    beside(move || write_manifest(&all)).await?;
    Ok(report)
}

/// The first position and the last of whose evidence a bundle would have, within what is published by now.
///
/// # Errors
/// [`crate::tree::Error::NotPublished`]; [`Error::OutOfRange`]; the log cannot be read.
pub async fn range(
    database: &Database,
    shop: &ShopId,
    from: Point,
    to: Point,
) -> Result<[Position; 2], Error> {
    let published =
        Trees::new(database.clone()).published(shop).await?.ok_or(crate::tree::Error::NotPublished)?;
    let last = Position(i64::try_from(published.size).unwrap_or(i64::MAX) - 1);
    let source = Source::Snapshot(Snapshot::take(database, shop).await?);
    let located = locate(&source, [from, to], last).await;
    source.close().await;
    located
}

async fn locate(source: &Source, [from, to]: [Point; 2], last: Position) -> Result<[Position; 2], Error> {
    let to = source.locate(to).await?.min(last);
    let from = match from {
        Point::Head => Position(0),
        // What was recorded at that very time is wanted too.
        Point::Time(time) => Position(source.locate(Point::Time(time.just_before())).await?.0 + 1),
        Point::Position(position) => position,
    };
    if from.0 < 0 || from > to {
        return Err(Error::OutOfRange(format!("position {from} up to {to}"), last));
    }
    Ok([from, to])
}

/// The newest key that signed the checkpoint: a key that was named since has not.
async fn write_keys(
    source: &Source,
    folder: &Path,
    checkpoint: &Checkpoint,
    note: &Note,
) -> Result<(), Error> {
    for key in known_keys(&source.notes(NoteType::KeyRotated).await?).iter().rev() {
        let key = Verifier::of_log(checkpoint.origin(), *key.public_key())?;
        match note.open(&[&key]) {
            Ok(_) => {
                return key_files(&key)
                    .iter()
                    .try_for_each(|(name, text)| write_whole(folder, name, text.as_bytes()));
            }
            Err(tlog::Error::NotSigned) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Failed("no key that the log names has signed its checkpoint".to_owned()))
}

/// What was published within the range, and on both sides of it: between two of them each event was recorded. With what
/// was stamped with a time since. How many were written, and of how many.
async fn write_checkpoints(
    snapshot: &Snapshot,
    folder: &Path,
    [from, to]: [Position; 2],
) -> Result<(u64, u64), Error> {
    let folder = folder.join(CHECKPOINTS);
    make_empty(&folder)?;
    let (shop, after, through) = (snapshot.shop().as_str(), from.0, to.0 + 1);
    let around: database::Parameters<'_> = &[&shop, &after, &through, &CHECKPOINTS_MAX];
    let (mut sizes, mut of) = (BTreeSet::new(), 0_i64);
    for row in snapshot.client()?.query(&sql::audit::READ_PUBLISHED_AROUND, around).await? {
        let (size, note): (i64, &str) = (row.try_get("size")?, row.try_get("note")?);
        write_whole(&folder, &format!("{size}.note"), note.as_bytes())?;
        sizes.insert(size);
        of = row.try_get("of")?;
    }
    // A stamp is of the note as it was then: cosignatures may have come since.
    for row in snapshot.client()?.query(&sql::witnesses::LIST_STAMPS, &[&shop]).await? {
        let (size, note, stamp): (i64, &str, &[u8]) =
            (row.try_get("size")?, row.try_get("checkpoint")?, row.try_get("response")?);
        if size > from.0 {
            write_whole(&folder, &format!("{size}.note"), note.as_bytes())?;
            write_whole(&folder, &format!("{size}.tsr"), stamp)?;
            sizes.insert(size);
        }
    }
    let written = sizes.len() as u64;
    Ok((written, written.max(u64::try_from(of).unwrap_or(0))))
}

async fn write_bodies(
    snapshot: &Snapshot,
    folder: &Path,
    [from, to]: [Position; 2],
    vault: Option<&Vault>,
    progress: &Progress,
) -> Result<(BTreeSet<i64>, u64), Error> {
    let bodies = folder.join(BODIES);
    make_empty(&bodies)?;
    progress.begin("writing evidence", u64::try_from(to.0 - from.0 + 1).unwrap_or(0));
    let (mut written, mut keys, mut after) = (BTreeSet::new(), BTreeMap::new(), from.0 - 1);
    while after < to.0 {
        let through = to.0.min(after + PAGE);
        let pieces = load(snapshot, after, through).await?;
        for (position, piece) in &pieces {
            written.insert(*position);
            if let (Some(vault), Some(PieceKey::Wrapped(wrapped))) = (vault, &piece.key) {
                keys.insert(*position, vault.release(snapshot.shop().as_str(), wrapped)?.expose());
            }
        }
        let bodies = bodies.clone();
        beside(move || {
            let mut pieces = pieces.iter();
            pieces.try_for_each(|(at, piece)| write_whole(&bodies, &format!("{at}.sealed"), &piece.sealed))
        })
        .await?;
        progress.add(u64::try_from(through - after).unwrap_or(0));
        after = through;
    }
    let certificates_dir = folder.join(CERTIFICATES);
    make_empty(&certificates_dir)?;
    for (sha256, pem) in certificates(snapshot).await? {
        write_whole(&certificates_dir, &format!("{sha256}.pem"), pem.as_bytes())?;
    }
    write_whole(folder, KEYS, &serde_json::to_vec_pretty(&keys)?)?;
    Ok((written, keys.len() as u64))
}

async fn write_shop(snapshot: &Snapshot, folder: &Path) -> Result<(), Error> {
    let row = snapshot.client()?.query_one(&sql::audit::GET_SHOP, &[&snapshot.shop().as_str()]).await?;
    let shop = ShopFile { shop: snapshot.shop().to_string(), environment: row.try_get("environment")? };
    write_whole(folder, SHOP, &serde_json::to_vec_pretty(&shop)?)
}

/// Every file with its SHA-256, as `sha256sum` writes and checks it.
fn write_manifest(folder: &Path) -> Result<(), Error> {
    let files = Folder::new(folder);
    let mut manifest = String::new();
    for name in files.all()? {
        manifest.push_str(&format!("{}  {name}\n", files.digest(&name)?));
    }
    write_whole(folder, MANIFEST, manifest.as_bytes())
}
