//! Reads policy files.

use std::collections::HashMap;
use std::str::FromStr;

use super::{Log, Policy, Rule, Witness};
use crate::error::Error;
use crate::key::{KeyType, Verifier};
use crate::text::decimal;

/// The longest file that is read, in bytes.
const MAX_BYTES: usize = 1_000_000;

/// The most logs, witnesses and groups, of each.
const MAX_DEFINITIONS: usize = 256;

/// What cannot be defined: no witness at all.
const NONE: &str = "none";

#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: usize,
    names: HashMap<String, Name>,
    quorum: Option<Option<Rule>>,
}

/// A witness or a group.
struct Name {
    rule: Rule,
    /// Nobody counts twice.
    is_member: bool,
}

impl FromStr for Policy {
    type Err = Error;

    /// Reads a policy file. Names are compared byte for byte.
    fn from_str(file: &str) -> Result<Self, Error> {
        let refused = |line: usize, why: String| Error::Policy { line: line + 1, why };
        if file.len() > MAX_BYTES {
            return Err(refused(0, format!("the file has more than {MAX_BYTES} bytes")));
        }
        let mut reader = Reader::default();
        let mut last = 0;
        for (number, line) in file.split('\n').enumerate() {
            reader.line(line).map_err(|why| refused(number, why))?;
            last = number;
        }
        let quorum = reader.quorum.ok_or_else(|| refused(last, "the file has no quorum line".to_owned()))?;
        Ok(Self { logs: reader.logs, witnesses: reader.witnesses, quorum })
    }
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.contains(|c: char| c.is_ascii_control() && c != '\t') {
            return Err("it has a control character (lines end with a newline alone)".to_owned());
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey] => self.log(vkey, None),
            ["log", vkey, url] => self.log(vkey, Some(url)),
            ["witness", name, vkey] => self.witness(name, vkey, None),
            ["witness", name, vkey, url] => self.witness(name, vkey, Some(url)),
            ["group", name, threshold, ref members @ ..] if !members.is_empty() => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            _ => Err("it is none of: log VKEY [URL], witness NAME VKEY [URL], group NAME all|any|K NAME.., quorum NAME|none"
                .to_owned()),
        }
    }

    fn log(&mut self, vkey: &str, url: Option<&str>) -> Result<(), String> {
        let verifier = key(vkey, KeyType::Ed25519)?;
        once(self.logs.iter().map(|log| &log.verifier), &verifier)?;
        bounded(self.logs.len())?;
        self.logs.push(Log { verifier, url: url.map(str::to_owned) });
        Ok(())
    }

    fn witness(&mut self, name: &str, vkey: &str, url: Option<&str>) -> Result<(), String> {
        let verifier = key(vkey, KeyType::Cosignature)?;
        once(self.witnesses.iter().map(|witness| &witness.verifier), &verifier)?;
        bounded(self.witnesses.len())?;
        self.define(name, Rule::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_owned(), verifier, url: url.map(str::to_owned) });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), String> {
        bounded(self.groups)?;
        self.groups += 1;
        let threshold = match threshold {
            "any" => Some(1),
            "all" => Some(names.len()),
            number => decimal(number).and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold.filter(|threshold| (1..=names.len()).contains(threshold));
        let threshold =
            threshold.ok_or_else(|| format!("of {} members all, any or 1 to {0}", names.len()))?;
        let mut members = Vec::new();
        for &member in names {
            let known = self.names.get_mut(member).ok_or_else(|| format!("{member} is not defined above"))?;
            if std::mem::replace(&mut known.is_member, true) {
                return Err(format!("{member} is a member already"));
            }
            members.push(known.rule.clone());
        }
        self.define(name, Rule::Group { threshold, members })
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("there is one quorum line".to_owned());
        }
        let rule = self.names.get(name).map(|known| known.rule.clone());
        if rule.is_none() && name != NONE {
            return Err(format!("{name} is not defined above"));
        }
        self.quorum = Some(rule);
        Ok(())
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), String> {
        if name == NONE || self.names.contains_key(name) {
            return Err(format!("{name} is defined already"));
        }
        self.names.insert(name.to_owned(), Name { rule, is_member: false });
        Ok(())
    }
}

fn key(vkey: &str, key_type: KeyType) -> Result<Verifier, String> {
    let verifier: Verifier = vkey.parse().map_err(|error: Error| error.to_string())?;
    if verifier.key_type() == key_type {
        Ok(verifier)
    } else {
        Err(format!("its key is not of type {}", key_type as u8))
    }
}

/// Under another name the same key would count twice.
fn once<'a>(mut known: impl Iterator<Item = &'a Verifier>, new: &Verifier) -> Result<(), String> {
    match known.any(|known| known.public_key() == new.public_key()) {
        true => Err("its key stands above already".to_owned()),
        false => Ok(()),
    }
}

fn bounded(count: usize) -> Result<(), String> {
    if count < MAX_DEFINITIONS {
        Ok(())
    } else {
        Err(format!("there are at most {MAX_DEFINITIONS} of a kind"))
    }
}
