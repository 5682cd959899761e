#!/usr/bin/env bash
# Keys per second that populate creates: transactions of many puts (the default) against one Kubernetes-shaped
# create each (--populate single), at the same concurrency, in turn against the same etcd.
#
#   scripts/bench-populate.sh [ROUNDS] [NODES]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
nodes=${2:-50000}
. scripts/bench-common.sh
start_etcd

cat >"$work/leases.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: populate}
spec:
  cluster: {nodes: $nodes}
  actors: [{name: node-leases, kind: nodeLease}]
  phases: {warmup: 0s, duration: 1s, settle: 0s}
YAML

machine
echo "populate of $nodes Leases (aim: at least 5 × single)"
for _ in $(seq "$rounds"); do
    for how in batch single; do
        mark "$how" "$work/leases.yaml" --populate "$how" --no-verify
        result "$how" '"'"$how"' \(.populate.rate)"' | tee -a "$work/rates"
    done
done | awk '{ printf "  %-7s %8.0f keys/s\n", $1, $2 }'
sort -k1,1 -k2,2n "$work/rates" | awk '
    { v[$1, ++n[$1]] = $2 }
    END {
        b = v["batch", int((n["batch"] + 1) / 2)]; s = v["single", int((n["single"] + 1) / 2)]
        printf "  median: %.0f and %.0f keys/s, %.1f ×\n", b, s, b / s
    }'
