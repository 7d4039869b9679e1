//! What a log is called, for ever: the name of its checkpoints and of its keys.

use std::fmt;
use std::str::FromStr;

use domain::ShopId;

use super::Error;

/// What all logs of a service are called, before the shop: the URL below which they are published, without its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin of a shop's log. Each epoch has its own, over the same entries up to the fork.
    #[must_use]
    pub fn of(&self, shop: &ShopId, epoch: i32) -> String {
        let Self(base) = self;
        if epoch > 0 { format!("{base}/{shop}/e{epoch}") } else { format!("{base}/{shop}") }
    }

    /// Whether the shop's log has, or had, this name.
    pub(crate) fn names(&self, shop: &ShopId, name: &str) -> bool {
        let epoch = name.strip_prefix(&self.of(shop, 0));
        epoch.is_some_and(|epoch| {
            let number = epoch.strip_prefix("/e").and_then(|number| number.parse::<i32>().ok());
            epoch.is_empty() || number.is_some_and(|number| self.of(shop, number) == name)
        })
    }
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        let is_prefix =
            !text.is_empty() && !text.contains("://") && !text.starts_with('/') && !text.ends_with('/');
        if is_prefix && !text.contains(is_odd) && text.len() <= 255 {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Origin(text.to_owned()))
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
