//! The workload file: its schema, loading, overrides and validation → [`Plan`].
//!
//! [`Source::load`] reads a built-in or a file, [`Source::resolve`] applies [`Overrides`], fills in every
//! default and checks it; [`ResolvedWorkload::into_plan`] adds the stores' targets.

mod actor_spec;
mod actors;
mod arrivals;
mod builtin;
mod check;
pub mod file;
mod hash;
mod kind_texts;
mod load;
mod load_shape;
mod overrides;
mod own_fields;
pub mod plan;
mod resolve;
pub mod schema;
mod sections;
mod split;
mod stores;
mod threshold_spec;
mod thresholds;
mod traffic;

pub use builtin::{BUILTINS, Builtin, builtin};
pub use load::Source;
pub use overrides::{Edit, Overrides, overlap};
pub use plan::*;
pub use resolve::{ResolvedWorkload, RunSettings};
pub use split::Split;
pub use stores::RoutedStore;
pub use traffic::ClassRate;

pub(crate) use hash::canonical_sha256;
