//! Talking to one etcd: wire (hot path), control (rare calls), TLS and credentials.

pub mod auth;
pub mod channel;
pub mod control;
mod control_types;
mod diagnosis;
pub mod endpoints;
pub mod external;
pub mod http;
mod maintenance;
pub mod pages;
pub mod prometheus;
pub mod quota;
mod status;
pub mod tls;
pub mod wire;
