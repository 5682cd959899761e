//! Results and their renderings, from hand-made event streams for every way a run can end.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "report/export.rs"]
mod export;
#[path = "report/history.rs"]
mod history;

use common::schema::{assert_fits, validator};
use etcdmark::exit::Exit;
use etcdmark::kube::OpClass;
use etcdmark::measure::percentile::Headline;
use etcdmark::measure::validity::Verdict;
use etcdmark::measure::{SparseHist, hist};
use etcdmark::report::result::ThresholdVerdict;
use etcdmark::report::{
    ClassInfo, ClientSample, Collector, Counts, EVENTS_VERSION, End, Environment, ErrorCount,
    Event, FailureEvent, GuardEvent, Header, HistogramLine, HistogramTag, IntendedRow, Interval,
    MemberEvent, MemberInfo, Metric, Note, Phase, PhaseEvent, Progress, Reducer, ReportError,
    RunDirectory, RunResult, ServerSample, Sink, SinkError, StoreInfo, Tee, VerifyReport, hgrm,
    json, rebuild, text,
};
use etcdmark::rpc::Effect;
use expect_test::expect;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const MS: u64 = 1_000_000;
const LEASE: &str = "node-lease/update";
const EVENT: &str = "event/create";

/// A run of 10 s at 100 Lease renewals and 20 Event creates a second, and what goes wrong in it.
#[derive(Clone)]
struct Script {
    header: Header,
    seconds: u64,
    /// Response times of a class in one second, ns; service is 80 % of it.
    response: fn(class: &str, second: u64) -> Vec<u64>,
    /// What a second's counts are, given those responses.
    counts: fn(class: &str, second: u64, responses: &[u64]) -> Counts,
    schedule_lag: u64,
    end: Option<End>,
    extra: Vec<Event>,
}

fn steady(class: &str, _: u64) -> Vec<u64> {
    let n = if class == LEASE { 100 } else { 20 };
    (1..=n).map(|i| 2 * MS + i * 20_000).collect()
}

fn all_ok(_: &str, _: u64, responses: &[u64]) -> Counts {
    let n = responses.len() as u64;
    let late = responses.iter().filter(|r| **r > 1000 * MS).count() as u64;
    Counts {
        offered: n,
        ok: n,
        late,
        attempts: n,
        answered: n,
        revisions: n,
        ..Counts::default()
    }
}

fn end(outcome: &str, error: Option<&str>) -> Option<End> {
    Some(End {
        t: 12.5,
        outcome: outcome.to_owned(),
        error: error.map(str::to_owned),
        interrupted: outcome == "interrupted",
        revisions: BTreeMap::from([("main".to_owned(), (2, 1202))]),
    })
}

impl Script {
    fn new() -> Self {
        let class = |c: OpClass| ClassInfo::of(c, "main", 1_000_000_000, false);
        let member = MemberInfo {
            name: "m1".to_owned(),
            endpoint: "http://127.0.0.1:2379".to_owned(),
            version: "3.6.15".to_owned(),
            leader: true,
            quota: Some(2 << 30),
            ..MemberInfo::default()
        };
        let header = Header {
            version: EVENTS_VERSION,
            etcdmark: "0.1.0".to_owned(),
            run_id: "r1".to_owned(),
            workload: "cluster".to_owned(),
            seed: 7,
            plan: serde_json::json!({"spec": {"cluster": {"nodes": 1000}}}),
            stores: vec![StoreInfo {
                name: "main".to_owned(),
                members: vec![member],
                ..StoreInfo::default()
            }],
            classes: vec![class(OpClass::NodeLeaseUpdate), class(OpClass::EventCreate)],
            primary: vec!["node-lease/update:p99".to_owned()],
            environment: Environment {
                cpus: 2,
                clock_source: "tsc".to_owned(),
                ..Environment::default()
            },
            ..Header::default()
        };
        Script {
            header,
            seconds: 10,
            response: steady,
            counts: all_ok,
            schedule_lag: 50_000,
            end: end("completed", None),
            extra: Vec::new(),
        }
    }

    /// Plays it.
    fn play(&self, sink: &mut dyn Sink) {
        sink.event(&Event::Header(Box::new(self.header.clone())))
            .unwrap();
        phase(sink, 0.0, Phase::Populate);
        let progress = Progress {
            t: 0.4,
            phase: Phase::Populate,
            done: 2000,
            total: 2000,
            unit: "keys".to_owned(),
        };
        sink.event(&Event::Progress(progress)).unwrap();
        phase(sink, 0.5, Phase::Warmup);
        phase(sink, 2.0, Phase::Measure);
        server(sink, 2.0, 0.0);
        for second in 0..self.seconds {
            self.second(sink, second);
        }
        if let Some(end) = &self.end {
            phase(sink, 2.0 + self.seconds as f64, Phase::Drain);
            self.extra.iter().for_each(|e| sink.event(e).unwrap());
            sink.event(&Event::End(end.clone())).unwrap();
        }
        sink.flush().unwrap();
    }

    fn second(&self, sink: &mut dyn Sink, second: u64) {
        let t = 2.0 + second as f64;
        let mut interval = Interval {
            t,
            length: 1.0,
            phase: Some(Phase::Measure),
            in_flight: 3,
            ..Interval::default()
        };
        let mut all = hist::layout().unwrap();
        for class in &self.header.classes {
            let responses = (self.response)(&class.name, second);
            let counts = (self.counts)(&class.name, second, &responses);
            let row = intended(t, &class.name, &counts, &responses);
            interval.classes.insert(class.name.clone(), counts);
            sink.event(&Event::Intended(row)).unwrap();
            let mut line = |metric, values: &mut dyn Iterator<Item = u64>| {
                let mut h = hist::layout().unwrap();
                values.for_each(|v| h.saturating_record(v));
                let tag = HistogramTag {
                    phase: Phase::Measure,
                    store: "main".to_owned(),
                    class: class.name.clone(),
                    metric,
                };
                sink.histogram(&HistogramLine {
                    start: t,
                    length: 1.0,
                    tag: Some(tag),
                    histogram: &h,
                })
                .unwrap();
            };
            if !class.closed_loop {
                line(Metric::Response, &mut responses.iter().copied());
                line(
                    Metric::ScheduleLag,
                    &mut responses.iter().map(|_| self.schedule_lag),
                );
            }
            line(Metric::Service, &mut responses.iter().map(|r| r / 5 * 4));
            responses.iter().for_each(|r| all.saturating_record(*r));
        }
        sink.histogram(&HistogramLine {
            start: t,
            length: 1.0,
            tag: None,
            histogram: &all,
        })
        .unwrap();
        sink.event(&Event::Interval(interval)).unwrap();
        let client = ClientSample {
            t: t + 1.0,
            phase: Some(Phase::Measure),
            cpu_seconds: 0.1,
            wall_seconds: 1.0,
            worker_cpu_seconds: vec![0.1],
            rss: Some(40 << 20),
            in_flight_seconds: 0.3,
            service_seconds: 0.3,
            runtime_busy_seconds: vec![0.1],
            ..ClientSample::default()
        };
        sink.event(&Event::Client(client)).unwrap();
        server(sink, t + 0.9, (second + 1) as f64);
        sink.flush().unwrap();
    }

