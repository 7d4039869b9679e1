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
    }
}

fn hold() -> Value {
    json!({
        "buyer": {"type": "string", "description": "Whose."},
        "case": {"type": "string", "description": "Why: a reference of the shop's."},
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
