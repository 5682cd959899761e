#!/usr/bin/env bash
# What emulating a storage medium costs by itself: `constant: 0s` against no medium, both with data in memory, in interleaved
# blocks. Throughput with 64 Lease updates in flight, response with one. Aims: at most 10 % less, at most 150 µs more.
# Nothing is pinned: etcd, the emulator and the client share the machine, as they will.
#
#   scripts/bench-medium.sh [BLOCKS] [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
blocks=${1:-6}
seconds=${2:-4}
. scripts/bench-common.sh

cat >"$work/zero.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Medium
metadata: {name: zero}
spec:
  sync: {constant: 0s}
YAML
for inflight in 1 64; do
    cat >"$work/$inflight.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: medium}
spec:
  cluster: {nodes: 2000}
  actors: [{name: node-leases, kind: nodeLease, concurrency: $inflight}]
  phases: {warmup: 1s, duration: ${seconds}s, settle: 0s}
YAML
done

# once ARM INFLIGHT MORE...: prints "ARM INFLIGHT puts/s median-in-µs"
once() {
    local arm=$1 inflight=$2 out=$work/out
    shift 2
    rm -rf "$out" "$work/data"
    "$etcdmark" run "$work/$inflight.yaml" --no-pin --etcd "$etcd" --data-dir "$work/data" "$@" --no-verify --quiet --out "$out" \
        >"$work/said" 2>&1 || [ $? -eq 98 ] || { cat "$work/said" >&2; exit 1; }
    jq -r '"'"$arm $inflight"' \(.total.achieved_rate) \(.total.service.p50_ns / 1000)"' "$out/result.json"
}

machine
for i in $(seq "$blocks"); do
    for inflight in 1 64; do
        # Each arm is first as often as the other.
        if [ $((i % 2)) = 0 ]; then
            once plain "$inflight"
            once zero "$inflight" --medium "$work/zero.yaml"
        else
            once zero "$inflight" --medium "$work/zero.yaml"
            once plain "$inflight"
        fi
    done
done | tee "$work/rounds"

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
# of INFLIGHT COLUMN EXPRESSION-OF-plain-AND-zero: its median over the blocks
of() {
    awk -v f="$1" -v c="$2" '$2 == f { v[$1] = $c; if (++n % 2 == 0) print '"$3"' }' "$work/rounds" | median
}
echo
printf 'throughput, 64 in flight: %.1f %% less (aim: at most 10 %%)\n' "$(of 64 3 '(1 - v["zero"] / v["plain"]) * 100')"
printf 'one at a time, median:    %.0f µs more (aim: at most 150 µs)\n' "$(of 1 4 'v["zero"] - v["plain"]')"
