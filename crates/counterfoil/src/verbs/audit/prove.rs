//! `prove`: a file that says that an event is in the log, to be checked without us.

use std::path::PathBuf;

use audit::tree::{Error, Trees};
use clap::Args;
use domain::{Position, ShopId};
use serde_json::json;

use super::LogArgs;
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output;

/// Prove that an event is in the log, for whoever has its entry.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes a .tlog-proof (c2sp.org/tlog-proof): position, inclusion proof, and the checkpoint that was published last, with the
signatures of the log and of its witnesses. Whoever has the entry (`events -o ndjson`) and the log's key (`keys log show`)
can check it with tools of others, without this program and without the database. Reads the database itself, as its owner.

Examples:
  counterfoil prove 1042
  counterfoil prove --shop shop-eu 5f0c2d0e-6f5b-5d63-9a52-0d3f4a6f2b11 --out paid.tlog-proof")]
pub(crate) struct Prove {
    #[command(flatten)]
    log: LogArgs,
    /// The event: its position or its id
    event: String,
    /// Where to write to; - is standard output [default: SHOP-POSITION.tlog-proof]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Prove {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let Self { log, event, out } = self;
        let (pool, shop) = log.open(globals).await?;
        let trees = Trees::new(pool);
        let position = position(&trees, &shop, &event).await?;
        let proof = trees.prove(&shop, position).await.map_err(told)?;
        if out.as_ref().is_some_and(|out| out.as_os_str() == "-") {
            output::line(proof.to_string().trim_end())?;
            return Ok(Exit::Ok);
        }
        let file = out.unwrap_or_else(|| format!("{shop}-{position}.tlog-proof").into());
        std::fs::write(&file, proof.to_string())
            .map_err(|error| exit::config(format!("{} cannot be written: {error}", file.display())))?;
        let size = tlog::Checkpoint::parse(proof.checkpoint.text())?.size();
        let told = json!({ "file": file, "shop": shop.as_str(), "position": position.0, "size": size });
        output::one(globals.output, &told)?;
        Ok(Exit::Ok)
    }
}

async fn position(trees: &Trees, shop: &ShopId, event: &str) -> anyhow::Result<Position> {
    if let Some(position) = event.parse().ok().filter(|position: &i64| *position >= 0) {
        return Ok(Position(position));
    }
    let id = event.parse();
    let id = id.map_err(|_| exit::usage(format!("{event:?} is no event: give its position or its id")))?;
    let found = trees.find(shop, id).await.map_err(told)?;
    found.ok_or_else(|| exit::finding(format!("{shop} has no event {id}")))
}

/// What the operator can mend, or has to look at, is a finding; the rest keeps its cause.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::OutOfRange { .. } | Error::NotPublished | Error::LogDiffers { .. } => {
            exit::finding(error.to_string())
        }
        error => error.into(),
    }
}
