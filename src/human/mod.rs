//! Numbers, and words of commands, as people read and write them.

mod grouped;
pub mod numbers;
pub mod shell;
pub mod threshold;
pub mod units;

pub(crate) use grouped::grouped;
pub use units::{Length, Span};
