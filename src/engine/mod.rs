//! The run: phases, workers, pacing, sessions, object state, guards, shutdown.
//!
//! [`run`] plays a [`crate::workload::Plan`]; a worker is one thread with one current_thread runtime
//! that owns its cells and all their state; everything measured leaves through one event stream.

mod active;
mod admission;
mod attempt;
mod background;
mod connections;
mod context;
mod estimate;
mod failure;
mod finish;
pub mod guards;
mod header;
mod in_flight;
mod leases;
mod load;
mod losses;
mod maintenance;
mod merge;
mod message;
mod objects;
mod operation;
mod pace;
mod populate;
mod populations;
mod prepare;
mod recorder;
mod routes;
mod run;
mod session;
mod state;
mod steps;
mod stream;
mod thread;
mod tick;
mod timers;
mod turns;
mod verify;
mod worker;
pub(crate) mod writes;

pub use prepare::LIVE_RAMP;
pub use run::{RunError, run};
