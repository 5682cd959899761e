//! A set of cores (logical CPUs), written as Linux writes it: `0-3,8`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The largest number of a core that is read: no kernel is built for more.
const MOST: usize = 1 << 16;

/// Cores by their numbers.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Cores(BTreeSet<usize>);

impl Cores {
    /// Their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a core is in both.
    pub fn shares(&self, other: &Cores) -> bool {
        !self.0.is_disjoint(&other.0)
    }
}

impl FromIterator<usize> for Cores {
    fn from_iter<I: IntoIterator<Item = usize>>(cores: I) -> Self {
        Cores(cores.into_iter().collect())
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for core in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == core => *last = core,
                _ => ranges.push((core, core)),
            }
        }
        for (i, (first, last)) in ranges.into_iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

/// A text that is no list of cores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no list of cores; write one such as 0-3,8")]
pub struct CoresError(String);

impl FromStr for Cores {
    type Err = CoresError;

    fn from_str(text: &str) -> Result<Self, CoresError> {
        let wrong = || CoresError(text.to_owned());
        let mut cores = BTreeSet::new();
        for range in text.trim().split(',').filter(|r| !r.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |n: &str| {
                n.parse::<usize>()
                    .ok()
                    .filter(|n| *n < MOST)
                    .ok_or_else(wrong)
            };
            cores.extend(number(first)?..=number(last)?);
        }
        Ok(Cores(cores))
    }
}

impl TryFrom<String> for Cores {
    type Error = CoresError;

    fn try_from(text: String) -> Result<Self, CoresError> {
        text.parse()
    }
}

impl From<Cores> for String {
    fn from(cores: Cores) -> String {
        cores.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_linux_does() {
        for text in ["", "0", "0-1", "0,2", "0-3,8,10-11"] {
            let cores: Cores = text.parse().unwrap();
            assert_eq!(cores.to_string(), text);
        }
        let cores: Cores = "0-3,8\n".parse().unwrap();
        assert_eq!(cores.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 8]);
        assert_eq!(cores.count(), 5);
        for wrong in ["x", "1-", "-1", "0-99999999999"] {
            assert!(wrong.parse::<Cores>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_sets_share_a_core_or_do_not() {
        let set = |text: &str| text.parse::<Cores>().unwrap();
        assert!(set("0-3").shares(&set("3-5")));
        assert!(!set("0,2").shares(&set("1,3")));
        assert!(!set("").shares(&set("0")));
    }
}
