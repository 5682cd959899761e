#!/usr/bin/env bash
# From a clone to a measurement: installs what is missing, provides an etcd, builds etcdmark and runs the main
# workload for about half a minute against a throwaway etcd on this machine.
#
# scripts/quickstart.sh [ARGUMENTS OF `etcdmark run`…]      for example: scripts/quickstart.sh --nodes 5000
# Needs: a Rust toolchain; network for crates and etcd the first time. Root is used where it is there.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo_root"

require_build_tools

step "etcd, and meanwhile the build (some minutes the first time)"
work=$(mktemp -d)
etcd_job=
# The whole group: the build of an etcd has children of its own.
trap '[ -z "$etcd_job" ] || kill -- "-$etcd_job" 2>/dev/null || true; rm -rf "$work"' EXIT
provide_etcd() {
    scripts/install-etcd.sh newest && return
    say "cannot provide the newest etcd: trying older versions"
    scripts/install-etcd.sh 3.6 || scripts/install-etcd.sh 3.5 || scripts/install-etcd.sh 3.4
}
# Beside each other: one waits for the network, or has one thread to run, while the other computes.
set -m
provide_etcd >"$work/etcd" &
etcd_job=$!
set +m
# The profile of the first build: see Cargo.toml. `cargo build --release` makes the binary that is published.
cargo build --profile quick --locked --bin etcdmark
wait "$etcd_job" || die "cannot provide an etcd (see the attempts above): put an etcd binary on PATH and run this again"
etcd_job=
# The last line is the one that succeeded.
etcd=$(tail -n 1 "$work/etcd")
say "etcd ${etcd%% *}: ${etcd#* }"
etcdmark=target/quick/etcdmark

# given FLAG… -- ARGUMENT…: whether one of the flags is among the arguments, as --flag VALUE or --flag=VALUE.
given() {
    local flags=() flag argument
    while [ "$1" != -- ]; do
        flags+=("$1")
        shift
    done
    shift
    for argument in "$@"; do
        for flag in "${flags[@]}"; do
            [ "${argument%%=*}" != "$flag" ] || return 0
        done
    done
    return 1
}
own=()
given --etcd --etcd-version --endpoints --kind -- "$@" || own+=(--etcd "${etcd#* }")
results=
if ! given --out -- "$@"; then
    results=${ETCDMARK_QUICKSTART_OUT:-$repo_root/etcdmark-results/quickstart-$(date +%Y%m%d-%H%M%S)}
    own+=(--out "$results")
fi
step "run: a hollow cluster's traffic, half a minute unless --duration says otherwise"
code=0
"$etcdmark" run "${own[@]}" "$@" || code=$?

say ""
if [ -n "$results" ] && [ -d "$results" ]; then
    say "results: $results (events.jsonl, latency.hlog, result.json)"
    say "to print the result again: $etcdmark report $(printf %q "$results")"
fi
say "for all flags: $etcdmark run --help"
exit "$code"
