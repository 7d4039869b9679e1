//! Where a merchant account lives, and which names PayPal uses there.

use serde::{Deserialize, Serialize};

/// An environment of PayPal, or our own stand-in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real money.
    Live,
    /// PayPal's sandbox.
    Sandbox,
    /// A development authority in PayPal's place: it uses the sandbox's names, and only its anchors differ.
    Dev,
}

/// Why a text names no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment is live, sandbox or dev")]
pub struct UnknownEnvironment;

impl Environment {
    /// The hosts whose certificate URLs are believed. PayPal has never been seen to use its `api-m` hosts for these.
    #[must_use]
    pub fn certificate_hosts(self) -> &'static [&'static str] {
        match self {
            Self::Live => &["api.paypal.com"],
            Self::Sandbox | Self::Dev => &["api.sandbox.paypal.com"],
        }
    }

    /// The name that the signing certificate must be for.
    #[must_use]
    pub fn certificate_name(self) -> &'static str {
        match self {
            Self::Live => "messageverificationcerts.paypal.com",
            Self::Sandbox | Self::Dev => "messageverificationcerts.sandbox.paypal.com",
        }
    }

    /// The name as settings write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sandbox => "sandbox",
            Self::Dev => "dev",
        }
    }
}

impl std::fmt::Display for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        match text {
            "live" => Ok(Self::Live),
            "sandbox" => Ok(Self::Sandbox),
            "dev" => Ok(Self::Dev),
            _ => Err(UnknownEnvironment),
        }
    }
}
