//! `etcdmark compat` against real etcds: what the Go tool's loads leave in a store and in etcd's own counters.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
#[path = "compat/counts.rs"]
mod counts;
#[path = "compat/refused.rs"]
mod refused;
#[path = "compat/stopped.rs"]
mod stopped;
