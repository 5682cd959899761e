//! What `cleanup` deletes of what a run left, and what it does not.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

#[path = "cleanup/leases.rs"]
mod leases;
#[path = "cleanup/orphans.rs"]
mod orphans;
#[path = "cleanup/registry.rs"]
mod registry;
