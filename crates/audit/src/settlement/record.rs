//! The comparison in the log.

use database::Database;
use domain::{Key, ShopId};
use event_log::{Guard, NewNote, NoteType, NotedAt, record_note};
use serde_json::json;

use super::Comparison;
use crate::Error;

/// Appends `settlement.reconciled`: the report's SHA-256, and what the comparison came to. Once for each report and state
/// of the log.
///
/// # Errors
/// The database's; a log that has forked.
pub async fn record(
    guard: &Guard,
    database: &Database,
    shop: &ShopId,
    comparison: &Comparison,
    by: &str,
) -> Result<NotedAt, Error> {
    let counts = comparison.counts;
    let note = NewNote {
        kind: NoteType::SettlementReconciled,
        key: Key::Shop(shop.clone()),
        by: by.to_owned(),
        id: format!("{}:{}", comparison.sha256, comparison.as_of),
        data: json!({
            "amount_differs": counts.amount_differs,
            "as_of": comparison.as_of,
            "from": comparison.from,
            "matched": counts.matched,
            "missing_here": counts.missing_here,
            "missing_there": counts.missing_there,
            "other": counts.other,
            "rows": comparison.rows,
            "sha256": comparison.sha256,
            "timing": counts.timing,
            "to": comparison.to,
        }),
        evidence: None,
    };
    Ok(record_note(guard, database, shop, note).await?)
}
