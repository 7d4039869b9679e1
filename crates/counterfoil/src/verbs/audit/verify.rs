//! `verify`: compares all there is of a log with each other.

use std::path::{Path, PathBuf};

use audit::{Bundle, Progress, Verification, Verifier};
use clap::Args;
use evidence::{KeyEncryptionKey, Vault};
use paypal::TrustAnchors;
use serde_json::{Value, json};

use super::{LogArgs, told};
use crate::cli::Globals;
use crate::config::{KekArgs, TrustArgs};
use crate::exit::{self, Exit};
use crate::output::{self, Column, Format};
use crate::progress::shown;
use crate::project::Project;
use crate::trust;

const COLUMNS: &[Column] =
    &[Column::text("CHECK", "check"), Column::text("WHERE", "where"), Column::text("WHAT DIFFERS", "what")];

/// Compare the log with its copies, its evidence, its decisions and the read models.
#[derive(Debug, Args)]
#[command(after_help = "\
Over one snapshot: every event's columns and outbox row against its entry; positions without a gap, times that never go
back; every piece of evidence against the hash and the commitment in its entry, each callback's signature and chain at the
time of its transmission, and what its body says against what its entry says; every decision made again; every row of the
read models; the rules as SQL; the digests that the log has. Nothing is written.

With --bundle a folder that `counterfoil evidence` wrote is verified, and no database is asked: its manifest, tree and
signatures, the evidence in it, every decision, and the exported entries and read models. --vkey says which key must have signed it; else
the one in the folder is believed.

Without a key-encryption key evidence is compared as far as it is sealed. --roots says whose signatures are believed.
Exit 0: all of it holds. Exit 1: the first places where it does not are shown, in the order of the log.

Examples:
  counterfoil verify
  counterfoil verify --shop shop-eu --roots /etc/counterfoil/roots -o json
  counterfoil verify --bundle november/ --vkey shop-eu.vkey --roots roots/")]
pub(crate) struct Verify {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    kek: KekArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// Verify this evidence bundle
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// File with the key that must have signed the bundle's checkpoint, as C2SP signed-note has it
    #[arg(long, value_name = "FILE", requires = "bundle")]
    vkey: Option<PathBuf>,
}

impl Verify {
    pub(crate) async fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let project = Project::find(globals.project.as_deref());
        let anchors = self.anchors(project.as_ref())?;
        if let Some(folder) = &self.bundle {
            return self.verify_bundle(folder, &anchors, globals).await;
        }
        let vault = self.vault(project.as_ref())?;
        let (database, shop) = self.log.open(globals).await?;
        let verifier = Verifier { vault: vault.as_ref(), anchors: Some(&anchors) };
        let progress = Progress::default();
        let found = shown(&progress, verifier.verify(&database, &shop, &progress)).await.map_err(told)?;
        print(globals.output, &found)?;
        if vault.is_none() {
            output::note(
                "Without --kek-file evidence was compared as far as it is sealed, and no signature judged.",
            );
        }
        Ok(if found.is_clean() { Exit::Ok } else { Exit::Finding })
    }

    async fn verify_bundle(
        &self,
        folder: &Path,
        anchors: &TrustAnchors,
        globals: &Globals,
    ) -> anyhow::Result<Exit> {
        let vkey = self.vkey.as_deref().map(read_vkey).transpose()?;
        let bundle = Bundle::open(folder).map_err(told)?;
        let verifier = Verifier { vault: None, anchors: Some(anchors) };
        let progress = Progress::default();
        let verifying = verifier.verify_bundle(bundle, vkey.as_ref(), &progress);
        let found = shown(&progress, verifying).await.map_err(told)?;
        print(globals.output, &found)?;
        if vkey.is_none() {
            output::note(
                "The key is the folder's own: compare log.vkey with one you have from elsewhere, or give --vkey.",
            );
        }
        Ok(if found.is_clean() { Exit::Ok } else { Exit::Finding })
    }

    /// Evidence is opened where a key is named, or `dev` has one.
    fn vault(&self, project: Option<&Project>) -> anyhow::Result<Option<Vault>> {
        let Ok(file) = self.kek.file(project) else { return Ok(None) };
        let key = KeyEncryptionKey::from_file(&file).map_err(|error| exit::config(error.to_string()))?;
        Ok(Some(Vault::new(key)))
    }

    fn anchors(&self, project: Option<&Project>) -> anyhow::Result<TrustAnchors> {
        let of_dev = project.map(|project| project.path("paypal")).filter(|folder| folder.is_dir());
        trust::anchors(self.trust.roots.as_deref().or(of_dev.as_deref()))
    }
}

fn read_vkey(file: &Path) -> anyhow::Result<tlog::Verifier> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| exit::usage(format!("{} cannot be read: {error}", file.display())))?;
    text.trim().parse().map_err(|error| exit::usage(format!("{} is no key: {error}", file.display())))
}

fn print(format: Format, found: &Verification) -> anyhow::Result<()> {
    if format != Format::Table {
        return output::one(format, &serde_json::to_value(found)?);
    }
    let rows = rows(found);
    if !rows.is_empty() {
        output::rows(format, &rows, COLUMNS)?;
    }
    let evidence = &found.evidence;
    output::note(&format!(
        "{}: {} events, {} facts decided again, {} outcomes compared, {} digests; evidence: {} hashed, {} opened, \
         {} signatures, {} translations, {} erased, {} lost, {} left out; tree: {} events, {} tiles, {} checkpoints.",
        if found.is_clean() { "All of it holds" } else { "It does NOT hold" },
        found.events,
        found.facts,
        found.outcomes,
        found.digests,
        evidence.hashed,
        evidence.opened,
        evidence.signed,
        evidence.translated,
        evidence.erased,
        evidence.lost,
        evidence.left_out,
        found.tree.size,
        found.tree.tiles,
        found.tree.checkpoints,
    ));
    Ok(())
}

/// All that was found, a line each.
fn rows(found: &Verification) -> Vec<Value> {
    let row =
        |check: &str, place: String, what: String| json!({"check": check, "where": place, "what": what});
    let findings = found.findings.first.iter();
    let mut rows: Vec<Value> = findings
        .map(|finding| row(finding.check, finding.position.to_string(), finding.what.clone()))
        .collect();
    let mismatches = found.mismatches.iter();
    rows.extend(
        mismatches.map(|mismatch| row("decision", mismatch.position.to_string(), mismatch.what.clone())),
    );
    for difference in &found.differences {
        rows.extend(super::replay::difference_rows(difference).into_iter().map(|mut line| {
            line["check"] = json!("read model");
            line
        }));
    }
    let violations = found.violations.iter();
    rows.extend(violations.map(|broken| row(broken.rule, broken.subject.clone(), broken.detail.clone())));
    rows
}
