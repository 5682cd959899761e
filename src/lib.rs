//! # etcdmark: kubemark for etcd
//!
//! Plays a hollow Kubernetes cluster's traffic against a real etcd, at the moments at which that
//! cluster would send it, and measures how long each kind of request waited.
//!
//! The map of the house (data flows down, never back):
//!
//! | room | what it does |
//! |---|---|
//! | [`cli`] | flags → a typed request, one file per command |
//! | [`workload`] | the workload file: schema, loading, overrides, validation → [`workload::Plan`] |
//! | [`kube`] | which keys, objects and requests Kubernetes writes (pure) |
//! | [`schedule`] | which instants a request is intended for (pure) |
//! | [`engine`] | the run: phases, shards, pacing, sessions, object state, guards, shutdown |
//! | [`etcd`] | talking to etcd: wire, control, TLS, credentials, error taxonomy |
//! | [`local`] | etcd processes that etcdmark starts itself |
//! | [`measure`] | histograms, interval logs, statistics, validity (pure) |
//! | [`server`] | etcd's own metrics and the host's counters, on the same timeline |
//! | [`report`] | events.jsonl, result.json and every rendering of them |
//!
//! [`engine::run`] is the public API: callable many times and concurrently in one process.

pub mod cli;
pub mod clock;
pub mod engine;
pub mod etcd;
pub mod exit;
pub mod kube;
pub mod local;
pub mod measure;
pub mod report;
pub mod schedule;
pub mod server;
pub mod workload;
