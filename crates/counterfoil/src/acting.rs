//! Who does something by the command line, and why: what the log says of it.

use clap::Args;
use domain::ShopId;
use event_log::Operator;
use evidence::{KeyEncryptionKey, Vault};
use intake::command::REASON_MAX;
use intake::seal_reason;
use serde_json::Value;

use crate::config::{KekArgs, StateArgs};
use crate::exit;
use crate::output;
use crate::project::Project;
use crate::verbs;

/// Who and why.
#[derive(Clone, Debug, Args)]
pub(crate) struct ActingArgs {
    /// Who does it: an opaque name, for the log
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why: it stands in the log, sealed by the key-encryption key
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    kek: KekArgs,
}

impl ActingArgs {
    /// The operator of this shop, who is called like the verb where no name is given.
    pub(crate) fn operator(
        &self,
        project: Option<&Project>,
        shop: &ShopId,
        verb: &str,
    ) -> anyhow::Result<Operator> {
        let reason = match self.reason.as_deref().filter(|text| !text.trim().is_empty()) {
            None => None,
            Some(text) if text.chars().count() > REASON_MAX => {
                return Err(exit::usage(format!("--reason: at most {REASON_MAX} characters")));
            }
            Some(text) => {
                let key = KeyEncryptionKey::from_file(&self.kek.file(project)?);
                let vault = Vault::new(key.map_err(|error| exit::config(error.to_string()))?);
                Some(seal_reason(&vault, shop, text)?)
            }
        };
        let (guard, by) = (self.state.known(project)?, verbs::by(self.by.as_deref(), verb)?);
        if guard.is_none() {
            output::note(
                "It is not noted in the log of the shop: only with --state-dir, the folder of `serve`, is it known that this is \
                 the log that it was.",
            );
        }
        Ok(Operator { guard, by, reason })
    }
}

/// Why something is done through the service, which knows who asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct Why {
    /// Why: it stands in the log, sealed; of a pause, beside the sink too
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Why {
    /// What is sent: `more`, and why.
    pub(crate) fn body(&self, mut more: Value) -> Value {
        if let Some(reason) = &self.reason {
            more["reason"] = reason.as_str().into();
        }
        more
    }
}
