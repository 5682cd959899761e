//! Experiments: two or more arms under the same traffic, trials in interleaved blocks, one answer with an interval.
//!
//! [`ExperimentSource::load`] reads a built-in or a file and [`ExperimentSource::resolve`] checks it and lays out the
//! trials; [`run`] plays them, each a call of [`crate::engine::run`] on etcds of its own; [`reduce()`] makes
//! `experiment.json` of the plan and the trials' results, and [`text::render`] shows it. What an experiment's answer is,
//! and what it does beside the load, is its [`Analysis`]: one file here, `compare` if it needs none of its own.

pub mod analysis;
mod arm;
mod arm_split;
pub mod bed;
mod builtin;
pub mod compare;
mod defrag;
pub mod directory;
mod disks;
mod edits;
mod error;
pub mod file;
mod for_each;
mod given;
mod leader;
mod load;
mod media;
pub mod metric;
mod order;
mod placement;
pub mod plan;
mod quota;
pub mod reduce;
mod remarked;
mod resolve;
pub mod result;
mod runner;
pub mod say;
pub mod schema;
mod split;
mod sweep;
pub mod text;
mod versions;

pub use analysis::{Analysis, Attendant, Evidence, Findings, Least};
pub use bed::Bed;
pub use builtin::{BUILTINS, Builtin, builtin};
pub use directory::{ExperimentDirectory, is_experiment, rebuild};
pub use error::ExperimentError;
pub use load::ExperimentSource;
pub use metric::{Measured, Metric};
pub use order::{Slot, order};
pub use plan::{ExperimentPlan, TrialPlan};
pub use reduce::{Found, reduce};
pub use resolve::{Changes, Experiment};
pub use result::{Comparison, ExperimentResult, State, Table, TrialResult};
pub use runner::{Observer, run};
