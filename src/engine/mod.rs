//! The run: phases, shards, pacing, sessions, object state, guards, shutdown.

pub mod control;
pub mod guards;

pub use control::Control;
