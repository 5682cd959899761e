//! The loads and the arithmetic of other tools, so that their numbers can stand beside ours: etcd's Go `benchmark`, and the
//! profiles of `etcdctl check perf`. What is doubtful in them is kept as it is, and named.

pub mod check_perf;
mod error;
mod keys;
mod limiter;
mod load;
mod operations;
mod place;
mod play;
mod raw;
mod result;
mod settings;
mod statistics;
mod text;

pub use error::CompatError;
pub use keys::{KeyBuffer, varint};
pub use load::{Measured, Samples};
pub use operations::{Group, Operation, Operations};
pub use place::Needs;
pub use play::{Request, play};
pub use result::{CompatResult, GroupResult, VERSION};
pub use settings::{Command, Settings};
pub use statistics::{Percentile, Statistics, of as statistics};
pub use text::render;
