//! What an intended instant costs. Target: at most 100 ns each.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etcdmark::clock::SECOND;
use etcdmark::schedule::{Arrivals, Chain, Periodic, Share, Source, Stripe, Timetable};
use etcdmark::schedule::{Process, RateProfile, Schedule, Segment};
use std::hint::black_box;

/// Instants per iteration.
const BATCH: usize = 10_000;

fn schedules(c: &mut Criterion) {
    let mut group = c.benchmark_group("schedule");
    group.throughput(Throughput::Elements(BATCH as u64));
    let constant = RateProfile::constant(10_000.0);
    let segments = vec![Segment {
        duration: 1_000_000 * SECOND,
        from: 0.0,
        to: 50_000.0,
    }];
    let ramp = RateProfile {
        segments,
        then: 50_000.0,
    };
    for (name, process, rate) in [
        ("constant", Process::Constant, &constant),
        ("constant ramp", Process::Constant, &ramp),
        ("poisson", Process::Poisson, &constant),
        ("poisson ramp", Process::Poisson, &ramp),
    ] {
        let mut arrivals = Arrivals::new(process, rate, 1, Share::of_each(Stripe::WHOLE));
        group.bench_function(name, |b| {
            b.iter(|| arrivals.by_ref().take(BATCH).fold(0, |_, a| black_box(a.1)));
        });
    }
    if let Some(eighth) = Stripe::new(3, 8) {
        let mut arrivals = Arrivals::new(Process::Poisson, &constant, 1, Share::of_each(eighth));
        group.bench_function("poisson, part 3 of 8", |b| {
            b.iter(|| arrivals.by_ref().take(BATCH).fold(0, |_, a| black_box(a.1)));
        });
    }
    let one = RateProfile::constant(1.0);
    let chain = Chain {
        period: 10 * SECOND,
        low: 1.0,
        high: 1.04,
        intensity: &one,
        tail: None,
        spread: true,
    };
    for members in [1_000, 100_000, 1_000_000] {
        let mut periodic = Periodic::new(&chain, members, 1, &Share::of_each(Stripe::WHOLE));
        group.bench_function(format!("periodic, {members} members"), |b| {
            b.iter(|| {
                periodic
                    .by_ref()
                    .take(BATCH)
                    .fold(0, |_, beat| black_box(beat.at))
            });
        });
    }
    let mut timetable = cluster();
    group.bench_function("timetable of 8 sources", |b| {
        b.iter(|| {
            for _ in 0..BATCH {
                black_box(timetable.pop());
            }
        });
    });
    group.finish();
}

/// As a cluster of 5,000 nodes has it.
fn cluster() -> Timetable {
    let periodic = |seconds| Schedule::Periodic {
        period: seconds * SECOND,
        low: 1.0,
        high: 1.04,
        intensity: RateProfile::constant(1.0),
        tail: None,
        spread: true,
    };
    let poisson = |rate| Schedule::Arrivals {
        process: Process::Poisson,
        rate: RateProfile::constant(rate),
    };
    let actors = [
        (periodic(10), 5_000),
        (periodic(300), 5_000),
        (periodic(2), 30),
        (periodic(10), 6),
        (poisson(200.0), 0),
        (poisson(20.0), 0),
        (poisson(20.0), 0),
        (poisson(1.0), 0),
    ];
    let mut timetable = Timetable::new();
    for (i, (schedule, members)) in actors.iter().enumerate() {
        if let Some(source) = Source::new(
            schedule,
            *members,
            1,
            &i.to_string(),
            Share::of_each(Stripe::WHOLE),
        ) {
            timetable.add(source);
        }
    }
    timetable
}

criterion_group!(benches, schedules);
criterion_main!(benches);
