//! Compares evidence with the entries that rest on it: hashes, commitment, PayPal's signature and chain at the time of the
//! transmission, and what the body says.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use database::sql;
use domain::{Fact, Position, Source as FactSource};
use event_log::Event;
use evidence::{CallbackEvidence, DataKey, HashKey, Vault, VerifiedBy};
use paypal::{Environment, ExplainRequest, TrustAnchors, explain};
use serde::Serialize;

use crate::bundle::BundleReport;
use crate::erasure::ErasedPositions;
use crate::{Error, Findings, Snapshot};

const EVIDENCE: &str = "evidence";
const SIGNATURE: &str = "signature";
const TRANSLATION: &str = "translation";

/// How much evidence was checked, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceCounts {
    /// Pieces whose sealed bytes have the hash that their entry says.
    pub hashed: u64,
    /// Pieces that were opened, and have the commitment that their entry says.
    pub opened: u64,
    /// Callbacks whose signature and chain hold at the time of their transmission.
    pub signed: u64,
    /// Callbacks whose bodies say what their entries say.
    pub translated: u64,
    /// Pieces that nobody can open any more, as the log says.
    pub erased: u64,
    /// Pieces that a restore of the database has lost, of events that came back from the published log.
    pub lost: u64,
    /// Pieces that a bundle leaves out.
    pub left_out: u64,
}

/// A piece of evidence: its sealed bytes, and its key as far as that is there.
pub(crate) struct Piece {
    pub(crate) sealed: Vec<u8>,
    pub(crate) key: Option<PieceKey>,
}

/// The key of a piece.
pub(crate) enum PieceKey {
    /// Under the key-encryption key.
    Wrapped(Vec<u8>),
    /// For whoever has the bundle.
    Released(DataKey),
}

/// Reads the evidence of some positions.
pub(crate) async fn load(
    snapshot: &Snapshot,
    after: i64,
    through: i64,
) -> Result<BTreeMap<i64, Piece>, Error> {
    let (client, shop) = (snapshot.client()?, snapshot.shop().as_str());
    let rows = client.query(&sql::audit::READ_EVIDENCE, &[&shop, &after, &through]).await?;
    let piece = |row: &tokio_postgres::Row| {
        let wrapped: Option<Vec<u8>> = row.try_get(2)?;
        Ok((row.try_get(0)?, Piece { sealed: row.try_get(1)?, key: wrapped.map(PieceKey::Wrapped) }))
    };
    rows.iter().map(piece).collect::<Result<_, tokio_postgres::Error>>().map_err(Error::from)
}

/// What opening and judging evidence takes.
pub(crate) struct Opener<'a> {
    /// Opens wrapped keys.
    pub(crate) vault: Option<&'a Vault>,
    pub(crate) anchors: Option<&'a TrustAnchors>,
    pub(crate) shop: String,
    pub(crate) environment: Option<Environment>,
    /// Without it, bodies that name odd ids are not compared with their entries.
    pub(crate) hash_key: Option<HashKey>,
    /// The certificates that are kept, PEM, by the hexadecimal SHA-256.
    pub(crate) certificates: HashMap<String, String>,
}

impl<'a> Opener<'a> {
    pub(crate) async fn new(
        snapshot: &Snapshot,
        vault: &'a Vault,
        anchors: Option<&'a TrustAnchors>,
    ) -> Result<Self, Error> {
        let (client, shop) = (snapshot.client()?, snapshot.shop().as_str());
        let row = client.query_one(&sql::audit::GET_SHOP, &[&shop]).await?;
        let wrapped: Vec<u8> = row.try_get("hash_key_wrapped")?;
        let environment: &str = row.try_get("environment")?;
        Ok(Self {
            vault: Some(vault),
            anchors,
            shop: shop.to_owned(),
            environment: environment.parse().ok(),
            hash_key: Some(HashKey::unwrap(vault, shop, &wrapped)?),
            certificates: certificates(snapshot).await?,
        })
    }

