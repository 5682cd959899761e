//! The run: phases, workers, pacing, sessions, object state, guards, shutdown.
//!
//! [`run`] plays a [`crate::workload::Plan`]; a worker is one thread with one current_thread runtime
//! that owns its cells and all their state; everything measured leaves through one event stream.

mod active;
mod attempt;
mod background;
mod estimate;
mod finish;
pub mod guards;
mod header;
mod in_flight;
mod load;
mod merge;
mod operation;
mod pace;
mod populate;
mod recorder;
mod run;
mod session;
mod shared_lease;
mod state;
mod steps;
mod stream;
mod think;
mod thread;
mod tick;
mod turns;
mod verify;
mod worker;
pub(crate) mod writes;

pub use run::{RunError, run};
