//! What encoding costs per operation on the hot path: an object's value, and the Txn frame around it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etcdmark::kube::{Cluster, KubernetesVersion};
use etcdmark::kube::{Kind, ObjectRef, Objects, Write, requests};
use std::hint::black_box;

fn objects() -> Objects {
    let cluster = Cluster {
        kubernetes_version: KubernetesVersion::V1_37,
        nodes: 100_000,
        namespaces: 50,
        pods_per_node: 30,
        services: 1000,
        endpoints_per_service: 100,
        images_per_node: 25,
        apiservers: 3,
        leader_locks: 4,
    };
    Objects::new(
        &cluster,
        1,
        1_795_380_000_000_000_000,
        20_000_000,
        "/registry-etcdmark/bench",
    )
}

fn encode(c: &mut Criterion) {
    let objects = objects();
    let (mut key, mut value, mut frame) = (Vec::new(), Vec::new(), Vec::new());
    let mut group = c.benchmark_group("encode");
    for (name, kind) in [
        ("node-lease/update", Kind::NodeLease),
        ("event/create", Kind::Event),
        ("node-status/update", Kind::Node),
        ("endpointslice-100/update", Kind::EndpointSlice),
        ("endpoints-100/update", Kind::Endpoints),
    ] {
        let mut index = 0;
        let mut one = || {
            index = (index + 7) % 1000;
            let object = ObjectRef { kind, index };
            let write = Write {
                sequence: 3,
                at: 1_795_380_010_000_000_000 + index * 1_000_003,
            };
            key.clear();
            value.clear();
            frame.clear();
            objects.key(object, &mut key);
            objects.value(object, write, &mut value);
            requests::update(&key, 123_456, &value, 0, &mut frame);
            black_box(frame.len())
        };
        group.throughput(Throughput::Bytes(one() as u64));
        group.bench_function(name, |b| b.iter(&mut one));
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
