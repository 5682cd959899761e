//! etcd's own metrics and the host's counters, on the run's timeline.
