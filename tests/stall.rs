//! The stall test: 1,000 op/s for 10 s with 2 s of silence, and what the result must then say. An open loop counts
//! every operation that a client would have sent in these 2 s; a closed loop, run beside it, does not.
//!
//! `cargo test --test stall -- --nocapture` prints the figures that docs/method/stall.md quotes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::print_stdout,
    reason = "the figures that the page on stalls quotes"
)]

mod common;
#[path = "stall/relay.rs"]
mod relay;

use etcdmark::clock::{self, Anchor, Nanos, SECOND};
use etcdmark::control::Control;
use etcdmark::engine;
use etcdmark::local::{LocalCluster, LocalOptions};
use etcdmark::measure::percentile::Headline;
use etcdmark::measure::validity::Verdict;
use etcdmark::report::{ClassResult, SinkError};
use etcdmark::report::{Collector, Event, HistogramLine, Percentiles, Phase, RunResult, Sink};
use etcdmark::target::Target;
use etcdmark::workload::{Overrides, RunSettings, Source};
use relay::Script;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const MS: Nanos = 1_000_000;
/// Operations per second.
const RATE: f64 = 1000.0;
/// Operations of the measure phase.
const OFFERED: u64 = 10_000;
/// The silence begins so long after the measure phase.
const BEFORE: Nanos = 2 * SECOND;
const SILENCE: Nanos = 2 * SECOND;
const LIMIT: Nanos = SECOND;

/// Stalls are about time: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Collects, and tells when the measure phase begins.
struct Watched {
    collector: Collector,
    measuring: Option<Sender<Nanos>>,
}

impl Sink for Watched {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        if matches!(event, Event::Phase(p) if p.phase == Phase::Measure)
            && let Some(tell) = self.measuring.take()
        {
            let _ = tell.send(clock::now());
        }
        self.collector.event(event)
    }

    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
        self.collector.histogram(line)
    }
}

/// Lease renewals, each of a node of its own, so that none waits for another.
fn workload(arrivals: &str, cap: usize) -> String {
    format!(
        "
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {{name: stall, description: a stall}}
spec:
  cluster: {{nodes: 12000}}
  actors:
    - name: node-leases
      kind: nodeLease
      {arrivals}
  limits: {{default: 1s}}
  load: {{maxInFlight: {cap}}}
  phases: {{settle: 0s, warmup: 500ms, duration: 10s, drain: 30s}}
"
    )
}

fn open_loop(cap: usize) -> String {
    workload("rate: 1000\n      arrival: constant", cap)
}

/// Plays a workload; `stall` runs beside it from the first instant of the measure phase.
fn play<T: Send + 'static>(
    text: String,
    target: Target,
    stall: impl FnOnce(Receiver<Nanos>) -> T + Send + 'static,
) -> (RunResult, T) {
    let source = Source::parse("stall.yaml".to_owned(), text).unwrap();
    let resolved = source.resolve(&Overrides::new()).unwrap();
    let settings = RunSettings {
        run_id: "stall".to_owned(),
        epoch: clock::unix_now(),
        prefix: "/registry-etcdmark/stall".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: false,
    };
    let plan = resolved.into_plan(vec![target], settings).unwrap();
    let (tell, told) = channel();
    let beside = std::thread::spawn(move || stall(told));
    let mut sink = Watched {
        collector: Collector::default(),
        measuring: Some(tell),
    };
    let result = engine::run(plan, &Control::default(), &mut sink).unwrap();
    (result, beside.join().unwrap())
}

/// An etcd in memory where there is a tmpfs: the stall is the only thing that shall be slow.
async fn quick_etcd() -> (LocalCluster, Option<tempfile::TempDir>) {
    let dir = tempfile::tempdir_in("/dev/shm").ok();
    let options = LocalOptions {
        data_dir: dir.as_ref().map(|d| d.path().to_owned()),
        ..common::options()
    };
    (common::start(options).await, dir)
}

fn sleep_until(at: Nanos) {
    std::thread::sleep(Duration::from_nanos(at.saturating_sub(clock::now())));
}

fn renewals(result: &RunResult) -> &ClassResult {
    result.class("node-lease/update").unwrap()
}

