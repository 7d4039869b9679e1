//! How the program ends: the exit codes, and the one place where a failure is told.

use std::io::Write;
use std::process::ExitCode;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Ok,
    /// The program did its work, and found something that is not as it should be.
    Finding,
    /// The arguments do not fit together.
    Usage,
    /// The database or the service cannot be had now.
    Unavailable,
    /// Something that should not happen.
    Bug,
    /// The configuration is wrong or incomplete.
    Config,
}

impl Exit {
    /// All of them, by their codes.
    pub(crate) const ALL: [Self; 6] =
        [Self::Ok, Self::Finding, Self::Usage, Self::Unavailable, Self::Bug, Self::Config];

    /// What the system is told; above 2 as sysexits.h has them.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::Config => 78,
        }
    }

    /// The same for people: in help texts and manual pages.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "all is well",
            Self::Finding => "a finding: not authentic, refused, not found, something failed the check",
            Self::Usage => "the arguments are wrong",
            Self::Unavailable => "the database or the service cannot be had now: try again later",
            Self::Bug => "a bug",
            Self::Config => "the configuration is wrong or incomplete",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A failure that knows how the program is to end.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    text: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// The configuration is wrong: the text says what to change.
pub(crate) fn config(text: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Config, text: text.into() }.into()
}

/// The arguments do not fit together.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Usage, text: text.into() }.into()
}

/// What is needed cannot be had now.
pub(crate) fn unavailable(text: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Unavailable, text: text.into() }.into()
}

/// The other side refused, or something is not as it should be.
pub(crate) fn finding(text: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Finding, text: text.into() }.into()
}

/// Tells the failure on standard error, and gives the exit code for it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    exit_of(error).into()
}

fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if let Some(failed) = cause.downcast_ref::<database::Error>() {
            return match failed {
                database::Error::Unavailable(_) | database::Error::CommitUnknown(_) => Exit::Unavailable,
                database::Error::Refused(_) => Exit::Config,
                _ => Exit::Bug,
            };
        }
        if cause.is::<private_postgres::Error>() || cause.is::<reqwest::Error>() {
            return Exit::Unavailable;
        }
    }
    Exit::Bug
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_exit_code_says_whose_turn_it_is() {
        let unavailable: anyhow::Error = database::Error::Unavailable("no connection".into()).into();
        assert_eq!(exit_of(&unavailable.context("while starting")), Exit::Unavailable);
        let refused: anyhow::Error = database::Error::Refused("fsync is off".into()).into();
        assert_eq!(exit_of(&refused), Exit::Config);
        let nested = Err::<(), _>(config("no key")).context("while starting").unwrap_err();
        assert_eq!(exit_of(&nested), Exit::Config);
        assert_eq!(exit_of(&anyhow::anyhow!("what?")), Exit::Bug);
    }
}
