//! The analyses that an experiment may name. The list itself is above this room: callers hand it in.

use super::analysis::Analysis;
use super::play::hook::MakeHook;

/// An analysis, and what it does beside the load of each trial.
#[derive(Clone, Copy, Debug)]
pub struct RegistryEntry {
    /// Makes the answer.
    pub analysis: &'static dyn Analysis,
    /// Makes the hook of a trial, if the analysis needs one.
    pub hook: Option<MakeHook>,
}

/// A list of analyses. The first one is the default.
#[derive(Clone, Copy, Debug)]
pub struct Registry {
    default: RegistryEntry,
    others: &'static [RegistryEntry],
}

impl Registry {
    /// `default` is for files that name no analysis.
    pub const fn new(default: RegistryEntry, others: &'static [RegistryEntry]) -> Self {
        Registry { default, others }
    }

    /// All of them, the default first.
    pub fn iter(&self) -> impl Iterator<Item = RegistryEntry> {
        std::iter::once(self.default).chain(self.others.iter().copied())
    }

    /// For files that name none.
    pub fn default(&self) -> RegistryEntry {
        self.default
    }

    /// The analysis of that name.
    pub fn get(&self, name: &str) -> Option<RegistryEntry> {
        self.iter().find(|r| r.analysis.name() == name)
    }
}