/// What must hold of every run with a stall in it: nothing lost, nothing dropped, and the stall is not held
/// against the run.
fn nothing_lost(result: &RunResult) {
    assert_eq!(result.outcome.outcome, "completed", "{:?}", result.outcome);
    let counts = &renewals(result).figures.counts;
    let dropped = (
        counts.failed,
        counts.skipped,
        counts.censored,
        counts.conflicts,
    );
    assert_eq!(dropped, (0, 0, 0, 0), "{:?}", counts.errors);
    assert_eq!(
        (counts.ok, counts.attempts),
        (counts.offered, counts.offered)
    );
    let verify = result.verify.as_ref().unwrap();
    assert_eq!(
        (verify.lost, verify.foreign, verify.indeterminate),
        (0, 0, 0)
    );
    assert_eq!((verify.keys, &verify.incomplete), (12_000, &None));
    assert_ne!(
        result.validity.verdict,
        Verdict::Invalid,
        "{:?}",
        result.validity.reasons
    );
}

/// p50, p90, p99, p99.9 of `responses`.
fn percentiles(mut responses: Vec<Nanos>) -> [Nanos; 4] {
    responses.sort_unstable();
    let n = responses.len() as f64;
    [0.5, 0.9, 0.99, 0.999].map(|q| responses[(q * n).ceil() as usize - 1])
}

fn measured(p: &Percentiles) -> [Nanos; 4] {
    [p.p50_ns, p.p90_ns, p.p99_ns, p.p999_ns]
}

fn ms(all: [Nanos; 4]) -> String {
    all.map(|ns| format!("{:>8.1}", ns as f64 / 1e6)).join(" ")
}

fn within(what: &str, found: f64, expected: f64, share: f64) {
    let off = (found - expected).abs() / expected;
    assert!(
        off <= share,
        "{what}: {found} is {:.1} % off the expected {expected}",
        100.0 * off
    );
}

/// A server that holds its answers for 2 s.
fn scripted(cap: usize, service: Nanos) {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (etcd, _dir) = runtime.block_on(quick_etcd());
    // Held answers come at 2,000/s, slowly enough for any client and any build to take them as they come.
    let relay = relay::start(&etcd.endpoints()[0], Script::new(service, MS / 2));
    let mut target = Target::plain(vec![relay.endpoint.clone()]);
    target.owned = true;
    let anchor = Anchor::new();
    let script = relay.script.clone();
    let (result, hold) = play(open_loop(cap), target, move |begun| {
        let from = begun.recv().unwrap() + BEFORE;
        script.lock().unwrap().hold = Some((from, from + SILENCE));
        from
    });
    runtime.block_on(etcd.stop());
    nothing_lost(&result);

    // renewTime is the intended instant, to the microsecond: they are the schedule, stall or not.
    let mut answers = relay.answers.lock().unwrap().clone();
    answers.sort_by_key(|a| a.intended);
    let first = answers[0].intended;
    for (i, a) in answers.iter().enumerate() {
        let due = first + i as u64 * MS;
        assert!(
            a.intended.abs_diff(due) <= 1000,
            "{i}: {} {due}",
            a.intended
        );
    }
    let answers = &answers[answers.len() - usize::try_from(OFFERED).unwrap()..];
    let mono = |unix: u64| unix - anchor.unix + anchor.mono;
    let counts = &renewals(&result).figures.counts;
    assert_eq!(counts.offered, OFFERED);

    let successes = renewals(&result).figures.successes.unwrap();
    let found = measured(&successes);
    let responses: Vec<Nanos> = answers
        .iter()
        .map(|a| a.given_back - mono(a.intended))
        .collect();
    let late = responses.iter().filter(|r| **r > LIMIT).count();
    let given_back = percentiles(responses);
    println!("held answers, cap {cap:<6}          p50      p90      p99    p99.9 ms   late");
    println!(
        "  measured                   {} {:>6}",
        ms(found),
        counts.late
    );
    println!("  as the server gave back    {} {late:>6}", ms(given_back));
    for (name, (found, expected)) in ["p50", "p90", "p99", "p99.9"]
        .iter()
        .zip(found.into_iter().zip(given_back))
    {
        within(name, found as f64, expected as f64, 0.02);
    }
    within("late", counts.late as f64, late as f64, 0.05);
    // A fifth of the operations met the silence: the headline says that they missed, not how long they took.
    let headline = renewals(&result).figures.headline.unwrap();
    assert!(
        matches!(headline.p99, Headline::Missed { .. }),
        "{headline:?}"
    );

    if cap as u64 > 2000 {
        // Nothing waits in the client, so the intended instants and the script imply every response.
        let mut script = Script::new(service, MS / 2);
        script.hold = Some((hold, hold + SILENCE));
        let implied = answers.iter().map(|a| mono(a.intended));
        let implied = percentiles(implied.map(|t| script.due(t) - t).collect());
        println!("  implied by intended        {}", ms(implied));
        // The median is of operations that met no silence: what it has above the script is the way there and back.
        // Where the machine kept the relay from its script, its record alone says what was given back.
        for i in 1..4 {
            let kept = given_back[i].abs_diff(implied[i]) < implied[i] / 100;
            within(
                "implied",
                found[i] as f64,
                implied[i] as f64,
                if kept { 0.02 } else { 0.1 },
            );
        }
    }
}

