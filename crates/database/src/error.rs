//! What the database answers when it does not do as asked, by what the caller can do about it.
//!
//! PostgreSQL's own texts may quote values, which may be a person's: details are never kept, and messages only of the
//! kinds that name objects and not values.

use tokio_postgres::error::DbError;

/// Sorted by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, a time-out, a shutdown, no room: nothing was done; try again later.
    #[error("the database cannot be had now: {0}")]
    Unavailable(String),
    /// A value that PostgreSQL does not take (class 22): trying again is of no use.
    #[error("the database does not take a value ({code})")]
    Data {
        /// The SQLSTATE.
        code: String,
    },
    /// A constraint refused the change (class 23): its name is the rule.
    #[error("the database refuses by its rule {} ({code})", .constraint.as_deref().unwrap_or("without a name"))]
    Integrity {
        /// The SQLSTATE.
        code: String,
        /// The constraint's name.
        constraint: Option<String>,
        /// The table's name.
        table: Option<String>,
    },
    /// Lost against another transaction: run it again. `run_tx` does that, and gives up after a few times.
    #[error("lost against other transactions ({0})")]
    Serialization(String),
    /// The statement is wrong, or something that it needs is not there or not allowed: a bug, or a missing migration.
    #[error("the statement failed: {0}")]
    Sql(String),
    /// A start-up check failed; the text says what to change.
    #[error("{0}")]
    Refused(String),
    /// The connection broke during COMMIT: it may have happened. Only a repetition that a unique key decides is safe.
    #[error("it is not known whether the transaction was committed: {0}")]
    CommitUnknown(String),
    /// The closure of `run_tx` gave up for a reason of its own, and everything was rolled back.
    #[error("the transaction was given up")]
    Aborted(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// For closures of `run_tx`: rolls back and hands the reason to the caller.
    pub fn abort(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Aborted(reason.into())
    }

    /// Whether a constraint of this name refused the change.
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Integrity { constraint: Some(constraint), .. } if constraint == name)
    }

    /// Whether nothing was done and trying again later can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Serialization(_))
    }
}

/// The kinds of [`Error`] that PostgreSQL itself gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Try again later.
    Unavailable,
    /// A value is not taken.
    Data,
    /// A constraint refuses.
    Integrity,
    /// Run the transaction again.
    Serialization,
    /// The statement is wrong.
    Sql,
}

/// What kind of error it is.
pub fn classify(error: &tokio_postgres::Error) -> Class {
    match error.as_db_error() {
        Some(db) => classify_code(db.code().code()),
        None if is_of_this_side(error) => Class::Sql,
        None => Class::Unavailable,
    }
}

fn classify_code(code: &str) -> Class {
    match code {
        "40001" | "40P01" => Class::Serialization,
        // Read-only: a fail-over that this session has not noticed. Lock and idle time-outs: somebody else is slow.
        "25006" | "25P03" | "55P03" => Class::Unavailable,
        _ => match code.get(..2).unwrap_or_default() {
            "22" => Class::Data,
            "23" => Class::Integrity,
            // Connection; who logs in, and into what; resources; an operator, a time-out, a shutdown; the disk.
            "08" | "28" | "3D" | "40" | "53" | "57" | "58" => Class::Unavailable,
            _ => Class::Sql,
        },
    }
}

/// Whether the driver refused before or after the server did its part. The driver does not tell in any other way.
fn is_of_this_side(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    [
        "error serializing",
        "error deserializing",
        "invalid column",
        "query returned",
        "expected ",
        "error encoding",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let class = classify(&error);
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        match class {
            Class::Unavailable => Self::Unavailable(describe(&error)),
            Class::Data => Self::Data { code },
            Class::Integrity => {
                let db = error.as_db_error();
                Self::Integrity {
                    code,
                    constraint: db.and_then(DbError::constraint).map(str::to_owned),
                    table: db.and_then(DbError::table).map(str::to_owned),
                }
            }
            Class::Serialization => Self::Serialization(code),
            Class::Sql => Self::Sql(describe(&error)),
        }
    }
}

/// What may be said of an error: never details or hints, which quote values.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return match classify_code(db.code().code()) {
            Class::Data | Class::Integrity => db.code().code().to_owned(),
            _ => format!("{} ({})", db.message(), db.code().code()),
        };
    }
    let cause = std::error::Error::source(error);
    match cause.and_then(|cause| cause.downcast_ref::<std::io::Error>()) {
        Some(io) => format!("{error}: {io}"),
        None => error.to_string(),
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        use deadpool_postgres::PoolError;
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(_) => Self::Unavailable("no session became free in time".to_owned()),
            PoolError::Closed => Self::Unavailable("the pool is closed".to_owned()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_sorted_by_what_the_caller_can_do() {
        let table = [
            ("40001", Class::Serialization),
            ("40P01", Class::Serialization),
            ("25006", Class::Unavailable),
            ("53300", Class::Unavailable),
            ("57014", Class::Unavailable),
            ("57P01", Class::Unavailable),
            ("55P03", Class::Unavailable),
            ("08006", Class::Unavailable),
            ("22P02", Class::Data),
            ("23505", Class::Integrity),
            ("42501", Class::Sql),
            ("42P01", Class::Sql),
            ("", Class::Sql),
        ];
        for (code, class) in table {
            assert_eq!(classify_code(code), class, "{code}");
        }
    }
}
