//! `etcdmark run` as a user meets it: the real binary against real etcds that die, fill up, demand
//! certificates or passwords, and a user who interrupts, kills and comes back.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "run/aborted.rs"]
mod aborted;
mod common;
#[path = "run/deleted.rs"]
mod deleted;
#[path = "run/estimate.rs"]
mod estimate;
#[path = "run/expired.rs"]
mod expired;
#[path = "run/gone.rs"]
mod gone;
#[path = "run/hung.rs"]
mod hung;
#[path = "run/interrupted.rs"]
mod interrupted;
#[path = "run/killed.rs"]
mod killed;
#[path = "run/live.rs"]
mod live;
#[path = "run/medium.rs"]
mod medium;
#[path = "run/members.rs"]
mod members;
#[path = "run/memory.rs"]
mod memory;
#[path = "run/output.rs"]
mod output;
#[path = "run/overrides.rs"]
mod overrides;
#[path = "run/pages.rs"]
mod pages;
#[path = "run/panicked.rs"]
mod panicked;
#[path = "run/pinned.rs"]
mod pinned;
#[path = "run/play.rs"]
mod play;
#[path = "run/rates.rs"]
mod rates;
#[path = "run/restored.rs"]
mod restored;
#[path = "run/roles.rs"]
mod roles;
#[path = "run/secrets.rs"]
mod secrets;
#[path = "run/secure.rs"]
mod secure;
#[path = "run/stalled.rs"]
mod stalled;
#[path = "run/stopped.rs"]
mod stopped;
#[path = "run/workers.rs"]
mod workers;
