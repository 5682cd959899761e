//! A worker that panics ends the run; nobody waits for it.

use crate::common::etcd::start;
use crate::common::options;
use etcdmark::clock;
use etcdmark::control::Control;
use etcdmark::exit::Exit;
use etcdmark::kube::actors::{
    DefaultArrivals, Definition, Exceptions, Form, Members, Model, Population, Session,
};
use etcdmark::kube::{ActorKind, OpClass};
use etcdmark::report::{Collector, RunResult};
use etcdmark::schedule::Cells;
use etcdmark::workload::{Overrides, RunSettings, Source};
use std::sync::mpsc::channel;
use std::time::Duration;

#[derive(Debug)]
struct Panics;

impl Cells for Panics {
    fn cells(&self) -> Option<u64> {
        Some(1)
    }
}

impl Model for Panics {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&self, _: u64, _: u64) -> Option<Session> {
        let thread = std::thread::current();
        assert!(
            !thread
                .name()
                .is_some_and(|n| n.starts_with("etcdmark-worker")),
            "a panic for a test"
        );
        None
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        vec![(OpClass::NodeLeaseUpdate, sessions)]
    }
}

static PANICS: Definition = Definition {
    name: "nodeLease",
    about: "panics",
    fields: &[],
    arrivals: DefaultArrivals::Rate(1.0),
    forms: Form::ALL,
    members: Members::NODES,
    conduct: Exceptions::USUAL,
    model: |_| Box::new(Panics),
};

fn played(arrivals: &str) -> RunResult {
    let text = format!(
        "
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {{name: panics, description: a worker that panics}}
spec:
  cluster: {{nodes: 4}}
  actors:
    - {{name: node-leases, kind: nodeLease, {arrivals}}}
  load: {{workers: 2}}
  phases: {{settle: 0s, warmup: 0s, drain: 1s}}
"
    );
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let etcd = runtime.block_on(start(options()));
        let source = Source::parse("panics.yaml".to_owned(), text).unwrap();
        let resolved = source.resolve(&Overrides::new()).unwrap();
        let settings = RunSettings {
            run_id: "panics".to_owned(),
            epoch: clock::unix_now(),
            prefix: "/registry-etcdmark/panics".to_owned(),
            keep_data: false,
            verify: true,
            guards: Vec::new(),
            allow_live_cluster: false,
        };
        let mut plan = resolved.into_plan(vec![etcd.target()], settings).unwrap();
        // No end of its own: only the panic ends it.
        plan.phases.duration = None;
        plan.actors[0].kind = ActorKind::new(&PANICS);
        let mut sink = Collector::default();
        let result = etcdmark::engine::run(plan, &Control::default(), &mut sink);
        runtime.block_on(etcd.stop());
        let _ = tell.send(result.unwrap());
    });
    told.recv_timeout(Duration::from_secs(60))
        .expect("the run hangs")
}

#[test]
fn a_worker_that_panics_ends_the_run() {
    for arrivals in ["rate: 10", "concurrency: 4"] {
        let result = played(arrivals);
        assert_eq!(result.outcome.outcome, "failed", "{arrivals}");
        assert_eq!(result.exit(), Exit::Failure);
        let error = result.outcome.error.unwrap();
        assert!(
            error.contains("panicked; this is a bug of etcdmark"),
            "{error}"
        );
    }
}
