//! A history of runs: an append-only file of one line a run, and where its figures changed. It advises and never gates: runs
//! that were not interleaved cannot tell an etcd from a day.

mod entry;
mod file;
mod text;
mod trend;

pub use entry::{Entry, HISTORY_VERSION};
pub use file::{History, HistoryError};
pub use text::render as text;
pub use trend::{Change, Group, MetricTrend, Trend, trend};
