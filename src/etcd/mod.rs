//! Talking to one etcd: wire (hot path), control (rare calls), TLS and credentials.

pub mod auth;
pub mod control;
mod control_types;
mod diagnosis;
pub mod external;
mod maintenance;
pub mod quota;
pub mod tls;
pub mod wire;
