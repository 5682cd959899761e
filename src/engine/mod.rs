//! The run: phases, shards, pacing, sessions, object state, guards, shutdown.

pub mod control;

pub use control::Control;
