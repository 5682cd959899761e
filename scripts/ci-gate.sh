#!/usr/bin/env bash
# A step of a CI job: runs etcdmark, reports, and ends with etcdmark's exit code. action.yml is this script on GitHub.
#
# scripts/ci-gate.sh compare BASE HEAD [FLAG…]      97 when HEAD is worse
# scripts/ci-gate.sh run [WORKLOAD] [FLAG…]         99 when a threshold is missed
#
# Versions of etcd among the arguments (3.6, 3.7.3) are provided by install-etcd.sh; `run` without an etcd gets the newest.
# Results, summary.md and junit.xml are written to $ETCDMARK_OUT (default: etcdmark-results/ci-TIME) and are not sent anywhere.
# On GitHub the summary goes to the job's page, and annotations to the log.
#
# environment: ETCDMARK (a binary; default: built with cargo from this checkout), ETCDMARK_OUT; by GitHub: GITHUB_ACTIONS,
# GITHUB_STEP_SUMMARY, GITHUB_OUTPUT
# exit: etcdmark's: 0 ok, 1 failure, 2 usage, 97 regression, 98 invalid run, 99 threshold missed, 130 interrupted
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    compare | run) command=$1 ;;
    *)
        say "error: ${1:-no command}: scripts/ci-gate.sh compare BASE HEAD [FLAG…], or run [WORKLOAD] [FLAG…]"
        exit 2
        ;;
esac
shift

if [ -z "${ETCDMARK:-}" ]; then
    step "building etcdmark"
    cargo build --locked --profile quick --manifest-path "$repo_root/Cargo.toml" >&2
    ETCDMARK=$repo_root/target/quick/etcdmark
fi

# What is a version in place of a path, and whether an etcd is named at all.
versions=()
named=
for argument in "$@"; do
    case $argument in
        --out | --out=* | -o | -o?* | --output | --output=*)
            say "error: $argument: set ETCDMARK_OUT for the directory; the formats are summary.md, junit.xml and the results"
            exit 2
            ;;
        --etcd | --etcd=* | --etcd-version* | --endpoints* | --kind*) named=yes ;;
    esac
    if [[ $argument =~ ^v?[0-9]+\.[0-9]+(\.[0-9]+)?$ ]]; then
        versions+=("${argument#v}")
    fi
done
if [ ${#versions[@]} = 0 ] && [ -z "$named" ] && [ "$command" = run ]; then
    versions=(newest)
fi
if [ ${#versions[@]} -gt 0 ]; then
    step "etcd ${versions[*]}"
    "$repo_root/scripts/install-etcd.sh" "${versions[@]}" >&2
fi

out=${ETCDMARK_OUT:-etcdmark-results/ci-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$out"
step "etcdmark $command $*"
code=0
"$ETCDMARK" "$command" "$@" --out "$out/results" >"$out/summary.txt" || code=$?
cat "$out/summary.txt"

# What was refused before it began has no results.
told="exit code $code"
if [ -n "$(ls -A "$out/results" 2>/dev/null)" ]; then
    "$ETCDMARK" report "$out/results" -o markdown >"$out/summary.md" || true
    "$ETCDMARK" report "$out/results" -o junit >"$out/junit.xml" || true
    told="$told; results, summary.md and junit.xml are in $out"
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        "$ETCDMARK" report "$out/results" -o github || true
    fi
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
        cat "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"
    fi
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf 'exit-code=%s\nresults=%s\n' "$code" "$out" >>"$GITHUB_OUTPUT"
fi
say "$told"
exit "$code"
