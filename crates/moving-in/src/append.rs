//! The readings behind the first: everything is appended, in an order in which it can be decided.
//!
//! It goes through the log's own door, as whatever a shop says: deduplicated by what names a line, numbered, guarded
//! against forks. So a run that was cut goes on where it was when it is run again, and callbacks come between.

use std::path::Path;

use audit::Progress;
use domain::{Position, ShopId};
use event_log::{Appended, Appender, Dedupe, NewFact};
use futures_util::future::join_all;
use intake::command::import::{ImportLine, read_line};

use crate::Error;
use crate::lines::Lines;

/// So many facts are appended together.
const CHUNK: usize = 256;
/// Steps: each needs what the one before has brought.
const STEPS: usize = 3;

/// What was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// New facts.
    pub new: u64,
    /// Facts that were there already.
    pub known: u64,
    /// The last position of both.
    pub last: Option<Position>,
}

/// Appends the facts of a file that was checked and has so many lines. `by` stands in each entry.
///
/// # Errors
/// [`Error::Append`] where the log takes nothing now: what was appended stays, and another run goes on.
pub async fn append(
    appender: &Appender,
    shop: &ShopId,
    path: &Path,
    (by, lines): (&str, u64),
    progress: &Progress,
) -> Result<Brought, Error> {
    progress.begin("lines appended", lines);
    let mut brought = Brought::default();
    for step in 0..STEPS {
        let mut file = Lines::open(path).map_err(Error::file(path))?;
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Some(line) = file.next().map_err(Error::file(path))? {
            let read = line.text.and_then(|text| read_line(text).ok());
            let read = read.ok_or(Error::Changed)?;
            if read.kind.step() == step {
                chunk.push((line.number, read));
            }
            if chunk.len() == CHUNK {
                append_chunk(appender, shop, by, &mut chunk, &mut brought, progress).await?;
            }
        }
        append_chunk(appender, shop, by, &mut chunk, &mut brought, progress).await?;
    }
    if brought.new + brought.known == lines { Ok(brought) } else { Err(Error::Changed) }
}

async fn append_chunk(
    appender: &Appender,
    shop: &ShopId,
    by: &str,
    chunk: &mut Vec<(u64, ImportLine)>,
    brought: &mut Brought,
    progress: &Progress,
) -> Result<(), Error> {
    let each = chunk.drain(..).map(|(line, read)| {
        let ImportLine { fact, id, content_sha256, .. } = read;
        let dedupe = Dedupe::Command { id, content_sha256 };
        let fact = NewFact { fact, by: by.to_owned(), dedupe, evidence: None, certificate: None };
        async move { (line, appender.append(shop, fact).await) }
    });
    for (line, answer) in join_all(each).await {
        let position = match answer {
            Ok(Appended::New { position, .. }) => {
                brought.new += 1;
                position
            }
            Ok(Appended::Known { position } | Appended::Revised { position, .. }) => {
                brought.known += 1;
                position
            }
            Ok(Appended::Conflict { position, .. }) => return Err(Error::Conflict { line, position }),
            Err(source) => return Err(Error::Append { line, source }),
        };
        brought.last = brought.last.max(Some(position));
        progress.add(1);
    }
    Ok(())
}
