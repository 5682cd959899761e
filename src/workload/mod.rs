//! The workload file: its schema, loading, overrides and validation → [`Plan`].
//!
//! [`Source::load`] reads a built-in or a file, [`Source::resolve`] applies [`Overrides`], fills in every
//! default and checks it; [`Resolved::into_plan`] adds the stores' targets.

mod actors;
mod arrivals;
mod builtin;
mod check;
pub mod file;
mod hash;
mod kinds;
mod load;
mod load_shape;
mod overrides;
pub mod plan;
mod rates;
mod resolve;
pub mod schema;
mod sections;
mod split;
mod stores;
mod thresholds;

pub use builtin::{BUILTINS, Builtin, builtin};
pub use load::Source;
pub use overrides::{Edit, Overrides};
pub use plan::*;
pub use rates::{ClassRate, class_rates, event_spacing_ns, peak_rate, populated_keys};
pub use resolve::{Resolved, RunSettings};
pub use split::Split;
pub use stores::RoutedStore;

pub(crate) use hash::canonical_sha256;
