//! How large a hollow cluster an etcd carries under its thresholds: a search over runs.
//!
//! [`search`] says which trial comes next, from what came of those before (pure); [`verdict`] judges a trial and
//! [`bottleneck`] says what limited it, both from its `RunResult` (pure). The command plays the trials, and [`files`] keeps them, so a
//! search that was interrupted goes on.

mod bottleneck;
mod document;
pub mod files;
pub mod search;
mod text;
mod verdict;

pub use bottleneck::{Bottleneck, Limit};
pub use document::{CAPACITY_VERSION, CapacityResult, CapacityTrial, Quantity, Question, schema};
pub use files::{CapacityDirectory, CapacityError, is_capacity, rebuild};
pub use text::{render, trial_line};
