//! Trials → the answer: metrics, comparisons with intervals, `experiment.json` and its text. Pure.

mod arm_text;
pub mod comparison;
pub mod document;
pub mod export;
mod faults;
mod figures;
pub(crate) mod leadership;
pub mod metric;
pub mod metric_error;
pub mod outcome;
pub mod phrases;
pub mod reduce;
pub mod text;
