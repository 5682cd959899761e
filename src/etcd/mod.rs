//! Talking to etcd: wire (hot path), control (rare calls), TLS and credentials, error taxonomy.

pub mod auth;
pub mod cleanup;
pub mod control;
mod control_types;
pub mod errors;
pub mod given;
pub mod http;
pub mod kind;
mod lock;
mod maintenance;
pub mod manifest;
mod may_write;
pub mod messages;
pub mod preflight;
mod preflight_error;
pub mod prometheus;
pub mod quota;
mod second_look;
pub mod segments;
pub mod survey;
pub mod target;
pub mod tls;
pub mod wire;

pub use target::Target;
