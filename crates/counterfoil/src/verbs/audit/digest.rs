//! `digest`: puts what the log's own fold comes to into the log.

use audit::{Point, Progress, fold_digests, record_digests};
use clap::Args;
use serde_json::json;

use super::{NotingArgs, point, told};
use crate::cli::Globals;
use crate::exit::{self, Exit};
use crate::output;
use crate::progress::shown;
use crate::verbs::random_id;

/// Record a digest of each read model in the log, made from the log alone.
#[derive(Debug, Args)]
#[command(after_help = "\
The note `projection.digest` says what the fold of the log comes to; `verify` and `replay` compare it for ever after, so that
nobody can later say that the read models should have been others. `serve` records one a day by itself.

Examples:
  counterfoil digest
  counterfoil digest --dry-run
  counterfoil digest --as-of 2026-11-25T00:00:00Z -o json")]
pub(crate) struct Digest {
    #[command(flatten)]
    log: NotingArgs,
    /// As of this position or time; else of now
    #[arg(long, value_name = "POSITION|TIME", value_parser = point)]
    as_of: Option<Point>,
    /// A name: what has been recorded under it is not recorded again
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only say what it comes to
    #[arg(long)]
    dry_run: bool,
}

impl Digest {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let (database, shop, guard) = self.log.open(globals).await?;
        let progress = Progress::default();
        let point = self.as_of.unwrap_or(Point::Head);
        let folding = fold_digests(&database, &shop, point, &progress);
        let Some(digests) = shown(&progress, folding).await.map_err(told)? else {
            return Err(exit::finding(format!("the log of {shop} has nothing up to that point")));
        };
        let mut noted = None;
        if !self.dry_run {
            let id = self.name.map_or_else(random_id, Ok)?;
            let recorded =
                record_digests(&guard, &database, &shop, &digests, (&id, "counterfoil digest")).await;
            noted = Some(recorded.map_err(told)?.position);
        }
        output::one(
            globals.output,
            &json!({
                "shop": shop.as_str(), "position": noted, "as_of": digests.as_of, "models": digests.models,
            }),
        )?;
        Ok(Exit::Ok)
    }
}
