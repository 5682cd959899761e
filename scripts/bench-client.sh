#!/usr/bin/env bash
# CPU per 256 B put at 64 in flight on 8 connections: our h2 wire, our tonic wire, etcd-client and h2load, in
# interleaved rounds against one etcd pinned to another core. Prints the median per client and the ratios.
#
#   scripts/bench-client.sh [ROUNDS] [OPS]      ETCDMARK_ETCD=/path/to/etcd to choose the etcd
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
ops=${2:-60000}

etcd=${ETCDMARK_ETCD:-$(ls -d "$HOME"/.cache/etcdmark/etcd/*/etcd 2>/dev/null | sort -V | tail -1 || true)}
[ -n "$etcd" ] || etcd=$(command -v etcd) || { echo "no etcd: run scripts/install-etcd.sh" >&2; exit 1; }
command -v taskset >/dev/null || { echo "taskset is missing (apt-get install util-linux)" >&2; exit 1; }
command -v h2load >/dev/null || echo "h2load is missing, so is its column (apt-get install nghttp2-client)" >&2
[ "$(nproc)" -ge 2 ] || { echo "needs two cores: one for etcd, one for the client" >&2; exit 1; }

client=${BENCH_CLIENT:-}
if [ -z "$client" ]; then
    client=$(cargo bench --no-run --bench client --message-format=json |
        sed -n 's/.*"executable":"\([^"]*client-[^"]*\)".*/\1/p' | tail -1)
fi

work=$(mktemp -d "${BENCH_DIR:-/dev/shm}/etcdmark-bench.XXXXXX")
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
port=$((20000 + RANDOM % 10000))
url=http://127.0.0.1:$port
taskset -c 0 "$etcd" --data-dir "$work/data" --logger zap --log-level error \
    --listen-client-urls "$url" --advertise-client-urls "$url" \
    --listen-peer-urls "http://127.0.0.1:$((port + 1))" \
    --initial-advertise-peer-urls "http://127.0.0.1:$((port + 1))" \
    --initial-cluster "default=http://127.0.0.1:$((port + 1))" >"$work/etcd.log" 2>&1 &
pid=$!
for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
sleep 1

# The gRPC frame of a PutRequest: key "bench", 256 bytes of value.
{ printf '\x00\x00\x00\x01\x0a\x0a\x05bench\x12\x80\x02'; head -c 256 /dev/zero | tr '\0' v; } >"$work/put"

# Prints: name ops wall cpu µs-per-op
h2load_once() {
    local TIMEFORMAT='%R %U %S' out
    out=$({ time taskset -c 1 h2load -n "$ops" -c 8 -m 8 -t 1 -d "$work/put" \
        -H 'content-type: application/grpc' -H 'te: trailers' \
        "$url/etcdserverpb.KV/Put" >"$work/h2load.log"; } 2>&1)
    grep -q "$ops succeeded" "$work/h2load.log" || { cat "$work/h2load.log" >&2; exit 1; }
    echo "$out" | awk -v n="$ops" '{printf "h2load %d %.3f %.3f %.2f\n", n, $1, $2 + $3, ($2 + $3) * 1e6 / n}'
}

modes=(h2 h2-uncoalesced tonic etcd-client)
for round in $(seq "$rounds"); do
    for mode in "${modes[@]}"; do
        taskset -c 1 "$client" "$mode" "$url" "$ops"
    done
    if command -v h2load >/dev/null; then h2load_once; fi
done | tee "$work/rounds"

echo
echo "etcd: $("$etcd" --version | head -1); $rounds rounds of $ops puts; median CPU per put:"
awk '{print $1, $5}' "$work/rounds" | sort -k1,1 -k2,2n | awk '
    { v[$1, ++n[$1]] = $2 }
    END {
        for (m in n) { k = int((n[m] + 1) / 2); med[m] = v[m, k] }
        for (m in med) printf "  %-16s %6.2f µs\n", m, med[m]
        if (med["h2load"]) printf "  put / h2load = %.2f (aim: at most 1.5)\n", med["h2"] / med["h2load"]
        printf "  put / tonic  = %.2f (aim: at most 0.55)\n", med["h2"] / med["tonic"]
    }'
