//! `evidence`: everything an auditor needs, in one folder.

use std::path::PathBuf;

use audit::bundle::{BundleRequest, write};
use audit::{Point, Progress};
use clap::Args;
use domain::Position;
use evidence::{KeyEncryptionKey, Vault};

use super::{LogArgs, point, told};
use crate::cli::Globals;
use crate::config::KekArgs;
use crate::exit::{self, Exit};
use crate::output::{self, Format};
use crate::progress::shown;
use crate::project::Project;

/// Write an evidence bundle: everything an auditor needs, in one folder, without a database.
#[derive(Debug, Args)]
#[command(after_help = "\
The folder has the whole log as it was published, with its signed checkpoint; the sealed evidence of the range, and the keys
that open it; the certificates; the entries of the range and the read models as of the end; and a README of four commands,
three of them of programs that are not ours. With --keep-sealed no key is handed over: the bodies are there, and unreadable.

Examples:
  counterfoil evidence --out evidence/
  counterfoil evidence --from 2026-11-01T00:00:00Z --to 2026-11-30T23:59:59Z --out november/
  counterfoil verify --bundle november/")]
pub(crate) struct Evidence {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    kek: KekArgs,
    /// Evidence from this position or time on; else from the first event
    #[arg(long, value_name = "POSITION|TIME", value_parser = point)]
    from: Option<Point>,
    /// Evidence up to this position or time; else up to what was published last
    #[arg(long, value_name = "POSITION|TIME", value_parser = point)]
    to: Option<Point>,
    /// The folder: a new one, or one that is empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Hand over no keys
    #[arg(long)]
    keep_sealed: bool,
}

impl Evidence {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        let vault = if self.keep_sealed {
            None
        } else {
            let key = KeyEncryptionKey::from_file(&self.kek.file(project.as_ref())?);
            Some(Vault::new(key.map_err(|error| exit::config(error.to_string()))?))
        };
        let (database, shop) = self.log.open(globals).await?;
        let request = BundleRequest {
            from: self.from.unwrap_or(Point::Position(Position(0))),
            to: self.to.unwrap_or(Point::Head),
            arguments: std::env::args().skip(1).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let progress = Progress::default();
        let writing = write(&database, &shop, &self.out, request, vault.as_ref(), &progress);
        let report = shown(&progress, writing).await.map_err(told)?;
        if globals.output != Format::Table {
            output::one(globals.output, &serde_json::to_value(&report)?)?;
            return Ok(Exit::Ok);
        }
        let [from, to] = report.range;
        output::line(&format!(
            "{}: the log of {shop} up to {} events, evidence of {from} to {to} ({} bodies, {} keys, {} lost), {} of {} checkpoints.",
            self.out.display(),
            report.size,
            report.bodies,
            report.keys,
            report.lost.len(),
            report.checkpoints,
            report.checkpoints_of
        ))?;
        output::note("README.txt in it says how to check it.");
        Ok(Exit::Ok)
    }
}
