//! What experiments ask, one file or folder per question. A new analysis is such a file and a line in [`ALL`].

mod compare;
mod defrag;
mod gate;
mod media;
mod quota;
mod split;
mod versions;

use crate::experiment::{Registry, RegistryEntry};

/// All analyses that an experiment may name; `compare` where it names none.
pub const ALL: Registry = Registry::new(
    RegistryEntry {
        analysis: &compare::Compare,
        hook: None,
    },
    &[
        RegistryEntry {
            analysis: &versions::Versions,
            hook: None,
        },
        RegistryEntry {
            analysis: &quota::Quota,
            hook: Some(quota::hook),
        },
        RegistryEntry {
            analysis: &media::Media,
            hook: None,
        },
        RegistryEntry {
            analysis: &gate::GateAnalysis,
            hook: None,
        },
        RegistryEntry {
            analysis: &defrag::Defrag,
            hook: None,
        },
        RegistryEntry {
            analysis: &split::Split,
            hook: Some(split::hook),
        },
    ],
);
