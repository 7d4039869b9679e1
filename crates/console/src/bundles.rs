//! An evidence bundle, made by an operator who says why: the log, what it rests on, and the keys that open it where they are
//! to be handed over. What was handed over stands in the log before anybody can fetch it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use audit::bundle::{BundleRequest, archive, range, write};
use audit::tree::Error as TreeError;
use audit::{Error, Point, Progress};
use database::Database;
use domain::{Key, Position, ShopId};
use event_log::{NoteType, Operator};
use evidence::Vault;
use futures_util::{Stream, stream};
use http_api::{Code, Problem};
use serde_json::json;
use tempfile::TempDir;

use crate::events::time_of;
use crate::fault::Fault;
use crate::i18n::{Words, fill};
use crate::jobs::{self, Found, Kind};
use crate::read::number;
use crate::rows::many;
use crate::verifying::asked;
use crate::visit::Visit;

/// A bundle of the evidence of more events is made from the command line: beside the service it would take too much of its disk.
const EVENTS_MAX: i64 = 100_000;
/// Bytes of an archive that are read at a time.
const PIECE: u64 = 256 * 1024;

const PREFIX: &str = "bundle-";
const LOCK: &str = ".lock";

/// A bundle that waits to be fetched. The file has no name any more: it is gone with the process.
pub(crate) struct Archive {
    /// What it is called for whoever fetches it.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) file: File,
}

/// Where bundles are written, which have keys in them.
#[derive(Clone)]
pub(crate) struct Place {
    folder: PathBuf,
    /// Nobody else writes there.
    is_ours: bool,
}

/// A folder that is gone when nobody has it any more.
struct Scratch {
    /// Taken when it is dropped.
    dir: Option<TempDir>,
    /// Says to other processes that somebody writes here.
    lock: Option<File>,
}

impl Place {
    /// Below the service's own folder; without one, where the system has what is temporary, and clears it away itself.
    pub(crate) fn below(state: Option<&Path>) -> Self {
        let Some(state) = state else { return Self { folder: std::env::temp_dir(), is_ours: false } };
        let place = Self { folder: state.join("bundles"), is_ours: true };
        place.sweep();
        place
    }

    /// Removes what a process that was killed has left behind, where nobody writes.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        if !self.lock().is_ok_and(|lock| lock.try_lock().is_ok()) {
            return;
        }
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let (path, removed) = (entry.path(), fs::remove_dir_all(entry.path()));
                tracing::warn!(path = %path.display(), ok = removed.is_ok(), "a bundle was left unfinished");
            }
        }
    }

    fn lock(&self) -> io::Result<File> {
        File::options().create(true).append(true).mode(0o600).open(self.folder.join(LOCK))
    }

    fn scratch(&self) -> io::Result<Scratch> {
        let lock = if self.is_ours {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let lock = self.lock()?;
            lock.lock_shared()?;
            Some(lock)
        } else {
            None
        };
        let mut builder = tempfile::Builder::new();
        let dir =
            builder.prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(&self.folder)?;
        Ok(Scratch { dir: Some(dir), lock })
    }

    fn file(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.folder)
    }
}

impl Scratch {
    /// Where the bundle is written: a folder that is not there yet.
    fn bundle(&self) -> PathBuf {
        self.dir.as_ref().map_or_else(PathBuf::new, |dir| dir.path().join("bundle"))
    }
}

impl Drop for Scratch {
    /// A bundle has many files: whoever else works here does not wait until they are gone.
    fn drop(&mut self) {
        let (dir, lock) = (self.dir.take(), self.lock.take());
        let gone = move || {
            drop(dir);
            drop(lock);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(gone)),
            Err(_) => gone(),
        }
    }
}

/// Begins a bundle of the operator's shop.
pub(crate) async fn begin(
    visit: Visit,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    let (form, operator) = asked(&visit, &request, payload).await?;
    let (w, database, shop) = (visit.words(), visit.api.database.clone(), visit.shop()?);
    let from = point(w, form.fields.get("from"), Point::Position(Position(0)))?;
    let to = point(w, form.fields.get("to"), Point::Head)?;
    let (of, log) = (shop.clone(), database.clone());
    let found = visit.api.run(async move { range(&log, &of, from, to).await }).await?;
    let [from, to] = within(w, found.map_err(|error| refused(w, error))?)?;
    let vault = form.fields.get("keys").is_some().then(|| visit.console.vault.clone());
    let place = visit.console.place.clone();
    let asked = Asked { shop, range: [from, to], vault, operator };
    jobs::begin(&visit, Kind::Bundle, |progress| async move {
        asked.made(&database, &place, &progress).await.map_err(|error| error.to_string())
    })
}

/// What is to be handed over, by whom and why.
struct Asked {
    shop: ShopId,
    range: [Position; 2],
    /// Opens the keys, where they are to be handed over.
    vault: Option<Vault>,
    operator: Operator,
}

