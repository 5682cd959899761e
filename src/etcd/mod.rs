//! Talking to etcd: wire (hot path), control (rare calls), TLS and credentials, error taxonomy.

pub mod kind;
pub mod messages;
pub mod target;
pub mod wire;

pub use target::Target;
