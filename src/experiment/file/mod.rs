//! An experiment's YAML file → its plan: flags applied, arms, levels and trials laid out, everything checked.

pub(crate) mod arm;
mod builtin;
mod disks;
mod edits;
pub(crate) mod external;
mod for_each;
mod order;
mod placement;
mod resolve;
mod source;
pub mod spec;
mod split;
mod sweep;

pub use builtin::{BUILTINS, Builtin, builtin};
pub use order::{Slot, order};
pub use resolve::{Changes, Experiment};
pub use source::ExperimentSource;
