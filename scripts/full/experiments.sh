#!/usr/bin/env bash
# Evidence that the built-in experiments work in their full form: each is played to its end, its result is rebuilt from
# its files and must be the same, and no etcd is left.
#
#   scripts/full/experiments.sh [--blocks N] [--smoke] [NAME…]      default: every built-in (half an hour to an hour each)
#
#   --blocks N   so many blocks of each instead of its own number (at least 6, but for those that need less; not with --smoke)
#   --smoke     the smoke forms, a minute each: they answer nothing
#
# One that cannot be played here (fewer than two versions of etcd, a container that forbids holding syncs) is left out,
# and that is said. The same command with the same EXPERIMENTS_OUT goes on after an interruption.
#
# Environment: ETCDMARK (the binary; default: target/release/etcdmark), EXPERIMENTS_OUT (where the results go; default:
# a temporary directory, removed afterwards).
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$repo_root"

flags=() names=()
while [ $# -gt 0 ]; do
    case $1 in
        --blocks)
            [ $# -gt 1 ] || die "--blocks needs a number"
            flags+=(--blocks "$2")
            shift
            ;;
        --smoke) flags+=(--smoke) ;;
        -*) die "$1: unknown; see the head of this script" ;;
        *) names+=("$1") ;;
    esac
    shift
done
etcdmark=${ETCDMARK:-target/release/etcdmark}
[ -x "$etcdmark" ] || die "no $etcdmark: run cargo build --release (or set ETCDMARK)"
if [ ${#names[@]} = 0 ]; then
    mapfile -t names < <("$etcdmark" experiment list -o json | sed -n 's/^ *"name": "\(.*\)",$/\1/p')
fi
[ ${#names[@]} -gt 0 ] || die "$etcdmark lists no experiment"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=${EXPERIMENTS_OUT:-$scratch/out}

failed=() left_out=()
for name in "${names[@]}"; do
    step "experiment $name"
    code=0
    # Its etcds' directories have its process id in their names.
    (
        echo "$BASHPID" >"$scratch/pid"
        exec "$etcdmark" experiment "$name" "${flags[@]}" --out "$out/$name"
    ) 2> >(tee "$scratch/said" >&2) || code=$?
    if pgrep -f "etcdmark-etcd-$(cat "$scratch/pid")-" >&2; then failed+=("$name: an etcd is left"); fi
    if [ "$code" = 130 ]; then exit 130; fi
    if grep -qE 'left of the|seccomp' "$scratch/said" && [ ! -e "$out/$name/experiment.json" ]; then
        left_out+=("$name: $(grep '^error: ' "$scratch/said" | head -n 1)")
        continue
    fi
    # 98: a trial was invalid twice, which is said; this machine may be too busy.
    if [ "$code" != 0 ] && [ "$code" != 98 ]; then
        failed+=("$name: exit code $code")
        continue
    fi
    "$etcdmark" report "$out/$name" -o json | cmp - "$out/$name/experiment.json" ||
        failed+=("$name: the result rebuilt from its files is another")
done
for line in "${left_out[@]}"; do say "not played: $line"; done
if [ ${#failed[@]} -gt 0 ]; then
    for line in "${failed[@]}"; do say "failed: $line"; done
    exit 1
fi
say "experiments.sh: ${#names[@]} experiments, ${#left_out[@]} of them not played"
