//! The rows of a batch, as columns: one statement takes them all.

use std::borrow::Cow;

use domain::{Position, Timestamp};
use trace_context::TraceParent;
use uuid::Uuid;

use crate::entry::Untimed;
use crate::fact::{Digest, Prepared};
use crate::{Certificate, Point};

/// Columns of events and of their outbox rows.
#[derive(Debug, Default)]
pub(crate) struct EventColumns<'a> {
    pub(crate) positions: Vec<i64>,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) types: Vec<&'static str>,
    pub(crate) keys: Vec<String>,
    pub(crate) entries: Vec<String>,
    pub(crate) leaf_hashes: Vec<Vec<u8>>,
    pub(crate) aggregate_types: Vec<&'static str>,
    pub(crate) aggregate_ids: Vec<Cow<'a, str>>,
    pub(crate) payloads: Vec<Cow<'a, str>>,
    /// Their traces, as far as the last of them that belongs to one: nearly always empty.
    pub(crate) traces: Vec<Option<String>>,
}

/// Columns of everything that a batch of facts inserts.
#[derive(Debug)]
pub(crate) struct FactRows<'a> {
    pub(crate) at: Timestamp,
    pub(crate) events: EventColumns<'a>,
    pub(crate) evidence_positions: Vec<i64>,
    pub(crate) sealed: Vec<&'a [u8]>,
    pub(crate) kek_ids: Vec<&'a str>,
    pub(crate) wrapped_keys: Vec<&'a [u8]>,
    pub(crate) certificates: Vec<&'a Certificate>,
    pub(crate) callback_keys: Vec<String>,
    pub(crate) callback_macs: Vec<Option<Vec<u8>>>,
    pub(crate) callback_positions: Vec<i64>,
    pub(crate) command_types: Vec<&'static str>,
    pub(crate) command_ids: Vec<&'a str>,
    pub(crate) command_contents: Vec<&'a [u8]>,
    pub(crate) command_positions: Vec<i64>,
    pub(crate) transmission_ids: Vec<&'a str>,
    pub(crate) transmission_keys: Vec<String>,
    pub(crate) transmission_macs: Vec<Vec<u8>>,
    pub(crate) transmission_headers: Vec<String>,
    pub(crate) conflict_ids: Vec<&'a str>,
    pub(crate) conflict_macs: Vec<Vec<u8>>,
}

impl<'a> EventColumns<'a> {
    /// The last of them, as it is remembered.
    pub(crate) fn last(&self, epoch: i32) -> Option<Point> {
        let (position, leaf_hash) = (Position(*self.positions.last()?), self.leaf_hashes.last()?);
        Some(Point { epoch, position, leaf_hash: leaf_hash.as_slice().try_into().ok()? })
    }

    /// The one that was pushed last belongs to this trace.
    pub(crate) fn belongs_to(&mut self, trace: Option<TraceParent>) {
        if let Some(trace) = trace {
            self.traces.resize(self.positions.len().saturating_sub(1), None);
            self.traces.push(Some(trace.to_string()));
        }
    }

    /// `key` is the whole key, and its name.
    pub(crate) fn push(
        &mut self,
        at: Timestamp,
        (position, id, type_name): (i64, Uuid, &'static str),
        key: (String, Cow<'a, str>),
        aggregate_type: &'static str,
        entry: Cow<'a, Untimed>,
    ) {
        let (bytes, leaf_hash) = entry.at(at);
        self.positions.push(position);
        self.ids.push(id);
        self.types.push(type_name);
        self.keys.push(key.0);
        self.entries.push(bytes);
        self.leaf_hashes.push(leaf_hash.to_vec());
        self.aggregate_types.push(aggregate_type);
        self.aggregate_ids.push(key.1);
        self.payloads.push(match entry {
            Cow::Borrowed(entry) => Cow::Borrowed(entry.data()),
            Cow::Owned(entry) => Cow::Owned(entry.data().to_owned()),
        });
    }
}

impl<'a> FactRows<'a> {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            at,
            events: EventColumns::default(),
            evidence_positions: Vec::new(),
            sealed: Vec::new(),
            kek_ids: Vec::new(),
            wrapped_keys: Vec::new(),
            certificates: Vec::new(),
            callback_keys: Vec::new(),
            callback_macs: Vec::new(),
            callback_positions: Vec::new(),
            command_types: Vec::new(),
            command_ids: Vec::new(),
            command_contents: Vec::new(),
            command_positions: Vec::new(),
            transmission_ids: Vec::new(),
            transmission_keys: Vec::new(),
            transmission_macs: Vec::new(),
            transmission_headers: Vec::new(),
            conflict_ids: Vec::new(),
            conflict_macs: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.positions.is_empty()
            && self.transmission_ids.is_empty()
            && self.conflict_ids.is_empty()
            // Rows of events that are there already.
            && self.callback_keys.is_empty()
            && self.command_ids.is_empty()
    }

    pub(crate) fn event(
        &mut self,
        position: i64,
        id: Uuid,
        type_name: &'static str,
        key: (String, Cow<'a, str>),
        aggregate_type: &'static str,
        entry: Cow<'a, Untimed>,
    ) {
        self.events.push(self.at, (position, id, type_name), key, aggregate_type, entry);
    }

    /// The evidence and certificate of the fact at this position.
    pub(crate) fn evidence_of(&mut self, position: i64, fact: &'a Prepared) {
        if let Some(evidence) = &fact.evidence {
            self.evidence_positions.push(position);
            self.sealed.push(&evidence.bytes);
            self.kek_ids.push(&evidence.kek_id);
            self.wrapped_keys.push(&evidence.wrapped_key);
        }
        if let Some(certificate) = &fact.certificate
            && self.certificates.iter().all(|seen| seen.sha256 != certificate.sha256)
        {
            self.certificates.push(certificate);
        }
    }

    pub(crate) fn callback(&mut self, event_key: String, mac: Option<Digest>, position: i64) {
        self.callback_keys.push(event_key);
        self.callback_macs.push(mac.map(|mac| mac.to_vec()));
        self.callback_positions.push(position);
    }

    pub(crate) fn command(
        &mut self,
        type_name: &'static str,
        id: &'a str,
        content: &'a Digest,
        position: i64,
    ) {
        self.command_types.push(type_name);
        self.command_ids.push(id);
        self.command_contents.push(content);
        self.command_positions.push(position);
    }

    pub(crate) fn transmission(&mut self, id: &'a str, event_key: String, mac: Digest, headers: String) {
        self.transmission_ids.push(id);
        self.transmission_keys.push(event_key);
        self.transmission_macs.push(mac.to_vec());
        self.transmission_headers.push(headers);
    }

    pub(crate) fn conflict(&mut self, transmission_id: &'a str, mac: Digest) {
        self.conflict_ids.push(transmission_id);
        self.conflict_macs.push(mac.to_vec());
    }
}
