//! etcd's own metrics and the host's counters, on the run's timeline.

pub mod http;
pub mod metrics;
mod tls;
