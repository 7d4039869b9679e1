//! Why PayPal's API gave no answer that can be used.

use std::time::Duration;

/// A call that failed. Nothing of a body, and no header, stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// PayPal understood and refused: wrong credentials, a missing right, a bad request. Trying again changes nothing.
    #[error("PayPal refused with {status}{}", named(.name))]
    Refused {
        /// The status.
        status: u16,
        /// PayPal's name for it, as `invalid_client`.
        name: Option<String>,
    },
    /// Too many requests.
    #[error("PayPal asks to slow down (429)")]
    Throttled {
        /// How long PayPal asks to wait.
        retry_after: Option<Duration>,
    },
    /// PayPal cannot be reached, or has trouble.
    #[error("PayPal is not available: {why}")]
    Unavailable {
        /// What happened.
        why: String,
        /// How long PayPal asks to wait.
        retry_after: Option<Duration>,
    },
    /// An answer that is not what PayPal documents.
    #[error("PayPal's answer is odd: {0}")]
    Odd(String),
}

fn named(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default()
}

impl RestError {
    pub(super) fn odd(why: impl std::fmt::Display) -> Self {
        Self::Odd(why.to_string())
    }

    pub(super) fn unavailable(why: impl std::fmt::Display) -> Self {
        Self::Unavailable { why: why.to_string(), retry_after: None }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    /// How long PayPal asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Refused { .. } | Self::Odd(_) => None,
        }
    }
}
