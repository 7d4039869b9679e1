//! `erase`: makes the evidence of a buyer's orders unreadable.

use std::io::{BufRead, IsTerminal};

use anyhow::Context;
use audit::Progress;
use audit::erasure::{self, Hold, Plan};
use clap::Args;
use database::Database;
use domain::ShopId;
use evidence::{KeyEncryptionKey, Vault};
use serde_json::{Value, json};

use super::{NotingArgs, told};
use crate::cli::Globals;
use crate::config::KekArgs;
use crate::exit::{self, Exit};
use crate::output;
use crate::progress::shown as waited_for;
use crate::project::Project;
use crate::verbs::{by, opaque, parse_buyer};

/// Make the evidence of a buyer's orders unreadable, for good
#[derive(Debug, Args)]
#[command(after_help = "\
Destroys the keys of the evidence of all that buyer's orders, payments and commands: raw callbacks, headers, reasons. What
the log itself says stays, money facts too, and so does every hash and proof: `verify` and replay stay green. The log says
what was destroyed, for whom, on which basis and by whom (subject.erased).

With the key-encryption key, callbacks that decided nothing are opened as well, to see whether they name the buyer's orders
or payments: the log itself does not know.

What comes while it runs is found by the next run. Backups, and archived write-ahead log, have the keys for as long as they
are kept; after one was restored, `erase --again` destroys what the log says was destroyed.

A legal hold on the buyer, or on one who shares evidence with them, refuses: exit 1.

Works on the database itself, as its owner: MAINTENANCE_DATABASE_URL, else DATABASE_URL, else that of `dev` in this folder.

Examples:
  counterfoil erase --buyer B-1042 --dry-run
  counterfoil erase --shop shop-eu --buyer B-1042 --basis GDPR-2026-17
  counterfoil erase --again --yes")]
pub(crate) struct Erase {
    #[command(flatten)]
    log: NotingArgs,
    #[command(flatten)]
    kek: KekArgs,
    /// The buyer, as the shop calls them
    #[arg(long, value_name = "ID", required_unless_present = "again")]
    buyer: Option<String>,
    /// Why: an opaque reference, for the log
    #[arg(long, value_name = "REF", required_unless_present_any = ["again", "dry_run"])]
    basis: Option<String>,
    /// Who asks for it: an opaque name, for the log
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what would be destroyed
    #[arg(long)]
    dry_run: bool,
    /// After a backup was restored: destroy every key that the log says was destroyed
    #[arg(long, conflicts_with_all = ["buyer", "basis", "by", "dry_run"])]
    again: bool,
}

impl Erase {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let buyer = self.buyer.as_deref().map(parse_buyer).transpose()?;
        let basis = self.basis.as_deref().map(|basis| opaque("--basis", basis)).transpose()?;
        let by = by(self.by.as_deref(), "counterfoil erase")?;
        let is_asked = !self.yes && !self.dry_run;
        if is_asked && !std::io::stdin().is_terminal() {
            return Err(exit::usage("it destroys keys for good, and there is nobody to ask: say --yes"));
        }
        let project = Project::find(globals.project.as_deref());
        let vault = self.vault(project.as_ref())?;
        let (database, shop, guard) = self.log.open(globals).await?;
        let Some(buyer) = buyer else {
            return again(globals, &database, &shop, is_asked).await;
        };
        let progress = Progress::default();
        let planning = erasure::plan(&database, &shop, &buyer, vault.as_ref(), &progress);
        let plan = waited_for(&progress, planning).await.map_err(told)?;
        if !plan.is_known {
            return Err(exit::finding(format!("the log of {shop} knows no buyer {buyer}")));
        }
        if plan.unopened > 0 {
            output::note(&format!(
                "{} callbacks decided nothing, and were not opened to see whether they name the buyer: give --kek-file",
                plan.unopened
            ));
        }
        let shown = shown(&shop, &plan);
        if self.dry_run {
            output::one(globals.output, &shown)?;
            return Ok(if plan.holds.is_empty() { Exit::Ok } else { Exit::Finding });
        }
        refuse(&plan.holds)?;
        if is_asked && !confirms(&question(&shop, &plan))? {
            return Err(exit::finding("nothing was destroyed"));
        }
        let basis = basis.context("clap asks for --basis")?;
        let erased = erasure::erase(&guard, &database, &shop, &plan, &basis, &by).await.map_err(told)?;
        let mut shown = shown;
        shown["keys_destroyed"] = erased.keys_destroyed.into();
        shown["notes"] = json!(erased.notes);
        output::one(globals.output, &shown)?;
        Ok(Exit::Ok)
    }

    /// Where there is none, what only it can find is said to be left.
    fn vault(&self, project: Option<&Project>) -> anyhow::Result<Option<Vault>> {
        let Ok(file) = self.kek.file(project) else { return Ok(None) };
        let key = KeyEncryptionKey::from_file(&file).map_err(|error| exit::config(error.to_string()))?;
        Ok(Some(Vault::new(key)))
    }
}

fn shown(shop: &ShopId, plan: &Plan) -> Value {
    json!({
        "shop": shop.as_str(),
        "buyer": plan.buyer,
        "orders": plan.orders,
        "facts_with_evidence": plan.facts,
        "keys": plan.readable.len(),
        "unopened": plan.unopened,
        "holds": plan.holds,
    })
}

fn question(shop: &ShopId, plan: &Plan) -> String {
    format!(
        "{shop}: {} has {} orders, {} facts about them rest on evidence, and {} keys are there.\n\
         Destroy them for good? Type yes: ",
        plan.buyer,
        plan.orders,
        plan.facts,
        plan.readable.len()
    )
}

fn refuse(holds: &[Hold]) -> anyhow::Result<()> {
    let Some(hold) = holds.first() else { return Ok(()) };
    let cases: Vec<String> = holds.iter().map(|hold| format!("{} on {}", hold.case, hold.buyer)).collect();
    Err(exit::finding(format!(
        "legal holds keep this evidence: {}; lift them first, as `counterfoil legal-hold lift .. --buyer {} --case {}`",
        cases.join(", "),
        hold.buyer,
        hold.case
    )))
}

/// Asks on standard error, for the results are on standard output.
fn confirms(question: &str) -> anyhow::Result<bool> {
    output::ask(question)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

async fn again(
    globals: &Globals,
    database: &Database,
    shop: &ShopId,
    is_asked: bool,
) -> anyhow::Result<Exit> {
    let question = format!("{shop}: destroy every key that the log says was destroyed? Type yes: ");
    if is_asked && !confirms(&question)? {
        return Err(exit::finding("nothing was destroyed"));
    }
    let again = erasure::erase_again(database, shop).await.map_err(told)?;
    let shown = json!({
        "shop": shop.as_str(), "keys_destroyed": again.keys_destroyed, "holds": again.holds,
    });
    output::one(globals.output, &shown)?;
    if !again.holds.is_empty() {
        output::note("legal holds that were placed since keep the evidence of their buyers");
        return Ok(Exit::Finding);
    }
    Ok(Exit::Ok)
}