    fn open(&self, event: &Event, piece: &Piece, judged: &mut Judged<'_>) -> Option<Vec<u8>> {
        let opened = match piece.key.as_ref()? {
            PieceKey::Wrapped(wrapped) => self.vault?.open_with_salt(&self.shop, &piece.sealed, wrapped),
            PieceKey::Released(key) => key.open(&self.shop, &piece.sealed),
        };
        let (salt, plain) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                judged.findings.add(event.position, EVIDENCE, error.to_string());
                return None;
            }
        };
        let mut committed = salt.to_vec();
        committed.extend_from_slice(&plain);
        if event.evidence().is_some_and(|said| digest(&SHA256, &committed).as_ref() != said.commitment) {
            judged.findings.add(
                event.position,
                EVIDENCE,
                "what it holds is not what the entry is committed to",
            );
            return None;
        }
        judged.counts.opened += 1;
        Some(plain)
    }

    /// Whether PayPal sent it, at the time when it was sent, and whether it says what the entry says.
    fn judge(&self, event: &Event, fact: &Fact, plain: &[u8], judged: &mut Judged<'_>) {
        let callback = match CallbackEvidence::decode(plain) {
            Ok(callback) => callback,
            Err(error) => return judged.findings.add(event.position, EVIDENCE, error.to_string()),
        };
        if callback.verified_by == VerifiedBy::Signature
            && let Some(anchors) = self.anchors
        {
            match self.signed(&callback, anchors) {
                Ok(()) => judged.counts.signed += 1,
                Err(why) => judged.findings.add(event.position, SIGNATURE, why),
            }
        }
        // What could not be read, or came again with other bytes, says nothing in its entry.
        if matches!(fact, Fact::CallbackUnreadable(_) | Fact::CallbackRevised(_)) {
            return;
        }
        let asked = Cell::new(false);
        let pseudonym = |text: &str| {
            asked.set(true);
            self.hash_key.as_ref().map_or_else(String::new, |key| key.pseudonym(text))
        };
        let says = paypal::translate(&callback.body, &pseudonym).fact;
        if asked.get() && self.hash_key.is_none() {
            return;
        }
        if says == *fact {
            judged.counts.translated += 1;
        } else {
            judged.otherwise.insert(event.position.0, says.type_name().to_owned());
        }
    }

    fn signed(&self, callback: &CallbackEvidence, anchors: &TrustAnchors) -> Result<(), String> {
        let headers: Vec<(String, Vec<u8>)> =
            callback.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        let certificate = self.certificates.get(&callback.certificate_sha256);
        let report = explain(&ExplainRequest {
            body: &callback.body,
            headers: &headers,
            webhook_id: &callback.webhook_id,
            environment: self.environment,
            // Of its transmission: certificates end.
            at: None,
            certificate: certificate.map(String::as_bytes),
            anchors,
        });
        match report.steps.iter().find(|step| !step.ok) {
            None => Ok(()),
            Some(step) => Err(format!("{}: {}", step.name, step.detail)),
        }
    }
}

/// What the evidence of a log comes to. Evidence is judged before the notes that speak of it are seen.
pub(crate) struct Judged<'a> {
    pub(crate) findings: &'a mut Findings,
    pub(crate) counts: EvidenceCounts,
    /// Pieces without a key.
    keyless: Vec<i64>,
    /// Facts whose keys were destroyed, as the log says.
    erased: ErasedPositions,
    /// Callbacks that say something else by the translation of this version.
    otherwise: BTreeMap<i64, String>,
    /// Callbacks that were read again.
    retranslated: BTreeSet<i64>,
    /// Events that came back from the published log without their evidence.
    lost: BTreeSet<i64>,
    /// Of a bundle: from where to where evidence is handed over. Its keys need not be released.
    handed_over: Option<[Position; 2]>,
}

impl<'a> Judged<'a> {
    pub(crate) fn new(findings: &'a mut Findings, lost: BTreeSet<i64>) -> Self {
        Self {
            findings,
            lost,
            counts: EvidenceCounts::default(),
            keyless: Vec::new(),
            erased: ErasedPositions::default(),
            otherwise: BTreeMap::new(),
            retranslated: BTreeSet::new(),
            handed_over: None,
        }
    }

