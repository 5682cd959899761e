//! The workload file: its schema, loading, overrides and validation → [`Plan`].
//!
//! [`Source::load`] reads a built-in or a file, [`Source::resolve`] applies [`Overrides`], fills in every
//! default and checks it; [`Resolved::into_plan`] adds the stores' targets.

mod actors;
mod arrivals;
mod builtin;
mod check;
mod error;
pub mod file;
mod hash;
mod kinds;
mod load;
mod load_shape;
mod locate;
mod nearest;
mod overrides;
pub mod plan;
mod rate_profile;
mod rates;
mod resolve;
pub mod schema;
mod sections;
mod split;
mod stores;
mod thresholds;
pub mod units;
mod version;
mod yaml;

pub use builtin::{BUILTINS, Builtin, builtin};
pub use error::{FieldError, WorkloadError};
pub use load::Source;
pub use nearest::nearest;
pub use overrides::{Edit, Overrides};
pub use plan::*;
pub use rates::{ClassRate, class_rates, event_spacing_ns, peak_rate, populated_keys};
pub use resolve::{Resolved, RunSettings};
pub use split::Split;
pub use stores::RoutedStore;
pub use units::{Length, Span};
pub use version::KubernetesVersion;

pub(crate) use check::{grouped, name as check_name};
pub(crate) use hash::canonical_sha256;
pub(crate) use locate::locate;
pub(crate) use yaml::parse as parse_yaml;
