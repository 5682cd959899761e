//! An experiment's YAML file → its plan: flags applied, arms, levels and trials laid out, everything checked.

pub(crate) mod arm;
mod builtin;
mod changes;
mod disks;
mod edits;
pub(crate) mod etcd;
pub mod etcd_spec;
mod experiment;
pub(crate) mod external;
mod flag_arms;
mod for_each;
mod gate;
mod labels;
mod names;
mod order;
mod placement;
mod requirements;
mod resolve;
mod sides;
mod source;
pub mod spec;
mod split;
mod sweep;
mod traffic;

pub use builtin::{BUILTINS, Builtin, builtin};
pub use changes::Changes;
pub use experiment::Experiment;
pub(crate) use experiment::trial_seconds;
pub use order::{Slot, order};
pub use sides::Side;
pub use source::ExperimentSource;
