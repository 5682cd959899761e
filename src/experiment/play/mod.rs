//! A plan → trials: one after the other, each a run of its own on etcds of its own.

pub mod directory;
mod external;
pub mod hook;
mod hooked_sink;
mod leader;
mod runner;
pub mod testbed;

pub use runner::{Observer, run};
