#!/usr/bin/env bash
# Evidence that the built-in experiments work in their full form: each is played to its end, its result is rebuilt from
# its files and must be the same, and no etcd is left.
#
#   scripts/full/experiments.sh [NAME…]        default: versions (some 40 minutes on two cores)
#
# Environment: ETCDMARK (the binary; default: target/release/etcdmark), EXPERIMENTS_OUT (where the results go; default:
# a temporary directory, removed afterwards). endpoints-vs-slices takes some 10 minutes, compaction-interval five hours.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

names=("$@")
if [ ${#names[@]} = 0 ]; then names=(versions); fi
etcdmark=${ETCDMARK:-target/release/etcdmark}
[ -x "$etcdmark" ] || die "no $etcdmark: run cargo build --release (or set ETCDMARK)"
out=${EXPERIMENTS_OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi

failed=()
for name in "${names[@]}"; do
    step "experiment $name"
    code=0
    "$etcdmark" experiment "$name" --out "$out/$name" || code=$?
    # 98: a trial was invalid twice, which is said; this machine may be too busy.
    if [ "$code" != 0 ] && [ "$code" != 98 ]; then failed+=("$name: exit code $code"); fi
    "$etcdmark" report "$out/$name" -o json | cmp - "$out/$name/experiment.json" ||
        failed+=("$name: the result rebuilt from its files is another")
done
if [ ${#failed[@]} -gt 0 ]; then die "failed: ${failed[*]}"; fi
say "experiments.sh: all played"
