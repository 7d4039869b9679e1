//! Why a worker stops, or waits.

use std::time::Duration;

use crate::Error;

/// What keeps a worker from going on.
pub(crate) enum Stop {
    /// Another has the lease, or it cannot be known.
    Lost,
    /// The sink was changed: whoever takes it next begins anew.
    Changed,
    /// Nothing gets through at the moment.
    Failing { why: String, wait: Duration },
    /// The sink wants to be left alone for so long.
    Paused(Duration),
}

impl Stop {
    pub(crate) fn failing(why: impl ToString) -> Self {
        Self::Failing { why: why.to_string(), wait: Duration::ZERO }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Relay(relay::Error::LeaseLost) => Self::Lost,
            error => Self::failing(error),
        }
    }
}

impl From<database::Error> for Stop {
    fn from(error: database::Error) -> Self {
        Self::failing(error)
    }
}

impl From<relay::Error> for Stop {
    fn from(error: relay::Error) -> Self {
        Error::from(error).into()
    }
}
