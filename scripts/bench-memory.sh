#!/usr/bin/env bash
# Resident memory of etcdmark, its peak over populate, load and verify: node-heartbeats at two sizes, so that
# the difference is the cost of a further node. 100,000 nodes renew about 9,800 Leases a second; a quarter of them is
# played at four times its rate, so that both sizes have as much in flight and differ in nodes only.
#
#   scripts/bench-memory.sh [NODES] [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
nodes=${1:-100000}
seconds=${2:-15}
. scripts/bench-common.sh

machine
echo "peak RSS (aims: at most 150 MB with 100,000 nodes, at most 200 B per further node)"
for n in $((nodes / 4)) "$nodes"; do
    scale=$((n < nodes ? 4 : 1))
    # A store of its own for each, so that both sweep only their keys. Small Nodes: they are etcd's memory, not ours.
    start_etcd
    cat >"$work/$n.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: memory}
spec:
  cluster: {nodes: $n, imagesPerNode: 0}
  actors:
    - {name: node-leases, kind: nodeLease}
    - {name: node-status, kind: nodeStatus}
  load: {rateScale: $scale}
  phases: {warmup: 1s, duration: ${seconds}s, settle: 0s}
YAML
    etcdmark_real=$etcdmark
    etcdmark=$work/peak
    printf '#!/bin/sh\nexec /usr/bin/time -o "%s" -f %%M "%s" "$@"\n' "$work/kib" "$etcdmark_real" >"$etcdmark"
    chmod +x "$etcdmark"
    mark "$n" "$work/$n.yaml"
    etcdmark=$etcdmark_real
    kib=$(tail -1 "$work/kib")
    echo "$n $kib" >>"$work/sizes"
    result "$n" '"  '"$n"' nodes  peak '"$((kib * 1024 / 1000000))"' MB  (during the load \(.client.rss_max / 1000000 | round) MB)  \(.total.achieved_rate | round) op/s of \(.total.offered_rate | round)  \(.client.cpu_seconds / .client.wall_seconds * 100 | round / 100) cores  populate \(.populate.rate | round) keys/s  lost \(.verify.lost)  \(.validity.verdict)"'
    stop_etcd
done
awk 'NR == 1 { n = $1; k = $2 } END { printf "  per further node: %.0f B\n", ($2 - k) * 1024 / ($1 - n) }' "$work/sizes"
