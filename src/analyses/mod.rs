//! What experiments ask, one file or folder per question. A new analysis is such a file and a line in [`ALL`].

mod compare;
mod defrag;
mod media;
mod quota;
mod split;
mod versions;

use crate::experiment::{Registered, Registry};

/// All analyses that an experiment may name; `compare` where it names none.
pub const ALL: Registry = Registry::new(
    Registered {
        analysis: &compare::Compare,
        hook: None,
    },
    &[
        Registered {
            analysis: &versions::Versions,
            hook: None,
        },
        Registered {
            analysis: &quota::Quota,
            hook: Some(quota::hook),
        },
        Registered {
            analysis: &media::Media,
            hook: None,
        },
        Registered {
            analysis: &defrag::Defrag,
            hook: None,
        },
        Registered {
            analysis: &split::Split,
            hook: Some(split::hook),
        },
    ],
);
