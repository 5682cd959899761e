//! Talking to etcd: wire (hot path), control (rare calls), TLS and credentials, error taxonomy.

pub mod auth;
pub mod errors;
pub mod messages;
pub mod target;
pub mod tls;
pub mod wire;

pub use target::Target;
