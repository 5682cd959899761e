#!/usr/bin/env bash
# CPU per operation at 64 in flight on 8 connections, in interleaved rounds against one etcd pinned to another
# core: h2load with a fixed put (the floor) and with a fixed transaction as large as a Lease renewal, a 256 B put on
# our h2 wire, the full path of `etcdmark run` (schedule, a unique Lease object, CAS transaction, decode,
# histograms), our tonic wire, etcd-client. Then h2load and the full path at a paced 1,000/s. Prints the median per
# client and the ratios.
#
#   scripts/bench-client.sh [ROUNDS] [OPS]
#
# BUILDS compares several builds of etcdmark with one another instead, in alternating rounds: the two rows of
# `etcdmark run`, and the closed loop through the tonic wire, each relative to the first build.
#
#   BUILDS='release=target/release/etcdmark quick=target/quick/etcdmark' scripts/bench-client.sh 5
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
ops=${2:-60000}

read -ra builds <<<"${BUILDS:-}"
client=${BENCH_CLIENT:-}
if [ "${#builds[@]}" -gt 0 ]; then
    ETCDMARK=${builds[0]#*=}
elif [ -z "$client" ]; then
    # Builds the binary too.
    client=$(cargo bench --no-run --bench client --message-format=json |
        sed -n 's/.*"executable":"\([^"]*client-[^"]*\)".*/\1/p' | tail -1)
    ETCDMARK=${ETCDMARK:-target/release/etcdmark}
fi
. scripts/bench-common.sh
[ "${#builds[@]}" -gt 0 ] || command -v h2load >/dev/null || echo "h2load is missing, so is its row (apt-get install nghttp2-client)" >&2
start_etcd

# workload NAME ARRIVALS: node Leases only, 10,000 of them.
workload() {
    cat >"$work/$1.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: $1}
spec:
  cluster: {nodes: 10000}
  actors: [{name: node-leases, kind: nodeLease, $2}]
  load: {connections: 8}
  phases: {warmup: 1s, duration: ${SECONDS_EACH:-6}s, settle: 0s}
YAML
}
workload full 'concurrency: 64'
workload paced 'rate: 1000, arrival: constant'

# Each prints: name ops wall cpu µs-per-op

# CPU of the whole process in the measure phase: worker, control runtime, files, scraping of etcd's metrics.
# mark_once NAME WORKLOAD FLAGS...
mark_once() {
    local name=$1 file=$2
    shift 2
    mark "$name" "$work/$file.yaml" "$@"
    result "$name" '"'"$name"' \(.total.counts.attempts) \(.client.wall_seconds) \(.client.cpu_seconds) \(.client.cpu_seconds * 1e6 / .total.counts.attempts)"'
}

compare_builds() {
    local build i
    for i in $(seq "$rounds"); do
        # Every other round in reverse, so that a drift of the machine meets all alike.
        for build in $(printf '%s\n' "${builds[@]}" | if [ $((i % 2)) = 0 ]; then tac; else cat; fi); do
            etcdmark=${build#*=}
            mark_once "full:${build%%=*}" full
            mark_once "paced:${build%%=*}" paced
            mark_once "tonic:${build%%=*}" full --wire tonic
        done
    done | tee "$work/rounds"
    echo
    machine
    echo "$rounds rounds; median CPU per operation, lowest to highest, relative to ${builds[0]%%=*}:"
    awk '{print $1, $5}' "$work/rounds" | sort -k1,1 -k2,2n | awk -v first="${builds[0]%%=*}" -v names="$(printf '%s ' "${builds[@]%%=*}")" '
        { v[$1, ++n[$1]] = $2 }
        function median(m) { return v[m, int((n[m] + 1) / 2)] }
        END {
            rows = split("full paced tonic", row, " ")
            builds = split(names, build, " ")
            for (r = 1; r <= rows; r++) for (b = 1; b <= builds; b++) {
                m = row[r] ":" build[b]
                printf "  %-6s %-12s %7.2f µs (%.2f to %.2f)  %5.3f × %s\n", row[r], build[b], median(m), v[m, 1], v[m, n[m]], median(m) / median(row[r] ":" first), first
            }
        }'
}

if [ "${#builds[@]}" -gt 0 ]; then
    compare_builds
    exit
fi

# The gRPC frame of a PutRequest: a key under etcdmark's own prefix (with any other the store counts as somebody's), 256
# bytes of value.
{ printf '\x00\x00\x00\x01\x1d\x0a\x18/registry-etcdmark/bench\x12\x80\x02'; head -c 256 /dev/zero | tr '\0' v; } >"$work/put"

"$client" frame "$work/txn"
# Its condition holds once its key is there: a put of that key (91 bytes) and one byte of value.
{ printf '\x00\x00\x00\x00\x60\x0a\x5b/registry-etcdmark/bench'; head -c 67 /dev/zero | tr '\0' -; printf '\x12\x01v'; } >"$work/key"

# h2load_once NAME FRAME METHOD OPS FLAGS...
h2load_once() {
    local TIMEFORMAT='%R %U %S' name=$1 frame=$2 method=$3 n=$4 out
    shift 4
    out=$({ time taskset -c 1 h2load -n "$n" -c 8 -m 8 -t 1 -d "$work/$frame" "$@" \
        -H 'content-type: application/grpc' -H 'te: trailers' \
        "$url/etcdserverpb.KV/$method" >"$work/h2load.log"; } 2>&1)
    grep -q "$n succeeded" "$work/h2load.log" || { cat "$work/h2load.log" >&2; exit 1; }
    echo "$out" | awk -v n="$n" -v m="$name" '{printf "%s %d %.3f %.3f %.2f\n", m, n, $1, $2 + $3, ($2 + $3) * 1e6 / n}'
}

h2load_all() {
    command -v h2load >/dev/null || return 0
    h2load_once h2load put Put "$ops"
    h2load_once h2load-txn txn Txn "$ops"
    h2load_once h2load-paced txn Txn $((1000 * ${SECONDS_EACH:-6})) --rps=125
}

if command -v h2load >/dev/null; then h2load_once key key Put 8 >/dev/null; fi

for _ in $(seq "$rounds"); do
    for mode in h2 tonic etcd-client; do
        taskset -c 1 "$client" "$mode" "$url" "$ops"
        [ "$mode" = h2 ] || continue
        mark_once full full
        h2load_all
    done
    mark_once paced paced
done | tee "$work/rounds"

echo
machine
echo "$rounds rounds of $ops puts; median CPU per operation:"
awk '{print $1, $5}' "$work/rounds" | sort -k1,1 -k2,2n | awk '
    { v[$1, ++n[$1]] = $2 }
    function row(m, what, aim) {
        if (!n[m]) return
        k = int((n[m] + 1) / 2)
        printf "  %-12s %6.2f µs", m, v[m, k]
        if (n["h2load"]) printf "  %5.2f × h2load", v[m, k] / v["h2load", int((n["h2load"] + 1) / 2)]
        printf "  %5.2f × tonic   %s%s\n", v[m, k] / v["tonic", int((n["tonic"] + 1) / 2)], what, aim
    }
    END {
        row("h2load", "fixed put, no histogram: the floor", "")
        row("h2load-txn", "fixed transaction of a renewal'"'"'s size", "")
        row("h2", "put on our wire", " (aims: 1.5 × h2load, 0.55 × tonic)")
        row("full", "etcdmark run, closed loop", " (aim: 1.8 × h2load)")
        row("tonic", "put on our tonic wire", "")
        row("etcd-client", "put", "")
        row("h2load-paced", "that transaction at 1,000/s", "")
        row("paced", "etcdmark run at 1,000/s", "")
    }'
