//! etcd's own metrics and the host's counters, on the run's timeline.

pub mod alarms;
mod cgroup;
pub mod client;
pub mod environment;
pub mod host;
mod listeners;
mod locality;
mod media;
pub mod metrics;
pub(crate) mod procfs;
pub mod scraper;
pub mod statuses;
pub mod timeline;

pub use timeline::{Timeline, ended};
