//! Talking to etcd: wire (hot path), control (rare calls), TLS and credentials, error taxonomy.

pub mod auth;
pub mod cleanup;
pub mod control;
pub mod errors;
pub mod manifest;
pub mod messages;
pub mod preflight;
pub mod quota;
mod second_look;
pub mod target;
pub mod tls;
pub mod wire;

pub use target::Target;
