#!/usr/bin/env bash
# capacity against etcds whose capacity is known, and on media of 0.2 and 2 ms per sync, whose order is: scripts/full/capacity.sh
# stdout: every answer. exit: 0 as they should be, 1 not.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

line=$(scripts/install-etcd.sh newest)
export ETCDMARK_TEST_ETCD=${line#* }
step "a relay of a fixed number of bytes per second"
cargo test --locked --test capacity -- --ignored --nocapture

step "fsync of 0.2 and 2 ms, three times each"
cargo build --locked --profile quick --bin etcdmark
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for us in 200 2000; do
    cat >"$scratch/fsync-$us.yaml" <<YAML
apiVersion: etcdmark/v1alpha2
kind: Medium
metadata: {name: fsync-$us}
spec: {sync: {quantiles: [{p: 0, value: ${us}us}, {p: 1, value: $((us + us / 10))us}]}}
YAML
done
wrong=0
for round in 1 2 3; do
    carried=()
    for us in 200 2000; do
        target/quick/etcdmark capacity node-heartbeats --etcd "$ETCDMARK_TEST_ETCD" --medium "$scratch/fsync-$us.yaml" \
            --duration 10s --warmup 2s --set seed="$round$us" --out "$scratch/$round-$us" -q -o json >"$scratch/answer" || wrong=1
        jq -r '"\(.question.etcd[-1] | split("/")[-1]): \(.summary)"' "$scratch/answer"
        carried+=("$(jq '.carried // 0' "$scratch/answer")")
    done
    if [ "$(jq -n "${carried[0]} >= ${carried[1]}")" != true ]; then
        say "round $round: the slower medium carried more"
        wrong=1
    fi
done
exit "$wrong"
