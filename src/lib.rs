//! # etcdmark: kubemark for etcd
//!
//! Plays a hollow Kubernetes cluster's traffic against a real etcd, at the moments at which that
//! cluster would send it, and measures how long each kind of request waited.
//!
//! Where to begin:
//!
//! - [`workload`]: the workload file, from its text to a [`workload::Plan`].
//! - [`engine::run`]: plays a plan. You can call it many times, and concurrently, in one process.
//! - [`report`]: the events and the [`report::RunResult`] of a run, and every rendering of it.
//! - [`experiment`] and [`analyses`]: many runs, one answer with an interval.
//!
//! `ARCHITECTURE.md` in the repository lists all modules, what each is for and what it may use.
//!
//! ```no_run
//! use etcdmark::control::Control;
//! use etcdmark::engine;
//! use etcdmark::target::Target;
//! use etcdmark::report::{Tee, text};
//! use etcdmark::workload::{Overrides, RunSettings, Source};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut overrides = Overrides::new();
//! overrides.push_set("cluster.nodes=500")?;
//! let workload = Source::load("node-heartbeats")?.resolve(&overrides)?;
//! let plan = workload.into_plan(
//!     vec![Target::plain(vec!["http://127.0.0.1:2379".to_owned()])],
//!     RunSettings {
//!         run_id: "example".to_owned(),
//!         prefix: "/registry-etcdmark/example".to_owned(),
//!         epoch: etcdmark::clock::unix_now(),
//!         keep_data: false,
//!         verify: true,
//!         guards: engine::guards::ALL.to_vec(),
//!         allow_live_cluster: false,
//!     },
//! )?;
//! // A sink takes every event and histogram on the way; this one takes none.
//! let result = engine::run(plan, &Control::default(), &mut Tee::default())?;
//! print!("{}", text::render(&result, None));
//! for class in &result.classes {
//!     println!("{}: {:?}", class.class.name, class.figures.headline);
//! }
//! # Ok(())
//! # }
//! ```

pub mod analyses;
pub mod capacity;
pub mod cli;
pub mod clock;
pub mod compat;
pub mod control;
pub mod disk;
pub mod document;
pub mod engine;
pub mod etcd;
pub mod exit;
pub mod experiment;
pub mod human;
pub mod kind;
pub mod kube;
pub mod local;
pub mod measure;
pub mod quota_plan;
pub mod report;
pub mod rng;
pub mod rpc;
pub mod schedule;
pub mod server;
pub mod store;
pub mod target;
pub mod workload;