#[test]
fn held_answers_are_measured_from_their_intended_instants() {
    scripted(4000, 200 * MS);
}

#[test]
fn a_full_in_flight_cap_does_not_hide_held_answers() {
    scripted(100, 60 * MS);
}

/// Stops etcd for 2 s from within the measure phase; returns the instants.
fn stop_and_continue(etcd: &LocalCluster, begun: Nanos) -> (Nanos, Nanos) {
    sleep_until(begun + BEFORE);
    etcd.pause_member(0).unwrap();
    let stopped = clock::now();
    sleep_until(stopped + SILENCE);
    let continued = clock::now();
    etcd.continue_member(0).unwrap();
    (stopped, continued)
}

/// Plays against an etcd that is stopped for 2 s: the result, the instants, and through a relay that only writes
/// down, when each answer was given back.
fn stopped(text: String, relayed: bool) -> (RunResult, (Nanos, Nanos), Vec<Nanos>) {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (etcd, _dir) = runtime.block_on(quick_etcd());
    let etcd = std::sync::Arc::new(etcd);
    let relay = relayed.then(|| relay::start(&etcd.endpoints()[0], Script::new(0, 0)));
    let target = match &relay {
        Some(relay) => Target {
            endpoints: vec![relay.endpoint.clone()],
            ..etcd.target()
        },
        None => etcd.target(),
    };
    let anchor = Anchor::new();
    let beside = etcd.clone();
    let (result, silence) = play(text, target, move |begun| {
        stop_and_continue(&beside, begun.recv().unwrap())
    });
    nothing_lost(&result);
    let answers = relay.map(|r| r.answers.lock().unwrap().clone());
    let mut answers = answers.unwrap_or_default();
    answers.sort_by_key(|a| a.intended);
    let measured = answers
        .len()
        .saturating_sub(usize::try_from(OFFERED).unwrap());
    let response = |a: &relay::Answer| a.given_back - (a.intended - anchor.unix + anchor.mono);
    let responses = answers[measured..].iter().map(response).collect();
    (result, silence, responses)
}

/// What the instants of the stop imply: an operation intended within the silence is answered at its end, the
/// others at once. p50, p90, p99, p99.9, and how many are late.
fn implied((from, to): (Nanos, Nanos)) -> ([Nanos; 4], f64) {
    let silence = to - from;
    let implied = (0..OFFERED).map(|i| silence.saturating_sub(i * MS));
    let late = RATE * (silence - LIMIT) as f64 / 1e9;
    (percentiles(implied.collect()), late)
}

fn show(title: &str, found: [Nanos; 4], late: u64, silence: (Nanos, Nanos)) {
    println!("{title:<32}p50      p90      p99    p99.9 ms   late");
    println!("  measured                 {} {late:>6}", ms(found));
    let (implied, late) = implied(silence);
    println!("  implied by the stop      {} {late:>6.0}", ms(implied));
}

