#!/usr/bin/env bash
# What it changes that a local etcd and etcdmark have cores of their own, as docs/method/placement.md quotes it: the same
# traffic with and without, in interleaved blocks, each twice (A/A: the second differs in the level of etcd's log only).
#
#   scripts/full/placement.sh [BLOCKS]      default: 6, about 11 minutes
#
#   disk  data on the disk of TMPDIR; a calm level, and one at which 64 clients keep etcd busy
#   slow  an emulated disk of 2 ms per sync, calm: whether anything waits where Go has one core and a sync holds it
#
# Other work on the machine is in the figures: its load is printed before and after. Needs two cores and jq.
#
# Environment: ETCDMARK (the binary; default: target/release/etcdmark), PLACEMENT_OUT (where the results go; default: a
# temporary directory, removed afterwards).
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

blocks=${1:-6}
etcdmark=${ETCDMARK:-target/release/etcdmark}
[ -x "$etcdmark" ] || die "no $etcdmark: run cargo build --release (or set ETCDMARK)"
have jq || die "no jq"
if [ "$(nproc)" -lt 2 ]; then
    say "placement.sh: not played: this machine has one core"
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=${PLACEMENT_OUT:-$scratch/out}

# experiment NAME: its file; arms and levels on stdin.
experiment() {
    cat >"$scratch/$1.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata: {name: $1}
spec:
  question: What changes when etcd and etcdmark have cores of their own?
  workload:
    spec:
      cluster: {nodes: 1000}
      actors:
        - {name: node-leases, kind: nodeLease}
        - {name: probe, kind: probe, rate: 50}
        - {name: events, kind: event, rate: 50}
  primary: ["probe/get:p50", "node-lease/update:p50", "node-lease/update:p99"]
  metrics: ["all:service-p50", "event/create:rate", "etcd:cpu-per-op", "etcd:fsync", "etcd:fsyncs-per-op", "client:cpu"]
  phases: {settle: 0s, warmup: 1s, duration: 7s}
$(cat)
YAML
}

experiment disk <<'YAML'
  arms:
    - {name: together, etcd: {pin: false}}
    - {name: together-again, etcd: {pin: false, flags: ["--log-level=error"]}}
    - {name: apart, etcd: {pin: true}}
    - {name: apart-again, etcd: {pin: true, flags: ["--log-level=error"]}}
  sweep:
    levels:
      - {name: calm, set: [cluster.nodes=1000]}
      - {name: busy, set: [actors.events.concurrency=64]}
YAML
experiment slow <<'YAML'
  etcd: {medium: openai-2018}
  arms:
    - {name: together, etcd: {pin: false}}
    - {name: apart, etcd: {pin: true}}
YAML

# A line for each level and arm: schedule lag p50 and p99 in µs, each the median over the trials with the smallest and the
# largest, the cores, how many trials were valid.
lags() {
    find "$out/$1/trials" -name result.json -print0 | sort -z | xargs -0 jq -rs '
        def level: .header.plan.spec.actors[] | select(.name == "events") | if .concurrency then "busy" else "calm" end;
        def middle: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
        def figures: map(. / 1000 | round) | "\(middle | round) (\(min) to \(max))";
        map({arm: .header.arm, level: level, cores: "\(.header.environment | .etcd_cores + " | " + .client_cores)",
             p50: .total.schedule_lag.p50_ns, p99: .total.schedule_lag.p99_ns, valid: (.validity.verdict == "valid")})
        | group_by([.level, .arm])[]
        | "\(.[0].level) \(.[0].arm), cores \(.[0].cores): schedule lag p50 \(map(.p50) | figures), p99 \(map(.p99) | figures) µs; \(map(select(.valid)) | length) of \(length) valid"'
}

for name in disk slow; do
    step "$name (load: $(cut -d' ' -f1-3 /proc/loadavg))"
    code=0
    "$etcdmark" experiment "$scratch/$name.yaml" --blocks "$blocks" --out "$out/$name" || code=$?
    # 98: a trial was invalid twice, which is said; this machine may be too busy.
    [ "$code" = 0 ] || [ "$code" = 98 ] || exit "$code"
    lags "$name"
done
say "load: $(cut -d' ' -f1-3 /proc/loadavg)"