    fn result(&self) -> RunResult {
        let mut reducer = Reducer::new();
        self.play(&mut reducer);
        reducer.result()
    }
}

/// The row of an intended second.
fn intended(t: f64, class: &str, counts: &Counts, responses: &[u64]) -> IntendedRow {
    let mut all = SparseHist::new();
    responses.iter().for_each(|r| all.record(*r));
    IntendedRow {
        t,
        phase: Some(Phase::Measure),
        class: class.to_owned(),
        offered: counts.offered,
        missed: counts.offered - (counts.ok - counts.late),
        max: all.max(),
        histogram: all.into_buckets(),
    }
}

fn phase(sink: &mut dyn Sink, t: f64, phase: Phase) {
    sink.event(&Event::Phase(PhaseEvent { t, phase })).unwrap();
}

fn server(sink: &mut dyn Sink, t: f64, k: f64) {
    let values = [
        ("wal_fsync.seconds", 0.5 + 0.12 * k),
        ("wal_fsync.count", 1000.0 + 100.0 * k),
        ("commit.seconds", 0.1 + 0.03 * k),
        ("commit.count", 10.0 + 10.0 * k),
        ("db.size", 20_971_520.0 + 1_048_576.0 * k),
        ("db.in_use", 10_485_760.0),
        ("db.quota", 2_147_483_648.0),
        ("raft.is_leader", 1.0),
        ("raft.leader_changes", 1.0),
        ("process.rss", 104_857_600.0),
        ("process.cpu_seconds", 5.0 + 0.25 * k),
        ("go.gc.seconds", f64::NAN),
    ];
    let values = values.map(|(name, v)| (name.to_owned(), v)).into();
    let sample = ServerSample {
        t,
        store: "main".to_owned(),
        member: "m1".to_owned(),
        values,
    };
    sink.event(&Event::Server(sample)).unwrap();
}

/// The whole text, in which only the first line may be long.
fn rendered(r: &RunResult) -> String {
    let text = text::render(r, None);
    let fits = |l: &str| l.chars().count() <= text::WIDTH;
    assert!(text.lines().skip(1).all(fits), "{text}");
    text
}

fn first_line(r: &RunResult) -> String {
    rendered(r).lines().next().unwrap().to_owned()
}