impl Asked {
    /// Writes it, packs it, and notes it in the log; then it may be fetched.
    async fn made(
        self,
        database: &Database,
        place: &Place,
        progress: &Progress,
    ) -> Result<Found, Box<dyn std::error::Error + Send + Sync>> {
        let Self { shop, range: [from, to], vault, operator } = self;
        let mut arguments = format!("evidence --from {from} --to {to}");
        if vault.is_none() {
            arguments.push_str(" --keep-sealed");
        }
        let request = BundleRequest {
            from: Point::Position(from),
            to: Point::Position(to),
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let scratch = place.scratch()?;
        let folder = scratch.bundle();
        let report = write(database, &shop, &folder, request, vault.as_ref(), progress).await?;
        let (name, file) = (format!("{shop}-evidence-{from}-{to}"), place.file()?);
        let archived = archive(&folder, &name, file.try_clone()?, progress).await?;
        drop(scratch);
        let data = json!({
            "bodies": report.bodies, "from": from, "keys": report.keys,
            "manifest_sha256": archived.manifest_sha256, "size": report.size, "to": to,
        });
        let (kind, key) = (NoteType::EvidenceHandedOver, Key::Shop(shop.clone()));
        operator.note(database, &shop, kind, key, data).await?;
        Ok(Found {
            holds: true,
            says: Words::bundle_made,
            figures: vec![report.size, report.bodies, report.keys, archived.bytes.div_ceil(1024)],
            findings: Vec::new(),
            archive: Some(Arc::new(Archive { name: format!("{name}.zip"), bytes: archived.bytes, file })),
        })
    }
}

/// A position or a time. With an epoch before it a position might be of another log, or a month.
fn point(w: Words, text: Option<&str>, else_: Point) -> Result<Point, Fault> {
    let Some(text) = text else { return Ok(else_) };
    if let Some(position) = number(Some(text)) {
        return Ok(Point::Position(Position(position)));
    }
    time_of(text).map(Point::Time).ok_or_else(|| Fault::Refused(w.point_wrong().to_owned()))
}

/// No more than is made here.
fn within(w: Words, [from, to]: [Position; 2]) -> Result<[Position; 2], Fault> {
    if to.0 - from.0 >= EVENTS_MAX {
        return Err(Fault::Refused(fill(w.bundle_too_long(), &[&many(EVENTS_MAX)])));
    }
    Ok([from, to])
}

fn refused(w: Words, error: Error) -> Fault {
    match error {
        Error::OutOfRange(_, last) => Fault::Refused(fill(w.range_wrong(), &[&last])),
        Error::Tree(error) if matches!(*error, TreeError::NotPublished) => {
            Fault::Refused(w.proof_none().to_owned())
        }
        Error::Log(error) => error.into(),
        Error::Tree(error) => (*error).into(),
        error => Problem::internal(&error).into(),
    }
}

/// The archive, to whom it was made for.
pub(crate) async fn fetch(visit: Visit) -> Result<HttpResponse, Fault> {
    let me = visit.operator()?;
    let archive = visit.console.jobs.archive(&me.shop, Kind::Bundle, &me.key_id);
    let archive = archive.ok_or_else(|| Problem::new(Code::NotFound, visit.words().bundle_gone()))?;
    tracing::info!(shop = %me.shop, by = me.key_id, name = archive.name, "a bundle is fetched from the console");
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", archive.name)))
        .body(SizedStream::new(archive.bytes, pieces(archive))))
}

fn pieces(archive: Arc<Archive>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(0, move |at| {
        let archive = Arc::clone(&archive);
        async move {
            if at >= archive.bytes {
                return Ok(None);
            }
            let read = move || {
                let length = PIECE.min(archive.bytes - at);
                let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
                archive.file.read_exact_at(&mut piece, at).map(|()| (Bytes::from(piece), at + length))
            };
            web::block(read).await.map_err(io::Error::other)?.map(Some)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Lang;

    const EN: Words = Words(Lang::En);

    #[test]
    fn a_point_is_a_position_or_a_time_and_nothing_else() {
        let at = |text| point(EN, Some(text), Point::Head).ok();
        assert_eq!(at("1042"), Some(Point::Position(Position(1042))));
        assert!(matches!(at("2026-11-26"), Some(Point::Time(_))));
        assert!(matches!(at("2026-11-26T08:00Z"), Some(Point::Time(_))));
        for neither in ["yesterday", "-1", "1-x", "0-1042", "2026-11"] {
            assert_eq!(at(neither), None, "{neither}");
        }
        assert_eq!(point(EN, None, Point::Head).ok(), Some(Point::Head));
    }

    #[test]
    fn what_is_too_much_for_the_disk_is_refused_and_it_is_said_where_it_can_be_made() {
        let range = |to| within(EN, [Position(10), Position(to)]);
        assert!(range(10 + EVENTS_MAX - 1).is_ok());
        let Err(Fault::Refused(why)) = range(10 + EVENTS_MAX) else { panic!("it is taken") };
        assert!(why.contains("counterfoil evidence"), "{why}");
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_while_somebody_writes() {
        let state = tempfile::tempdir().unwrap();
        let place = Place::below(Some(state.path()));
        let (mine, mut left) = (place.scratch().unwrap(), place.scratch().unwrap());
        let [mine_at, left_at] = [&mine, &left].map(|scratch| scratch.bundle().parent().unwrap().to_owned());
        assert_eq!(fs::metadata(&left_at).unwrap().permissions().mode() & 0o777, 0o700);
        // As the kernel does it for whoever is killed.
        left.lock = None;
        std::mem::forget(left.dir.take());
        let _starts = Place::below(Some(state.path()));
        assert!(mine_at.exists() && left_at.exists());
        drop(mine);
        let _starts = Place::below(Some(state.path()));
        assert!(!mine_at.exists() && !left_at.exists());
    }
}
