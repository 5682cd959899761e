//! A plan → trials: one after the other, each a run of its own on etcds of its own.

pub mod directory;
pub mod external;
pub mod hook;
mod hooked_sink;
mod interrupt;
pub mod leader;
mod runner;
mod settings;
mod snapshot;
pub mod testbed;
mod trial;

pub use runner::{Observer, run};