#[test]
fn a_good_run_reads_well_at_three_in_the_morning() {
    let mut script = Script::new();
    script.header.thresholds = vec![
        "node-lease/update: p99 < 1s".to_owned(),
        "all: missed <= 1%".to_owned(),
        "all: rate > 110/s".to_owned(),
    ];
    let verify = VerifyReport {
        keys: 2000,
        acknowledged: 3200,
        ..VerifyReport::default()
    };
    script.extra = vec![Event::Verify(verify)];
    let r = script.result();
    assert_eq!(r.exit(), Exit::Ok);
    assert_eq!(r.outcome.exit_code, 0);
    expect![[r#"
        1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                           offered/s  done/s     p50      p99  p99.9     max  missed  svc p99
        node-lease/update        100     100    3 ms  3.98 ms      -    4 ms       0  3.18 ms
        event/create              20      20  2.2 ms        -      -  2.4 ms       0        -
        all                      120     120  2.8 ms  3.98 ms      -    4 ms       0  3.18 ms
        p99     95 % intervals of these 10 s, from the differences between blocks of 1 s: node-lease/update
                3.98-3.98 ms, all 3.98-3.98 ms
        -       fewer than 10 operations are slower, or the blocks differ too much for an interval; p99
                would need about: event/create 56 s (--duration)

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 833 µs per attempt, RSS 40 MiB, schedule lag p50 50 µs, p99 50 µs
        filled  2,000 keys in 500 ms (4,000/s)
        verify  2,000 keys, 3,200 acknowledged writes, none lost
        passed  node-lease/update: p99 < 1s (found 3.98 ms; 0 of 1,000 missed or were slower: at most 0.3 %
                at 95 %, the bound is 1.0 %)
        passed  all: missed <= 1% (found 0 %; 0 of 1,200 missed: at most 0.2 % at 95 %, the bound is 1.0 %)
        passed  all: rate > 110/s (found 120/s; of 1,200)
        valid   the generator kept up
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
        files   out/r1 (to print again: etcdmark report out/r1)
    "#]].assert_eq(&text::render(&r, Some(Path::new("out/r1"))));
}

fn lease_p99(r: &RunResult) -> u64 {
    let headline = r.class(LEASE).unwrap().figures.headline.unwrap();
    headline.p99.value().unwrap()
}

#[test]
fn percentiles_are_of_added_histograms_and_the_total_is_of_all() {
    let r = Script::new().result();
    let all: Vec<u64> = (0..10)
        .flat_map(|s| [steady(LEASE, s), steady(EVENT, s)].concat())
        .collect();
    assert_eq!(r.total.counts.offered, all.len() as u64);
    assert_eq!(r.total.successes.unwrap().count, all.len() as u64);
    let mut sorted = all;
    sorted.sort_unstable();
    let p99 = sorted[(sorted.len() * 99).div_ceil(100) - 1];
    let Headline::Value(found) = r.total.headline.unwrap().p99 else {
        panic!("p99 is a value")
    };
    assert!(
        found.abs_diff(p99) as f64 <= 0.001 * p99 as f64,
        "{found} {p99}"
    );
    let precision = r.class(LEASE).unwrap().figures.precision.unwrap();
    let p99 = precision.p99.unwrap();
    // Every second is like every other.
    assert_eq!(
        (p99.low, Some(p99.low)),
        (Headline::Value(lease_p99(&r)), p99.high)
    );
    assert_eq!(precision.seconds_needed, None);
    // Of 200 Event creates two are above p99: one observation, and the time that ten would take.
    let event = &r.class(EVENT).unwrap().figures;
    assert!(matches!(
        event.headline.unwrap().p99,
        Headline::Few { above: 2, .. }
    ));
    let precision = event.precision.unwrap();
    assert_eq!(
        (precision.p99, precision.seconds_needed),
        (None, Some(50.0))
    );
}

#[test]
fn saturated_is_said_before_any_percentile() {
    let mut script = Script::new();
    script.counts = |class, second, responses| {
        let mut c = all_ok(class, second, responses);
        c.offered *= 2;
        c
    };
    let r = script.result();
    assert!(r.validity.saturated);
    assert_eq!(r.exit(), Exit::Ok, "saturation is a finding, not a failure");
    expect![[r#"
        saturated: offered 240/s, achieved 120/s; Lease renewals p99 missed (50 %), limit 1 s
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                           offered/s  done/s     p50     p99   p99.9     max  missed  svc p99
        node-lease/update        200     100    4 ms  missed  missed    4 ms    50 %  3.18 ms
        event/create              40      20  2.4 ms  missed  missed  2.4 ms    50 %        -
        all                      240     120    4 ms  missed  missed    4 ms    50 %  3.18 ms
        missed  node-lease/update: 1,000 of 2,000: 1,000 unanswered at the end of the files; successes: p50
                3 ms, p99 3.98 ms, max 4 ms
        missed  event/create: 200 of 400: 200 unanswered at the end of the files; successes: p50 2.2 ms, p99
                2.4 ms, max 2.4 ms
        percentiles cover all offered operations; a miss counts as infinite

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 833 µs per attempt, RSS 40 MiB, schedule lag p50 50 µs, p99 50 µs
        filled  2,000 keys in 500 ms (4,000/s)
        valid   the generator kept up
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
        saturated: 50 % of the 2400 offered operations were completed in time; remedy: lower the rate to
                find the rate that this etcd sustains
    "#]].assert_eq(&rendered(&r));
    assert_eq!(r.class(LEASE).unwrap().figures.unanswered, 1000);
}

#[test]
fn late_answers_in_the_drain_do_not_count_as_achieved() {
    let script = Script::new();
    let mut reducer = Reducer::new();
    Script {
        counts: |_, _, r| Counts {
            offered: 2 * r.len() as u64,
            ..all_ok("", 0, r)
        },
        ..script.clone()
    }
    .play(&mut reducer);
    let drained = Counts {
        ok: 1000,
        attempts: 1000,
        answered: 1000,
        ..Counts::default()
    };
    let classes = BTreeMap::from([(LEASE.to_owned(), drained)]);
    for phase in [Phase::Measure, Phase::Drain] {
        let interval = Interval {
            t: 12.0,
            length: 1.0,
            phase: Some(phase),
            classes: classes.clone(),
            ..Interval::default()
        };
        reducer.event(&Event::Interval(interval));
    }
    let lease = reducer.result().class(LEASE).unwrap().figures.clone();
    assert_eq!(lease.counts.ok, 3000);
    assert_eq!(lease.achieved_rate, 100.0);
}

/// An interval that is counted beside the script's.
fn beside(t: f64, phase: Phase, counts: Counts, in_flight: u64) -> Event {
    Event::Interval(Interval {
        t,
        length: 1.0,
        phase: Some(phase),
        classes: BTreeMap::from([(LEASE.to_owned(), counts)]),
        in_flight,
        ..Interval::default()
    })
}

#[test]
fn what_warm_up_left_behind_is_achieved_when_it_is_answered() {
    // 500 of the warm-up wait when measuring begins and are answered in its first second, in which only as
    // much as is offered is carried: the last 500 of measuring are answered in the drain.
    let mut reducer = Reducer::new();
    let script = Script::new();
    let mut collector = Collector::default();
    script.play(&mut collector);
    let ok = |n| Counts {
        ok: n,
        attempts: n,
        answered: n,
        ..Counts::default()
    };
    for event in &collector.events {
        match event {
            Event::Phase(p) if p.phase == Phase::Measure => {
                let offered = Counts {
                    offered: 1500,
                    ..ok(1000)
                };
                reducer.event(&beside(1.0, Phase::Warmup, offered, 500));
                reducer.event(event);
                reducer.event(&beside(2.0, Phase::Warmup, ok(500), 503));
            }
            Event::Phase(p) if p.phase == Phase::Drain => {
                reducer.event(event);
                reducer.event(&beside(12.0, Phase::Drain, ok(500), 0));
            }
            Event::Interval(i) => {
                let mut i = i.clone();
                let lease = i.classes.get_mut(LEASE).unwrap();
                lease.ok -= 50;
                i.in_flight = 500;
                reducer.event(&Event::Interval(i));
            }
            event => reducer.event(event),
        }
    }
    let r = reducer.result();
    let lease = &r.class(LEASE).unwrap().figures;
    assert_eq!((lease.counts.offered, lease.counts.ok), (1000, 1000));
    assert_eq!((lease.achieved_rate, lease.offered_rate), (100.0, 100.0));
    assert_eq!(lease.misses, 0);
    assert_eq!(r.client.backlog_start, 500);
    assert!(!r.validity.saturated, "{:?}", r.validity.reasons);
}

#[test]
fn a_killed_run_is_divided_by_the_time_that_is_counted() {
    // Something speaks of an instant 1.9 s after the last second that was counted.
    let mut reducer = Reducer::new();
    Script {
        end: None,
        ..Script::new()
    }
    .play(&mut reducer);
    server(&mut reducer, 13.9, 11.0);
    let r = reducer.result();
    assert_eq!((r.outcome.t, r.measured_seconds), (13.9, 10.0));
    assert_eq!(r.class(LEASE).unwrap().figures.offered_rate, 100.0);
}

#[test]
fn the_busiest_worker_is_judged_over_the_whole_phase() {
    /// One second in ten all is busy.
    struct Busy(Reducer);
    impl Sink for Busy {
        fn event(&mut self, event: &Event) -> Result<(), SinkError> {
            let mut event = event.clone();
            if let Event::Client(c) = &mut event {
                let all = c.t > 11.5;
                c.runtime_busy_seconds = vec![0.2, if all { 1.0 } else { 0.3 }];
            }
            self.0.event(&event);
            Ok(())
        }
        fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
            self.0.histogram(line);
            Ok(())
        }
    }
    let mut reducer = Busy(Reducer::new());
    Script::new().play(&mut reducer);
    let r = reducer.0.result();
    let busy = r.client.busiest_worker;
    assert!((busy - 0.37).abs() < 1e-9, "{busy}");
    assert_eq!(r.validity.verdict, Verdict::Valid);
}

#[test]
fn more_than_one_percent_missed_is_no_number() {
    let mut script = Script::new();
    script.counts = |class, second, responses| {
        let mut c = all_ok(class, second, responses);
        if class == EVENT {
            (c.offered, c.failed, c.skipped, c.attempts) = (c.offered + 2, 1, 1, c.attempts + 3);
            let error = ErrorCount {
                count: 3,
                effect: Some(Effect::NotApplied),
                message: "etcdserver: too many requests".to_owned(),
            };
            c.errors.insert("too-many-requests".to_owned(), error);
        }
        c
    };
    let r = script.result();
    let event = r.class(EVENT).unwrap().figures.clone();
    assert_eq!((event.misses, event.counts.offered), (20, 220));
    assert!(matches!(
        event.headline.unwrap().p99,
        Headline::Missed { .. }
    ));
    assert!(matches!(event.headline.unwrap().p90, Headline::Value(_)));
    expect![[r#"
        1,000 nodes' traffic not carried; Event creates p99 missed (9.1 %), limit 1 s
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                           offered/s  done/s      p50      p99   p99.9     max  missed  svc p99
        node-lease/update        100     100     3 ms  3.98 ms       -    4 ms       0  3.18 ms
        event/create              22      20  2.22 ms   missed  missed  2.4 ms   9.1 %        -
        all                      122     120  2.82 ms   missed  missed    4 ms   1.6 %  3.18 ms
        missed  event/create: 20 of 220: 10 failed, 10 skipped; successes: p50 2.2 ms, p99 2.4 ms, max 2.4
                ms
        error   event/create: too-many-requests: 30 attempts, not-applied: "etcdserver: too many requests"
        p99     95 % intervals of these 10 s, from the differences between blocks of 1 s: node-lease/update
                3.98-3.98 ms
        percentiles cover all offered operations; a miss counts as infinite

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 813 µs per attempt, RSS 40 MiB, schedule lag p50 50 µs, p99 50 µs
        filled  2,000 keys in 500 ms (4,000/s)
        errors  main: 10.5 s; first error at 2 s, last at 12 s, not recovered; 0 s without any success; 30
                too-many-requests
        valid   the generator kept up
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
    "#]].assert_eq(&rendered(&r));
}

#[test]
fn late_operations_are_misses() {
    let mut script = Script::new();
    // One second in ten answers after 1.5 s.
    script.response = |class, second| {
        let slow = if second == 4 { 1500 * MS } else { 0 };
        steady(class, second)
            .into_iter()
            .map(|r| r + slow)
            .collect()
    };
    let r = script.result();
    let lease = &r.class(LEASE).unwrap().figures;
    assert_eq!((lease.counts.late, lease.misses), (100, 100));
    assert_eq!(lease.headline.unwrap().p99, Headline::Missed { share: 0.1 });
    assert!(matches!(lease.headline.unwrap().p90, Headline::Value(v) if v < 5 * MS));
    assert!(
        lease.successes.unwrap().p99_ns > 1500 * MS,
        "successes keep the late ones"
    );
    assert_eq!(
        r.validity.verdict,
        Verdict::Valid,
        "a stall of etcd is not the generator's fault"
    );
}

#[test]
fn a_late_answer_is_infinite_beside_slower_ones_of_another_limit() {
    // 1,000 Lease renewals, all past their limit of 1 µs and faster than the 200 Events in time at 10 ms.
    let mut script = Script::new();
    script.header.classes[0].limit = 1e-6;
    script.response = |class, second| match class {
        LEASE => steady(class, second),
        _ => steady(class, second).iter().map(|_| 10 * MS).collect(),
    };
    script.counts = |class, second, responses| Counts {
        late: if class == LEASE { 100 } else { 0 },
        ..all_ok(class, second, responses)
    };
    script.header.thresholds = vec![
        "all: p10 < 5ms".to_owned(),
        "all: p10 < 11ms".to_owned(),
        "all: p50 < 1s".to_owned(),
    ];
    let r = script.result();
    let missed = Headline::Missed {
        share: 1000.0 / 1200.0,
    };
    assert_eq!(r.total.headline.unwrap().p50, missed);
    assert_eq!(
        r.class(LEASE).unwrap().figures.headline.unwrap().p50,
        Headline::Missed { share: 1.0 }
    );
    let verdicts: Vec<ThresholdVerdict> = r.thresholds.iter().map(|t| t.verdict).collect();
    let (passed, missed) = (ThresholdVerdict::Passed, ThresholdVerdict::Missed);
    assert_eq!(verdicts, [missed, passed, missed], "{:?}", r.thresholds);
    assert!(r.thresholds[0].value.unwrap() > 0.0099);
    // Successes are shown beside it and keep the late ones.
    assert_eq!(r.total.successes.unwrap().count, 1200);
    assert!(r.total.successes.unwrap().p50_ns < 4 * MS);
}

#[test]
fn a_cpu_quota_counts_as_the_cores_that_it_leaves() {
    let mut script = Script::new();
    script.header.environment.cpu_quota = Some(0.11);
    script.header.environment.etcd_place_unknown = true;
    let r = script.result();
    // 0.1 CPU seconds a second are 5 % of two cores, and 91 % of what the quota leaves.
    assert_eq!(r.validity.verdict, Verdict::Doubtful);
    let text = rendered(&r);
    assert!(
        text.contains("etcdmark used 91 % of its 0.11 of 2 cores (CPU quota)"),
        "{text}"
    );
    assert!(
        text.contains(
            "client  CPU 0.10 of 0.11 of 2 cores (CPU quota) (whether etcd shares them is unknown)"
        ),
        "{text}"
    );
    script.header.environment.cpu_quota = Some(1.5);
    script.header.environment.shares_cores_with_etcd = true;
    let line = first_line(&script.result());
    assert!(
        line.ends_with("doubtful: shares 1.5 of 2 cores (CPU quota) with etcd"),
        "{line}"
    );
}

#[test]
fn shared_cores_are_doubtful_and_a_lagging_generator_is_invalid() {
    let mut script = Script::new();
    script.header.environment.shares_cores_with_etcd = true;
    let r = script.result();
    assert_eq!(
        (r.validity.verdict, r.exit()),
        (Verdict::Doubtful, Exit::Ok)
    );
    expect![[r#"
        1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s; doubtful: shares 2 cores with etcd
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                           offered/s  done/s     p50      p99  p99.9     max  missed  svc p99
        node-lease/update        100     100    3 ms  3.98 ms      -    4 ms       0  3.18 ms
        event/create              20      20  2.2 ms        -      -  2.4 ms       0        -
        all                      120     120  2.8 ms  3.98 ms      -    4 ms       0  3.18 ms
        p99     95 % intervals of these 10 s, from the differences between blocks of 1 s: node-lease/update
                3.98-3.98 ms, all 3.98-3.98 ms
        -       fewer than 10 operations are slower, or the blocks differ too much for an interval; p99
                would need about: event/create 56 s (--duration)

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 833 µs per attempt, RSS 40 MiB, schedule lag p50 50 µs, p99 50 µs
        filled  2,000 keys in 500 ms (4,000/s)
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
        doubtful: shares 2 cores with etcd; remedy: run etcd on another machine (--endpoints), or give both
                different cores (taskset; for containers docker update --cpuset-cpus)
    "#]].assert_eq(&rendered(&r));
    script.schedule_lag = 3 * MS;
    let r = script.result();
    assert_eq!(
        (r.validity.verdict, r.exit()),
        (Verdict::Invalid, Exit::Invalid)
    );
    expect![[r#"
        invalid: the generator was late: schedule lag p99 3.0 ms is 75 % of the response p99 4.0 ms; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                           offered/s  done/s     p50      p99  p99.9     max  missed  svc p99
        node-lease/update        100     100    3 ms  3.98 ms      -    4 ms       0  3.18 ms
        event/create              20      20  2.2 ms        -      -  2.4 ms       0        -
        all                      120     120  2.8 ms  3.98 ms      -    4 ms       0  3.18 ms
        p99     95 % intervals of these 10 s, from the differences between blocks of 1 s: node-lease/update
                3.98-3.98 ms, all 3.98-3.98 ms
        -       fewer than 10 operations are slower, or the blocks differ too much for an interval; p99
                would need about: event/create 56 s (--duration)

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 833 µs per attempt, RSS 40 MiB, schedule lag p50 3 ms, p99 3 ms
        filled  2,000 keys in 500 ms (4,000/s)
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
        INVALID: the generator was late: schedule lag p99 3.0 ms is 75 % of the response p99 4.0 ms; remedy:
                give etcdmark its own cores, lower the rate, or raise --workers if cores are idle
        doubtful: shares 2 cores with etcd; remedy: run etcd on another machine (--endpoints), or give both
                different cores (taskset; for containers docker update --cpuset-cpus)
    "#]].assert_eq(&rendered(&r));
}

#[test]
fn every_way_to_end_has_its_words_and_exit_code() {
    let lost = VerifyReport {
        keys: 2000,
        acknowledged: 3200,
        lost: 12,
        examples: vec![
            "/registry-etcdmark/r1/leases/kube-node-lease/n7: version 3, acknowledged 4".to_owned(),
        ],
        ..VerifyReport::default()
    };
    let unverified = VerifyReport {
        incomplete: Some("no member answered".to_owned()),
        ..VerifyReport::default()
    };
    let guard = GuardEvent {
        t: 8.0,
        guard: "quota".to_owned(),
        store: "main".to_owned(),
        cause: "db 1.7 GiB of 2 GiB (85 %), limit 80 %".to_owned(),
    };
    let both = |outcome, error| {
        let end = end(outcome, error)?;
        Some(End {
            interrupted: true,
            ..end
        })
    };
    let cases = [
        // 130 comes before 1: who interrupts a run knows that it did not end by itself.
        (both("guard", None), vec![Event::Guard(guard.clone())]),
        (both("failed", Some("the disk is full")), vec![]),
        (end("completed", None), vec![]),
        (end("interrupted", None), vec![]),
        (
            end("failed", Some("no member of store main answers")),
            vec![],
        ),
        (end("guard", None), vec![Event::Guard(guard)]),
        (end("completed", None), vec![Event::Verify(lost)]),
        (end("completed", None), vec![Event::Verify(unverified)]),
        (None, vec![]),
    ];
    let said = cases.map(|(end, extra)| {
        let r = Script {
            end,
            extra,
            ..Script::new()
        }
        .result();
        format!("{:?}: {}\n", r.exit(), first_line(&r))
    });
    expect![[r#"
        Interrupted: stopped by the quota guard: db 1.7 GiB of 2 GiB (85 %), limit 80 %; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Interrupted: failed: the disk is full; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Ok: 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Interrupted: interrupted after 10 s of measuring; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Failure: failed: no member of store main answers; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Failure: stopped by the quota guard: db 1.7 GiB of 2 GiB (85 %), limit 80 %; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Failure: failed: 12 acknowledged writes are missing from the store; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Failure: failed: the store could not be verified: no member answered; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
        Failure: killed: the result ends at 12 s; 1,000 nodes' traffic carried; Lease renewals p99 3.98 ms (95 %: 3.98-3.98 ms), limit 1 s
    "#]].assert_eq(&said.concat());
}

#[test]
fn thresholds_are_judged_on_what_was_offered() {
    let cases = [
        ("node-lease/update: p99 < 1s", true, Some(0.003_98)),
        ("node-lease/update: p99 < 3ms", false, Some(0.003_98)),
        ("all: p50 <= 3ms", true, Some(0.002_8)),
        ("all: achieved >= 99%", true, Some(1.0)),
        ("all: errors > 0", false, Some(0.0)),
        ("event/create: rate >= 20", true, Some(20.0)),
        ("event/create: mean < 3ms", true, Some(0.002_21)),
        ("event/create: max < 2ms", false, Some(0.002_4)),
        ("probe/get: p99 < 1s", false, None),
        ("all: p101 < 1s", false, None),
        ("nonsense", false, None),
        ("node-lease/update p90 > 3ms", true, Some(0.003_8)),
        ("all: missed <= 0", true, Some(0.0)),
        ("all: errors/no-space <= 0", true, Some(0.0)),
        ("etcd: fsync < 10ms", true, Some(0.0012)),
        ("etcd: db-size < 10MiB", false, Some(31_457_280.0)),
        ("etcd: cpu < 0.2", false, Some(0.2525)),
        ("etcd: leader-changes <= 0", true, Some(0.0)),
    ];
    let mut script = Script::new();
    script.header.thresholds = cases.iter().map(|c| c.0.to_owned()).collect();
    let r = script.result();
    assert_eq!(r.exit(), Exit::Threshold);
    for (found, (expression, passed, value)) in r.thresholds.iter().zip(cases) {
        assert_eq!(
            (
                found.expression.as_str(),
                found.verdict == ThresholdVerdict::Passed
            ),
            (expression, passed),
            "{found:?}"
        );
        match (found.value, value) {
            (Some(a), Some(b)) => assert!((a - b).abs() <= 0.003 * b, "{found:?}"),
            (a, b) => assert_eq!((a, found.basis.is_empty()), (b, false), "{found:?}"),
        }
    }
}

#[test]
fn a_run_too_short_for_a_threshold_leaves_it_open() {
    // One in 50 of some seconds is slow, none of others.
    let mut script = Script::new();
    script.response = |class, second| {
        let mut all = steady(class, second);
        let slow = if second % 2 == 0 { 2 } else { 0 };
        all.iter_mut().take(slow).for_each(|ns| *ns = 500 * MS);
        all
    };
    script.header.thresholds = vec![
        "node-lease/update: p99 < 100ms".to_owned(),
        "node-lease/update: p90 < 100ms".to_owned(),
        "node-lease/update: p99.99 < 1s".to_owned(),
    ];
    let r = script.result();
    let verdicts: Vec<ThresholdVerdict> = r.thresholds.iter().map(|t| t.verdict).collect();
    let (passed, open) = (ThresholdVerdict::Passed, ThresholdVerdict::Undecided);
    assert_eq!(verdicts, [open, passed, open], "{:?}", r.thresholds);
    assert_eq!(r.exit(), Exit::Ok);
    assert!(
        first_line(&r).contains("2 of 3 thresholds undecided"),
        "{}",
        first_line(&r)
    );
    script.header.strict = true;
    assert_eq!(script.result().exit(), Exit::Threshold);
    // Three seconds in which nothing is as fast as asked are enough to say no.
    script.header.thresholds = vec!["node-lease/update: p50 < 1ms".to_owned()];
    script.seconds = 3;
    assert_eq!(
        script.result().thresholds[0].verdict,
        ThresholdVerdict::Missed
    );
}

#[test]
fn a_closed_loop_has_service_time_only() {
    let mut script = Script::new();
    script
        .header
        .classes
        .iter_mut()
        .for_each(|c| c.closed_loop = true);
    script.header.thresholds = vec!["node-lease/update: p99 < 1s".to_owned()];
    let r = script.result();
    let lease = &r.class(LEASE).unwrap().figures;
    assert!(lease.headline.is_none() && lease.successes.is_none() && r.total.headline.is_none());
    assert_eq!(lease.service.unwrap().count, 1000);
    assert!(
        r.thresholds[0].verdict == ThresholdVerdict::Missed,
        "a response time that does not exist has not passed"
    );
    expect![[r#"
        closed loop: 120/s; Lease renewals service p99 3.18 ms; 1 of 1 threshold missed
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                             offered/s  done/s      p50      p99  p99.9      max  missed  svc p99
        node-lease/update *          -     100   2.4 ms  3.18 ms      -   3.2 ms       0  3.18 ms
        event/create *               -      20  1.76 ms        -      -  1.92 ms       0        -
        all                          -     120  2.24 ms  3.18 ms      -   3.2 ms       0  3.18 ms
        * closed loop: no intended instants, so only service times

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 833 µs per attempt, RSS 40 MiB
        filled  2,000 keys in 500 ms (4,000/s)
        MISSED  node-lease/update: p99 < 1s (found missed; it is unknown, or the response time of a closed
                loop)
        valid   the generator kept up
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
    "#]].assert_eq(&rendered(&r));

    // With an open loop beside it, there is no line for all: the one has response times, the other has none.
    let mut script = Script::new();
    script.header.classes[0].closed_loop = true;
    expect![[r#"
        1,000 nodes' traffic carried; Lease renewals service p99 3.18 ms
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

                             offered/s  done/s     p50      p99  p99.9     max  missed  svc p99
        node-lease/update *          -     100  2.4 ms  3.18 ms      -  3.2 ms       0  3.18 ms
        event/create                20      20  2.2 ms        -      -  2.4 ms       0        -
        * closed loop: no intended instants, so only service times
        -       fewer than 10 operations are slower, or the blocks differ too much for an interval; p99
                would need about: event/create 56 s (--duration)

        etcd    m1 3.6.15 leader: fsync mean 1.2 ms (1,000×), commit mean 3 ms (100×), db 30 MiB of 2 GiB
                (in use 10 MiB), RSS 100 MiB, CPU 0.25 cores
        client  CPU 0.10 of 2 cores, 833 µs per attempt, RSS 40 MiB, schedule lag p50 50 µs, p99 50 µs
        filled  2,000 keys in 500 ms (4,000/s)
        valid   the generator kept up
        unknown CPU time stolen by a hypervisor could not be read here, and was not judged
    "#]].assert_eq(&rendered(&script.result()));
}

#[test]
fn an_outage_is_told_with_its_ends() {
    let mut script = Script::new();
    script.counts = |class, second, responses| {
        let mut c = all_ok(class, second, responses);
        if class == LEASE && (3..6).contains(&second) {
            if second == 4 {
                (c.ok, c.failed) = (0, c.ok);
            }
            let error = ErrorCount {
                count: 5,
                effect: Some(Effect::Indeterminate),
                message: "reset".to_owned(),
            };
            c.errors.insert("connection-broken".to_owned(), error);
        } else if class == EVENT && second == 4 {
            (c.ok, c.failed) = (0, c.ok);
        }
        c
    };
    let mut collector = Collector::default();
    script.play(&mut collector);
    let mut reducer = Reducer::new();
    for event in &collector.events {
        if matches!(event, Event::Interval(i) if i.t == 5.0) {
            let failure = FailureEvent {
                t: 5.25,
                class: LEASE.to_owned(),
                error: "connection-broken".to_owned(),
                message: "reset".to_owned(),
            };
            reducer.event(&Event::Failure(failure));
        }
        reducer.event(event);
    }
    let outages = reducer.result().outages;
    assert_eq!(outages.len(), 1);
    let o = &outages[0];
    assert_eq!(
        (o.first_error, o.last_error, o.first_success, o.length),
        (5.25, 8.0, Some(8.0), 2.75)
    );
    assert_eq!(o.silent_seconds, 1.0);
    assert_eq!(o.errors["connection-broken"], 15);
}

#[test]
fn silence_counts_from_when_requests_waited_and_not_from_the_first_error() {
    // Three seconds in which nothing is answered; then the connections break, and all goes on.
    let mut script = Script::new();
    script.counts = |class, second, responses| {
        let mut c = all_ok(class, second, responses);
        match second {
            3..6 => (c.ok, c.late, c.answered) = (0, 0, 0),
            6 if class == LEASE => {
                let error = ErrorCount {
                    count: 5,
                    effect: Some(Effect::Indeterminate),
                    message: "reset".to_owned(),
                };
                c.errors.insert("connection-broken".to_owned(), error);
            }
            _ => {}
        }
        c
    };
    let r = script.result();
    assert_eq!(r.outages.len(), 1, "{:?}", r.outages);
    let o = &r.outages[0];
    assert_eq!((o.first_error, o.first_success), (5.0, Some(9.0)));
    assert_eq!((o.length, o.silent_seconds), (4.0, 3.0));
    assert!(
        first_line(&r).contains("nothing succeeded for 3 s"),
        "{}",
        first_line(&r)
    );
}

#[test]
fn a_run_without_load_says_so() {
    let script = Script {
        seconds: 0,
        ..Script::new()
    };
    let r = script.result();
    expect![[r#"
        nothing was measured
        workload cluster, run r1, seed 7; warmup 1.5 s, measure 0 s

        etcd    m1 3.6.15 leader: db 20 MiB of 2 GiB (in use 10 MiB), RSS 100 MiB
        filled  2,000 keys in 500 ms (4,000/s)
        valid   the generator kept up
        unknown etcdmark's CPU, CPU time stolen by a hypervisor could not be read here, and was not judged
    "#]]
    .assert_eq(&rendered(&r));
    assert!(r.classes.is_empty() && r.total.headline.is_none());
}

/// Everything that an event can hold, so that nothing is lost between writing and reading.
fn eventful() -> Script {
    let mut script = Script::new();
    script.header.thresholds = vec!["all: p99.9 < 10ms".to_owned()];
    let note = Note {
        t: 1.0 / 3.0,
        level: "warning".to_owned(),
        text: "multi-op refused: using 64".to_owned(),
    };
    let member = MemberEvent {
        t: 0.1 + 0.2,
        store: "main".to_owned(),
        endpoint: "http://127.0.0.1:2379".to_owned(),
        up: false,
        reason: "refused".to_owned(),
        silent: 0.0,
        process: None,
    };
    script.extra = vec![Event::Note(note), Event::Member(member)];
    script
}

#[test]
fn the_result_rebuilt_from_files_is_the_same_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    for (name, script) in [
        ("ok", eventful()),
        (
            "killed",
            Script {
                end: None,
                ..eventful()
            },
        ),
    ] {
        let run = RunDirectory::create(&dir.path().join("new/parents").join(name)).unwrap();
        let (mut files, mut live) = (run.sink().unwrap(), Reducer::new());
        script.play(&mut Tee::new(vec![&mut files, &mut live]));
        let written = run.write_result(&live.result()).unwrap();
        let rebuilt = json::render(&rebuild(run.path()).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(written).unwrap(), rebuilt);
    }
}

#[test]
fn torn_last_lines_cost_the_last_second_and_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(dir.path()).unwrap();
    Script {
        end: None,
        ..Script::new()
    }
    .play(&mut run.sink().unwrap());
    let whole = rebuild(dir.path()).unwrap();
    assert_eq!(
        (whole.outcome.outcome.as_str(), whole.notes.len()),
        ("killed", 0)
    );
    for name in ["events.jsonl", "latency.hlog"] {
        let path = dir.path().join(name);
        let bytes = fs::read(&path).unwrap();
        for cut in [1, 7, 40] {
            fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let torn = rebuild(dir.path()).unwrap();
            assert_eq!(torn.total.counts, whole.total.counts, "{name} -{cut}");
            assert!(
                torn.notes.iter().any(|n| n.text.contains(name)),
                "{name} -{cut}: {:?}",
                torn.notes
            );
        }
        fs::write(&path, &bytes).unwrap();
    }
    // In the middle it is not a crash but damage.
    let path = dir.path().join("events.jsonl");
    let damaged =
        fs::read_to_string(&path)
            .unwrap()
            .replacen("\"type\":\"phase\"", "\"type\":\"fase\"", 1);
    fs::write(&path, damaged).unwrap();
    let error = rebuild(dir.path()).unwrap_err();
    assert!(
        matches!(&error, ReportError::Malformed { line: 2, .. }),
        "{error}"
    );
}

/// A copy that ended early, or lines that somebody took out: what is missing is no miss, and no percentile is of the rest.
#[test]
fn data_that_a_file_lacks_are_missing_and_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(dir.path()).unwrap();
    Script::new().play(&mut run.sink().unwrap());
    let whole = rebuild(dir.path()).unwrap();
    assert_eq!((whole.missing.len(), whole.exit()), (0, Exit::Ok));
    let lines = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let half = |name: &str| {
        let text = lines(name);
        text.lines()
            .take(text.lines().count() / 2)
            .fold(String::new(), |s, l| s + l + "\n")
    };
    let without = |name: &str, what: &str| {
        let mut left = true;
        let text = lines(name);
        let kept = text
            .lines()
            .filter(|l| !(l.contains(what) && std::mem::take(&mut left)));
        kept.fold(String::new(), |s, l| s + l + "\n")
    };
    let lease_response = "measure|main|node-lease/update|response";
    for (name, changed) in [
        ("latency.hlog", half("latency.hlog")),
        ("latency.hlog", without("latency.hlog", lease_response)),
        (
            "events.jsonl",
            without("events.jsonl", "\"type\":\"interval\""),
        ),
    ] {
        let path = dir.path().join(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, changed).unwrap();
        let r = rebuild(dir.path()).unwrap();
        fs::write(&path, before).unwrap();
        let lease = r.class(LEASE).unwrap();
        let lacks = r.missing.iter().find(|m| m.class == LEASE).unwrap();
        assert_ne!(lacks.counted, lacks.found);
        assert_eq!((lease.figures.misses, lease.figures.headline), (0, None));
        assert_eq!(
            (r.total.headline, r.total.successes, r.exit()),
            (None, None, Exit::Failure)
        );
        let first = first_line(&r);
        assert!(
            first.starts_with("incomplete: latency.hlog holds "),
            "{first}"
        );
        assert!(
            !first.contains("carried") && !first.contains("p99"),
            "{first}"
        );
    }
}

#[test]
fn a_killed_run_says_how_to_delete_its_keys() {
    let mut killed = Script {
        end: None,
        ..Script::new()
    };
    let command = "etcdmark cleanup --endpoints http://127.0.0.1:2379 --run-id r1";
    killed.header.stores[0].cleanup = Some(command.to_owned());
    let text = rendered(&killed.result());
    assert!(
        text.contains(&format!("cleanup not done: {command}")),
        "{text}"
    );
    assert!(!rendered(&Script::new().result()).contains("cleanup not done"));
}

#[test]
fn a_wrong_directory_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let message = |p: &Path| rebuild(p).unwrap_err().to_string();
    assert!(message(&dir.path().join("nowhere")).contains("no such directory"));
    assert!(message(dir.path()).contains("events.jsonl is missing"));
    fs::write(dir.path().join("events.jsonl"), "").unwrap();
    assert!(
        message(dir.path()).contains("no header"),
        "{}",
        message(dir.path())
    );
    // Neither is an event of this version: the message is about the version all the same.
    for (version, remedy) in [(1, "wrote it"), (99, "wrote it, or a newer one")] {
        let line = format!("{{\"type\":\"header\",\"version\":{version},\"workers\":1}}\n");
        fs::write(dir.path().join("events.jsonl"), line).unwrap();
        let found = message(dir.path());
        let expected = format!(
            "events.jsonl: event format version {version}, but this etcdmark reads version {EVENTS_VERSION}: use the \
             etcdmark that {remedy}"
        );
        assert!(found.ends_with(&expected), "{found}");
    }
}

#[test]
fn a_directory_that_holds_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let message = |p: &Path| RunDirectory::create(p).unwrap_err().to_string();
    assert!(
        message(dir.path()).contains("not empty (it contains file)"),
        "{}",
        message(dir.path())
    );
    assert!(message(&file).contains("not a directory"));
    assert!(
        message(&file.join("below")).contains("cannot"),
        "{}",
        message(&file.join("below"))
    );
    assert!(message(Path::new("/proc/etcdmark")).contains("cannot create the directory"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn a_full_disk_is_one_clear_error() {
    // /dev/full answers every write with ENOSPC.
    let dir = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(dir.path()).unwrap();
    let result = Script::new().result();
    std::os::unix::fs::symlink("/dev/full", dir.path().join(".result.json.partial")).unwrap();
    let error = run.write_result(&result).unwrap_err().to_string();
    assert!(error.contains("result.json (the disk is full"), "{error}");
    assert!(!dir.path().join("result.json").exists());
}

#[test]
fn the_spectrum_holds_every_operation() {
    let mut reducer = Reducer::new();
    Script::new().play(&mut reducer);
    let text = hgrm::render(reducer.merged(None, Metric::Response).histogram().unwrap());
    assert!(text.contains("Total count    =         1200]"), "{text}");
    let lease = hgrm::render(
        reducer
            .merged(Some(LEASE), Metric::Response)
            .histogram()
            .unwrap(),
    );
    assert!(lease.contains("Total count    =         1000]"), "{lease}");
}

#[test]
fn the_schema_describes_results() {
    let schema = json::schema().unwrap();
    let saturated = Script {
        counts: |_, _, r| Counts {
            offered: 2 * r.len() as u64,
            ..all_ok("", 0, r)
        },
        ..eventful()
    };
    for script in [
        eventful(),
        saturated,
        Script {
            end: None,
            seconds: 0,
            ..Script::new()
        },
    ] {
        let result: serde_json::Value =
            serde_json::from_str(&json::render(&script.result()).unwrap()).unwrap();
        assert_fits(&schema, &result, "result.json");
    }
    let mut broken = serde_json::to_value(eventful().result()).unwrap();
    broken["outcome"]["exit_code"] = "zero".into();
    assert!(!validator(&schema).is_valid(&broken));
}

#[test]
fn the_command_renders_each_format_and_names_the_right_class() {
    use etcdmark::cli::report::{Args, Format, render};
    let dir = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(dir.path()).unwrap();
    let (mut files, mut live) = (run.sink().unwrap(), Reducer::new());
    Script::new().play(&mut Tee::new(vec![&mut files, &mut live]));
    let args = |output, class: Option<&str>| Args {
        dir: dir.path().to_owned(),
        output,
        class: class.map(str::to_owned),
        history: None,
        label: None,
    };
    let (json, result) = render(&args(Format::Json, None)).unwrap();
    assert!(result.missing.is_empty());
    assert_eq!(json, json::render(&live.result()).unwrap());
    assert!(
        render(&args(Format::Text, None))
            .unwrap()
            .0
            .starts_with("1,000 nodes' traffic carried; ")
    );
    let (spectrum, _) = render(&args(Format::Hgrm, Some(EVENT))).unwrap();
    assert!(
        spectrum.contains("Total count    =          200]"),
        "{spectrum}"
    );
    let error = render(&args(Format::Hgrm, Some("event/creat"))).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(
        error
            .message
            .contains("measured: node-lease/update, event/create"),
        "{error}"
    );
    fs::remove_file(dir.path().join("latency.hlog")).unwrap();
    let error = render(&args(Format::Text, None)).unwrap_err();
    assert!(error.message.contains("latency.hlog is missing"), "{error}");
}

/// An interval of the measure phase; `error` for one attempt of it.
fn second(t: f64, ok: u64, failed: u64, error: Option<&str>) -> Event {
    let counts = Counts {
        offered: 10,
        ok,
        failed,
        errors: error
            .map(|name| {
                let error = ErrorCount {
                    count: failed.max(1),
                    ..ErrorCount::default()
                };
                (name.to_owned(), error)
            })
            .into_iter()
            .collect(),
        ..Counts::default()
    };
    Event::Interval(Interval {
        t,
        length: 1.0,
        phase: Some(Phase::Measure),
        classes: [(LEASE.to_owned(), counts)].into(),
        ..Interval::default()
    })
}

/// A reducer in the measure phase of a store of these endpoints.
fn measuring(endpoints: &[&str]) -> Reducer {
    let mut header = Script::new().header;
    let member = |e: &&str| MemberInfo {
        name: format!("member-{e}"),
        endpoint: (*e).to_owned(),
        ..MemberInfo::default()
    };
    header.stores[0].members = endpoints.iter().map(member).collect();
    let mut reducer = Reducer::new();
    reducer.event(&Event::Header(Box::new(header)));
    let (t, phase) = (0.0, Phase::Measure);
    reducer.event(&Event::Phase(PhaseEvent { t, phase }));
    reducer
}

fn reached(t: f64, endpoint: &str, up: bool) -> Event {
    Event::Member(MemberEvent {
        t,
        store: "main".to_owned(),
        endpoint: endpoint.to_owned(),
        up,
        reason: "refused".to_owned(),
        silent: 0.0,
        process: None,
    })
}

#[test]
fn a_store_without_a_member_is_an_outage_though_nothing_failed() {
    let mut reducer = measuring(&["a", "b"]);
    let events = [
        second(0.0, 10, 0, None),
        reached(1.4, "a", false),
        second(1.0, 10, 0, None),
        reached(2.3, "b", false),
        second(2.0, 3, 0, None),
        second(3.0, 0, 0, None),
        reached(4.6, "a", true),
        second(4.0, 4, 0, None),
        second(5.0, 10, 0, None),
    ];
    events.iter().for_each(|e| reducer.event(e));
    let result = reducer.result();
    let [outage] = &result.outages[..] else {
        panic!("{:?}", result.outages)
    };
    assert_eq!(
        (outage.first_error, outage.last_error, outage.first_success),
        (2.3, 5.0, Some(5.0))
    );
    assert_eq!(outage.silent_seconds, 1.0);
    assert_eq!(outage.unreachable.as_deref(), Some("refused"));
    assert!(!result.validity.saturated, "{:?}", result.validity);
    let said = text::render(&result, None);
    let first = said.lines().next().unwrap();
    let names =
        "member-a was down for 3.2 s; member-b was down from 2.3 s on; nothing succeeded for 1 s";
    assert!(first.contains(names), "{said}");
    assert!(said.contains("no attempt failed"), "{said}");
}

#[test]
fn a_token_that_was_renewed_is_no_outage_and_one_that_was_not_is() {
    for (failed, outages) in [(0, 0), (2, 1)] {
        let mut reducer = measuring(&["a"]);
        reducer.event(&Event::Failure(FailureEvent {
            t: 1.2,
            class: LEASE.to_owned(),
            error: "invalid-token".to_owned(),
            message: "etcdserver: invalid auth token".to_owned(),
        }));
        for event in [
            second(0.0, 10, 0, None),
            second(1.0, 10 - failed, failed, Some("invalid-token")),
            second(2.0, 10, 0, None),
        ] {
            reducer.event(&event);
        }
        assert_eq!(reducer.result().outages.len(), outages, "{failed}");
    }
}

#[test]
fn what_waits_for_an_etcd_that_is_away_was_not_achieved() {
    let mut reducer = measuring(&["a"]);
    // 12 of 115 answered, then a backlog that grows.
    for t in 0..12 {
        let Event::Interval(mut i) = second(f64::from(t), u64::from(t == 0) * 12, 0, None) else {
            unreachable!()
        };
        i.in_flight = u64::try_from(t).unwrap() * 10;
        reducer.event(&Event::Interval(i));
    }
    let inputs = reducer.result().validity.inputs;
    assert_eq!((inputs.offered, inputs.achieved), (Some(120), 12));
}
