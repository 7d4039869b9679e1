//! The contracts of notes: what the log says about itself.

use event_log::{Kind, NoteType};
use serde_json::{Value, json};

use super::Contract;

pub(super) fn contracts() -> impl Iterator<Item = Contract> {
    NoteType::ALL.iter().map(|note| {
        let (summary, required, properties) = contract(*note);
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        Contract::new((Kind::Note, "log", note.name()), summary, schema)
    })
}

fn contract(note: NoteType) -> (&'static str, &'static [&'static str], Value) {
    match note {
        NoteType::LogForked => (
            "A new epoch of the log begins: its database was restored to an earlier state, and what follows is another history.",
            &["forked_at", "new_epoch", "old_epoch", "resume_after"],
            json!({
                "forked_at": {"type": "integer", "minimum": -1, "maximum": domain::MINOR_MAX,
                    "description": "The last position that both epochs have; -1: none."},
                "new_epoch": {"type": "integer", "minimum": 1, "maximum": i32::MAX,
                    "description": "The epoch that begins."},
                "old_epoch": {"type": "integer", "minimum": 0, "maximum": i32::MAX,
                    "description": "The epoch that has ended."},
                "resume_after": {"type": "string", "pattern": "^[0-9]+-([0-9]+|start)$",
                    "description": "The cursor behind which readers of the old epoch miss nothing."},
            }),
        ),
        NoteType::ProjectionDigest => (
            "What the fold of the log comes to: the digest of each read model.",
            &["as_of", "models"],
            json!({
                "as_of": position("The last position that was folded."),
                "models": {"type": "array", "description": "Each read model.", "items": {
                    "type": "object",
                    "properties": {
                        "model": {"type": "string", "description": "Its name: orders, payments, stock, coupons, points."},
                        "rows": count("How many rows it has."),
                        "sha256": sha256("Of its rows as `export --format jsonl` writes them."),
                    },
                    "required": ["model", "rows", "sha256"],
                }},
            }),
        ),
        NoteType::KeyRotated => (
            "Checkpoints of the log are signed with another key from here on.",
            &["new_vkey"],
            json!({
                "new_vkey": {"type": "string", "description": "The key that signs from here on, as C2SP signed-note has it."},
                "old_vkey": {"type": "string", "description": "The key that signed until here; absent for the first one."},
            }),
        ),
        NoteType::SubjectErased => (
            "The keys of the evidence of a buyer's orders were destroyed: bodies are unreadable, money facts remain.",
            &["basis", "buyer", "keys_destroyed", "orders", "positions"],
            json!({
                "basis": {"type": "string", "description": "Why: a reference of the shop's."},
                "buyer": {"type": "string", "description": "Whose."},
                "keys_destroyed": count("How many keys there were."),
                "orders": count("Of how many orders."),
                "positions": {"type": "array", "description": "The facts whose evidence is unreadable from here on.",
                    "items": position("A fact.")},
            }),
        ),
        NoteType::HoldPlaced => {
            ("A legal hold: the buyer's evidence must not be destroyed.", &["buyer", "case"], hold())
        }
        NoteType::HoldLifted => ("A legal hold was lifted.", &["buyer", "case"], hold()),
        NoteType::SettlementReconciled => (
            "A settlement report of PayPal's was compared with the log.",
            &[
                "amount_differs",
                "as_of",
                "from",
                "matched",
                "missing_here",
                "missing_there",
                "other",
                "rows",
                "sha256",
                "timing",
                "to",
            ],
            json!({
                "amount_differs": count("Transactions whose amounts differ."),
                "as_of": position("The last position of the log that was compared."),
                "from": time("When the report's period begins."),
                "matched": count("Transactions that agree."),
                "missing_here": count("Transactions that the log does not have."),
                "missing_there": count("Payments of the period that the report does not have."),
                "other": count("Transactions that are no sale and no refund: they are not compared."),
                "rows": count("Transactions that the report lists."),
                "sha256": sha256("Of the report, byte for byte."),
                "timing": count("Transactions at the edges of the period."),
                "to": time("When it ends."),
            }),
        ),
        NoteType::SinkChanged => (
            "An operator has changed a sink.",
            &["change", "name"],
            json!({
                "change": change(&["made", "updated", "paused", "resumed", "reset", "redriven", "removed"]),
                "cursor": cursor("Where it stands from here on: of one that was made or reset."),
                "key": {"type": "string", "description": "Of which key dead letters were redriven, where one was named."},
                "kind": {"type": "string", "description": "What it is: of one that was made."},
                "name": {"type": "string", "description": "Its name."},
                "types": {"type": "array", "items": {"type": "string"},
                    "description": "Of which types dead letters were redriven; none: of all."},
            }),
        ),
        NoteType::ConsumerChanged => (
            "An operator, or its reader, has changed a consumer.",
            &["change", "name"],
            json!({
                "change": change(&["reset", "lost", "removed"]),
                "cursor": cursor("Where it stands from here on: of one that was reset."),
                "name": {"type": "string", "description": "Its name."},
            }),
        ),
        NoteType::ApiKeyChanged => (
            "An operator has changed an API key.",
            &["change", "key_id"],
            json!({
                "change": change(&["made", "rotated", "revoked"]),
                "key_id": {"type": "string", "description": "Its id."},
                "replaced_by": {"type": "string", "description": "The id of the key that it was rotated to."},
                "roles": {"type": "array", "items": {"type": "string"},
                    "description": "What it may be used for: of one that was made."},
            }),
        ),
        NoteType::WebhookChanged => (
            "An operator has changed whose callbacks are taken.",
            &["change", "webhook_id"],
            json!({
                "change": change(&["added", "removed"]),
                "webhook_id": {"type": "string", "description": "PayPal's id of the webhook."},
            }),
        ),
        NoteType::EvidenceOpened => (
            "An operator has opened a piece of evidence, to read it.",
            &["of"],
            json!({ "of": position("Whose evidence: where its event stands.") }),
        ),
        NoteType::EvidenceHandedOver => (
            "An operator has made an evidence bundle, to be handed over.",
            &["bodies", "from", "keys", "manifest_sha256", "size", "to"],
            json!({
                "bodies": count("Pieces of evidence in it."),
                "from": position("The first event whose evidence is in it."),
                "keys": count("Pieces that whoever has the bundle can read: keys that were handed over."),
                "manifest_sha256": sha256("Of its manifest, which has the SHA-256 of every file."),
                "size": count("Events of the log in it."),
                "to": position("The last event whose evidence is in it."),
            }),
        ),
        NoteType::LogVerified => (
            "An operator has had the log compared with all there is of it.",
            &["facts", "holds", "outcomes", "through"],
            compared(),
        ),
        NoteType::LogReplayed => (
            "An operator has had the log decided and folded again.",
            &["facts", "holds", "outcomes", "through"],
            compared(),
        ),
    }
}

fn change(all: &[&str]) -> Value {
    json!({"type": "string", "enum": all, "description": "What became of it."})
}

fn cursor(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[0-9]+-([0-9]+|start)$", "description": description})
}

fn hold() -> Value {
    json!({
        "buyer": {"type": "string", "description": "Whose."},
        "case": {"type": "string", "description": "Why: a reference of the shop's."},
    })
}

fn compared() -> Value {
    json!({
        "facts": count("Facts that were decided again."),
        "holds": {"type": "boolean", "description": "Whether nothing differs."},
        "outcomes": count("Outcomes that were compared."),
        "through": position("The last event of the log at the time."),
    })
}

fn position(description: &str) -> Value {
    json!({"type": "integer", "minimum": -1, "maximum": domain::MINOR_MAX, "description": description})
}

fn time(description: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": description})
}

fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": domain::MINOR_MAX, "description": description})
}

fn sha256(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{64}$", "description": format!("SHA-256, hexadecimal. {description}")})
}
