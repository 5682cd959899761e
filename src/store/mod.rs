//! What etcdmark leaves in a store and what it must know before: preflight, manifest, lock, cleanup, survey.

pub mod cleanup;
mod lock;
pub mod manifest;
mod may_write;
pub mod others;
pub mod owner;
pub mod prefixes;
pub mod preflight;
mod preflight_error;
mod registry;
pub mod remove;
mod rest;
pub mod roles;
pub mod runs;
pub mod segments;
pub mod survey;
