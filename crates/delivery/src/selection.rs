//! Which events a reader wants.

use std::fmt;
use std::str::FromStr;

use domain::Key;

use crate::Message;

/// What outcomes are about. Facts, timers and notes are given only to those who ask for all: whoever acted on a fact would
/// act on what was never decided.
pub(crate) const OUTCOMES: [&str; 5] = ["order", "payment", "stock", "coupon", "points"];
/// More patterns than there are types.
const PATTERNS_MAX: usize = 100;
/// More than any group has members.
const PARTITIONS_MAX: u32 = 4096;

/// One share of a group of readers: every event whose key falls into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Partition {
    /// The share that a key falls into: CRC-32 (ISO-HDLC) of the key as text, modulo the number of shares. Never another,
    /// so that readers of any make can be of one group.
    #[must_use]
    pub fn holds(self, key: &str) -> bool {
        crc32fast::hash(key.as_bytes()) % self.of == self.index
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// Why nothing is selected by this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelection {
    /// No share.
    #[error("a partition is written k/n, as 0/4, with k below n and n at most {PARTITIONS_MAX}")]
    Partition,
    /// No pattern.
    #[error("types are names as order.paid, or patterns as order.*, with commas between them: {0:?} is none")]
    Pattern(String),
    /// Too many of them.
    #[error("at most {PATTERNS_MAX} types can be named")]
    Patterns,
}

impl FromStr for Partition {
    type Err = InvalidSelection;

    fn from_str(text: &str) -> Result<Self, InvalidSelection> {
        let (index, of) = text.split_once('/').ok_or(InvalidSelection::Partition)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidSelection::Partition);
        let partition = Self { index: number(index)?, of: number(of)? };
        let is_one = partition.index < partition.of && partition.of <= PARTITIONS_MAX;
        if is_one { Ok(partition) } else { Err(InvalidSelection::Partition) }
    }
}

/// Which events a reader wants; the default is every outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Facts, timers and notes too.
    pub all_kinds: bool,
    /// Of these types, where `order.*` stands for all that begin so; all when empty.
    types: Vec<String>,
    /// With this key.
    pub key: Option<Key>,
    /// Of this share of the keys.
    pub partition: Option<Partition>,
    /// Not what was decided while the shop was in shadow.
    outside_shadow: bool,
}

impl Selection {
    /// Every outcome; or facts, timers and notes too.
    #[must_use]
    pub fn of_kinds(all_kinds: bool) -> Self {
        Self { all_kinds, ..Self::default() }
    }

    /// Narrows it to types: names or patterns, with commas between them.
    ///
    /// # Errors
    /// One of them is neither.
    pub fn of_types(mut self, list: &str) -> Result<Self, InvalidSelection> {
        for pattern in list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            let is_name = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
            if pattern.len() > 64 || !name.chars().all(is_name) {
                return Err(InvalidSelection::Pattern(pattern.chars().take(64).collect()));
            }
            self.types.push(pattern.to_owned());
        }
        if self.types.len() > PATTERNS_MAX {
            return Err(InvalidSelection::Patterns);
        }
        Ok(self)
    }

    /// Leaves out what was decided while the shop was in shadow, for good: the shop's own systems have acted on it.
    #[must_use]
    pub(crate) fn outside_shadow(self) -> Self {
        Self { outside_shadow: true, ..self }
    }

    /// The aggregate types to ask for; all when empty.
    pub(crate) fn aggregates(&self) -> &'static [&'static str] {
        if self.all_kinds { &[] } else { &OUTCOMES }
    }

    /// The types and patterns, as they were given.
    pub(crate) fn types(&self) -> &[String] {
        &self.types
    }

    /// The types as LIKE understands them.
    pub(crate) fn patterns(&self) -> Vec<String> {
        let pattern = |text: &String| text.replace('_', "\\_").replace('*', "%");
        self.types.iter().map(pattern).collect()
    }

    /// What SQL does not look at.
    pub(crate) fn takes(&self, message: &Message) -> bool {
        self.partition.is_none_or(|partition| partition.holds(&message.key))
            && !(self.outside_shadow && message.is_shadow())
    }
}

impl fmt::Display for Selection {
    /// One text for one selection: part of a page's identity.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", if self.all_kinds { "all" } else { "outcomes" }, self.types.join(","))?;
        if let Some(key) = &self.key {
            write!(f, "|{key}")?;
        }
        match self.partition {
            Some(partition) => write!(f, "|{partition}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_names_or_patterns() {
        let selection = Selection::default().of_types("order.*, payment.unmatched").unwrap();
        assert_eq!(selection.patterns(), ["order.%", "payment.unmatched"]);
        assert_eq!(
            Selection::default().of_types("order.payment_noted").unwrap().patterns(),
            ["order.payment\\_noted"]
        );
        assert_eq!(Selection::default().of_types("").unwrap().patterns(), Vec::<String>::new());
        for bad in ["Order.paid", "order.%", "*.paid", "order.paid;", "a'b"] {
            assert!(Selection::default().of_types(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_key_falls_into_one_share_of_a_group_and_into_the_same_one_always() {
        for n in 0..1000 {
            let key = format!("order:{n}");
            let holding = (0..4).filter(|index| Partition { index: *index, of: 4 }.holds(&key)).count();
            assert_eq!(holding, 1, "{key}");
        }
        // Other programs compute the same: zlib.crc32(b"order:1042") % 4.
        let share = crc32fast::hash(b"order:1042") % 4;
        assert!(Partition { index: share, of: 4 }.holds("order:1042"));
    }

    #[test]
    fn a_share_is_read_as_it_is_written() {
        assert_eq!("3/4".parse::<Partition>().unwrap().to_string(), "3/4");
        for bad in ["", "4/4", "0/0", "-1/4", "1", "1/", "a/b", "0/5000"] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }
}
