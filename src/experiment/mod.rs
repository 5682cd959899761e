//! Experiments: two or more arms under the same traffic, trials in interleaved blocks, one answer with an interval.
//!
//! [`ExperimentSource::load`] reads a built-in or a file and [`ExperimentSource::resolve`] checks it and lays out the
//! trials ([`file`]); [`run`] plays them, each a call of [`crate::engine::run`] on etcds of its own ([`play`]);
//! [`reduce()`] makes `experiment.json` of the plan and the trials' results, and [`text::render`] shows it ([`result`]).
//! What an experiment's answer is, is its [`Analysis`]; callers hand in a [`Registry`] of them.

pub mod analysis;
mod error;
pub mod file;
pub mod history;
pub mod level;
pub mod plan;
pub mod play;
pub mod registry;
pub mod result;
pub mod schema;

pub use analysis::{Analysis, Evidence, Findings, Requirements};
pub use error::ExperimentError;
pub use file::{
    BUILTINS, Builtin, Changes, Experiment, ExperimentSource, Side, Slot, builtin, order,
};
pub use level::LevelName;
pub use plan::{ExperimentPlan, TrialPlan};
pub use play::directory::{ExperimentDirectory, is_experiment, rebuild};
pub use play::hook::{HookError, MakeHook, TrialHook, TrialStart};
pub use play::testbed::Testbed;
pub use play::{Observer, run};
pub use registry::{Registry, RegistryEntry};
pub use result::document::{Comparison, ExperimentResult, Table, TrialResult, TrialState};
pub use result::export;
pub use result::metric::{Metric, MetricValue};
pub use result::outcome::Outcome;
pub use result::reduce::{StoredTrial, reduce};
pub use result::text;