    pub(crate) fn of_bundle(findings: &'a mut Findings, report: &BundleReport) -> Self {
        let lost = report.lost.iter().map(|position| position.0).collect();
        Self { handed_over: Some(report.range), ..Self::new(findings, lost) }
    }

    fn is_left_out(&self, at: Position) -> bool {
        self.handed_over.is_some_and(|[from, to]| at < from || at > to)
    }

    /// Compares an event with its evidence.
    pub(crate) fn event(&mut self, event: &Event, piece: Option<&Piece>, opener: Option<&Opener<'_>>) {
        self.erased.note(event);
        let fact = event.fact().ok();
        if let Some(Fact::CallbackRetranslated(retranslation)) = &fact {
            self.retranslated.insert(retranslation.of.0);
        }
        let (said, piece) = match (event.evidence(), piece) {
            (None, None) => return,
            (Some(_), None) if self.is_left_out(event.position) => {
                self.counts.left_out += 1;
                return;
            }
            (Some(_), None) if self.lost.contains(&event.position.0) => {
                self.counts.lost += 1;
                return;
            }
            (Some(_), None) => {
                return self.findings.add(
                    event.position,
                    EVIDENCE,
                    "it is not there, and the entry rests on it",
                );
            }
            (None, Some(_)) => {
                return self.findings.add(
                    event.position,
                    EVIDENCE,
                    "it is there, and the entry says nothing of it",
                );
            }
            (Some(said), Some(piece)) => (said, piece),
        };
        if digest(&SHA256, &piece.sealed).as_ref() != said.sha256 {
            return self.findings.add(
                event.position,
                EVIDENCE,
                "its sealed bytes were changed: their SHA-256 is not the entry's",
            );
        }
        self.counts.hashed += 1;
        if piece.key.is_none() {
            self.keyless.push(event.position.0);
            return;
        }
        let Some(opener) = opener else { return };
        let Some(plain) = opener.open(event, piece, self) else { return };
        if let Some(fact) = fact.filter(|fact| fact.source() == FactSource::Callback) {
            opener.judge(event, &fact, &plain, self);
        }
    }

    /// What only the whole log can tell.
    pub(crate) fn finish(mut self) -> EvidenceCounts {
        for position in std::mem::take(&mut self.keyless) {
            if self.erased.accounts_for(Position(position)) {
                self.counts.erased += 1;
            } else if self.handed_over.is_none() {
                self.findings.add(
                    Position(position),
                    EVIDENCE,
                    "its key is gone, and the log does not say why",
                );
            }
        }
        for (position, says) in std::mem::take(&mut self.otherwise) {
            if self.retranslated.contains(&position) {
                self.counts.translated += 1;
            } else {
                let what = format!(
                    "its body says something else ({says}) by this version: if its translation was mended since, \
                     `counterfoil events retranslate` records it"
                );
                self.findings.add(Position(position), TRANSLATION, what);
            }
        }
        self.counts
    }
}

/// Events that came back from the published log without their evidence.
pub(crate) async fn lost(snapshot: &Snapshot) -> Result<BTreeSet<i64>, Error> {
    let rows = snapshot.client()?.query(&sql::audit::LIST_REIMPORTED, &[&snapshot.shop().as_str()]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// The certificates that are kept, PEM, by the hexadecimal SHA-256.
pub(crate) async fn certificates(snapshot: &Snapshot) -> Result<HashMap<String, String>, Error> {
    let (client, shop) = (snapshot.client()?, snapshot.shop().as_str());
    let mut certificates = HashMap::new();
    for row in client.query(&sql::audit::LIST_CERTIFICATES, &[&shop]).await? {
        let der: &[u8] = row.try_get("der")?;
        certificates.insert(hex::encode(digest(&SHA256, der)), pem(der));
    }
    Ok(certificates)
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}
