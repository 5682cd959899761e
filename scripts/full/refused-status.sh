#!/usr/bin/env bash
# A user with the documented grants, on an etcd that refuses Status to all but root (3.6.5; later releases do not): every
# command works, and says what it goes without.
#
# scripts/full/refused-status.sh [BINARY]      exit: 0 as documented, 1 not.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --locked --bin etcdmark
    binary=target/debug/etcdmark
fi
etcd=$(scripts/install-etcd.sh 3.6.5)
etcd=${etcd#* }
scratch=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
client=http://127.0.0.1:$port peer=http://127.0.0.1:$((port + 1))
"$etcd" --data-dir "$scratch/data" --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
    >"$scratch/etcd.log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$scratch"' EXIT
for _ in $(seq 100); do
    if curl -sf "$client/health" >/dev/null; then break; fi
    sleep 0.1
done

call() { curl -sf -X POST "$client/v3/auth/$1" -d "$2" >/dev/null; }
b64() { printf '%s' "$1" | base64; }
call user/add '{"name":"root","password":"root"}'
call user/grant '{"user":"root","role":"root"}'
call role/add '{"name":"bench"}'
ours="\"key\":\"$(b64 /registry-etcdmark/)\",\"range_end\":\"$(b64 /registry-etcdmark0)\""
call role/grant "{\"name\":\"bench\",\"perm\":{\"permType\":2,$ours}}"
call role/grant '{"name":"bench","perm":{"permType":0,"key":"AA==","range_end":"AA=="}}'
call user/add '{"name":"bench","password":"secret"}'
call user/grant '{"user":"bench","role":"bench"}'
call enable '{}'

failed=()
# works COMMAND…
works() {
    if ! "$binary" "$@" --endpoints "$client" --user bench:secret >"$scratch/said" 2>&1; then
        failed+=("$1")
    elif [ "$1" != cleanup ] && ! tr '\n' ' ' <"$scratch/said" | tr -s ' ' | grep -q 'may not call Status: etcd 3.6.5'; then
        failed+=("$1 does not say what it goes without")
    fi
    cat "$scratch/said"
}
works inspect
works run node-heartbeats --nodes 50 --warmup 0s --duration 5s --out "$scratch/results"
works quota-plan --window 3s
works cleanup
"$binary" inspect --endpoints "$client" --user bench:secret --metrics-endpoints http://127.0.0.1:1 >"$scratch/said" 2>&1 &&
    failed+=("without metrics nothing is known")
grep -q 'pass --metrics-endpoints' "$scratch/said" || failed+=("the remedy is not told")
if [ ${#failed[@]} -gt 0 ]; then die "failed: ${failed[*]}"; fi
say "a user without Status can do what is documented"
