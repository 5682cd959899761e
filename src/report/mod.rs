//! events.jsonl, result.json and its schema; every rendering of it.

pub mod event;

pub use event::*;
