//! Policies: which logs to believe, and which witnesses must have seen what a log says (<https://c2sp.org/tlog-policy>).

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::{KeyType, Verifier};
use crate::note::Note;

mod file;

/// Whom to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    /// `None` asks for no witness.
    quorum: Option<Rule>,
}

/// A log that may sign checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key, under the name of its origin.
    pub verifier: Verifier,
    /// Where it is.
    pub url: Option<String>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it.
    pub name: String,
    /// Its key.
    pub verifier: Verifier,
    /// Where to submit checkpoints.
    pub url: Option<String>,
}

/// What must have been cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// By this one of the witnesses.
    Witness(usize),
    /// By so many of the members.
    Group { threshold: usize, members: Vec<Rule> },
}

/// A checkpoint that may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'p> {
    /// The tree of the log.
    pub checkpoint: Checkpoint,
    /// The log whose signature holds.
    pub log: &'p Log,
    /// Every cosignature by a witness of the policy.
    pub cosignatures: Vec<Cosignature<'p>>,
}

/// That a witness saw a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature<'p> {
    /// Which one.
    pub witness: &'p Witness,
    /// When, in seconds since 1970, by its own clock.
    pub time_s: u64,
}

impl Policy {
    /// Believes one log, and asks for no witness.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the key is that of a witness.
    pub fn of_log(verifier: Verifier) -> Result<Self, Error> {
        let none = Self { logs: Vec::new(), witnesses: Vec::new(), quorum: None };
        none.with_log(verifier)
    }

    /// Believes one log more: another key of the same log, or one that the policy's author left to be known from elsewhere.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the key is that of a witness.
    pub fn with_log(mut self, verifier: Verifier) -> Result<Self, Error> {
        if verifier.key_type() != KeyType::Ed25519 {
            return Err(Error::malformed("the key of a log", "its type is 1, Ed25519"));
        }
        self.logs.push(Log { verifier, url: None });
        Ok(self)
    }

    /// The logs, in the order of the file.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The checkpoint in a note, if a log of the policy signed it under its own origin, and enough witnesses cosigned.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::BadSignature`] if that of a known key does not hold, [`Error::NotSigned`] by a log,
    /// [`Error::NoQuorum`].
    pub fn open(&self, note: &Note) -> Result<Opened<'_>, Error> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let logs = self.logs.iter().map(|log| &log.verifier);
        let known: Vec<&Verifier> =
            logs.chain(self.witnesses.iter().map(|witness| &witness.verifier)).collect();
        let verified = note.open(&known)?;
        let signed = |key: &Verifier| verified.iter().any(|signature| signature.by == key);
        let log =
            self.logs.iter().find(|log| log.verifier.name() == checkpoint.origin() && signed(&log.verifier));
        let log = log.ok_or(Error::NotSigned)?;
        let quorum = self.quorum.as_ref();
        if !quorum.is_none_or(|rule| rule.is_met(&|witness| signed(&self.witnesses[witness].verifier))) {
            return Err(Error::NoQuorum);
        }
        let cosignature = |signature: &crate::note::Verified<'_>| {
            let witness = self.witnesses.iter().find(|witness| witness.verifier == *signature.by)?;
            Some(Cosignature { witness, time_s: signature.time_s? })
        };
        let cosignatures = verified.iter().filter_map(cosignature).collect();
        Ok(Opened { checkpoint, log, cosignatures })
    }
}

impl Rule {
    fn is_met(&self, cosigned: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Witness(witness) => cosigned(*witness),
            Self::Group { threshold, members } => {
                members.iter().filter(|member| member.is_met(cosigned)).count() >= *threshold
            }
        }
    }
}
