//! Witnesses and time stamps of the logs: whom the operator named, put together.

use std::path::PathBuf;
use std::sync::Arc;

use audit::tree::{LogKeys, Origin, Trees};
use clap::Args;
use database::Database;
use event_log::{Guard, Memory};
use tlog::Policy;
use witnesses::{
    Feeder, FeederOptions, Feeding, LogTree, PublishedMemory, Stamper, Tree, WitnessClient, Witnessed,
};

use crate::exit;

/// Who else is to see the logs.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WitnessArgs {
    /// Policy file (c2sp.org/tlog-policy): each witness that has a URL is sent every checkpoint, and asked at the start
    #[arg(long = "witnesses", env = "COUNTERFOIL_WITNESSES", value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Time-stamping authority (RFC 3161) that stamps a checkpoint once an hour
    #[arg(long, env = "COUNTERFOIL_TSA_URL", value_name = "URL")]
    pub(crate) tsa_url: Option<String>,
}

/// Everything that has seen the logs, or is to.
pub(crate) struct Witnessing {
    published: PublishedMemory,
    witnessed: Witnessed,
    stamper: Option<Stamper>,
    has_work: bool,
}

impl Witnessing {
    /// Of logs that are called so, signed with the keys of a file, and published to a folder, if that is so.
    pub(crate) fn new(
        args: &WitnessArgs,
        database: &Database,
        origin: Origin,
        keys: LogKeys,
        log_dir: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let odd = |error: witnesses::Error| exit::config(error.to_string());
        let policy = match &args.policy {
            Some(file) => read_policy(file)?,
            None => "quorum none\n".parse().map_err(|error| anyhow::anyhow!("{error}"))?,
        };
        let trees = Trees::new(database.clone());
        let tree: Arc<dyn Tree> = Arc::new(LogTree::new(trees, origin, Arc::new(keys), log_dir));
        let client = WitnessClient::new().map_err(odd)?;
        let stamper = args.tsa_url.as_deref().map(|url| Stamper::new(url, client.clone()));
        Ok(Self {
            published: PublishedMemory::new(Arc::clone(&tree)),
            has_work: args.policy.is_some() || args.tsa_url.is_some(),
            witnessed: Witnessed::new(tree, client, &policy),
            stamper: stamper.transpose().map_err(odd)?,
        })
    }

    /// What the logs are compared with.
    pub(crate) fn memories(&self) -> Vec<Arc<dyn Memory>> {
        vec![Arc::new(self.published.clone()), Arc::new(self.witnessed.clone())]
    }

    /// Asks the witnesses what they have seen.
    pub(crate) async fn ask(&self, database: &Database) -> anyhow::Result<()> {
        Ok(self.witnessed.ask_all(database).await?)
    }

    /// Submits what is published from now on.
    pub(crate) fn start(self, database: &Database, guard: &Guard, holder: String) -> Option<Feeding> {
        let Self { witnessed, stamper, has_work, .. } = self;
        let options = FeederOptions { holder, ..FeederOptions::default() };
        let feeder = Feeder::new(database.clone(), guard.clone(), witnessed, options);
        let feeder = match stamper {
            Some(stamper) => feeder.with_stamper(stamper),
            None => feeder,
        };
        has_work.then(|| feeder.start())
    }
}

fn read_policy(file: &std::path::Path) -> anyhow::Result<Policy> {
    let odd = |why: String| exit::config(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| odd(error.to_string()))?;
    text.parse().map_err(|error: tlog::Error| odd(error.to_string()))
}
