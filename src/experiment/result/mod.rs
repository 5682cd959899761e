//! Trials → the answer: metrics, comparisons with intervals, `experiment.json` and its text. Pure.

pub mod comparison;
pub mod document;
pub(crate) mod leadership;
pub mod metric;
pub mod phrases;
pub mod reduce;
pub mod text;
