#!/usr/bin/env bash
# From a clone to a measurement: installs what is missing, provides an etcd, builds etcdmark and runs the main
# workload for about half a minute against a throwaway etcd on this machine.
#
# scripts/quickstart.sh [FLAGS OF `etcdmark run`…]      for example: scripts/quickstart.sh --nodes 5000
# Needs: a Rust toolchain; network for crates and etcd the first time. Root is used where it is there.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo_root"

require_build_tools

step "etcd"
etcd=$(scripts/install-etcd.sh newest) || {
    say "cannot provide the newest etcd: trying older versions"
    etcd=$(scripts/install-etcd.sh 3.6 || scripts/install-etcd.sh 3.5 || scripts/install-etcd.sh 3.4) ||
        die "cannot provide an etcd (see the attempts above): put an etcd binary on PATH and run this again"
}
# The last line is the one that succeeded.
etcd=$(printf '%s\n' "$etcd" | tail -n 1)
say "etcd ${etcd%% *}: ${etcd#* }"

step "build (release; some minutes the first time)"
cargo build --release --locked --bin etcdmark

results=${ETCDMARK_QUICKSTART_OUT:-$repo_root/etcdmark-results/quickstart-$(date +%Y%m%d-%H%M%S)}
step "run: a hollow cluster's traffic against etcd ${etcd%% *}, half a minute"
code=0
target/release/etcdmark run cluster --etcd "${etcd#* }" --out "$results" "$@" || code=$?

say ""
if [ -d "$results" ]; then
    say "results: $results (events.jsonl, latency.hlog, result.json)"
    say "to print the result again: target/release/etcdmark report $results"
fi
say "for all flags: target/release/etcdmark run --help"
exit "$code"
