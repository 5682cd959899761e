#!/usr/bin/env bash
# Records blocks of an etcd against itself and against planted regressions, for tests/method/recorded.rs:
# scripts/full/gate.sh [BLOCKS]   (60 blocks take about 40 minutes)
# writes tests/fixtures/gate.json; stdout: how many of 200 gates drawn from them alarm. exit: 0 as promised, 1 not.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

blocks=${1:-60}
rate=200
line=$(scripts/install-etcd.sh newest)
etcd=${line#* }
cargo build --locked --profile quick --bin etcdmark
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# An arm is a program of its own: plain, one whose garbage collector runs more often (CPU time), and one
# beside which another client writes as often as the load does.
plant() {
    printf '#!/bin/sh\nset -e\n%s\nexec %q "$@"\n' "$2" "$etcd" >"$scratch/$1"
    chmod 755 "$scratch/$1"
}
plant same ''
plant gc 'export GOGC=35'
# shellcheck disable=SC2016 # for the arm's own shell
plant write '[ "$1" = --version ] || for arg in "$@"; do case $arg in --listen-client-urls=*)
  python3 '"$repo_root/scripts/full/extra_writer.py"' "${arg#*=}" '"$rate"' & ;; esac; done'
cat >"$scratch/planted.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata: {name: planted}
spec:
  question: What does a gate see of nothing, and of what was planted?
  workload: {name: node-heartbeats, set: [cluster.nodes=$((rate * 10))]}
  arms:
    - {name: base, etcd: {path: $etcd}}
    - {name: same, etcd: {path: $scratch/same}}
    - {name: gc, etcd: {path: $scratch/gc}}
    - {name: write, etcd: {path: $scratch/write}}
  primary: ["etcd:written-per-op", "etcd:cpu-per-op"]
  metrics: ["etcd:fsyncs-per-op", "etcd:commits-per-op", "etcd:rss", "node-lease/update:p50", "node-lease/update:p90", "all:missed"]
  blocks: $blocks
  phases: {settle: 0s, warmup: 1s, duration: 6s}
YAML
target/quick/etcdmark experiment "$scratch/planted.yaml" --out "$scratch/out" -q >"$scratch/answer" || true
python3 scripts/full/differences.py "$scratch/out/experiment.json" >"$scratch/planted.json"

# A sync of 1.2 ms against one of 1 ms.
for us in 1000 1200; do
    printf 'apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: fsync-%s}\nspec: {sync: {quantiles: [{p: 0, value: %sus}, {p: 1, value: %sus}]}}\n' \
        "$us" "$us" $((us + us / 100)) >"$scratch/$us.yaml"
done
cat >"$scratch/fsync.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata: {name: planted-fsync}
spec:
  question: What does a gate see of a slower fsync?
  workload: {name: node-heartbeats, set: [cluster.nodes=$((rate * 10))]}
  etcd: {path: $etcd}
  arms:
    - {name: base, etcd: {medium: $scratch/1000.yaml}}
    - {name: fsync, etcd: {medium: $scratch/1200.yaml}}
  primary: ["etcd:fsync", "node-lease/update:p50"]
  metrics: ["etcd:fsyncs-per-op", "etcd:cpu-per-op", "etcd:commits-per-op", "etcd:rss", "node-lease/update:p90", "all:missed"]
  blocks: $(((blocks + 1) / 2))
  phases: {settle: 0s, warmup: 1s, duration: 6s}
YAML
target/quick/etcdmark experiment "$scratch/fsync.yaml" --out "$scratch/fsync" -q >"$scratch/answer" || true
python3 scripts/full/differences.py "$scratch/fsync/experiment.json" >"$scratch/fsync.json"
jq -c -s '.[0] * .[1]' "$scratch/planted.json" "$scratch/fsync.json" >tests/fixtures/gate.json
cargo test --locked --test method recorded -- --nocapture
