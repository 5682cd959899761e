//! Sessions of several steps: on several objects, after think times, with steps that a share of them leaves out.

use super::common;
use etcdmark::kube::actors::{DefaultArrivals, Definition, Exceptions, Form, LeaseUse, Members};
use etcdmark::kube::actors::{Model, Population, Row, RowObject, Scope, Script, Session, Settings};
use etcdmark::kube::actors::{Step, Think};
use etcdmark::kube::{ActorKind, Kind, ObjectRef, OpClass};
use etcdmark::report::{Collector, Counts, Event, Phase, RunResult};
use etcdmark::schedule::{Cells, Process, RateProfile, Schedule};
use etcdmark::workload::{Actor, Overrides, RunSettings, Source};
use etcdmark::{clock, engine};
use std::sync::Arc;

const WORKLOAD: &str = "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata: {name: sessions}\nspec:\n  cluster: \
                        {nodes: 2}\n  actors: [{name: placeholder, kind: probe}]\n  load: {workers: 1}\n  phases: \
                        {settle: 0s, warmup: 0s, duration: 3s, drain: 60s}\n";

/// Writes an Event; a second later renews a Lease; then half of them patch the Event.
static POD: Definition = definition("pod", |_| Box::new(Playing::new(pod(), pod_session)));

/// Renews a Lease, then the other one.
static CROSSING: Definition = definition("crossing", |_| {
    Box::new(Playing::new(crossing(), crossing_session))
});

const fn definition(name: &'static str, model: fn(&Scope<'_>) -> Box<dyn Model>) -> Definition {
    Definition {
        name,
        about: "",
        fields: &[],
        arrivals: DefaultArrivals::Rate(50.0),
        forms: Form::RATES,
        members: Members::ONE,
        conduct: Exceptions::USUAL,
        model,
    }
}

type Play = fn(&Arc<Script>, u64) -> Session;

#[derive(Debug)]
struct Playing {
    script: Arc<Script>,
    play: Play,
}

impl Playing {
    fn new(rows: Vec<Row>, play: Play) -> Self {
        let script = Arc::new(Script::new(rows));
        Playing { script, play }
    }
}

impl Cells for Playing {
    fn cells(&self) -> Option<u64> {
        None
    }
}

impl Model for Playing {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::NodeLease,
            cells: 2,
            per_cell: 1,
            class: OpClass::NodeLeaseCreate,
        }]
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        Some((self.play)(&self.script, index))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        let rows = self.script.rows().iter();
        rows.map(|r| (r.step.class(), sessions * r.share)).collect()
    }
}

fn update(class: OpClass) -> Step {
    Step::Update {
        class,
        reread: None,
        lease: LeaseUse::None,
    }
}

fn pod() -> Vec<Row> {
    vec![
        Row::new(Step::Create(OpClass::EventCreate, LeaseUse::None)),
        Row {
            of: RowObject::Other(0),
            think: Think::Fixed(clock::SECOND),
            ..Row::new(update(OpClass::NodeLeaseUpdate))
        },
        Row {
            share: 0.5,
            ..Row::new(update(OpClass::EventPatch))
        },
    ]
}

fn lease(node: u64) -> ObjectRef {
    ObjectRef {
        kind: Kind::NodeLease,
        index: node % 2,
    }
}

fn pod_session(script: &Arc<Script>, index: u64) -> Session {
    let event = ObjectRef {
        kind: Kind::Event,
        index,
    };
    Session::scripted(event, vec![lease(index)], script, index)
}

fn crossing() -> Vec<Row> {
    vec![
        Row::new(update(OpClass::NodeLeaseUpdate)),
        Row {
            of: RowObject::Other(0),
            ..Row::new(update(OpClass::NodeStatusUpdate))
        },
    ]
}

fn crossing_session(script: &Arc<Script>, index: u64) -> Session {
    Session::scripted(lease(index), vec![lease(index + 1)], script, index)
}

fn play(kind: &'static Definition, schedule: Schedule) -> (RunResult, Vec<Event>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let etcd = runtime.block_on(common::start(common::options()));
    let source = Source::parse("sessions.yaml".to_owned(), WORKLOAD.to_owned()).unwrap();
    let settings = RunSettings {
        run_id: "sessions".to_owned(),
        epoch: clock::unix_now(),
        prefix: "/registry-etcdmark/sessions".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: false,
    };
    let resolved = source.resolve(&Overrides::new()).unwrap();
    let mut plan = resolved.into_plan(vec![etcd.target()], settings).unwrap();
    plan.actors = vec![Actor {
        name: kind.name.to_owned(),
        kind: ActorKind::new(kind),
        settings: Settings::default(),
        schedule,
    }];
    let mut sink = Collector::default();
    let result = engine::run(plan, &etcdmark::control::Control::default(), &mut sink).unwrap();
    runtime.block_on(etcd.stop());
    assert_eq!(result.outcome.outcome, "completed", "{:?}", result.outcome);
    let verify = result.verify.as_ref().unwrap();
    assert_eq!((verify.lost, verify.foreign), (0, 0), "{verify:?}");
    (result, sink.events)
}

fn counts<'a>(result: &'a RunResult, class: &str) -> &'a Counts {
    &result.class(class).unwrap().figures.counts
}

#[test]
fn a_think_time_counts_into_the_next_steps_instant_and_ends_with_the_load() {
    let rate = RateProfile::constant(50.0);
    let process = Process::Constant;
    let (result, events) = play(&POD, Schedule::Arrivals { process, rate });
    let [created, renewed, patched] =
        ["event/create", "node-lease/update", "event/patch"].map(|class| counts(&result, class));
    for c in [created, renewed, patched] {
        assert_eq!((c.ok, c.conflicts), (c.offered, 0), "{c:?}");
        // From the arrival's instant on, the second would be late by its think time.
        assert_eq!((c.late, c.skipped, c.censored), (0, 0, 0), "{c:?}");
    }
    // Of 3 s of arrivals those of the last second are over before their next step.
    assert_eq!(created.offered, 150);
    assert!((90..=100).contains(&renewed.offered), "{renewed:?}");
    let expected: usize = (0..renewed.offered)
        .map(|i| {
            let session = pod_session(&Arc::new(Script::new(pod())), i);
            session.turns().count() - 2
        })
        .sum();
    assert_eq!(patched.offered, expected as u64, "the same are left out");
    // And the drain does not wait for them.
    let at = |phase: Phase| {
        let entered = events.iter().find_map(|e| match e {
            Event::Phase(p) if p.phase == phase => Some(p.t),
            _ => None,
        });
        entered.unwrap()
    };
    assert!(at(Phase::Verify) - at(Phase::Drain) < 10.0);
}

#[test]
fn two_objects_are_written_in_turn_and_nobody_waits_for_ever() {
    let (result, _) = play(&CROSSING, Schedule::Closed { concurrency: 16 });
    for class in ["node-lease/update", "node-status/update"] {
        let c = counts(&result, class);
        // Without turns one would overtake the other's revision.
        assert_eq!((c.ok, c.conflicts), (c.offered, 0), "{c:?}");
        assert_eq!((c.skipped, c.censored), (0, 0), "{c:?}");
        assert!(c.ok > 100, "{c:?}");
    }
}