/// etcd works the backlog off after the stop, which takes the longer the slower machine and build are; what it
/// gave back when is therefore what the result is held to, and the stop itself is the least that it must show.
fn stopped_etcd(cap: usize) {
    let (result, silence, given_back) = stopped(open_loop(cap), true);
    let figures = &renewals(&result).figures;
    assert_eq!(
        (figures.counts.offered, given_back.len() as u64),
        (OFFERED, OFFERED)
    );
    let found = measured(&figures.successes.unwrap());
    let late = given_back.iter().filter(|r| **r > LIMIT).count();
    let given_back = percentiles(given_back);
    show(
        &format!("stopped etcd, cap {cap}"),
        found,
        figures.counts.late,
        silence,
    );
    println!("  as etcd gave back        {} {late:>6}", ms(given_back));
    within("p99", found[2] as f64, given_back[2] as f64, 0.1);
    within("late", figures.counts.late as f64, late as f64, 0.05);
    let (least, least_late) = implied(silence);
    assert!(
        found[2] as f64 > 0.9 * least[2] as f64,
        "{found:?} {least:?}"
    );
    assert!(figures.counts.late as f64 > 0.95 * least_late);
}

#[test]
fn a_stopped_etcd_is_measured_from_intended_instants() {
    stopped_etcd(4000);
}

#[test]
fn a_full_in_flight_cap_does_not_hide_a_stopped_etcd() {
    stopped_etcd(100);
}

/// The bare formula, rate × (stall − limit). It leaves out that the backlog is worked off at a finite rate, and
/// holds within 5 % where that is 20 times the load's: for a release build on an idle machine.
#[test]
#[ignore = "needs a release build and an idle machine"]
fn a_stop_is_all_that_is_late_where_the_backlog_is_worked_off_at_once() {
    for cap in [4000, 100] {
        let (result, silence, _) = stopped(open_loop(cap), false);
        let figures = &renewals(&result).figures;
        let found = measured(&figures.successes.unwrap());
        show(
            &format!("stopped etcd, direct, cap {cap}"),
            found,
            figures.counts.late,
            silence,
        );
        let (implied, late) = implied(silence);
        within("p99", found[2] as f64, implied[2] as f64, 0.1);
        within("late", figures.counts.late as f64, late, 0.05);
    }
}

#[test]
fn a_closed_loop_does_not_see_the_stop() {
    let (result, (from, to), _) = stopped(workload("concurrency: 64", 100), false);
    let figures = &renewals(&result).figures;
    assert!(figures.headline.is_none() && figures.successes.is_none());
    let service = figures.service.unwrap();
    println!("stopped etcd, closed loop of 64   p50      p90      p99    p99.9 ms");
    println!("  service time               {}", ms(measured(&service)));
    println!(
        "  {} operations in {:.1} s, of which 64 met {:.3} s of silence",
        figures.counts.ok,
        result.measured_seconds,
        (to - from) as f64 / 1e9
    );
    // 64 operations met the silence, however many clients would have come: p99 says nothing of it.
    assert!(service.p99_ns < SILENCE / 4, "{service:?}");
    assert!(service.max_ns > SILENCE - SILENCE / 10, "{service:?}");
}

#[test]
fn what_waits_behind_a_skipped_operation_goes_on() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let text = "
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: stall, description: updates of one object}
spec:
  cluster: {nodes: 10, services: 1, endpointsPerService: 5}
  actors:
    - {name: endpoints, kind: endpoints, rate: 50, arrival: constant}
  limits: {default: 1s}
  load: {atCap: skip}
  phases: {settle: 0s, warmup: 500ms, duration: 4500ms, drain: 3s}
";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (etcd, _dir) = runtime.block_on(quick_etcd());
    let etcd = std::sync::Arc::new(etcd);
    let beside = etcd.clone();
    let (result, _) = play(text.to_owned(), etcd.target(), move |begun| {
        stop_and_continue(&beside, begun.recv().unwrap())
    });
    let counts = &result.class("endpoints/update").unwrap().figures.counts;
    // Half of the silence's hundred were late when it ended; everything else was played.
    assert!((30..=80).contains(&counts.skipped), "{counts:?}");
    assert_eq!(
        (counts.censored, counts.failed, counts.ok + counts.skipped),
        (0, 0, counts.offered)
    );
}
