//! What recording one operation costs, and what writing out an interval costs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etcdmark::measure::{Hist, HlogReader, HlogWriter, SparseHist};
use etcdmark::rng::{exponential, mix};
use std::hint::black_box;

/// Exponential response times around 2 ms.
fn latencies(n: u64) -> Vec<u64> {
    (0..n)
        .map(|i| (exponential(mix(1, i, 0)) * 2e6) as u64 + 100_000)
        .collect()
}

fn record(c: &mut Criterion) {
    let values = latencies(10_000);
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(values.len() as u64));
    let mut hist = Hist::new();
    group.bench_function("histogram", |b| {
        b.iter(|| values.iter().for_each(|&v| hist.record(black_box(v))));
    });
    group.bench_function("sparse histogram, from empty", |b| {
        b.iter(|| {
            let mut sparse = SparseHist::new();
            values.iter().for_each(|&v| sparse.record(black_box(v)));
            sparse
        });
    });
    group.finish();
}

fn intervals(c: &mut Criterion) {
    let mut hist = Hist::new();
    latencies(10_000).iter().for_each(|&v| hist.record(v));
    let mut group = c.benchmark_group("interval");
    group.bench_function("take and first record", |b| {
        let mut h = Hist::new();
        b.iter(|| {
            h.record(black_box(1_000_000));
            h.take()
        });
    });
    group.bench_function("add", |b| {
        let mut sum = Hist::new();
        b.iter(|| sum.add(black_box(&hist)));
    });
    if let Some(histogram) = hist.histogram() {
        group.bench_function("hlog line written", |b| {
            let Ok(mut log) = HlogWriter::new(std::io::sink(), 0, "bench") else {
                return;
            };
            b.iter(|| log.write(0.0, 1.0, None, histogram).is_ok());
        });
        group.bench_function("hlog line read", |b| {
            let Ok(mut log) = HlogWriter::new(Vec::new(), 0, "bench") else {
                return;
            };
            let written = log.write(0.0, 1.0, None, histogram).is_ok();
            b.iter(|| (written, HlogReader::new(log.get_ref().as_slice()).count()));
        });
    }
    group.finish();
}

criterion_group!(benches, record, intervals);
criterion_main!(benches);
