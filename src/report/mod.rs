//! events.jsonl, result.json and its schema; every rendering of it.

mod downtime;
mod ended;
pub mod event;
pub mod export;
pub mod files;
pub mod hgrm;
pub mod json;
mod percentiles;
pub mod rebuild;
pub mod reduce;
pub mod result;
pub mod sinks;
pub mod text;
pub(crate) mod threshold;

pub use event::*;
pub use files::{DirectoryError, FileSink, RunDirectory};
pub use rebuild::{ReportError, rebuild, replay};
pub use reduce::{Reducer, rpcs};
pub use result::*;
pub use sinks::{Collector, Tee};
